"""Trained runs as networks: what goes in and comes out, whole."""

import json
from pathlib import Path
from typing import Any

from gatework.errors import InputError
from gatework.loading import load
from gatework.onnx.described import Described, about, arrays
from gatework.text.network import language_network
from gatework.text.trained import TextModel


def trained(model: Any) -> Described | None:
    """A run by its folder, or what `gatework.load` made of it; None for what is no run."""
    if isinstance(model, str | Path):
        model = load(model)
    match model:
        case TextModel():
            return text(model)
    return None


def text(model: TextModel) -> Described:
    """A language model: tokens [T,B] -> log p [T,B,V] of the token after each."""
    run, vocabulary = model.run, model.vocabulary
    if vocabulary.conditions:
        raise InputError(
            f"{run.path} writes documents on conditions, whose starts are no part of a model of ONNX yet; "
            "gatework sample --condition runs it"
        )
    network = language_network(run.cell, len(vocabulary), run.shape)
    weights = arrays({name: value for name, value in model.network.state_dict().items() if name in network.weights})
    known = {"level": vocabulary.level, "vocabulary": json.dumps(vocabulary.tokens, ensure_ascii=False)}
    return Described(network, weights, about("text", run.cell) | known)
