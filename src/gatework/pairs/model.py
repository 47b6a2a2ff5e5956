"""The network of a model of pairs: an encoder and a decoder with attention, or layers that CTC aligns."""

import torch

from gatework.engines import choose
from gatework.layers.encoder_decoder import EncoderDecoder
from gatework.pairs.data.encoded import Inputs
from gatework.pairs.options import Options

Network = EncoderDecoder


def network(options: Options, inputs: Inputs, targets: int) -> Network:
    """A network with fresh weights, for options none of which is open; targets: V, symbols of the targets."""
    assert options.hidden is not None
    assert options.layers is not None
    return EncoderDecoder(
        len(inputs),
        targets,
        options.hidden,
        cell=options.cell,
        num_layers=options.layers,
        bidirectional=options.bidirectional,
        embedding=options.embedding,
        attention=options.attention,
        heads=options.heads,
        dropout=options.dropout,
        tied=options.tied,
        label_smoothing=options.label_smoothing,
        recurrent=options.recurrent,
        engine=options.engine,
    )


def check_model(options: Options, device: torch.device) -> None:
    """Raises InputError or EquationError for options that no network has, before any data are read."""
    choose(options.engine, device, torch.float32)
