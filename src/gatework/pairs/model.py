"""The network of a model of pairs: an encoder and a decoder with attention, or layers that CTC aligns."""

from dataclasses import replace
from typing import Any

import torch

from gatework.engines import choose
from gatework.errors import InputError
from gatework.layers import EncoderDecoder
from gatework.pairs.ctc_model import CTCModel
from gatework.pairs.data.encoded import Inputs
from gatework.pairs.options import DECODING, Options
from gatework.pairs.sizes import with_sizes
from gatework.runs.scaling import Scaling

Network = EncoderDecoder | CTCModel


def network(options: Options, inputs: Inputs, targets: int) -> Network:
    """A network with fresh weights, for options none of which is open; targets: V, symbols of the targets."""
    assert options.hidden is not None
    assert options.layers is not None
    shared: dict[str, Any] = {
        "cell": options.cell,
        "num_layers": options.layers,
        "bidirectional": options.bidirectional,
        "embedding": options.embedding,
        "dropout": options.dropout,
        "recurrent": options.recurrent,
        "engine": options.engine,
    }
    frames = isinstance(inputs, Scaling)
    read = inputs.width if isinstance(inputs, Scaling) else len(inputs)
    if options.align == "ctc":
        return CTCModel(read, targets, options.hidden, frames=frames, **shared)
    decoding = {name: getattr(options, name) for name in DECODING}
    smoothing = options.label_smoothing
    return EncoderDecoder(read, targets, options.hidden, label_smoothing=smoothing, **shared, **decoding)


def check_model(options: Options, device: torch.device) -> None:
    """Raises InputError or EquationError for options that no network has, before any data are read."""
    choose(options.engine, device, torch.float32)
    try:
        with torch.device("meta"):
            network(replace(with_sizes(options), engine="auto"), Scaling((0.0,), (1.0,)), 1)
    except (RuntimeError, OverflowError) as error:  # even a tensor without memory has a largest size
        raise InputError(
            f"sizes that no memory holds: {options.hidden} hidden, {options.embedding} embedding"
        ) from error
