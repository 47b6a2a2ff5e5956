"""A small recurrent model, its data, and the rest that the training tests share."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gatework.training.events import Event, Result, Step, StopTraining
from gatework.training.loop import train
from gatework.training.settings import Settings

V, H = 7, 6
E = TypeVar("E", bound=Event)


class State(NamedTuple):
    h: Tensor


class Toy(nn.Module):
    """Predicts tokens; with dropout, so that random numbers matter, and a state that it asks for by name."""

    def __init__(self, dropout: float = 0.3) -> None:
        super().__init__()
        torch.manual_seed(11)
        self.embedding = nn.Embedding(V, H)
        self.gru = nn.GRU(H, H)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(H, V)

    def forward(self, inputs: Tensor, targets: Tensor, state: State | None) -> tuple[Tensor, State]:
        hidden, h = self.gru(self.embedding(inputs), None if state is None else state.h)
        scores = self.output(self.dropout(hidden))
        return F.cross_entropy(scores.reshape(-1, V), targets.reshape(-1)), State(h)


class Time:
    """A clock that the model's own work moves on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Slow(Toy):
    """A toy whose steps take time, of which the clock knows: `cost` by the number of the step."""

    def __init__(self, time: Time, cost: Callable[[int], float] = lambda _: 1.0) -> None:
        super().__init__()
        self.time, self.cost, self.steps = time, cost, 0

    def forward(self, inputs: Tensor, targets: Tensor, state: State | None) -> tuple[Tensor, State]:
        if self.training:
            self.steps += 1
            self.time.now += self.cost(self.steps)
        else:
            self.time.now += 2.5
        return super().forward(inputs, targets, state)


class Learned(Toy):
    """A toy without dropout, whose first state is learned: it has a gradient at an epoch's start only."""

    def __init__(self) -> None:
        super().__init__(dropout=0)
        self.first = nn.Parameter(torch.full((1, 1, H), 0.1))

    def forward(self, inputs: Tensor, targets: Tensor, state: State | None) -> tuple[Tensor, State]:
        first = State(self.first.expand(1, inputs.shape[1], H).contiguous())
        return super().forward(inputs, targets, first if state is None else state)


class Stateless(nn.Module):
    """A linear fit in float64, whose state is None."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.line = nn.Linear(3, 2, dtype=torch.float64)

    def forward(self, inputs: Tensor, targets: Tensor, _: None) -> tuple[Tensor, None]:
        return F.mse_loss(self.line(inputs), targets), None


class Streams:
    """Contiguous batches [T,B] of a fixed text of random tokens."""

    def __init__(self, batches: int = 5, streams: int = 4, steps: int = 3, share: slice = slice(None)) -> None:
        generator = torch.Generator().manual_seed(3)
        self.text = torch.randint(V, (batches * steps + 1, streams), generator=generator)[:, share]
        self.steps = steps

    def __len__(self) -> int:
        return (len(self.text) - 1) // self.steps

    def __getitem__(self, index: int, /) -> tuple[Tensor, Tensor]:
        start = index * self.steps
        return self.text[start : start + self.steps], self.text[start + 1 : start + self.steps + 1]


class Points:
    """Batches of points for `Stateless`."""

    def __init__(self, batches: int, size: int) -> None:
        generator = torch.Generator().manual_seed(3)
        self.inputs = torch.randn(batches, size, 3, generator=generator, dtype=torch.float64)
        self.targets = torch.randn(batches, size, 2, generator=generator, dtype=torch.float64)

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int, /) -> tuple[Tensor, Tensor]:
        return self.inputs[index], self.targets[index]


class Told:
    """Keeps the events of a run, and does something at a step."""

    def __init__(self, at: int | None = None, do: Callable[[], None] = lambda: None) -> None:
        self.events: list[Event] = []
        self.at, self.do = at, do

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, Step) and event.step == self.at:
            self.do()

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def losses(self) -> list[float]:
        return [step.loss for step in self.of(Step)]


def stop() -> None:
    raise StopTraining


def validation(model: nn.Module) -> float:
    """The loss on held-out tokens; it draws random numbers, as an evaluation may."""
    torch.rand(3)
    inputs, targets = Streams(batches=1, streams=2, steps=8)[0]
    return float(model(inputs, targets, None)[0].detach())


def settings(**changes: object) -> Settings:
    """Settings for a run of 12 steps, unless changed."""
    usual = {"steps": 12, "learning_rate": 0.05, "warmup": 3, "evaluate_every": 4, "save_every": 1e6, "seed": 9}
    return Settings(**(usual | changes))  # type: ignore[arg-type]


def run_toy(run: Path, told: Told | None = None, *, model: nn.Module | None = None, **options: object) -> Result:
    """Train the toy on its streams; `options` are those of `train` and of `settings`."""
    names = ("evaluate", "measure", "resume", "further_minutes", "world", "tensorboard", "clock", "batches")
    given = {name: options.pop(name) for name in names if name in options}
    batches = given.pop("batches", Streams())
    given = {"evaluate": validation, "tensorboard": False} | given
    return train(model or Toy(), batches, settings(**options), run, report=told or Told(), **given)  # type: ignore[arg-type]


def rows(run: Path) -> list[list[str]]:
    """The metrics of a run without the columns that depend on the clock."""
    return [line.split(",")[:-2] for line in (run / "metrics.csv").read_text().splitlines()]
