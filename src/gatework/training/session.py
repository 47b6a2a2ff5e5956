"""One part of a run, from its start or a checkpoint to its end or a stop: steps, evaluations, checkpoints."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gatework.training.checkpoint import save_checkpoint
from gatework.training.clock import Clock
from gatework.training.events import (
    Listener,
    Notice,
    Plan,
    Result,
    Resumed,
    Saved,
    Step,
    Stopped,
    TrainingError,
    Validation,
    Why,
)
from gatework.training.feeding import Batches, Feed
from gatework.training.metrics import Measure, Metrics
from gatework.training.processes import circumstances
from gatework.training.progress import BEST, LAST, Progress
from gatework.training.remedies import RECENT, for_overflow, no_better
from gatework.training.settings import learning_rate
from gatework.training.update import Learner

#: Steps that a device may run ahead before the host reads their losses: 1 on a CPU, which has nothing to wait for.
_AHEAD = {"cpu": 1}
_AHEAD_ELSEWHERE = 8


Evaluate = Callable[[nn.Module], float]


@dataclass(frozen=True)
class _Pending:
    """A step whose numbers are still on the device."""

    step: int
    rate: float
    tokens: int
    figures: Tensor  # [loss, gradient norm, *extra_scalars]


class Session:
    """Makes steps until the run is finished or someone wants it to stop."""

    def __init__(
        self,
        learner: Learner,
        batches: Batches,
        evaluate: Evaluate | None,
        measure: Measure,
        run: Path,
        report: Listener,
        metrics: Metrics | None,
        interrupted: Callable[[], bool],
        progress: Progress,
        clock: Clock,
    ) -> None:
        self.learner, self.settings, self.world = learner, learner.settings, learner.world
        self.feed = Feed(batches, self.world.to_device if self.world.sends_ahead else None)
        self.evaluate, self.measure, self.run = evaluate, measure, run
        self.report, self.metrics, self.interrupted = report, metrics, interrupted
        self.progress, self.clock = progress, clock
        self.per_epoch = math.ceil(len(batches) / self.settings.accumulate)  # steps
        self.every = self.settings.evaluate_every or self.per_epoch
        self.ahead = _AHEAD.get(self.world.device.type, _AHEAD_ELSEWHERE)
        self.pending: list[_Pending] = []
        self.agreed = [0.0, 0.0, 0.0, 0.0]  # the requests of all processes, see _requests
        self.loss: float | None = None
        self.recent: deque[float] = deque(maxlen=RECENT)
        self.validation: Validation | None = None
        self.saved_step, self.saved_at = -1, 0.0

    def go(self, resumed: bool) -> Result:
        """Make the steps and say how it ended."""
        if resumed:
            self.saved_step, self.saved_at = self.progress.step, self.progress.elapsed
            self._say_resumed()
        else:
            self._save()
        if self.progress.step == 0 and self.evaluate is not None:
            self._write(None, self._judge(self.evaluate))
        self._open_epoch()
        self.clock.pause()
        while (why := self._why()) is None:
            self._step()
            if self._wanted()[-1]:
                self._save()
        return self._finish(why)

    @property
    def total(self) -> int | None:
        """The number of the last step, None if it is still to be planned."""
        steps = self.settings.total(self.per_epoch)
        return steps if steps is not None or self.progress.plan_at is not None else self.progress.planned

    def _why(self) -> Why | None:
        """The reason to stop now, if there is one."""
        interrupted, stopped, over, _ = self._wanted()
        if self.total is not None and self.progress.step >= self.total:
            return "finished"
        if self.settings.patience is not None and self.progress.waited >= self.settings.patience:
            return "patience"
        if interrupted:
            return "interrupted"
        if stopped:
            return "stopped"
        return "time" if over else None

    def _requests(self) -> list[float]:
        """What this process asks for, as 0 or 1: to stop for a signal, as the report wants, for time, and to save."""
        due = self.clock.elapsed - self.saved_at >= self.settings.save_every
        return [float(self.interrupted()), float(self.report.asked_to_stop), float(self.clock.over), float(due)]

    def _wanted(self) -> list[float]:
        """What is to be done: alone at once, else as soon as all processes have read it."""
        return self._requests() if self.world.size == 1 else self.agreed

    def _step(self) -> None:
        """Update the weights once and, when it is time, look at the numbers."""
        now = self.progress
        end = min(now.batch + self.settings.accumulate, now.batches)
        group = self.feed.read(now.batch, end)
        total = self.settings.total(self.per_epoch)
        rate = learning_rate(self.settings, now.step, now.planned if total is None else total)
        figures = self.learner.update(group, now.step, rate, self._requests() if self.world.size > 1 else ())
        self.feed.read_ahead(end)
        now.step, now.batch = now.step + 1, end
        tokens = sum(_tokens(inputs) for inputs, _ in group) * self.world.size
        self.pending.append(_Pending(now.step, rate, tokens, figures))
        if end == now.batches:
            now.epoch, now.batch = now.epoch + 1, 0
            self._open_epoch()
        judge = self.evaluate is not None and (now.step % self.every == 0 or now.step == self.total)
        if judge or len(self.pending) >= self.ahead or now.plan_at is not None or now.step == self.total:
            self._read(judge)

    def _open_epoch(self) -> None:
        """At an epoch's start, forget the state and let the data shuffle."""
        if self.progress.batch == 0:
            self.learner.state = None
        self.feed.open_epoch(self.progress.epoch)

    def _read(self, judge: bool = False) -> None:
        """Wait for the steps under way, tell their numbers and write them down; evaluate after the last one."""
        if not self.pending:
            return
        pending, self.pending = self.pending, []
        values = torch.stack([each.figures for each in pending]).tolist()  # the one wait for the device
        self.clock.measure(len(pending), sum(each.tokens for each in pending))
        self.agreed = [max(row[2 + k] for row in values) for k in range(len(values[0]) - 2)] or self.agreed
        for each, (loss, norm, *_) in zip(pending, values, strict=True):
            step = self._checked(each, loss, norm)
            self.report(step)
            judged = self._judge(self.evaluate) if judge and self.evaluate and each is pending[-1] else None
            self._write(step, judged)
        if self.progress.plan_at is not None and self.progress.step >= self.progress.plan_at:
            self._plan()

    def _checked(self, step: _Pending, loss: float, norm: float) -> Step:
        """One step's numbers, which must be finite."""
        for name, value in (("loss", loss), ("gradient norm", norm)):
            if not math.isfinite(value):
                raise self._not_finite(f"the {name} is {value} at step {step.step}")
        clipped = self.settings.clip is not None and norm > self.settings.clip
        self.progress.clipped += clipped
        self.loss = loss
        self.recent.append(loss)
        if step.step == 1 and self.evaluate is None:
            self.progress.untrained = loss
        return Step(
            step=step.step,
            total=self.total,
            epoch=self._epoch(step.step),
            loss=loss,
            gradient_norm=norm,
            clipped=clipped,
            clipped_share=self.progress.clipped / step.step,
            learning_rate=step.rate,
            tokens_per_second=self.clock.tokens_per_second,
            elapsed=self.clock.elapsed,
            left=self.clock.left(self.progress, self.total, None if self.evaluate is None else self.every),
        )

    def _not_finite(self, what: str) -> TrainingError:
        good = f"{self.run / LAST} (step {self.saved_step})"
        return TrainingError(f"{what}: {for_overflow(self.settings)}; the last good checkpoint is {good}")

    def _epoch(self, step: int) -> int:
        """The epoch that a step belongs to, from 1."""
        return max(0, step - 1) // self.per_epoch + 1

    def _judge(self, evaluate: Evaluate) -> Validation:
        """Evaluate; keep the weights if they are the best of all trained ones."""
        now, began = self.progress, self.clock.elapsed
        with self.learner.judging() as model:
            loss = float(evaluate(model))
        if self.world.size > 1:
            loss = float(self.world.mean(torch.tensor(loss, device=self.world.device)))
        if not math.isfinite(loss):
            raise self._not_finite(f"the validation {self.measure.name} is {loss} at step {now.step}")
        if now.step == 0:
            now.untrained = loss
        best = now.step > 0 and (now.best is None or loss < now.best)
        if best:
            now.best, now.best_step, now.waited = loss, now.step, 0
            self._save(BEST)
        elif now.step > 0:
            now.waited += 1
        now.evaluation_seconds = self.clock.elapsed - began
        self.validation = Validation(
            now.step, self._epoch(now.step), loss, best, now.evaluation_seconds, self.clock.elapsed, now.untrained
        )
        self.report(self.validation)
        self.clock.pause()
        return self.validation

    def _plan(self) -> None:
        """Settle how many steps the budget allows; the first process's clock decides."""
        now = self.progress
        now.plan_at = None
        now.planned = self.world.broadcast(self.clock.plan(now, self.settings, self.per_epoch))
        self.report(Plan(now.step, now.planned, self.clock.step_seconds, now.evaluation_seconds))

    def _write(self, step: Step | None, validation: Validation | None) -> None:
        if self.metrics is not None:
            self.metrics.write(step, validation)

    def _save(self, name: str = LAST) -> None:
        """Write a checkpoint; TrainingError where a weight is no longer finite."""
        self._read()
        now, path, began = self.progress, self.run / name, self.clock.elapsed
        now.elapsed, now.step_seconds = began, self.clock.step_seconds
        now.fields, now.written_by = self.learner.fields, circumstances(self.world)
        tensors = self.learner.snapshot()
        if bad := self.learner.not_finite(tensors):
            raise self._not_finite(f"{bad} is not finite after step {now.step}")
        if self.metrics is not None:
            self.metrics.sync()
            save_checkpoint(path, tensors, now)
        if name == LAST:
            self.saved_step, self.saved_at = now.step, self.clock.elapsed
        now.save_seconds = self.clock.elapsed - began
        self.clock.pause()
        self.report(Saved(now.step, path))

    def _say_resumed(self) -> None:
        self.report(Resumed(self.progress.step, self.total, self.run / LAST))
        here, there = circumstances(self.world), self.progress.written_by
        if other := [f"{name} {there.get(name)}" for name in here if there.get(name) != here[name]]:
            self.report(
                Notice(f"the checkpoint was written with {', '.join(other)}: losses may differ in the last digits")
            )

    def _finish(self, why: Why) -> Result:
        """Save, let the weights of a run out of time compete for the best, and sum up."""
        self._read()
        now = self.progress
        if now.step != self.saved_step:
            self._save()
        judged = self.validation is not None and self.validation.step == now.step
        if why == "time" and self.evaluate is not None and not judged:
            # After the checkpoint, which knows nothing of it: a resumed run judges when an unstopped one would.
            self._write(None, self._judge(self.evaluate))
        validated = None if self.evaluate is None else self.measure.name
        poor = no_better(now, validated, self.recent, self.settings)
        if poor is not None and why != "interrupted":
            self.report(Notice(poor))
        self.report(Stopped(now.step, why, self.clock.elapsed))
        self.world.wait()
        return Result(
            why=why,
            step=now.step,
            total=self.total,
            epoch=self._epoch(now.step),
            loss=self.loss,
            validation=None if self.validation is None else self.validation.loss,
            best=now.best,
            best_step=now.best_step,
            clipped_share=now.clipped / max(1, now.step),
            elapsed=self.clock.elapsed,
            last=self.run / LAST,
            best_path=None if now.best is None else self.run / BEST,
        )


def _tokens(inputs: Any) -> int:
    """Time steps times sequences: the product of the first two sizes of the first tensor."""
    while isinstance(inputs, (tuple, list)) and inputs:
        inputs = inputs[0]
    return math.prod(inputs.shape[:2]) if isinstance(inputs, Tensor) else 0
