"""Forecasts: from a table of series to their future values, with bands."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatework.forecast.forecaster import Forecast, Forecaster

__all__ = ["Forecast", "Forecaster"]


def __getattr__(name: str) -> Any:
    """What trains, and needs torch, is imported when it is asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("gatework.forecast.forecaster"), name)
