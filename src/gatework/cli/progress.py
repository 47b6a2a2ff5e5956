"""What a training, or other work that lasts, tells meanwhile: live on a terminal, plain lines elsewhere."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Self

import typer
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress import Progress, TaskID
from rich.text import Text

from gatework.cli import terminal
from gatework.cli.status import stopped
from gatework.training.events import Evaluating, Event, Notice, Plan, Result, Resumed, Saved, Step, Stopped, Validation
from gatework.training.metrics import bits
from gatework.training.torchrun import under_torchrun

LIVE_EVERY = 0.1  # seconds between two pictures of the live line
PLAIN_EVERY = 10.0  # seconds between two plain lines
SMOOTHING = 0.98  # of the loss shown, per step


def _in_bits(loss: float) -> str:
    return f"{bits(loss):.3f} bits"


class TrainingProgress:
    """Prints the events of a training.

    unit: what a token is called. figure: how a loss is written; judged: what validation measures, if not the loss.
    """

    def __init__(
        self,
        unit: str,
        console: Console | None = None,
        *,
        figure: Callable[[float], str] = _in_bits,
        judged: Callable[[float], str] | None = None,
    ) -> None:
        self.figure, self.judged = figure, judged or figure
        self.unit, self.console = unit, console or terminal.console()
        self.live = Live(console=self.console, auto_refresh=False, transient=True) if self.console.is_terminal else None
        self.shown = -PLAIN_EVERY
        self.loss: float | None = None
        self.steps = 0
        self.began: float | None = None  # when the evaluation under way began

    def __enter__(self) -> Self:
        if self.live is not None:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live is not None:
            self.live.stop()

    def __call__(self, event: Event) -> None:
        match event:
            case Step():
                self.step(event)
            case Saved():
                pass  # every half minute; the end says where it is
            case Evaluating():
                self.evaluating(event)
            case _:
                self.say(_described(event, self.judged))

    def say(self, line: str) -> None:
        """Prints a line that stays."""
        self.console.print(Text(terminal.line(line)))

    def line(self, text: str) -> None:
        """Shows a line, unless the last one shown is too fresh: a live one on a terminal, else one that stays."""
        if self.due(LIVE_EVERY if self.live is not None else PLAIN_EVERY):
            (self.say if self.live is None else self.draw)(text)

    def reading(self, done: int, total: int) -> None:
        """Shows how much of the text is read, of `total` bytes."""
        if self.live is not None and self.due(LIVE_EVERY):
            self.draw(f"reading the text: {done / max(1, total):.0%} of {total / 1e6:,.1f} MB")

    def evaluating(self, event: Evaluating) -> None:
        """Shows how far an evaluation is; where lines stay, only one that lasts."""
        now = time.monotonic()
        began, self.began = self.began or now, None if event.done == event.total else self.began or now
        if self.live is not None or (self.began is not None and now - began >= PLAIN_EVERY):
            self.line(f"{event.what}: {event.done / event.total:.0%} of {event.total:,} {self.unit}")

    def step(self, event: Step) -> None:
        """Shows a step, unless the last one shown is too fresh."""
        self.steps += 1
        weight = min(SMOOTHING, 1 - 1 / self.steps)  # at first the mean of all
        self.loss = weight * (self.loss or 0.0) + (1 - weight) * event.loss
        if not self.due(LIVE_EVERY if self.live is not None else PLAIN_EVERY) and event.step != event.total:
            return
        line = _step_line(event, self.figure(self.loss), self.unit)
        if self.live is not None:
            self.draw(line)
        else:
            self.say(line)

    def due(self, every: float) -> bool:
        """Whether so many seconds have gone since the last time; if so, that is now."""
        now = time.monotonic()
        if now - self.shown < every:
            return False
        self.shown = now
        return True

    def draw(self, line: str) -> None:
        assert self.live is not None
        self.live.update(Text(terminal.line(line), overflow="ellipsis", no_wrap=True), refresh=True)


def _step_line(event: Step, loss: str, unit: str) -> str:
    total = f"/{event.total:,}" if event.total is not None else ""
    left = f"  {clock(event.left)} left" if event.left is not None else ""
    return (
        f"epoch {event.epoch}  step {event.step:,}{total}  {loss}  "
        f"{event.tokens_per_second:,.0f} {unit}/s  gradient {event.gradient_norm:.2f} "
        f"({event.clipped_share:.0%} clipped){left}"
    )


def _described(event: Event, figure: Callable[[float], str] = _in_bits) -> str:
    """An event that is no step, in one line; figure: how what validation measures is written."""
    match event:
        case Validation():
            on = f" {event.on}" if event.on else ""
            best = ", the best so far" if event.improved else ""
            if event.best and not event.improved and event.untrained is not None:
                best = f", no better than the {figure(event.untrained)} before the first step"
            return f"step {event.step:,}: validation {figure(event.loss)}{on}{best}"
        case Plan():
            return f"planned {event.total:,} steps at {event.step_seconds * 1000:.1f} ms a step"
        case Resumed():
            return f"going on after step {event.step:,} of {event.path}"
        case Notice():
            return event.message
        case Stopped():
            return f"{ENDS[event.why]} at step {event.step:,}, after {clock(event.elapsed)}"
    raise AssertionError(f"no words for {event}")


ENDS = {
    "finished": "finished",
    "patience": "stopped early, as validation no longer improved,",
    "stopped": "stopped as asked",
    "time": "time is up",
    "interrupted": "interrupted",
}


def clock(seconds: float) -> str:
    """Seconds as 1:02 or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@contextmanager
def bars() -> Iterator[Callable[..., None]]:
    """A bar for each part of some work on a terminal, a line now and then elsewhere, on standard error.

    Yields a function that receives the part, how much of it is done, and how much there is.
    """
    if not sys.stderr.isatty():  # a bar that is not drawn is, to some versions of rich, an empty line
        yield _lines_now_and_then()
        return
    tasks = dict[str, TaskID]()
    with Progress(console=terminal.console(stderr=True), transient=True) as progress:

        def on_progress(what: str, done: int, total: int, *_: object) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(escape(terminal.line(what)), total=total)
            progress.update(tasks[what], completed=done, total=total)

        yield on_progress


def _lines_now_and_then() -> Callable[..., None]:
    """Says on standard error how much is done, a line now and then."""
    shown = time.monotonic()

    def on_progress(what: str, done: int, total: int, *_: object) -> None:
        nonlocal shown
        if time.monotonic() - shown > PLAIN_EVERY:
            shown = time.monotonic()
            print(f"{what}: {done:,} of {total:,}", file=sys.stderr)

    return on_progress


@contextmanager
def bar(what: str) -> Iterator[Callable[..., None]]:
    """The same for work in one part: the function receives how much is done, and how much there is."""
    with bars() as on_progress:
        yield partial(on_progress, what)


def _launcher() -> str:
    """What stands before a command that several processes run."""
    return f"torchrun --nproc-per-node {os.environ['LOCAL_WORLD_SIZE']} -m " if under_torchrun() else ""


def say_next(result: Result, resume: str, use: str) -> None:
    """The command that goes on with a training that was stopped, or uses one that ended; after Ctrl-C, status 130."""
    if result.why in ("time", "interrupted") and result.step != result.total:
        print(f"go on with: {_launcher()}{resume}")
        if result.why == "interrupted":
            raise typer.Exit(stopped())
        return
    if result.loss is None:
        print("nothing was left to do: a larger number of --steps or --epochs, or --minutes, makes the run longer")
    print(f"next: {use}")
