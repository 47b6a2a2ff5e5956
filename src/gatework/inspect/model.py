"""A model as JSON and tensors: Programs, sizes, starts, and weights by name, all that is needed to run it elsewhere."""

import math
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from gatework import diagram
from gatework.layers import Recurrent
from gatework.notation import Program
from gatework.notation.gates import gates, kinds

Weights = dict[str, Tensor]
LIMIT = 4 << 20  # bytes of float32


def layers_json(recurrent: Recurrent) -> dict[str, Any]:
    """Every layer and direction: its Program, where its states start, how the names of its weights begin."""
    first = recurrent.program
    return {
        "cell": recurrent.cell.name,
        "equations": recurrent.equations,
        "source": recurrent.cell.source,
        "hidden": recurrent.hidden_size,
        "depth": recurrent.num_layers,
        "output": first.output,
        "states": [state.name for state in first.states],
        "gates": gates(first),
        "layers": [
            {
                "directions": [_direction_json(recurrent, layer, place) for place in recurrent.directions],
                "residual": recurrent.residual and layer > 0,
            }
            for layer in range(recurrent.num_layers)
        ],
    }


def _direction_json(recurrent: Recurrent, layer: int, place: str) -> dict[str, Any]:
    """One layer in one direction: Program, sizes, start, further inputs (one number each), prefix of its weights."""
    sizes = recurrent.sizes[layer]
    x = recurrent.anchor.new_zeros(1, 1, sizes[recurrent.program.nodes[0].size])
    program, inputs = recurrent.outside_training(layer, x)
    prefix = f"l{layer}{place}"
    learned = {name: tensor.detach() for name, tensor in getattr(recurrent, prefix).named_parameters()}
    return {
        "program": _program_json(program),
        "start": [
            [_number(value) for value in learned[f"initial_{state.name}"].tolist()]
            if recurrent.initial == "learned"
            else _number(state.start)
            for state in program.states
        ],
        "inputs": {name: float(value.reshape(-1)[0]) for name, value in inputs.items()},
        "sizes": dict(sizes),
        "prefix": f"{prefix}.",
        "reverse": bool(place),
    }


def _program_json(program: Program) -> dict[str, Any]:
    """A Program as JSON values."""
    return {
        "lines": list(program.lines),
        "output": program.output,
        "inputs": list(program.inputs),
        "nodes": [asdict(node) for node in program.nodes],
        "states": [asdict(state) | {"start": _number(state.start)} for state in program.states],
        "parameters": [asdict(parameter) for parameter in program.parameters],
        "stages": [asdict(stage) for stage in program.stages],
        "named": [list(pair) for pair in program.named],
        "kinds": kinds(program),
    }


def _number(value: float) -> float | str:
    """A number, as text where JSON has no such number (-inf)."""
    return value if math.isfinite(value) else str(value)


def layer_weights(recurrent: Recurrent) -> Weights:
    """The parameters as they are called in the page: l0.W_f, l0.b_f, ... and learned starts as l0.initial_h."""
    return {name: tensor.detach() for name, tensor in recurrent.named_parameters()}


def stored(weights: Weights) -> torch.dtype:
    """In which type a page holds them: float32 up to 4 MB, else float16."""
    return torch.float32 if sum(tensor.numel() for tensor in weights.values()) * 4 <= LIMIT else torch.float16


def packed(weights: Weights) -> tuple[list[dict[str, Any]], bytes]:
    """Where each tensor lies, and their bytes, little endian."""
    kind = stored(weights)
    listed: list[dict[str, Any]] = []
    data = bytearray()
    for key, tensor in weights.items():
        name = str(kind).removeprefix("torch.")
        listed.append({"name": key, "shape": list(tensor.shape), "dtype": name, "offset": len(data)})
        array = tensor.to("cpu", kind).contiguous().numpy()
        data += array.astype(array.dtype.newbyteorder("<")).tobytes()
    return listed, bytes(data)


def drawn(recurrent: Recurrent) -> str:
    """The diagram of the cell as the page runs it."""
    program, _ = recurrent.outside_training(0, recurrent.anchor.new_zeros(1, 1, recurrent.input_size))
    return diagram.svg(program, recurrent.cell.name)
