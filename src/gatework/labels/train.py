"""A training of labels in the folder of a run: begun, or gone on with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from gatework.engines import choose
from gatework.files.reading import marks_of
from gatework.files.writing import write_json
from gatework.labels.answers import Judgement
from gatework.labels.data.examples import Examples, read_examples
from gatework.labels.description import DATA, TASK
from gatework.labels.learning import judged, learn
from gatework.labels.model import check_model
from gatework.labels.options import Kind, Options
from gatework.labels.parts import Parts, counts, load_parts, prepared, save_parts
from gatework.labels.run import Job, Run
from gatework.labels.shortfall import shortfall
from gatework.labels.trial import with_tried_epochs
from gatework.runs.changed_files import say_changed
from gatework.runs.folder import RESULTS, amend, describe
from gatework.runs.new_run import check_free, new_run, open_to_write, recover
from gatework.runs.parts import check_splits
from gatework.runs.resuming import announcing, changes_of
from gatework.runs.weights import check_built
from gatework.training.events import Notice, Report, Result, no_report
from gatework.training.processes import World, launch
from gatework.training.progress import LAST
from gatework.training.torchrun import one_process


@dataclass(frozen=True)
class Outcome:
    """How a training ended, and what its best weights make of the held-out part (None if stopped, or without one)."""

    result: Result
    test: Judgement | None


def train_labels(
    file: str,
    out: Path,
    options: Options,
    *,
    kind: Kind | None = None,
    splits: tuple[float, float, float] = (0.8, 0.1, 0.1),
    encoding: str | None = None,
    overwrite: bool = False,
    device: str = "auto",
    report: Report = no_report,
    on_start: Callable[[Examples, Job, Parts], None] | None = None,
) -> Outcome:
    """Learns from a file of labelled sequences in the new folder `out`, and judges the best on held-out ones.

    splits: shares for training, validation (which replaces the options') and test. encoding: of lines of JSON.
    on_start: called once, before the first step, with the examples, the job and the parts.
    If anything fails before the first checkpoint, nothing on the disk has changed.
    """
    _, validation, test = check_splits(splits)
    options = replace(options, validation=validation)
    one_process("models of labels are trained")
    check_free(out, overwrite)
    check_model(options, kind or "class")
    examples = read_examples(file, level=options.level, kind=kind, encoding=encoding)
    files = marks_of(file)
    job, parts = prepared(examples, options, test)
    world = launch(options.precision, device)
    choose(options.engine, world.device, torch.float32)
    job.untrained()
    job = with_tried_epochs(job, parts, world, report)
    with new_run(out, overwrite=overwrite) as new:
        save_parts(new.folder / DATA, parts)
        data = {"source": file, "encoding": encoding, "files": files, "splits": list(splits), "counts": counts(parts)}
        describe(new.folder, TASK, **data, **job.to_json())
        new.place()
        if on_start is not None:
            on_start(examples, job, parts)
        return _go(Run(out, job, file, tuple(files)), parts, world, new.keeping(report))


def resume_labels(
    out: Path, changes: Mapping[str, Any], *, device: str = "auto", report: Report = no_report
) -> Outcome:
    """Goes on with a run to the same losses as if it had never been stopped.

    changes: options to change, such as {"epochs": 50}: another number of steps or epochs takes the place of every end
    that was set before; "minutes" are minutes from now. What is changed stays changed.
    """
    one_process("models of labels are trained")
    recover(out)
    run = Run.open(out)
    parts = load_parts(out / DATA, run.job)
    made = changes_of(changes, run.job.options)
    options = replace(run.job.options, **made.values)
    changed = replace(run, job=replace(run.job, options=options))
    heard = announcing(report, made, lambda: amend(out, options=options.to_json()))
    with open_to_write(out):
        check_built(changed.job.untrained, out / LAST)
        say_changed(run.files, report)
        return _go(changed, parts, launch(options.precision, device), heard, resume=True, further=made.further)


def _go(
    run: Run,
    parts: Parts,
    world: World,
    report: Report,
    *,
    resume: bool = False,
    further: float | None = None,
) -> Outcome:
    model, result = learn(
        run.job,
        parts,
        run.path,
        world=world,
        report=report,
        resume=resume,
        further=further,
        tensorboard=True,
    )
    if result.why != "interrupted" and (said := shortfall(run.job, model, parts.training)) is not None:
        report(Notice(said))
    if result.why == "interrupted" or parts.test is None:
        return Outcome(result, None)
    test = judged(run.job, model, parts.test)
    write_json(run.path / RESULTS, {"why": result.why, "step": result.step, "test": test.to_json()})
    return Outcome(result, test)
