"""gatework: recurrent cells written as equations."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gatework.beside_torch import follow_torch
from gatework.cells import Cell, cells
from gatework.errors import NO_TORCH, TRAINING, InputError
from gatework.notation import EquationError

if TYPE_CHECKING:
    from gatework import onnx
    from gatework.exporting import export
    from gatework.forecast.forecaster import Forecaster
    from gatework.inspect import inspect
    from gatework.labels.estimators import SequenceClassifier, SequenceRegressor, Tagger
    from gatework.layers import GRU, LSTM, RNN, Attention, EncoderDecoder, Recurrent, convert
    from gatework.layers.gradient_flow import gradient_flow
    from gatework.layers.record import record
    from gatework.loading import load
    from gatework.pairs.estimator import Transducer

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Attention",
    "Cell",
    "EncoderDecoder",
    "EquationError",
    "Forecaster",
    "InputError",
    "Recurrent",
    "SequenceClassifier",
    "SequenceRegressor",
    "Tagger",
    "Transducer",
    "cells",
    "convert",
    "export",
    "gradient_flow",
    "inspect",
    "load",
    "onnx",
    "record",
]

_MODULES = {  # imported when asked for: equations need no torch, and layers nothing that trains or reads tables
    "GRU": "gatework.layers",
    "LSTM": "gatework.layers",
    "RNN": "gatework.layers",
    "Attention": "gatework.layers",
    "EncoderDecoder": "gatework.layers",
    "Recurrent": "gatework.layers",
    "convert": "gatework.layers",
    "export": "gatework.exporting",
    "gradient_flow": "gatework.layers.gradient_flow",
    "record": "gatework.layers.record",
    "Forecaster": "gatework.forecast.forecaster",
    "SequenceClassifier": "gatework.labels.estimators",
    "SequenceRegressor": "gatework.labels.estimators",
    "Tagger": "gatework.labels.estimators",
    "Transducer": "gatework.pairs.estimator",
    "inspect": "gatework.inspect",
    "load": "gatework.loading",
    "onnx": "gatework.onnx",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415, takes as long to import as all cells take to read

        return version("gatework")
    if name not in _MODULES:
        raise AttributeError(f"module 'gatework' has no attribute {name!r}")
    try:
        module = import_module(_MODULES[name])
        return module if name == "onnx" else getattr(module, name)  # a room, whose functions stand in it
    except ModuleNotFoundError as error:
        if error.name in TRAINING:
            raise ImportError(f"gatework.{name} {NO_TORCH}", name=error.name) from None
        raise


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


follow_torch()
