"""gatework: recurrent cells written as equations."""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from gatework.cells import Cell, cells
from gatework.errors import InputError
from gatework.layers import GRU, LSTM, RNN, Recurrent, convert
from gatework.layers.gradient_flow import gradient_flow
from gatework.layers.record import record
from gatework.notation import EquationError

if TYPE_CHECKING:
    from gatework.forecast.forecaster import Forecaster
    from gatework.inspect import inspect
    from gatework.labels.estimators import SequenceClassifier, SequenceRegressor, Tagger
    from gatework.loading import load

__version__ = version("gatework")

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Cell",
    "EquationError",
    "Forecaster",
    "InputError",
    "Recurrent",
    "SequenceClassifier",
    "SequenceRegressor",
    "Tagger",
    "cells",
    "convert",
    "gradient_flow",
    "inspect",
    "load",
    "record",
]

_WHEN_ASKED_FOR = {  # whoever wants layers alone does not wait for what trains models and reads tables
    "Forecaster": "gatework.forecast.forecaster",
    "SequenceClassifier": "gatework.labels.estimators",
    "SequenceRegressor": "gatework.labels.estimators",
    "Tagger": "gatework.labels.estimators",
    "inspect": "gatework.inspect",
    "load": "gatework.loading",
}


def __getattr__(name: str) -> Any:
    if name not in _WHEN_ASKED_FOR:
        raise AttributeError(f"module 'gatework' has no attribute {name!r}")
    return getattr(import_module(_WHEN_ASKED_FOR[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
