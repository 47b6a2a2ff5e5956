"""Layers: torch modules that run a cell over sequences."""

from gatework.layers.attention import Attention
from gatework.layers.conversion import convert
from gatework.layers.encoder_decoder import EncoderDecoder
from gatework.layers.recurrent import Recurrent
from gatework.layers.torch_layers import GRU, LSTM, RNN

__all__ = ["GRU", "LSTM", "RNN", "Attention", "EncoderDecoder", "Recurrent", "convert"]
