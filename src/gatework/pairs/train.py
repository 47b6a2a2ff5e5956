"""A training of pairs in the folder of a run: begun, or gone on with."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from gatework.files.reading import marks_of
from gatework.files.writing import write_json
from gatework.pairs.data.examples import Examples, Form, read_examples
from gatework.pairs.data.tables import Columns
from gatework.pairs.description import DATA, TASK
from gatework.pairs.evaluation import judged
from gatework.pairs.learning import learn
from gatework.pairs.metrics import PairReport
from gatework.pairs.model import check_model
from gatework.pairs.options import SPLITS, Options
from gatework.pairs.parts import Parts, prepared, save_parts
from gatework.pairs.run import Job, Run
from gatework.runs.changed_files import say_changed
from gatework.runs.folder import RESULTS, amend, describe
from gatework.runs.new_run import NewRun, check_free, new_run, open_to_write, recover
from gatework.runs.parts import Splits, check_splits
from gatework.runs.resuming import announcing, changes_of
from gatework.runs.weights import check_built
from gatework.training.events import Evaluating, Notice, Report, Result, no_report
from gatework.training.processes import World, first_alone, launch
from gatework.training.progress import LAST

OnStart = Callable[[Examples, Job, Parts], None]


@dataclass(frozen=True)
class Data:
    """What to learn from, and how it is read: see `gatework.pairs.data.examples.read_examples`.

    splits: shares of the sources for training, validation and test.
    """

    file: str
    columns: Columns = field(default_factory=Columns)
    encoding: str | None = None
    splits: Splits = SPLITS


@dataclass(frozen=True)
class Outcome:
    """How a training ended, and what its best weights make of the held-out part (None if stopped, or without one).

    form: what sources are made of.
    """

    result: Result
    test: PairReport | None
    form: Form


def train_pairs(
    data: Data,
    out: Path,
    options: Options,
    *,
    overwrite: bool = False,
    device: str = "auto",
    report: Report = no_report,
    on_start: OnStart | None = None,
) -> Outcome:
    """Learns from a file of pairs in the new folder `out`, and judges the best weights on held-out ones.

    on_start: called once, before the first step, with the examples, the job and the parts.
    If anything fails before the first checkpoint, nothing on the disk has changed.
    """
    check_splits(data.splits)
    check_free(out, overwrite)
    world = launch(options.precision, device)
    check_model(options, world.device)
    with ExitStack() as stack:
        new: NewRun | None = None
        begun: tuple[Run, Parts] | None = None
        with first_alone(world):
            if world.is_first:
                new = stack.enter_context(new_run(out, overwrite=overwrite))
                begun = _write_run(new, data, options, world.size, report, on_start)
                new.place()
        run, parts = begun or _opened(out)
        return _go(replace(run, path=out), parts, world, report if new is None else new.keeping(report))


def _write_run(
    new: NewRun, data: Data, options: Options, processes: int, report: Report, on_start: OnStart | None
) -> tuple[Run, Parts]:
    """Prepares the pairs and describes the run: all that training needs, as it is once the run is in its place."""
    examples = read_examples(data.file, options.levels, columns=data.columns, encoding=data.encoding)
    files = tuple(marks_of(data.file))
    described, parts, why = prepared(examples, options, data.splits, processes)
    if why:
        report(Notice(why))
    digest = save_parts(new.folder / DATA, parts)
    job = Job(**vars(described))
    run = Run(new.folder, job, data.file, files, parts.counts, digest)
    describe(new.folder, TASK, **run.to_json(), encoding=data.encoding, splits=list(data.splits))
    if on_start is not None:
        on_start(examples, job, parts)
    return run, parts


def _opened(out: Path) -> tuple[Run, Parts]:
    run = Run.open(out)
    return run, run.parts()


def resume_pairs(out: Path, changes: Mapping[str, Any], *, device: str = "auto", report: Report = no_report) -> Outcome:
    """Goes on with a run to the same losses as if it had never been stopped.

    changes: options to change, such as {"epochs": 50}: another number of steps or epochs takes the place of every end
    that was set before; "minutes" are minutes from now. What is changed stays changed.
    """
    recover(out)
    run = Run.open(out)
    made = changes_of(changes, run.job.options)
    options = replace(run.job.options, **made.values)
    changed = replace(run, job=replace(run.job, options=options))
    heard = announcing(report, made, lambda: amend(out, options=options.to_json()))
    world = launch(options.precision, device)
    with ExitStack() as stack:
        with first_alone(world):
            if world.is_first:
                stack.enter_context(open_to_write(out))
                check_built(changed.job.untrained, out / LAST)
                say_changed(run.files, report)
        return _go(changed, changed.parts(), world, heard, resume=True, further=made.further)


def _go(
    run: Run, parts: Parts, world: World, report: Report, *, resume: bool = False, further: float | None = None
) -> Outcome:
    """Trains the run, and judges the held-out part in the first process."""
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
    if result.why == "interrupted" or not world.is_first or not len(parts.test):
        return Outcome(result, None, run.job.form)

    def on_progress(done: int, total: int) -> None:
        report(Evaluating("held-out pairs", done, total))

    test = judged(run.job, model.to(world.device), parts.test, on_progress)
    write_json(run.path / RESULTS, {"why": result.why, "step": result.step, "test": asdict(test)})
    return Outcome(result, test, run.job.form)
