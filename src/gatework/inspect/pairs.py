"""The payload of a page on a model of pairs."""

from typing import Any

from gatework.cells import find_cell
from gatework.inspect.model import Weights, layers_json, steps_json
from gatework.network import Network
from gatework.pairs.network import CARRIED, MEMORY
from gatework.pairs.options import Options


def model_json(options: Options, encoder: Network, decoder: Network, weights: Weights) -> dict[str, Any]:
    """Both networks, as the page runs them."""
    cell = find_cell(options.cell)
    (memory,) = (port.shape[-1] for port in encoder.outputs if port.name == MEMORY)
    return {
        "cell": layers_json(cell, decoder, weights),
        "encoder": steps_json(encoder, weights),
        "decoder": steps_json(decoder, weights),
        "decoder_states": list(decoder.states),
        "carried": {port.name: CARRIED[port.name] for port in decoder.inputs if port.name in CARRIED},
        "memory": memory,
        "heads": options.heads,
        "end": decoder.outputs[0].shape[-1] - 1,
    }
