"""The payload of a page on a run of labels: its network, sequences of a file, what it predicts of them.

Keys: gatework, kind "labels", title, form (of a sequence: "numbers", "char", "word", "list"), task ("class", "number",
"tag", "set"); tokens (of texts, None of numbers); model (see `model_json`); heads (of each target its name, and the
classes, or mean and scale of a number); examples (source as text, x as the network reads it, true: of each head, of
tags of each step, or None); results; check (x, and its scores in Python); findings.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from gatework import __version__
from gatework.cells import find_cell
from gatework.errors import InputError
from gatework.inspect.ctc import LONGEST, MOST
from gatework.inspect.figures import rounded
from gatework.inspect.model import Weights, layers_json, steps_json
from gatework.inspect.sources import CHECKED, LOOKED_AT, SHOWN, Payload, as_stored, frames_json, training_json
from gatework.labels.answers import report_of
from gatework.labels.data.encoding import Tokens
from gatework.labels.data.examples import Examples, read_examples
from gatework.labels.data.sequences import Sequences
from gatework.labels.data.targets import Amounts, Classes, Several
from gatework.labels.description import Described
from gatework.labels.learning import Trained
from gatework.labels.model import Network as Model
from gatework.labels.run import Job, Run
from gatework.layers.description import tensors_of
from gatework.network import Network
from gatework.runs.progress import PartProgress


def collect_labels(path: Path, file: str | None, title: str, progress: PartProgress) -> tuple[Payload, Weights]:
    """Looks at the sequences of a file with a run's model; a file must be named."""
    if file is None:
        raise InputError(f"{path} reads labelled sequences: name a file of them for it to read")
    run = Run.open(path)
    job, model, network = run.job, run.model(), run.job.network()
    weights = tensors_of(model, network)
    as_stored(model, weights)
    examples = _examples(job, file)
    shown = _shown(examples)
    read = _read(job, shown)
    return {
        "gatework": __version__,
        "kind": "labels",
        "untrained": False,
        "title": title,
        "form": job.inputs.form,
        "task": job.kind,
        "tokens": list(job.inputs.tokens) if isinstance(job.inputs, Tokens) else None,
        "model": model_json(job, network, weights),
        "heads": heads_json(job),
        "examples": _examples_json(job, shown, read),
        "text": None,
        "results": training_json(path, model),
        "check": _check(model, read[:CHECKED]),
        "findings": [*findings(job, model, examples, progress), *also_there(job)],
    }, weights


def _examples(job: Described, file: str) -> Examples:
    columns = job.targets.names if isinstance(job.targets, Several) else None
    level: Any = "word" if job.inputs.form == "word" else "char"
    examples = read_examples(file, level=level, kind=job.kind, columns=columns)
    return examples.take(np.arange(min(LOOKED_AT, len(examples))))


def _shown(examples: Examples) -> Examples:
    """The first sequences that are short enough for a page, until these are as many numbers as it should hold."""
    lengths = np.array([len(sequence) for sequence in examples.sequences])
    numbers = np.flatnonzero(lengths <= LONGEST)[:SHOWN]
    if not len(numbers):
        raise InputError(
            f"each of the {len(lengths):,} sequences has more than {LONGEST:,} steps, and a page shows no longer ones: "
            "name a file that has some"
        )
    total = np.cumsum([np.size(examples.sequences[k]) for k in numbers])
    return examples.take(numbers[: max(1, int((total <= MOST).sum()))])


def _read(job: Described, examples: Examples) -> list[list[Any]]:
    """What the network reads of each sequence, as the page has it: numbers of tokens [T], or vectors [T,I]."""
    encoded = Sequences.of(examples, job.inputs, None, job.kind == "tag")
    each: list[npt.NDArray[Any]] = np.split(encoded.values, np.cumsum(encoded.lengths)[:-1])
    return [one.tolist() if one.ndim == 1 else frames_json(one) for one in each]


