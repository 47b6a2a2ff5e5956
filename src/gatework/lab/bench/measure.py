"""Two things measured against each other: interleaved, compared round by round."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from gatework.errors import InputError

Side = Callable[[], float]  # does its work and returns what that cost: seconds, or bytes


@dataclass(frozen=True)
class Shape:
    """The sizes of a problem: T steps, B sequences, I inputs, H units, L layers."""

    T: int
    B: int
    I: int
    H: int
    L: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """ "100,64,128,256" as a Shape; a fifth number counts the layers."""
        try:
            sizes = [int(size) for size in text.split(",")]
            if len(sizes) not in (4, 5) or min(sizes) < 1:
                raise ValueError
        except ValueError:
            raise InputError(
                f"shape {text!r}: expected T,B,I,H or T,B,I,H,L, whole numbers from 1, such as 100,64,128,256"
            ) from None
        return cls(*sizes)

    def __str__(self) -> str:
        sizes = (self.T, self.B, self.I, self.H)
        return ",".join(map(str, sizes if self.L == 1 else (*sizes, self.L)))


@dataclass(frozen=True)
class Budget:
    """How long is measured: at least so many rounds and seconds a contest, and seconds for each side of a round."""

    rounds: int
    seconds: float
    block: float


@dataclass(frozen=True)
class Contest:
    """Ours and theirs at one shape; `variant` tells apart what a row measures at the same shape.

    prepare: makes both sides, ours first, when their turn has come.
    work: multiply-adds of the products; 1 where there are none to count.
    floor, their_floor: the least that each side can cost, over which costs are compared; alike unless given.
    """

    variant: str
    shape: Shape
    prepare: Callable[[], tuple[Side, Side]]
    work: int = 1
    floor: float = 1.0
    their_floor: float = 1.0


@dataclass(frozen=True)
class Spread:
    """The quartiles of what was measured."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        return cls(*(float(value) for value in np.quantile(values, (0.25, 0.5, 0.75))))


@dataclass(frozen=True)
class Measurement:
    """What a contest came to: the costs of both sides, and the row's figure, computed for each round by itself."""

    row: str
    variant: str
    shape: Shape
    work: int
    floor: float
    their_floor: float
    rounds: int
    ours: Spread
    theirs: Spread
    figure: Spread

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "shape": str(self.shape)} | {name: vars(getattr(self, name)) for name in SPREADS}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        spreads = {name: Spread(**values[name]) for name in SPREADS}
        return cls(**{**values, "shape": Shape.parse(values["shape"]), **spreads})


SPREADS = ("ours", "theirs", "figure")


def _speed(contest: Contest, ours: float, theirs: float) -> float:
    """How many times faster ours is, each over its floor."""
    return (theirs / contest.their_floor) / (ours / contest.floor)


def _cost(contest: Contest, ours: float, theirs: float) -> float:
    """How many times as much ours costs, each over its floor."""
    return 1 / _speed(contest, ours, theirs)


def _excess(_: Contest, ours: float, theirs: float) -> float:
    """What ours costs beyond theirs."""
    return ours - theirs


FIGURES: dict[str, Callable[[Contest, float, float], float]] = {"speed": _speed, "cost": _cost, "excess": _excess}


def measure(row: str, figure: str, contest: Contest, budget: Budget) -> Measurement:
    """Runs a contest of a row."""
    pairs = interleave(*contest.prepare(), budget)
    figures = [FIGURES[figure](contest, *pair) for pair in pairs]
    spreads = [Spread.of(values) for values in (*zip(*pairs, strict=True), figures)]
    floors = (contest.floor, contest.their_floor)
    return Measurement(row, contest.variant, contest.shape, contest.work, *floors, len(pairs), *spreads)


def interleave(
    ours: Side, theirs: Side, budget: Budget, clock: Callable[[], float] = time.perf_counter
) -> list[tuple[float, float]]:
    """The costs of ours and theirs, measured in turn, so that what disturbs the machine hits both."""
    pairs: list[tuple[float, float]] = []
    begin = clock()
    while len(pairs) < budget.rounds or clock() - begin < budget.seconds:
        their_cost = theirs()
        pairs.append((ours(), their_cost))
    return pairs


def timed(step: Callable[[], object], block: float, clock: Callable[[], float] = time.perf_counter) -> Side:
    """A side that calls `step` for about `block` seconds on end and returns the seconds of one call, by a clock."""

    def seconds(calls: int) -> float:
        begin = clock()
        for _ in range(calls):
            step()
        return (clock() - begin) / calls

    return in_blocks(step, block, seconds)


def in_blocks(step: Callable[[], object], block: float, seconds: Callable[[int], float]) -> Side:
    """A side of about `block` seconds on end; `seconds` makes so many calls of `step` and returns those of one.

    The first call compiles and fills caches, the second says how many make a block. A block, since what ran
    before leaves caches cold and its threads spinning.
    """
    step()
    calls = max(1, math.ceil(block / max(seconds(1), 1e-9)))
    return lambda: seconds(calls)


def geometric_mean(values: Iterable[float]) -> float:
    """The mean of ratios: half as fast and twice as fast make 1."""
    return math.exp(float(np.mean(np.log(list(values)))))
