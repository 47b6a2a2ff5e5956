"""Layers: torch modules that run a cell over sequences."""

from gatework.layers.conversion import convert
from gatework.layers.drop_in import GRU, LSTM, RNN
from gatework.layers.recurrent import Recurrent

__all__ = ["GRU", "LSTM", "RNN", "Recurrent", "convert"]