def model_json(job: Described, network: Network, weights: Weights) -> Payload:
    """The network, as the page runs it, and what is in it beside the recurrent layers of a member."""
    cell = layers_json(find_cell(job.options.cell), network, weights) | {"depth": job.options.layers}
    tags = job.kind == "tag"
    return {
        "cell": cell,
        "network": steps_json(network, weights),
        "members": job.plan.members,
        "stages": 0 if tags else job.plan.stages,
        "summary": [] if tags else job.plan.summary.split("+"),
    }


def heads_json(job: Described) -> list[Payload]:
    """What is predicted: of each target its name, "" of one, with its classes, or how a number is scaled."""
    targets = job.targets
    if not isinstance(targets, Several):
        return [_head_json("", targets)]
    return [_head_json(str(name), each) for name, each in zip(targets.names, targets.each, strict=True)]


def _head_json(name: str, target: Classes | Amounts) -> Payload:
    if isinstance(target, Amounts):
        return {"name": name, "classes": None, "mean": target.mean, "scale": target.scale}
    return {"name": name, "classes": [str(value) for value in target.values]}


def _examples_json(job: Described, examples: Examples, read: list[list[Any]]) -> list[Payload]:
    labels = examples.labels or [None] * len(examples)
    return [
        {"source": _source(job, sequence), "x": x, "true": None if label is None else _true(job, label)}
        for sequence, x, label in zip(examples.sequences, read, labels, strict=True)
    ]


def _source(job: Described, sequence: Any) -> str:
    """A sequence as people wrote it; of numbers how many steps."""
    if job.inputs.form == "numbers":
        return f"{len(sequence)} step{'s' * (len(sequence) != 1)}"
    return ("" if job.inputs.form == "char" else " ").join(sequence)


def _true(job: Described, label: Any) -> list[Any]:
    """The label of each head, of tags that of each step: a name, or a number."""
    if job.kind == "set":
        assert isinstance(job.targets, Several)
        return [str(name in label) for name in job.targets.names]
    each = label if job.kind == "tag" or isinstance(job.targets, Several) else [label]
    return [float(one) if job.kind == "number" else str(one) for one in each]


def _check(model: Model, read: list[list[Any]]) -> list[Payload]:
    """The scores of a few sequences, one after the other; in float64 as the page."""
    model, made = model.double(), []
    for x in read:
        kind = torch.float64 if isinstance(x[0], list) else torch.int64
        with torch.no_grad():
            scores = model.scores((torch.tensor(x, dtype=kind)[:, None], torch.tensor([len(x)])))
        made.append({"x": x, "scores": rounded(scores.flatten())})
    model.float()
    return made


# -- in plain sentences


def findings(job: Job, model: Model, examples: Examples, progress: PartProgress) -> list[str]:
    """How well the labels of a file are predicted; nothing where it has none."""
    if examples.labels is None:
        return []
    encoded = Sequences.of(examples, job.inputs, job.targets, job.kind == "tag")
    scores = Trained(job, model).scores(encoded, lambda done, total: progress("predicting", done, total))
    lines = report_of(job, encoded, scores).lines()
    count = 2 if isinstance(job.targets, Several) and job.kind != "set" else 1
    return [" ".join(line.strip() for line in lines[:count])]


def also_there(job: Described) -> list[str]:
    """What the network has beside the recurrent layers whose units the page shows."""
    said, plan = [], job.plan
    if job.kind != "tag" and plan.stages:
        what = (
            "A convolution of stride 2 shortens"
            if plan.stages == 1
            else f"{plan.stages} convolutions of stride 2 shorten"
        )
        said.append(
            f"{what} a sequence before the recurrent layers, of which one step stands for {2**plan.stages} of the input"
        )
    if job.kind != "tag" and plan.branch == "fcn":
        said.append(
            "Beside the recurrent layers stands a convolutional branch (LSTM-FCN), which the prediction uses too: the "
            "page runs it, and shows none of its channels"
        )
    if plan.members > 1:
        said.append(f"The prediction is the mean of {plan.members} such networks, each trained by itself")
    return said
