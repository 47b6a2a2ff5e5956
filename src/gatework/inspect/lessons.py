"""The page of `gatework learn`: four lessons on small networks that are shipped with gatework, and need no run.

Keys of its payload: gatework, kind "lessons", title; networks by name (reader, counter, rnn, gru, lstm), of each the
model (see `model.py`) and what the file says about it; noise: what the last three read, how their last output counts.
`python -m gatework.lab.lesson_models` trains the networks and writes the file.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from gatework import __version__
from gatework.files.tensors import Tensors, read_tensors
from gatework.inspect.document import Page
from gatework.inspect.html import assemble
from gatework.inspect.model import Weights, adjoint_json, layers_json, packed
from gatework.layers import Recurrent
from gatework.layers.description import network_of, tensors_of

SHIPPED = Path(__file__).with_name("lessons.safetensors")
HEAD = {"weight": "head.weight", "bias": "head.bias"}

Payload = dict[str, Any]


def lessons() -> Page:
    """The page of four lessons: the conveyor, the bias of the forget gate, vanishing and exploding, counting."""
    file = read_tensors(SHIPPED)
    read = {name: _network(file, name, json.loads(about)) for name, about in file.metadata.items()}
    payload: Payload = {
        "gatework": __version__,
        "kind": "lessons",
        "title": "Four lessons on gates",
        "networks": {name: network for name, (network, _) in read.items()},
        "noise": {name: array.tolist() for name, array in file.part("noise").items()},
        "findings": [],
    }
    payload["weights"], data = packed({key: value for _, weights in read.values() for key, value in weights.items()})
    return Page(assemble(payload, data), payload)


def layer_of(file: Tensors, name: str, about: Mapping[str, Any]) -> Recurrent:
    """A shipped recurrent layer, with its weights."""
    layer = Recurrent(about["cell"], about["inputs"], about["hidden"])
    weights = file.part(name)
    layer.load_state_dict({key: torch.from_numpy(weights[key].copy()) for key in layer.state_dict()})
    return layer


def _network(file: Tensors, name: str, about: Mapping[str, Any]) -> tuple[Payload, Weights]:
    """A shipped network as the page runs it, and its weights by "network.name"."""
    layer, parts = layer_of(file, name, about), file.part(name)
    network = network_of(layer)
    weights = tensors_of(layer, network)
    model = layers_json(layer.cell, network, weights) | {"embedding": None, "head": None}
    model["adjoints"] = [adjoint_json(step.directions[0].program) for step in network.layers]
    if HEAD["weight"] in parts:
        model["head"] = HEAD
        weights |= {key: torch.from_numpy(parts[key].copy()) for key in HEAD.values()}
    return {**about, "model": model}, {f"{name}.{key}": value for key, value in weights.items()}
