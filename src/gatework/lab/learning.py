"""Learning from fresh sequences until the paper's stop rule holds, and the test on others after that."""

import hashlib
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Literal, NamedTuple, Self

import torch
from torch import Tensor, nn

from gatework.errors import InputError
from gatework.lab.experiment import Progress, Size, Trial, Variant
from gatework.layers import Recurrent
from gatework.training.settings import Settings, learning_rate

WINDOW = 2000  # the most recent sequences, which the stop rules of 1997 look at
TEST = 2560  # fresh sequences after training, as in 1997
POINTS = 64  # of a learning curve: what a picture shows
OPTIMIZERS: Mapping[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}


class Batch(NamedTuple):
    """x [T,B,I], targets y (first or second size B), and the lengths [B] of the sequences, None for all T."""

    x: Tensor
    y: Tensor
    lengths: Tensor | None = None


class Judged(NamedTuple):
    """Of each sequence, [B]: the loss that is minimised, the error that is reported, and whether it counts as wrong."""

    loss: Tensor
    error: Tensor
    wrong: Tensor


@dataclass(frozen=True)
class Task:
    """Sequences without end, and what is right.

    draw: (B, generator) -> Batch; judge: (outputs, batch) -> Judged; inputs I and outputs K: the network's widths.
    every_step: whether there are outputs [T,B,K] at each step, or [B,K] after the last one.
    """

    draw: Callable[[int, torch.Generator], Batch]
    judge: Callable[[Tensor, Batch], Judged]
    inputs: int
    outputs: int
    every_step: bool = False


@dataclass(frozen=True)
class Stop:
    """Training ends when of the last `window` sequences fewer than `wrong` are wrong, and the mean error is below."""

    error: float = math.inf
    wrong: int = 1
    window: int = WINDOW

    def holds(self, errors: Tensor, wrong: Tensor) -> bool:
        """errors, wrong: [window] of the most recent sequences, fewer at the start."""
        return len(errors) >= self.window and int(wrong.sum()) < self.wrong and float(errors.mean()) < self.error


@dataclass(frozen=True)
class Plan:
    """How to train: batches of `batch` sequences, at most `sequences` in all; the rest as `training.Settings`."""

    batch: int = 32
    sequences: int = 100_000
    optimizer: str = "adam"
    learning_rate: float = 1e-2
    decay: Literal["cosine", "none"] = "cosine"
    final: float = 0.01
    warmup: int = 0
    clip: float = 1.0
    others: Mapping[str, Any] = field(default_factory=dict)  # of the optimiser: {"momentum": 0.9}

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """The plan among the options of a variant."""
        return cls(**{f.name: options[f.name] for f in fields(cls) if f.name in options})

    @property
    def steps(self) -> int:
        return math.ceil(self.sequences / self.batch)

    @cached_property
    def settings(self) -> Settings:
        return Settings(
            steps=self.steps,
            learning_rate=self.learning_rate,
            decay=self.decay,
            final=self.final,
            warmup=self.warmup,
            clip=self.clip,
        )


class Network(nn.Module):
    """One recurrent layer, and a linear readout of every step or of each sequence's last one.

    forward(batch) -> [T,B,K] or [B,K].
    """

    def __init__(self, cell: str, task: Task, hidden: int, init: Any = None) -> None:
        super().__init__()
        self.layer = Recurrent(cell, task.inputs, hidden, init=init)
        self.readout = nn.Linear(self.layer.output_size, task.outputs)
        self.every_step = task.every_step

    def forward(self, batch: Batch) -> Tensor:
        output, state = self.layer(batch.x, lengths=batch.lengths)
        last: Tensor = self.readout(output if self.every_step else state[0][-1])
        return last


@dataclass
class Learnt:
    """How a training went: whether the stop rule was met, after how many sequences, and the error on the way."""

    solved: bool = False
    sequences: int = 0
    curve: list[tuple[float, float]] = field(default_factory=list)


def rounded(value: float) -> float:
    """Four significant digits: more than a picture shows."""
    return float(f"{value:.4g}")


def stream(name: str, seed: int) -> torch.Generator:
    """Random numbers of their own for each name and seed; of a seed torch itself sees the last 32 bits only."""
    digest = hashlib.blake2b(f"{name} {seed}".encode(), digest_size=4).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest))


