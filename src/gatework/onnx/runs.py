"""Trained runs as networks: what goes in and comes out, whole."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from gatework.cells import find_cell
from gatework.errors import InputError
from gatework.forecast.forecaster import Forecaster
from gatework.labels.data.encoding import FARTHEST
from gatework.labels.estimators import SequenceClassifier, SequenceRegressor, Tagger
from gatework.labels.network import sequence_network
from gatework.loading import load
from gatework.network import Network
from gatework.network.steps import Affine, Softmax, Step
from gatework.onnx.described import Described, about, arrays, start_of
from gatework.onnx.scaling import Scaling
from gatework.text.conditions import Starts
from gatework.text.network import language_network
from gatework.text.trained import TextModel


def trained(model: Any) -> Described | None:
    """A run by its folder, or what `gatework.load` made of it; None for what is no run."""
    if isinstance(model, str | Path):
        model = load(model)
    match model:
        case TextModel():
            return text(model)
        case SequenceClassifier() | SequenceRegressor() | Tagger() if hasattr(model, "model_"):
            return labels(model)
        case Forecaster():
            raise InputError(
                "forecasts of series are no model of ONNX yet, since calendar and calibration lie outside the network; "
                "gatework forecast runs them"
            )
    return None


def text(model: TextModel) -> Described:
    """A language model: tokens [T,B] -> log p [T,B,V] of the token after each."""
    run, vocabulary = model.run, model.vocabulary
    network = language_network(run.cell, len(vocabulary), run.shape, len(vocabulary.conditions))
    weights = arrays({name: value for name, value in model.network.state_dict().items() if name in network.weights})
    known = {"level": vocabulary.level, "vocabulary": _json(vocabulary.tokens)}
    if model.network.starts is not None:
        known |= {"end": str(vocabulary.end), "conditions": _json(_starts(model, model.network.starts))}
    return Described(network, weights, about("text", run.cell) | known)


def _starts(model: TextModel, starts: Starts) -> dict[str, dict[str, Any]]:
    """The states [L,H] by name that a document of each condition starts from."""
    layer, conditions = model.network.recurrent, model.vocabulary.conditions
    with torch.no_grad():
        states = starts(layer, torch.arange(len(conditions), device=layer.anchor.device), None)  # [L,K,H] each
    return {
        condition: {
            name: start_of(value[:, k].cpu().numpy()) for name, value in zip(layer.state_names, states, strict=True)
        }
        for k, condition in enumerate(conditions)
    }


def labels(model: SequenceClassifier | SequenceRegressor | Tagger) -> Described:
    """A model of labels: x [T,B,C] or tokens [T,B], lengths [B] -> probabilities [B,K], tags [T,B,K] or value [B,1]."""
    job = model.job_
    inputs, targets = job.inputs.to_json(), job.targets.to_json()
    if "classes" not in targets and "mean" not in targets:
        raise InputError("a model of several targets cannot be exported; train one for each target")
    tokens = inputs["form"] != "numbers"
    size = len(targets["classes"]) if "classes" in targets else 1
    scored = sequence_network(job.options, job.inputs.width, size, tokens=tokens, kind=job.kind, plan=job.plan)
    network = _answering(scored, targets)
    cell = find_cell(job.options.cell)
    known = {
        "kind": job.kind,
        "labels": _json(targets.get("classes", [])),
        "vocabulary": _json(inputs.get("tokens", [])),
    }
    return Described(
        network,
        arrays({name: value for name, value in model.model_.state_dict().items() if name in network.weights}),
        about("labels", cell) | {name: value for name, value in known.items() if value != "[]"},
        stateful=False,
        scaling=None if tokens else _scaling(job.inputs),
    )


def _answering(network: Network, targets: Mapping[str, Any]) -> Network:
    """A network of scores with what is made of these."""
    (scores,) = network.outputs
    if "classes" in targets:
        step: Step = Softmax(scores.name, "probabilities")
    else:
        step = Affine(scores.name, "value", targets["scale"], targets["mean"])
    return Network(network.inputs, (replace(scores, name=step.y),), (*network.steps, step))


def _scaling(inputs: Any) -> Scaling:
    missing = tuple(column for column, gaps in enumerate(inputs.missing) if gaps)
    return Scaling(inputs.mean, inputs.scale, FARTHEST, missing, inputs.bent)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
