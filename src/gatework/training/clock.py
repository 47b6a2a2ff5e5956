"""The time of a run: what is spent, what is left, and how fast it goes."""

import statistics
from collections import deque
from collections.abc import Callable

from gatework.training.progress import Progress
from gatework.training.settings import MEASURED, Settings, plan_steps

_WINDOW = 50  # speeds are means over so many measurements
_COLD = 3  # the first steps of a process find cold caches


class Clock:
    """Seconds of the whole run, over all its parts, and the limit that ends this part.

    `minutes` beside steps or epochs limits each part for itself. `minutes` alone is one budget for the whole run,
    which a resumed part finds as far spent as the checkpoint says; if nothing is left of it (the time was over
    before the plan was done), the part gets the budget once more. `further` minutes replace either.
    """

    def __init__(
        self, settings: Settings, progress: Progress, now: Callable[[], float], further: float | None = None
    ) -> None:
        self._now = now
        self._began = now() - progress.elapsed
        self._mark = now()
        self._speeds: deque[tuple[float, int, int]] = deque(maxlen=_WINDOW)  # seconds, steps, tokens
        self.limit: float | None = None
        if settings.minutes is not None or further is not None:
            self.limit = progress.elapsed + 60 * (further or settings.minutes or 0.0)
            if settings.planned:
                self._settle_budget(progress, renewed=further is not None)
        if settings.planned and progress.plan_at is None and progress.planned is None:
            progress.plan_at = max(settings.steady, progress.step + MEASURED)

    def _settle_budget(self, progress: Progress, renewed: bool) -> None:
        """Keep to the run's budget, or write down the new one."""
        if renewed:
            progress.plan_at = progress.step + MEASURED
        elif progress.budget is not None and progress.budget > progress.elapsed:
            self.limit = progress.budget
        progress.budget = self.limit

    @property
    def elapsed(self) -> float:
        """Seconds of the run so far."""
        return self._now() - self._began

    @property
    def over(self) -> bool:
        """Whether this part's time is spent."""
        return self.limit is not None and self.elapsed >= self.limit

    def pause(self) -> None:
        """Leave the time since the last measurement out: it went into something else than steps."""
        self._mark = self._now()

    def measure(self, steps: int, tokens: int) -> None:
        """Note that so many steps took the time since the last measurement."""
        now = self._now()
        self._speeds.append((now - self._mark, steps, tokens))
        self._mark = now

    @property
    def tokens_per_second(self) -> float:
        """The speed of late."""
        seconds = sum(each[0] for each in self._speeds)
        return sum(each[2] for each in self._speeds) / seconds if seconds > 0 else 0.0

    @property
    def step_seconds(self) -> float:
        """The median time of a step, the cold ones left out if there are others."""
        each = [seconds / steps for seconds, steps, _ in self._speeds]
        return statistics.median(each[_COLD:] or each or [0.0])

    def left(self, progress: Progress, total: int | None, every: int | None = None) -> float | None:
        """Seconds until the run has all its steps or this part's time is over, None if neither is known.

        every: steps from one evaluation to the next, None where there is none; they take their time, too.
        """
        evaluation = 0.0 if every is None else progress.evaluation_seconds
        ends = [] if self.limit is None else [max(0.0, self.limit - self.elapsed) + evaluation]
        if total is not None and self._speeds:
            steps = total - progress.step
            ends.append(steps * self.step_seconds + _evaluations(progress.step, total, every) * evaluation)
        return min(ends, default=None)

    def plan(self, progress: Progress, settings: Settings, steps_per_epoch: int) -> int:
        """The number of the last step that the time left allows."""
        assert self.limit is not None
        warm = len(self._speeds) > _COLD  # not so if the run was resumed shortly before
        return progress.step + plan_steps(
            self.limit - self.elapsed,
            step=self.step_seconds if warm else progress.step_seconds or self.step_seconds,
            evaluation=progress.evaluation_seconds,
            every=settings.evaluate_every or steps_per_epoch,
            save=progress.save_seconds,
            save_every=settings.save_every,
        )


def _evaluations(step: int, total: int, every: int | None) -> int:
    """How many evaluations come after a step: one every so many steps, and one after the last."""
    if every is None or step >= total:
        return 0
    return total // every - step // every + (total % every > 0)
