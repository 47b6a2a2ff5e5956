"""Truncated backpropagation through time: the state goes on from batch to batch, the gradient does not."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from torch import nn

from gatework.errors import InputError
from gatework.files.writing import make_folder
from gatework.training.checkpoint import load_checkpoint
from gatework.training.clock import Clock
from gatework.training.events import Listener, Notice, Report, Result, no_report
from gatework.training.feeding import Batches
from gatework.training.interruption import interruption
from gatework.training.metrics import LOSS, Measure, Metrics
from gatework.training.processes import World, launch
from gatework.training.progress import BEST, LAST, Progress
from gatework.training.session import Evaluate, Session
from gatework.training.settings import Settings
from gatework.training.update import Learner


def train(
    model: nn.Module,
    batches: Batches,
    settings: Settings,
    run: Path,
    *,
    evaluate: Evaluate | None = None,
    measure: Measure = LOSS,
    report: Report = no_report,
    resume: bool = False,
    further_minutes: float | None = None,
    world: World | None = None,
    tensorboard: bool = True,
    clock: Callable[[], float] = time.monotonic,
) -> Result:
    """Train `model` into the folder `run`, or go on with the run that is there.

    Args:
        model: `forward(inputs, targets, state)` returns the mean loss in nats and the new state, a (named) tuple of
            tensors with the batch on dim 1, or None. `state` is None at the start of an epoch; after resuming it is a
            named tuple of the same fields, though not of the same class. If there is a method `carried(streams)`, the
            state of a checkpoint must have the shapes and types of what it returns.
        batches: this process's share: with N streams over W processes, rank r has the r-th N/W of them, in order.
        settings: how long, how fast and how carefully it is trained.
        run: the folder.
        evaluate: what validation measures, the less the better: the loss in nats, or `measure`. It gets the model in
            evaluation mode, before the first step, after every `settings.evaluate_every` and after the last, and cannot
            disturb the training's random numbers. With several processes the mean of their answers counts.
        measure: what `evaluate` returns, where that is not the loss, and how it is called.
        report: called in the first process with every event, a `Step` for each step. It ends the training by raising
            `StopTraining`; any other exception ends it in the same way, and is passed on once the run is saved.
        resume: go on from RUN/last.safetensors, to the same losses, bit for bit, as if never stopped (on the same kind
            of machine, with as many threads and processes).
        further_minutes: on resuming, the time from now on in the place of `settings.minutes`.
        world: what `launch` returned, if the data had to be shared out; launched here otherwise.
        tensorboard: write curves for TensorBoard, where that is installed.
        clock: seconds, as `time.monotonic` counts them.

    Returns:
        How the run, or this part of it, ended.

    Raises:
        InputError: for settings that contradict, a folder that holds a run already (or none to resume), a checkpoint
            that is damaged or of another model, a full disk.
        TrainingError: if a number is no longer finite.

    Written to `run`: last.safetensors (at the start, every `settings.save_every` seconds, and at the end),
    best.safetensors (where validation measured least), metrics.csv, tensorboard/.

    Minutes. Beside steps or epochs they limit each part of a run (the start, each resuming). Alone they are one budget:
    after the warm-up the number of steps that fit is planned, reported as a `Plan` and saved in the checkpoints; the
    rate decays towards it; a run with steps=<that number> has the same losses. Resumed, the run has what is left of the
    budget, or all of it once more if the time was over before the plan was done. With `further_minutes` a new plan is
    made for these, and the rate follows the longer decay. A run that is stopped by time is evaluated once more, so that
    what it learned can become the best.

    Ctrl-C and SIGTERM end the step, save, and return with why="interrupted"; a second one aborts at once.
    """
    if further_minutes is not None and not (resume and further_minutes > 0):
        raise InputError(f"further_minutes = {further_minutes!r}: a number above 0, on resuming, is expected")
    world = world or launch(settings.precision)
    _check(batches, settings, run, evaluate, resume, world)
    learner = Learner(model, settings, world)
    learner.begin()
    progress = Progress(batches=len(batches), accumulate=settings.accumulate)
    if resume:
        progress = _take_up(learner, progress, run)
    make_folder(run)
    reporting = Listener(report if world.is_first else no_report)
    opened = partial(Metrics, run, progress.step or None, tensorboard=tensorboard, measure=measure)
    with interruption() as interrupted, _metrics(opened if world.is_first else None, reporting) as metrics:
        timer = Clock(settings, progress, clock, further_minutes)
        session = Session(learner, batches, evaluate, measure, run, reporting, metrics, interrupted, progress, timer)
        result = session.go(resume)
    if reporting.error is not None:
        raise reporting.error
    return result


def _check(
    batches: Batches, settings: Settings, run: Path, evaluate: Evaluate | None, resume: bool, world: World
) -> None:
    """Refuse what cannot work before anything is written."""
    if len(batches) < 1:
        raise InputError("there is no batch to train on: give more data, or fewer streams or shorter batches")
    if not world.is_same(len(batches)):
        raise InputError("the processes have different numbers of batches: give each the same share of the data")
    if settings.patience is not None and evaluate is None:
        raise InputError(f"patience = {settings.patience}: early stopping needs validation data, and there is none")
    if world.precision != settings.precision:
        raise InputError(f"the processes were launched with another precision than {settings.precision}")
    if not resume and (run / LAST).exists():
        raise InputError(f"{run} holds a run already: resume it, remove it, or name another folder")


def _take_up(learner: Learner, fresh: Progress, run: Path) -> Progress:
    """Load the last checkpoint; InputError if it was not made from these batches."""
    checkpoint = load_checkpoint(run / LAST)
    progress = checkpoint.progress
    for name in ("batches", "accumulate"):
        was, now = getattr(progress, name), getattr(fresh, name)
        if was != now:
            raise InputError(
                f"{checkpoint.path} was made with {name} = {was}, not {now}: resume with the same data and settings"
            )
    if progress.batch >= progress.batches:
        raise InputError(f"{checkpoint.path} is damaged: it stands before batch {progress.batch} of {progress.batches}")
    if progress.best is not None and not (run / BEST).is_file():
        raise InputError(
            f"{run / BEST} does not exist, which had the best weights so far, of step {progress.best_step:,}: put it "
            f"back, or copy {checkpoint.path} to it"
        )
    learner.restore(checkpoint)
    return progress


@contextmanager
def _metrics(opened: Callable[[], Metrics] | None, report: Report) -> Iterator[Metrics | None]:
    """The metrics' files for a while; without them None, as in other processes than the first."""
    if opened is None:
        yield None
        return
    metrics = opened()
    try:
        if metrics.missing:
            report(Notice("TensorBoard is not installed, so the curves are in metrics.csv only"))
        yield metrics
    finally:
        metrics.close()
