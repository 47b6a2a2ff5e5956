"""Labels: from sequences to a network that labels them, in memory or in the folder of a run."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from gatework.data.labels import Examples, Kind, Level, read_examples, split
from gatework.data.labels_batches import Encoded, LabelBatches, in_order_of_length
from gatework.data.labels_encoding import Classes, inputs_of, targets_of
from gatework.data.streams import IGNORED
from gatework.data.text import check_splits
from gatework.engines import choose
from gatework.errors import InputError
from gatework.tasks.classify_model import SequenceModel, check_model
from gatework.tasks.classify_options import Options
from gatework.tasks.classify_report import ClassReport, NumberReport, class_report, number_report
from gatework.tasks.classify_run import DATA, TASK, Job, Run
from gatework.tasks.run import RESULTS, NewRun, amend, check_free, describe, new_run
from gatework.training import (
    Event,
    Notice,
    Progress,
    Report,
    Result,
    Resumed,
    Saved,
    launch,
    load_checkpoint,
    load_weights,
    save_checkpoint,
    train,
    write_json,
)

if TYPE_CHECKING:
    from lightning_fabric import Fabric

JUDGES = 10  # sequences at least, to choose the best weights by
AT_ONCE = 256  # sequences of a batch where nothing is learnt

Rows = npt.NDArray[np.intp]


def silent(event: Event) -> None:
    """Reports to nobody."""


# -- what is learnt from


@dataclass(frozen=True)
class Parts:
    """The prepared sequences to train on, to choose the best weights by (None where they are few), and held out."""

    training: Encoded
    validation: Encoded | None
    test: Encoded | None


def prepared(examples: Examples, options: Options, test: float = 0.0) -> tuple[Job, Parts]:
    """Cuts labelled examples into parts, and settles by the training part how they are read.

    All labels that occur anywhere are known. Raises InputError for examples without labels, or with one alone.
    """
    if examples.labels is None or examples.kind is None:
        raise InputError(f'{examples.at(0)} has no label: expected "label" in every row')
    targets = targets_of(examples, examples.kind)
    shares = (1 - options.validation - test, options.validation, test)
    training, validation, held = split(examples, shares, options.random_state)
    if len(validation) < JUDGES:
        training, validation = np.sort(np.concatenate([training, validation])), validation[:0]
    inputs = inputs_of(examples.take(training), options.vocabulary)
    job = Job(examples.kind, options, inputs, targets)
    whole = Encoded.of(examples, inputs, targets, job.kind == "tag")

    def part(rows: Rows) -> Encoded | None:
        return whole.take(rows) if len(rows) else None

    return job, Parts(whole.take(training), part(validation), part(held))


def save_parts(path: Path, parts: Parts) -> None:
    """Writes the sequences as one file of tensors with a digest."""
    tensors: dict[str, Tensor] = {}
    for name, part in vars(parts).items():
        if part is not None:
            assert part.targets is not None
            tensors |= {f"{name}.values": part.values, f"{name}.lengths": part.lengths, f"{name}.targets": part.targets}
    save_checkpoint(path, tensors, Progress())


def load_parts(path: Path, job: Job) -> Parts:
    """What `save_parts` wrote; InputError, naming the file, where it is damaged."""
    held = load_checkpoint(path)

    def part(name: str) -> Encoded | None:
        found = held.part(name)
        return Encoded(**found, tagged=job.kind == "tag") if found else None

    try:
        training = part("training")
        if training is None:
            raise InputError(f"{path} holds no sequences to train on: train anew")
        return Parts(training, part("validation"), part("test"))
    except TypeError as error:
        raise InputError(f"{path} is damaged: {error}") from error


# -- learning


@contextmanager
def own_randomness() -> Iterator[None]:
    """Leaves torch's generators as they were."""
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        yield


def learn(
    job: Job,
    parts: Parts,
    folder: Path,
    *,
    fabric: "Fabric",
    report: Report = silent,
    resume: bool = False,
    further: float | None = None,
    tensorboard: bool = False,
) -> tuple[SequenceModel, Result]:
    """Trains a model in a folder, or goes on with it; returns it with its best weights, on the CPU."""
    if fabric.world_size > 1:
        raise InputError(f"{fabric.world_size} processes: models of labels are trained by one")
    batches = LabelBatches(parts.training, job.options.batch_size, job.options.random_state)
    validation = parts.validation
    with own_randomness():
        model = job.untrained()
        result = train(
            model,
            batches,
            job.options.settings(len(batches)),
            folder,
            evaluate=None if validation is None else lambda model: mean_loss(cast(SequenceModel, model), validation),
            report=report,
            resume=resume,
            further_minutes=further,
            fabric=fabric,
            tensorboard=tensorboard,
        )
    model = model.cpu().eval()
    if result.best_path is not None:
        load_weights(result.best_path, model)
    return model, result


def mean_loss(model: SequenceModel, encoded: Encoded) -> float:
    """The mean loss over all targets."""
    device, total, count = next(model.parameters()).device, 0.0, 0
    for rows in in_order_of_length(encoded, AT_ONCE):
        (x, lengths), targets = encoded.padded(rows)
        loss, _ = model((x.to(device), lengths.to(device)), targets.to(device))
        size = int((targets != IGNORED).sum()) if encoded.tagged else len(rows)
        total, count = total + float(loss) * size, count + size
    return total / count


