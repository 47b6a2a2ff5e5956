"""A model as JSON and tensors, by the description of its network: what the page needs to run it."""

import base64
import math
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from gatework import diagram
from gatework.cells import Cell
from gatework.network import Network
from gatework.network.steps import Add, Bridge, Direction, Layer, Step
from gatework.notation import Program
from gatework.notation.adjoint import adjoint
from gatework.notation.gates import gates, kinds
from gatework.notation.roles import Role, gate_text, roles, value_text

Weights = dict[str, Tensor]
LIMIT = 4 << 20  # bytes of float32


def layers_json(cell: Cell, network: Network, weights: Weights) -> dict[str, Any]:
    """The cell, and every layer and direction: its Program, where its states start, what its weights are called."""
    first = network.layers[0].directions[0]
    program, added = first.program, {step.xs[0] for step in network.steps if isinstance(step, Add)}
    return {
        "cell": cell.name,
        "equations": "\n".join(program.lines),
        "source": cell.source,
        "hidden": first.sizes["H"],
        "depth": len(network.layers),
        "output": program.output,
        "states": [state.name for state in program.states],
        "gates": gates(program),
        "words": dict(cell.words),
        "roles": [_role_json(program, role) for role in roles(program)],
        "layers": [
            {
                "directions": [_direction_json(direction, weights) for direction in layer.directions],
                "residual": layer.y in added,
            }
            for layer in network.layers
        ],
    }


def _role_json(program: Program, role: Role) -> dict[str, Any]:
    """How much of what goes where, by nodes and as text. exact: all of it, since the equations have no gate there."""
    text = gate_text(program, role)
    gate = [[negative, [factors.above, factors.below]] for negative, factors in role.gate]
    return {
        "kind": role.kind,
        "target": role.target,
        "gate": gate,
        "value": [role.value.above, role.value.below],
        "gate_text": text,
        "value_text": value_text(program, role),
        "exact": text == "1",
    }


def _direction_json(direction: Direction, weights: Weights) -> dict[str, Any]:
    """One layer in one direction: Program, sizes, start, further inputs (one number each), its weights' names."""
    starts = (direction.starts[state.name] for state in direction.program.states)
    return {
        "program": _program_json(direction.program),
        "start": [
            list(map(_number, weights[start].tolist())) if isinstance(start, str) else _number(start)
            for start in starts
        ],
        "inputs": dict(direction.inputs),
        "sizes": dict(direction.sizes),
        "weights": dict(direction.weights),
    }


def adjoint_json(program: Program) -> dict[str, Any]:
    """One step of a Program backwards: its nodes, and where the gradients by old states, inputs and weights stand."""
    backward = adjoint(program)
    return {
        "nodes": [asdict(node) for node in backward.nodes],
        "states": [list(pair) for pair in backward.states],
        "inputs": [list(pair) for pair in backward.inputs],
        "vectors": [list(pair) for pair in backward.vectors],
        "matrices": [[name, [list(pair) for pair in pairs]] for name, pairs in backward.matrices],
    }


def steps_json(network: Network, weights: Weights) -> list[dict[str, Any]]:
    """The steps of a network in their order, its layers as the page runs them."""
    return [told | _as_run(step, weights) for step, told in zip(network.steps, network.to_json()["steps"], strict=True)]


def _as_run(step: Step, weights: Weights) -> dict[str, Any]:
    """What the page reads of a step in another form than its description has."""
    if isinstance(step, Layer):
        return {"directions": [_direction_json(direction, weights) for direction in step.directions]}
    return {"start": _number(step.start)} if isinstance(step, Bridge) else {}


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


def coarse(weights: Weights) -> list[dict[str, Any]] | None:
    """Weights of an untrained network in 8 bits, which leave it as untrained: whole numbers up to 127, and their scale.

    None where they would take more than 1 MB.
    """
    if sum(tensor.numel() for tensor in weights.values()) * 4 > LIMIT:
        return None
    listed = []
    for name, tensor in weights.items():
        scale = float(tensor.abs().max()) / 127 or 1.0
        data = (tensor / scale).round().to("cpu", torch.int8).contiguous().numpy().tobytes()
        listed.append(
            {"name": name, "shape": list(tensor.shape), "scale": scale, "data": base64.b64encode(data).decode("ascii")}
        )
    return listed


def drawn(cell: Cell, network: Network) -> str:
    """The diagram of the cell as the page runs it."""
    return diagram.svg(network.layers[0].directions[0].program, cell.name)
