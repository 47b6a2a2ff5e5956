"""Labels: from labelled sequences to a model that predicts classes, numbers or tags."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatework.labels.estimators import SequenceClassifier, SequenceRegressor, Tagger

__all__ = ["SequenceClassifier", "SequenceRegressor", "Tagger"]


def __getattr__(name: str) -> Any:
    """What trains, and needs torch, is imported when it is asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("gatework.labels.estimators"), name)