def scores(
    model: SequenceModel, encoded: Encoded, progress: Callable[[int, int], None] | None = None
) -> npt.NDArray[np.float64] | list[npt.NDArray[np.float64]]:
    """The scores of all sequences: [N,K], for tags a list of [T,K] each. progress: called with done and in all."""
    device, found = next(model.parameters()).device, [np.empty(0)] * len(encoded)
    done = 0
    with torch.inference_mode():
        for rows in in_order_of_length(encoded, AT_ONCE):
            (x, lengths), _ = encoded.padded(rows)
            batch = model.scores((x.to(device), lengths.to(device))).double().cpu()  # [B,K] or [T,B,K]
            for column, row in enumerate(rows.tolist()):
                one = batch[: int(lengths[column]), column] if encoded.tagged else batch[column]
                found[row] = one.numpy()
            done += len(rows)
            if progress is not None:
                progress(done, len(encoded))
    return found if encoded.tagged else np.stack(found)


# -- a run in a folder


@dataclass(frozen=True)
class Outcome:
    """How a training ended, and what its best weights make of the held-out part (None if stopped, or without one)."""

    result: Result
    test: ClassReport | NumberReport | None


def train_labels(
    file: str,
    out: Path,
    options: Options,
    *,
    kind: Kind | None = None,
    splits: tuple[float, float, float] = (0.8, 0.1, 0.1),
    overwrite: bool = False,
    device: str = "auto",
    report: Report = silent,
    told: Callable[[Examples, Job, Parts], None] | None = None,
) -> Outcome:
    """Learns from a file of labelled sequences in the new folder `out`, and judges the best on held-out ones.

    splits: shares for training, validation (which replaces the options') and test. told: called once with what will
    be learnt from what. If anything fails before the first checkpoint, nothing on the disk has changed.
    """
    _, validation, test = check_splits(splits)
    options = replace(options, validation=validation)
    check_free(out, overwrite)
    check_model(options, kind or "class")
    examples = read_examples(file, level=cast(Level, options.level), kind=kind)
    job, parts = prepared(examples, options, test)
    fabric = launch(device=device)
    choose(options.engine, fabric.device, torch.float32)
    job.untrained()
    with new_run(out, overwrite=overwrite) as new:
        save_parts(new.folder / DATA, parts)
        describe(new.folder, TASK, source=file, splits=list(splits), counts=counts(parts), **job.to_json())
        new.place()
        if told is not None:
            told(examples, job, parts)
        return _go(Run.open(out), parts, fabric, keeping(new, report))


def keeping(new: NewRun, report: Report) -> Report:
    """Makes a new run final with its first checkpoint."""

    def heard(event: Event) -> None:
        if isinstance(event, Saved):
            new.keep()
        report(event)

    return heard


def counts(parts: Parts) -> dict[str, int]:
    """How many sequences each part has."""
    return {name: 0 if part is None else len(part) for name, part in vars(parts).items()}


def resume_labels(out: Path, changes: Mapping[str, Any], *, device: str = "auto", report: Report = silent) -> Outcome:
    """Goes on with a run to the same losses as if it had never been stopped.

    changes: options to change, such as {"epochs": 50}: another number of steps or epochs takes the place of every end
    that was set before; "minutes" are minutes from now. What is changed stays changed.
    """
    run = Run.open(out)
    parts = load_parts(out / DATA, run.job)
    changes = dict(changes)
    further = changes.pop("minutes", None)
    ends = {name for name in ("steps", "epochs") if changes.get(name) is not None}
    if ends:
        changes = dict.fromkeys(("steps", "epochs", "minutes")) | changes
    options = replace(run.job.options, **changes)
    changed = replace(run, job=replace(run.job, options=options))

    def heard(event: Event) -> None:
        if isinstance(event, Resumed) and options != run.job.options:
            amend(out, options=options.to_json())
        report(event)
        if isinstance(event, Resumed) and ends:
            report(Notice(f"the learning rate follows a schedule of {event.total:,} steps from here on"))

    return _go(changed, parts, launch(device=device), heard, resume=True, further=further)


def _go(
    run: Run,
    parts: Parts,
    fabric: "Fabric",
    report: Report,
    *,
    resume: bool = False,
    further: float | None = None,
) -> Outcome:
    model, result = learn(
        run.job,
        parts,
        run.path,
        fabric=fabric,
        report=report,
        resume=resume,
        further=further,
        tensorboard=True,
    )
    if result.why == "interrupted" or parts.test is None:
        return Outcome(result, None)
    test = judged(run.job, model, parts.test)
    write_json(run.path / RESULTS, {"why": result.why, "step": result.step, "test": test.to_json()})
    return Outcome(result, test)


def judged(job: Job, model: nn.Module, encoded: Encoded) -> ClassReport | NumberReport:
    """What a model makes of labelled sequences."""
    assert encoded.targets is not None
    found = scores(cast(SequenceModel, model), encoded)
    if not isinstance(job.targets, Classes):
        assert not isinstance(found, list)
        true = encoded.targets.double().numpy() * job.targets.scale + job.targets.mean
        return number_report(true, found[:, 0] * job.targets.scale + job.targets.mean)
    predicted = np.concatenate([one.argmax(-1) for one in found]) if isinstance(found, list) else found.argmax(-1)
    lengths = encoded.lengths.numpy() if encoded.tagged else None
    return class_report(job.targets.values, encoded.targets.numpy(), predicted, lengths)


def predictions(
    job: Job, model: nn.Module, encoded: Encoded, progress: Callable[[int, int], None] | None = None
) -> Iterator[dict[str, Any]]:
    """Yields what is predicted for each sequence as JSON values: its label, or tags; of a class its probability."""
    targets = job.targets
    for one in scores(cast(SequenceModel, model), encoded, progress):
        if not isinstance(targets, Classes):
            yield {"label": float(one[0]) * targets.scale + targets.mean}
        elif encoded.tagged:
            yield {"label": [targets.values[number] for number in one.argmax(-1)]}
        else:
            chances = np.exp(one - np.logaddexp.reduce(one))
            yield {"label": targets.values[int(one.argmax())], "probability": round(float(chances.max()), 6)}
