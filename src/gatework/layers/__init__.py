"""Layers: torch modules that run a cell over sequences."""

from gatework.layers.conversion import convert
from gatework.layers.recurrent import Recurrent
from gatework.layers.torch_layers import GRU, LSTM, RNN

__all__ = ["GRU", "LSTM", "RNN", "Recurrent", "convert"]
