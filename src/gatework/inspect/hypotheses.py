"""Which unit follows which label, without fooling oneself.

Correlation of each unit with a label; unit and sign are chosen on the first half of the steps and reported on the
second. A unit's score is min(|r_A|, |r_B|) less what chance or an untrained network reaches: the larger of 95 % of
the null and the best untrained unit. The null is the best of all units with the labels of other stretches of the text,
which are as slow as the true ones; labels shuffled one by one would make almost anything look like a discovery.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

DRAWS = 100  # other stretches that the null is made of
LEVEL = 0.95
RIDGE = 0.01  # of the number of steps
PREVALENCE, EPISODES = 0.01, 20  # in each half at least
LEAST = 50  # steps of a half, below which nothing is measured

Labels = Mapping[str, NDArray[np.float32]]  # [T] each


@dataclass(frozen=True)
class Halves:
    """Two halves [T/2,U] of what units did, each with mean 0 and norm 1; a unit that stands still is 0."""

    a: Tensor
    b: Tensor

    @classmethod
    def of(cls, values: Tensor) -> "Halves":
        """Cuts values [T,U] in the middle."""
        middle = len(values) // 2
        return cls(unit_norm(values[:middle]), unit_norm(values[middle:]))

    def correlations(self, label: "Halves") -> tuple[Tensor, Tensor]:
        """r of every unit with every column of the label, [U,N] on either half."""
        return self.a.T @ label.a, self.b.T @ label.b


def unit_norm(values: Tensor) -> Tensor:
    """Columns [T,U] less their means, divided by their norms; a column without variation is 0."""
    centred = values - values.mean(0)
    norms = centred.norm(dim=0)
    return centred / torch.where(norms > 1e-6 * (1 + values.abs().amax(0)) * len(values) ** 0.5, norms, torch.inf)


@dataclass(frozen=True)
class Hypothesis:
    """One label compared with all units.

    prevalence, episodes: the smaller share, and the smaller number, of either half; needed: so many episodes are
    needed for a finding. null, untrained: what chance and the best unit of an untrained network reach. a, b [U]: the
    correlations of all units on either half. probe, probe_untrained: r on the second half of a ridge regression on all
    units, fitted on the first.
    """

    name: str
    prevalence: float
    episodes: int
    needed: int
    null: float
    untrained: float
    a: Tensor
    b: Tensor
    probe: float
    probe_untrained: float

    @property
    def enough(self) -> bool:
        """Whether the label occurs often enough for a finding."""
        return self.prevalence >= PREVALENCE and self.episodes >= self.needed

    @property
    def scores(self) -> Tensor:
        """[U]: above 0 where a unit follows the label more than chance and an untrained network do."""
        return _agreed(self.a, self.b) - max(self.null, self.untrained)

    @property
    def followed(self) -> Tensor:
        """[U] bool: a positive score, where the label occurs often enough."""
        return (self.scores > 0) & self.enough

    @property
    def best(self) -> int:
        """The unit chosen on the first half, of those that follow the label, if any do."""
        chosen = self.a.abs() + 2 * self.followed
        return int(chosen.argmax())


def _agreed(a: Tensor, b: Tensor) -> Tensor:
    """min(|r_A|, |r_B|), negative where the signs differ."""
    return torch.minimum(a.abs(), b * a.sign())


def search(
    trained: Tensor,
    untrained: Tensor,
    labels: Labels,
    progress: Callable[[int, int], None] | None = None,
    *,
    least: int = EPISODES,
) -> list[Hypothesis]:
    """Compares the units [T,U] of a trained and of an untrained network with every label; least: episodes a half."""
    if len(trained) < 2 * LEAST:
        return []
    units, fresh = Halves.of(trained), Halves.of(untrained)
    probes = Probe.of(units), Probe.of(fresh)
    hypotheses = []
    for number, (name, label) in enumerate(labels.items(), 1):
        hypotheses.append(_hypothesis_of(name, label, units, fresh, probes, least))
        if progress is not None:
            progress(number, len(labels))
    return hypotheses


def _hypothesis_of(
    name: str,
    label: NDArray[np.float32],
    units: Halves,
    fresh: Halves,
    probes: "tuple[Probe, Probe]",
    least: int = EPISODES,
) -> Hypothesis:
    """One label against all units."""
    halves = Halves.of(torch.from_numpy(label)[:, None])  # [T,1]
    a, b = units.correlations(halves)
    chance = _strongest(*units.correlations(_other_stretches(halves)))
    middle = len(label) // 2
    there = label != 0 if label.min() == 0 else label > np.median(label)
    share = min(float(half.mean()) for half in (there[:middle], there[middle:]))
    begun = min(episodes(half) for half in (there[:middle], there[middle:]))
    return Hypothesis(
        name=name,
        prevalence=share,
        episodes=begun,
        needed=least,
        null=float(chance.quantile(LEVEL)),
        untrained=float(_strongest(*fresh.correlations(halves))[0]),
        a=a[:, 0],
        b=b[:, 0],
        probe=probes[0].r(units, halves),
        probe_untrained=probes[1].r(fresh, halves),
    )


def _strongest(a: Tensor, b: Tensor) -> Tensor:
    """For every column of [U,N] what the unit that follows it best reaches on both halves, at least 0."""
    return _agreed(a, b).amax(0).clamp(min=0)


def _other_stretches(label: Halves) -> Halves:
    """The same label [T,1] as it is elsewhere in the half, as [T,N]: turned by a tenth to nine tenths of its length."""
    generator = torch.Generator().manual_seed(0)
    return Halves(turned(label.a, generator), turned(label.b, generator))


def turned(column: Tensor, generator: torch.Generator) -> Tensor:
    T = len(column)
    shifts = torch.randint(T // 10, T - T // 10, (DRAWS,), generator=generator)
    return column[(torch.arange(T)[:, None] - shifts) % T, 0]  # [T,N]


def episodes(there: NDArray[np.bool_]) -> int:
    """How often something begins to be there."""
    return int((there[1:] & ~there[:-1]).sum() + there[:1].sum())


@dataclass(frozen=True)
class Probe:
    """Ridge regression on all units of the first half: eigenvectors [U,U] and values [U] of their correlations."""

    vectors: Tensor
    values: Tensor

    @classmethod
    def of(cls, units: Halves) -> "Probe":
        values, vectors = torch.linalg.eigh((units.a.T @ units.a).double())
        return cls(vectors, values.clamp(min=0))

    def r(self, units: Halves, label: Halves) -> float:
        """The correlation on the second half of what was fitted on the first; 0 where the label stands still."""
        moments = (units.a.T @ label.a).double()[:, 0]
        weights = self.vectors @ ((self.vectors.T @ moments) / (self.values + RIDGE))
        guess = unit_norm(units.b @ weights.to(units.b.dtype)[:, None])
        return float((guess * label.b).sum())
