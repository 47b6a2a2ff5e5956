"""The one JSON object that a page is made of, and the weights beside it.

Keys (those of a series stand in `series.py`):
gatework, kind ("text" or "series"), title, untrained
model      cell, equations, hidden, depth, output, states, gates, layers (see `model.py`), embedding, head,
           adjoints (of each layer)
weights    of each: name, shape, dtype, offset in the bytes
vocabulary level, tokens, unknown
text       name, ids, pieces (what each token spells), start (the first token's place in the file), start_state,
           whole (length of the file), measured (tokens that the figures are of)
results    bits (held-out bits per character), here (bits per token on this text), steps, minutes, parameters
fresh      an untrained network's weights: of each name, shape, scale, data; None where they are many
check      at, h, p: the output of the last layer and log p(next token) in Python after some tokens of the stretch
units, hypotheses, gates, flow, findings: see `hypotheses.py`, `saturation.py`, `memory.py`, `findings.py`
"""

import copy
import math
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gatework.errors import InputError
from gatework.files.writing import read_json
from gatework.inspect.activity import Activity
from gatework.inspect.figures import rounded
from gatework.inspect.model import Weights, adjoint_json, layers_json
from gatework.inspect.reading import Reading
from gatework.layers.description import tensors_of
from gatework.layers.record import record
from gatework.network.steps import Embedding, Linear
from gatework.runs.folder import RESULTS
from gatework.text.data.vocabulary import Vocabulary
from gatework.text.model import LanguageModel
from gatework.text.run import Run
from gatework.training.checkpoint import load_checkpoint
from gatework.training.metrics import bits
from gatework.training.progress import LAST

Payload = dict[str, Any]
DIGITS = 6  # that figures keep
CHECKED = 300  # tokens of the stretch that the page runs before it says whether it agrees with Python
CHECKS = 5  # places that are compared


@dataclass(frozen=True)
class Stretch:
    """The tokens that the page shows: those of a reading from `first` to before `end`."""

    first: int
    end: int


def text_parts(
    title: str, model: LanguageModel, vocabulary: Vocabulary, reading: Reading, activity: Activity, stretch: Stretch
) -> Payload:
    """What a page on a text needs to run the model, and to check that it runs it as Python does."""
    ids = torch.from_numpy(reading.ids.astype("int64"))[stretch.first : stretch.end]
    state = activity.state(model.recurrent, stretch.first)
    return {
        "kind": "text",
        "title": title,
        "model": _model_json(model),
        "vocabulary": _vocabulary_json(vocabulary, model.vocabulary_size),
        "text": {
            "name": reading.name,
            "ids": ids.tolist(),
            "pieces": list(reading.pieces[stretch.first : stretch.end]),
            "start": stretch.first,
            "start_state": _state_json(state),
            "whole": reading.whole,
            "measured": len(reading),
        },
        "check": check(model, ids, state),
    }


def _model_json(model: LanguageModel) -> Payload:
    """The layers, and what stands before and after them."""
    network = model.description()
    told = layers_json(model.recurrent.cell, network, tensors_of(model, network)) | {"embedding": None}
    told["adjoints"] = [adjoint_json(layer.directions[0].program) for layer in network.layers]
    for step in network.steps:
        if isinstance(step, Embedding):
            told["embedding"] = step.weight
        elif isinstance(step, Linear):
            told["head"] = {"weight": step.weight, "bias": step.bias}
    return told


def _vocabulary_json(vocabulary: Vocabulary, classes: int) -> Payload:
    """The tokens, with the end of a document where the model predicts one too."""
    tokens = [vocabulary.shown(token) for token in range(classes)]
    return {"kind": vocabulary.level, "tokens": tokens, "unknown": vocabulary.unknown}


def _state_json(state: tuple[Tensor, ...] | None) -> list[list[list[list[float]]]] | None:
    """States [L,1,H] as numbers: of each layer its directions, of these their states."""
    if state is None:
        return None
    return [[[rounded(part[layer, 0]) for part in state]] for layer in range(len(state[0]))]


def check(model: LanguageModel, ids: Tensor, state: Any) -> Payload:
    """What Python finds at some places of the stretch: the last layer's output [H], log p of the token that follows."""
    model = copy.deepcopy(model).double()  # as the page computes
    model.recurrent.engine = "auto"  # one asked for by name may not
    state = None if state is None else tuple(part.double() for part in state)
    last = min(CHECKED, len(ids) - 1)
    at = sorted({round(last * (k + 1) / CHECKS) - 1 for k in range(CHECKS)} - {-1}) or [0]
    output = model.recurrent.program.output
    with torch.inference_mode(), record(model.recurrent, output) as trace:
        logits, _ = model.logits(ids[:last, None], state)
    h = trace[f"l{model.recurrent.num_layers - 1}.{output}"][:, 0]
    log_p = logits[:, 0].log_softmax(-1)
    return {
        "at": at,
        "h": [rounded(h[t]) for t in at],
        "p": rounded(torch.stack([log_p[t, ids[t + 1]] for t in at])),
    }


def language_weights(model: LanguageModel) -> Weights:
    """All weights by the names that the payload gives them."""
    return tensors_of(model, model.description())


def text_results(run: Run, model: LanguageModel, log_p: Tensor) -> Payload:
    """What is known of the training, and how the text at hand was predicted."""
    held_out: Payload = {}
    with suppress(InputError):  # a run that was stopped has none, and one without a test part no figures of it
        held_out = read_json(run.path / RESULTS).get("test", {})
    progress = load_checkpoint(run.path / LAST).progress
    return {
        "bits": held_out.get("bits_per_character"),
        "bits_per_token": held_out.get("bits_per_token"),
        "here": round(bits(-log_p.double().mean().item()), DIGITS),
        "blind": round(math.log2(model.vocabulary_size), DIGITS),
        "steps": progress.step,
        "minutes": round(progress.elapsed / 60, 2),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "train_text": list(run.text.paths),
        "train_tokens": run.counts.tokens,
    }
