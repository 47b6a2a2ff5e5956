"""Trained runs as networks: what goes in and comes out, whole."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from gatework.cells import find_cell
from gatework.forecast.forecaster import Forecaster
from gatework.labels.data.encoding import Tokens
from gatework.labels.data.targets import Amounts, Classes, Several, Targets
from gatework.labels.estimators import SequenceClassifier, SequenceRegressor, Tagger
from gatework.layers.description import tensors_of
from gatework.loading import load
from gatework.network import Network
from gatework.network.steps import Affine, Part, Softmax, Step
from gatework.onnx.described import Described, about, arrays, start_of
from gatework.onnx.forecasts import series
from gatework.onnx.pairs import pairs
from gatework.pairs.estimator import Transducer
from gatework.text.conditions import Starts
from gatework.text.trained import TextModel


def trained(model: Any) -> Mapping[str, Described] | None:
    """A run by its folder, or what `gatework.load` made of it, by part, "" for a whole; None for what is no run."""
    if isinstance(model, str | Path):
        model = load(model)
    match model:
        case TextModel():
            return {"": text(model)}
        case SequenceClassifier() | SequenceRegressor() | Tagger() if hasattr(model, "model_"):
            return {"": labels(model)}
        case Transducer() if hasattr(model, "trained_"):
            return pairs(model)
        case Forecaster():
            return {"": series(model)}
    return None


def text(model: TextModel) -> Described:
    """A language model: tokens [T,B] -> log p [T,B,V] of the token after each."""
    run, vocabulary = model.run, model.vocabulary
    network = run.network()
    weights = arrays(tensors_of(model.network, network))
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
    """A model of labels: x [T,B,C] or tokens [T,B], lengths [B] -> probabilities [B,K], tags [T,B,K] or value [B,1].

    Of several targets each has an output, `probabilities.NAME` or `value.NAME`; of sets `probabilities` [B,M] says how
    likely each label is there.
    """
    job = model.job_
    network, cell = _answering(job.network(), job.targets), find_cell(job.options.cell)
    tokens = job.inputs.tokens if isinstance(job.inputs, Tokens) else ()
    known = {"kind": job.kind, "labels": _json(_labels(job.targets)), "vocabulary": _json(tokens)}
    return Described(
        network,
        arrays(tensors_of(model.model_, network)),
        about("labels", cell) | {name: value for name, value in known.items() if value not in ("[]", "{}")},
        stateful=False,
        scaling=None if isinstance(job.inputs, Tokens) else job.inputs,
    )


def _answering(network: Network, targets: Targets) -> Network:
    """A network of scores with what is made of these."""
    (scores,) = network.outputs
    steps, width = list[Step](), len(scores.shape) - 1
    if not isinstance(targets, Several):
        steps.append(_answer(targets, scores.name))
        made = {steps[-1].y: scores.shape[width]}
    elif targets.sets:
        end = sum(targets.sizes)
        steps += [Softmax(scores.name, "shares", targets.sizes), Part("shares", "probabilities", 1, end, 2)]
        made = {"probabilities": end // 2}
    else:
        made, first = {}, 0
        for name, one in zip(targets.names, targets.each, strict=True):
            (size,), part = one.sizes, f"{scores.name}.{name}"
            steps += [Part(scores.name, part, first, first + size), _answer(one, part, f".{name}")]
            made[steps[-1].y], first = size, first + size
    outputs = (replace(scores, name=name, shape=(*scores.shape[:width], size)) for name, size in made.items())
    return Network(network.inputs, tuple(outputs), (*network.steps, *steps))


def _answer(target: Classes | Amounts, scores: str, name: str = "") -> Step:
    """The step from the scores of a target to its probabilities, or to its value."""
    if isinstance(target, Classes):
        return Softmax(scores, f"probabilities{name}")
    return Affine(scores, f"value{name}", target.scale, target.mean)


def _labels(targets: Targets) -> Any:
    """The classes, of several targets by their names; the labels of sets."""
    if not isinstance(targets, Several):
        return targets.values if isinstance(targets, Classes) else ()
    if targets.sets:
        return targets.names
    each = zip(targets.names, targets.each, strict=True)
    return {str(name): one.values for name, one in each if isinstance(one, Classes)}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
