"""What the training loop tells while it runs, and what it returns."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gatework.errors import InputError

Why = Literal["finished", "patience", "stopped", "time", "interrupted"]


class TrainingError(InputError):
    """The training cannot go on: the loss, the gradient or a weight is no longer a finite number.

    The message is one line and names the step and the last good checkpoint.
    """


@dataclass(frozen=True)
class Step:
    """One update of the weights.

    step: its number, from 1; `total` is the last one's, None while a budget in minutes has no plan yet. epoch: the pass
    over the data that it belongs to, from 1.
    loss: the mean over the step's batches and all processes, in nats; `gradient_norm` is before clipping.
    clipped: whether this step was clipped; `clipped_share` counts all steps of the run so far.
    learning_rate: that of this step.
    tokens_per_second: over all processes; time steps times sequences, whatever they hold.
    elapsed, left: seconds of the whole run so far, and seconds to go (None if unknown).
    """

    step: int
    total: int | None
    epoch: int
    loss: float
    gradient_norm: float
    clipped: bool
    clipped_share: float
    learning_rate: float
    tokens_per_second: float
    elapsed: float
    left: float | None


@dataclass(frozen=True)
class Validation:
    """One evaluation: what it measured, whether that is the best of the trained weights so far, and its time.

    loss: in nats, or what else the training is judged by (see `gatework.training.metrics.Measure`), the less the
    better. step, epoch: after which it was made. seconds: what it took; elapsed: of the whole run so far.
    untrained: the same before the first step, None if unknown. on: what it is measured on, "" for all there is.
    """

    step: int
    epoch: int
    loss: float
    best: bool
    seconds: float
    elapsed: float
    untrained: float | None = None
    on: str = ""

    @property
    def improved(self) -> bool:
        """Whether it is the best so far, and better than before the first step."""
        return self.best and (self.untrained is None or self.loss < self.untrained)


@dataclass(frozen=True)
class Evaluating:
    """So many tokens of an evaluation are done, of `total` in all; what: the text that is read."""

    what: str
    done: int
    total: int


@dataclass(frozen=True)
class Plan:
    """The number of steps that fits the minutes, planned after `step`: `total`, `step_seconds` each.

    evaluation_seconds: of each evaluation between them.
    """

    step: int
    total: int
    step_seconds: float
    evaluation_seconds: float


@dataclass(frozen=True)
class Saved:
    """The checkpoint `path`, made after `step`, is safe on disk."""

    step: int
    path: Path


@dataclass(frozen=True)
class Resumed:
    """The run goes on from the checkpoint `path` after `step`, to `total`, None where that is to be planned."""

    step: int
    total: int | None
    path: Path


@dataclass(frozen=True)
class Notice:
    """One line that the user should see, the `message`."""

    message: str


@dataclass(frozen=True)
class Stopped:
    """The last event of a run, after `step` and `elapsed` seconds; `why` as of a Result."""

    step: int
    why: Why
    elapsed: float


Event = Step | Validation | Evaluating | Plan | Saved | Resumed | Notice | Stopped
Report = Callable[[Event], None]  # may raise StopTraining


class StopTraining(Exception):  # noqa: N818, it is no error
    """Raised by a `Report`: the training ends after the step in hand, saved as at its last one, and can be resumed."""


class Listener:
    """Passes events on until one is answered by an error, and remembers that, and whether the training is to stop."""

    def __init__(self, report: Report) -> None:
        self.report, self.asked_to_stop = report, False
        self.error: Exception | None = None

    def __call__(self, event: Event) -> None:
        if self.error is not None:
            return
        try:
            self.report(event)
        except StopTraining:
            self.asked_to_stop = True
        except Exception as error:
            self.asked_to_stop, self.error = True, error


def no_report(event: Event) -> None:
    """Reports nothing."""


@dataclass(frozen=True)
class Result:
    """How a run, or this part of it, ended.

    why: "finished" (all steps), "patience" (validation no better), "stopped" (by `StopTraining`), "time" or
        "interrupted"; after the last three the run can be resumed.
    step, total: the last one made, and planned; epoch: the pass over the data that it belongs to.
    loss: of the last step, None if this part made none; `validation` is what the last evaluation measured, `best` the
        least, after `best_step`.
    clipped_share: of all steps; elapsed: seconds of the whole run.
    last, best_path: the checkpoints; `best_path` is None if nothing was evaluated yet.
    """

    why: Why
    step: int
    total: int | None
    epoch: int
    loss: float | None
    validation: float | None
    best: float | None
    best_step: int | None
    clipped_share: float
    elapsed: float
    last: Path
    best_path: Path | None
