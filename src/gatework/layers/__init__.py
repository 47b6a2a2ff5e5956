"""Layers: torch modules that run a cell over sequences."""

from gatework.layers.drop_in import GRU, LSTM, RNN, convert
from gatework.layers.recurrent import Recurrent

__all__ = ["GRU", "LSTM", "RNN", "Recurrent", "convert"]
