"""gatework: recurrent cells written as equations."""

from importlib.metadata import version

from gatework.cells import Cell, cells
from gatework.errors import InputError
from gatework.gradient_flow import gradient_flow
from gatework.layers import GRU, LSTM, RNN, Recurrent, convert
from gatework.notation import EquationError
from gatework.recording import record
from gatework.tasks.classify_estimators import SequenceClassifier, SequenceRegressor, Tagger
from gatework.tasks.forecast import Forecaster

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
    "record",
]
