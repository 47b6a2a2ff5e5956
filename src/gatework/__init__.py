"""gatework: recurrent cells written as equations, run as fused kernels."""

from gatework.cells import Cell, cells
from gatework.errors import InputError
from gatework.layers import GRU, LSTM, RNN, Recurrent, convert
from gatework.notation import EquationError
from gatework.recording import record

__all__ = ["GRU", "LSTM", "RNN", "Cell", "EquationError", "InputError", "Recurrent", "cells", "convert", "record"]
