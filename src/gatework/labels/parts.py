"""Labelled sequences cut into parts, to learn from, to choose by, held out; and saved to go on with."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatework.errors import InputError
from gatework.labels.data.batches import Encoded
from gatework.labels.data.encoding import Tokens, inputs_of
from gatework.labels.data.examples import Examples, split
from gatework.labels.data.targets import Classes, Several, Targets, targets_of
from gatework.labels.options import Options
from gatework.labels.plan import plan_of
from gatework.labels.run import Job
from gatework.training.checkpoint import check_tensors, load_checkpoint, save_checkpoint
from gatework.training.progress import Progress

LEAST_VALIDATED = 10  # sequences at least, to choose the best weights by

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Parts:
    """The prepared sequences to train on, to choose the best weights by (None where they are few), and held out."""

    training: Encoded
    validation: Encoded | None
    test: Encoded | None


def prepared(
    examples: Examples, options: Options, test: float = 0.0, weights: Tensor | None = None
) -> tuple[Job, Parts]:
    """Cuts labelled examples into parts, and settles by the training part how they are read.

    weights: how much each counts in the loss [N], above 0 for some of those trained on.

    All labels that occur anywhere are known. Raises InputError for examples without labels, or with one alone.
    """
    if examples.labels is None or examples.kind is None:
        raise InputError(f'{examples.at(0)} has no label: expected "label" in every row')
    targets = targets_of(examples)
    shares = (1 - options.validation - test, options.validation, test)
    training, validation, test_rows = split(examples, shares, options.random_state)
    if len(validation) < LEAST_VALIDATED:
        training, validation = np.sort(np.concatenate([training, validation])), validation[:0]
    learnt = examples.take(training)
    inputs = inputs_of(learnt, options.vocabulary)
    job = Job(examples.kind, options, inputs, targets, plan_of(options, examples.kind, learnt))
    whole = Encoded.of(examples, inputs, targets, job.kind == "tag")
    if weights is not None:
        whole = replace(whole, weights=weights / weights[training].mean())

    def part(rows: Rows) -> Encoded | None:
        return whole.take(rows) if len(rows) else None

    return job, Parts(whole.take(training), part(validation), part(test_rows))


def save_parts(path: Path, parts: Parts) -> None:
    """Writes the sequences as one file of tensors with a digest."""
    tensors: dict[str, Tensor] = {}
    for name, part in vars(parts).items():
        if part is not None:
            assert part.targets is not None
            tensors |= {f"{name}.values": part.values, f"{name}.lengths": part.lengths, f"{name}.targets": part.targets}
    save_checkpoint(path, tensors, Progress())


def load_parts(path: Path, job: Job) -> Parts:
    """What `save_parts` wrote; InputError, naming the file, where it is not what a run of this job was given."""
    checkpoint = load_checkpoint(path)
    tensors_of = {name: checkpoint.part(name) for name in ("training", "validation", "test")}
    if not tensors_of["training"]:
        raise InputError(f"{path} holds no sequences to train on: train anew")
    for name, tensors in tensors_of.items():
        if tensors:
            _check_part(path, name, tensors, job)
    tagged = job.kind == "tag"
    return Parts(**{name: Encoded(**each, tagged=tagged) if each else None for name, each in tensors_of.items()})  # type: ignore[arg-type]


def _check_part(path: Path, part: str, tensors: Mapping[str, Tensor], job: Job) -> None:
    """Raises InputError, naming the tensor, unless a part has the types, sizes and numbers of such a job."""
    lengths, targets = tensors.get("lengths", torch.empty(0)), job.targets
    N, steps = len(lengths), int(lengths.clamp(min=0).sum())
    classes = None if job.kind == "number" else max(targets.sizes)
    tokens = job.inputs.width if isinstance(job.inputs, Tokens) else None
    below = {"lengths": 1 << 62, "values": tokens, "targets": classes}  # None for real numbers
    shapes = {
        "lengths": (N,),
        "values": (steps,) if tokens else (steps, job.inputs.width),
        "targets": (steps,) if job.kind == "tag" else (N, len(targets.each)) if isinstance(targets, Several) else (N,),
    }
    wanted = {
        f"{part}.{name}": torch.empty(shape, dtype=torch.float32 if below[name] is None else torch.int64, device="meta")
        for name, shape in shapes.items()
    }
    check_tensors(path, {f"{part}.{name}": tensor for name, tensor in tensors.items()}, wanted)
    for name, end in below.items():
        least, tensor = int(name == "lengths"), tensors[name]
        if end is not None and bool(((tensor < least) | (tensor >= end)).any()):
            raise InputError(f"{path} is damaged: {part}.{name} holds numbers that are not from {least} to {end - 1}")


def counts(parts: Parts) -> dict[str, int]:
    """How many sequences each part has."""
    return {name: 0 if part is None else len(part) for name, part in vars(parts).items()}


def class_weights(job: Job, training: Encoded) -> Tensor | None:
    """How much each class counts in the loss, 1 on the mean over the training part; None for alike.

    [K], of several targets the classes of one after those of the other. Raises InputError for a class that is none.
    """
    chosen, targets, labels = job.options.class_weight, job.targets, training.targets
    if chosen is None or job.kind == "number":
        return None
    assert labels is not None
    if isinstance(targets, Several):
        if not isinstance(chosen, str):
            raise InputError(f"class_weight is {chosen!r}, and there are several targets: expected 'balanced' or None")
        return torch.cat([_balanced(one, column) for one, column in zip(targets.each, labels.T, strict=True)])
    assert isinstance(targets, Classes)
    if isinstance(chosen, str):
        return _balanced(targets, labels)
    names = list(chosen)
    weights = torch.ones(len(targets.values), dtype=torch.double)
    weights[targets.encode(names, lambda k: f"class_weight {names[k]!r}")] = torch.tensor(
        [float(chosen[name]) for name in names], dtype=torch.double
    )
    return _of_mean_1(weights, _counts(targets, labels))


def _balanced(targets: Targets, labels: Tensor) -> Tensor:
    counts = _counts(targets, labels)
    return _of_mean_1(1 / counts.clamp(min=1), counts)


def _counts(targets: Targets, labels: Tensor) -> Tensor:
    return labels.bincount(minlength=targets.sizes[0]).double()


def _of_mean_1(weights: Tensor, counts: Tensor) -> Tensor:
    return (weights * counts.sum() / (weights @ counts)).float()