def network(variant: Variant, task: Task, options: Mapping[str, Any], seed: int) -> Network:
    """The variant's network for a task, its weights drawn from the seed."""
    torch.manual_seed(seed)
    return Network(variant.cell, task, options["hidden"], options.get("init"))


class _Recent:
    """What the stop rule looks at: the errors of the most recent sequences, [window] or fewer."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.errors, self.wrong = torch.empty(0), torch.empty(0, dtype=torch.bool)

    def add(self, judged: Judged) -> None:
        self.errors = torch.cat([self.errors, judged.error.detach()])[-self.window :]
        self.wrong = torch.cat([self.wrong, judged.wrong])[-self.window :]


def learn(model: nn.Module, task: Task, plan: Plan, stop: Stop, seed: int, progress: Progress) -> Learnt:
    """Trains on fresh sequences until the stop rule holds or the plan ends; the rule looks at errors before updates.

    model: called with a batch, returns what `task.judge` takes. A loss that is no longer finite ends it, unsolved.
    """
    generator, optimizer = stream("training", seed), _optimizer_of(model, plan)
    learnt, recent, began = Learnt(), _Recent(stop.window), time.monotonic()
    every = max(1, plan.steps // POINTS)
    for step in range(plan.steps):
        judged = _update(model, task, task.draw(plan.batch, generator), optimizer, plan, step)
        if judged is None:
            break
        recent.add(judged)
        learnt.sequences += plan.batch
        learnt.solved = stop.holds(recent.errors, recent.wrong)
        if (step + 1) % every == 0 or learnt.solved:
            error = recent.errors[-every * plan.batch :].mean().item()
            learnt.curve.append((learnt.sequences, rounded(error)))
            progress(_status_line(learnt.sequences, error, recent.wrong, time.monotonic() - began))
        if learnt.solved:
            break
    return learnt


def _optimizer_of(model: nn.Module, plan: Plan) -> torch.optim.Optimizer:
    if plan.optimizer not in OPTIMIZERS:
        raise InputError(f"optimizer {plan.optimizer!r}: there are {', '.join(OPTIMIZERS)}")
    kind: Any = OPTIMIZERS[plan.optimizer]
    made: torch.optim.Optimizer = kind(model.parameters(), lr=plan.learning_rate, **plan.others)
    return made


def _update(
    model: nn.Module, task: Task, batch: Batch, optimizer: torch.optim.Optimizer, plan: Plan, step: int
) -> Judged | None:
    """Makes step number `step`; returns how the batch was judged before it, None where the loss is not finite."""
    judged = task.judge(model(batch), batch)
    loss = judged.loss.mean()
    if not math.isfinite(loss.item()):
        return None
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    torch.nn.utils.clip_grad_norm_(model.parameters(), plan.clip)
    for options in optimizer.param_groups:
        options["lr"] = learning_rate(plan.settings, step, plan.steps)
    optimizer.step()
    return judged


def _status_line(sequences: int, error: float, wrong: Tensor, seconds: float) -> str:
    """How far a training is, in one line."""
    last = f"{int(wrong.sum()):,} of the last {len(wrong):,} wrong"
    return f"{sequences:,} sequences, error {error:.4f}, {last}, {seconds:.0f} s"


@torch.no_grad()
def test(model: nn.Module, task: Task, seed: int, count: int = TEST, batch: int = 256) -> Judged:
    """How fresh sequences are judged, [count]; drawn from another stream than any training."""
    generator = stream("test", seed)
    parts = []
    for start in range(0, count, batch):
        drawn = task.draw(min(batch, count - start), generator)
        parts.append(task.judge(model(drawn), drawn))
    return Judged(*(torch.cat(each) for each in zip(*parts, strict=True)))


def trial_of(variant: Variant, task: Task, stop: Stop, seed: int, size: Size, progress: Progress) -> Trial:
    """A whole trial: network, training, test; solved where the stop rule was met."""
    options = variant.at(size)
    model = network(variant, task, options, seed)
    learnt = learn(model, task, Plan.of(options), stop, seed, progress)
    judged = test(model, task, seed, options.get("test", TEST))
    figures = {"sequences": float(learnt.sequences), f"wrong of {len(judged.wrong):,}": float(judged.wrong.sum())}
    return Trial(learnt.solved, figures, learnt.curve)
