"""How good predicted targets are: whole ones right, edits to the nearest that is right, what is confused most."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from gatework.decoding.edits import Edit, all_edits, distances
from gatework.errors import field
from gatework.pairs.data.symbols import Text

DRAWS = 1000  # of the bootstrap
CHUNK = 1 << 22  # numbers drawn at a time
COMMONEST = 10  # confusions that are listed
NOTHING = "-"  # what stands for no symbol in a confusion

Accepted = Sequence[Sequence[Text]]
Interval = tuple[float, float]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Judged:
    """What became of N sources: edits to the nearest accepted target, its symbols, and which of the targets it is."""

    edits: Counts  # [N]
    symbols: Counts  # [N]
    nearest: Counts  # [N]

    def __len__(self) -> int:
        return len(self.edits)

    @property
    def exact(self) -> npt.NDArray[np.bool_]:
        """Whether each is one of the accepted targets, [N]."""
        exact: npt.NDArray[np.bool_] = self.edits == 0
        return exact

    @property
    def word_error_rate(self) -> float:
        """The share that is none of the accepted targets."""
        return float(1 - self.exact.mean())

    @property
    def symbol_error_rate(self) -> float:
        """Edits over the symbols of the nearest targets, which must have one."""
        return float(self.edits.sum() / self.symbols.sum())


def judge(predicted: Sequence[Text], accepted: Accepted) -> Judged:
    """Compares what was predicted for each source with the targets that are accepted for it."""
    counts = np.array([len(targets) for targets in accepted])
    every = list(chain.from_iterable(accepted))
    each = distances([text for text, count in zip(predicted, counts, strict=True) for _ in range(count)], every)
    starts = np.cumsum(counts) - counts
    fewest = np.minimum.reduceat(each, starts) if len(starts) else each
    place = np.where(each == np.repeat(fewest, counts), np.arange(len(each)), len(each))
    first = np.minimum.reduceat(place, starts) if len(starts) else place
    lengths = np.array([len(text) for text in every], np.int64)
    return Judged(fewest, lengths[first], first - starts)


def interval(above: npt.NDArray[np.float64], below: npt.NDArray[np.float64], seed: int = 0) -> Interval:
    """The 95 % interval of sum(above) / sum(below) over N sources, by DRAWS samples of N of them (Efron 1979).

    Samples in which the sum below is 0 have no ratio and are left out.
    """
    N = len(above)
    rng = np.random.default_rng(seed)
    ratios = []
    for first in range(0, DRAWS, max(1, CHUNK // N)):
        drawn = rng.integers(0, N, (min(max(1, CHUNK // N), DRAWS - first), N))
        sums = below[drawn].sum(1)
        ratios.append(above[drawn].sum(1)[sums > 0] / sums[sums > 0])
    low, high = np.quantile(np.concatenate(ratios), [0.025, 0.975])
    return float(low), float(high)


def confusions(predicted: Sequence[Text], accepted: Accepted, judged: Judged) -> Counter[tuple[str, str]]:
    """How often one symbol stands where the nearest target has another: (target's, predicted), "" for none."""
    wrong = np.flatnonzero(~judged.exact).tolist()
    nearest = [accepted[k][judged.nearest[k]] for k in wrong]
    every = chain.from_iterable(all_edits([predicted[k] for k in wrong], nearest))
    return Counter(_confusion(edit) for edit in every if not edit.kept)


def _confusion(edit: Edit) -> tuple[str, str]:
    return str(edit.reference or ""), str(edit.hypothesis or "")


@dataclass(frozen=True)
class Losses:
    """Of the targets of N sources, each source's together: -log p in nats, and the symbols, ends among them."""

    nats: npt.NDArray[np.float64]  # [N]
    symbols: Counts  # [N]

    @property
    def mean(self) -> float:
        """That of a target symbol."""
        return float(self.nats.sum() / self.symbols.sum())

    @property
    def counted(self) -> Losses | None:
        """Those of the sources that have symbols; None where there are none."""
        some = self.symbols > 0
        return Losses(self.nats[some], self.symbols[some]) if some.any() else None


@dataclass(frozen=True)
class PairReport:
    """The figures of N sources; nats: mean loss of a target symbol, its end among them.

    What is a mean over symbols is None where there are none.
    """

    sources: int
    exact: float
    exact_interval: Interval
    symbol_error_rate: float | None
    symbol_interval: Interval | None
    confused: tuple[tuple[str, str, int], ...]
    nats: float | None = None
    perplexity_interval: Interval | None = None

    @classmethod
    def of(
        cls, predicted: Sequence[Text], accepted: Accepted, losses: Losses | None = None, seed: int = 0
    ) -> PairReport:
        """Judges predictions; the intervals are a function of the seed."""
        judged = judge(predicted, accepted)
        losses = None if losses is None else losses.counted
        ones = np.ones(len(judged))
        some = judged.symbols.any()
        commonest = confusions(predicted, accepted, judged).most_common(COMMONEST)
        return cls(
            len(judged),
            float(judged.exact.mean()),
            interval(judged.exact.astype(np.float64), ones, seed),
            judged.symbol_error_rate if some else None,
            interval(judged.edits.astype(np.float64), judged.symbols.astype(np.float64), seed) if some else None,
            tuple((*pair, count) for pair, count in commonest),
            None if losses is None else losses.mean,
            None if losses is None else _perplexities(losses, seed),
        )

    @property
    def word_error_rate(self) -> float:
        return 1 - self.exact

    @property
    def perplexity(self) -> float | None:
        """exp of the mean loss of a target symbol."""
        return None if self.nats is None else math.exp(self.nats)

    def lines(self) -> list[str]:
        """The figures, and what is confused most."""
        low, high = self.exact_interval
        lines = [
            f"{self.exact:.1%} of {self.sources:,} whole targets right (95 % interval {low:.1%} to {high:.1%}), "
            f"word error rate {self.word_error_rate:.1%}",
            f"symbol error rate {_percents(self.symbol_error_rate, self.symbol_interval)}",
        ]
        if self.perplexity is not None and self.perplexity_interval is not None:
            low, high = self.perplexity_interval
            lines.append(f"perplexity {self.perplexity:.3f} a target symbol (95 % interval {low:.3f} to {high:.3f})")
        if self.confused:
            lines.append(f"most often wrong: {', '.join(map(_worded, self.confused))}")
        return lines


def _percents(rate: float | None, between: Interval | None) -> str:
    """A rate and its interval; "-" where there was nothing to count."""
    if rate is None or between is None:
        return "-"
    return "{:.2%} (95 % interval {:.2%} to {:.2%})".format(rate, *between)


def _perplexities(losses: Losses, seed: int) -> Interval:
    low, high = interval(losses.nats, losses.symbols.astype(np.float64), seed)
    return math.exp(low), math.exp(high)


def _worded(confused: tuple[str, str, int]) -> str:
    wanted, got, count = confused
    what = f"{field(wanted)} left out" if not got else f"{field(got)} too much" if not wanted else ""
    return f"{what or f'{field(got)} for {field(wanted)}'} ({count:,})"
