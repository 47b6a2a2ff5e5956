"""What is exported: a network, its weights, and what a reader should know of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from gatework.cells import Cell
from gatework.layers import Recurrent
from gatework.layers.description import network_of, weights_of
from gatework.network import Network, Port
from gatework.runs.scaling import Scaling

OUTPUT = "output"  # what leaves a layer


@dataclass(frozen=True)
class Described:
    """A network with its weights by its names.

    metadata: what the file says of itself. batch_first: what goes in and comes out is [B,T,...]. stateful: its states
    may go in and come out. scaling: what is done to its first input. ending: what is done to its output.
    """

    network: Network
    weights: Mapping[str, npt.NDArray[np.float32]]
    metadata: Mapping[str, str]
    batch_first: bool = False
    stateful: bool = True
    scaling: Scaling | None = None
    ending: Any = None


def layer(module: Recurrent) -> Described:
    """A recurrent layer: x [T,B,I] -> output [T,B,D*H]."""
    network = network_of(module)
    *steps, last = network.steps
    named = Network(network.inputs, (Port(OUTPUT, network.outputs[0].shape),), (*steps, replace(last, y=OUTPUT)))
    return Described(named, arrays(weights_of(module)), about("layer", module.cell), module.batch_first)


def starts(network: Network, weights: Mapping[str, npt.NDArray[np.float32]]) -> str:
    """Where each state starts, as JSON: a number, "-inf", or where they were learnt numbers [L*D,size]."""
    directions = [direction for layer in network.layers for direction in layer.directions]
    found = {}
    for name in network.states:
        each = [direction.starts[name] for direction in directions]
        learnt = [weights[start] for start in each if isinstance(start, str)]
        found[name] = start_of(np.stack(learnt) if learnt else np.float64(each[0]))
    return json.dumps(found)


def start_of(state: Any) -> Any:
    """A state as JSON has it: a number, numbers, or "-inf" for one that is so everywhere."""
    return state.tolist() if np.isfinite(state).all() else str(float(state.flat[0]))


def about(task: str, cell: Cell) -> dict[str, str]:
    """What every file says of itself."""
    return {"gatework": version("gatework"), "task": task, "cell": cell.name, "equations": cell.equations}


def arrays(tensors: Mapping[str, Tensor]) -> dict[str, npt.NDArray[np.float32]]:
    return {name: tensor.detach().float().cpu().numpy() for name, tensor in tensors.items()}
