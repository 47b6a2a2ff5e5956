"""What a network that reads a series could keep in mind: the phase of the season, the trend, the level."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gatework.forecast.base import filled
from gatework.forecast.data.panel import Series
from gatework.forecast.inputs import lagged
from gatework.forecast.plan import Plan
from gatework.inspect.hypotheses import DRAWS, LEVEL, Halves, Hypothesis, Labels, Probe, search, unit_norm

MEANINGS = {
    "phase": "where in the season it is",
    "trend": "whether the series has been rising or falling over the last season",
    "level": "how high the series stands",
}
SEASONS = 5  # in each half at least
APART = 0.1  # share by which another length of the season must differ
Waves = tuple[Tensor, Tensor]  # multiple R of each unit with a wave on the first half, r of the fit on the second


def labels(series: Series, plan: Plan) -> Labels:
    """The labels [T] of each step; the phase only where there is a season, in steps from 0."""
    z = filled(np.log(series.y) if plan.log else series.y, plan.season)
    values_of = {"trend": lagged(z, plan.season), "level": (z - z.mean()) / (z.std() or 1.0)}
    if plan.season > 1:
        values_of = {"phase": np.arange(len(z)) % plan.season, **values_of}
    return {name: values.astype(np.float32) for name, values in values_of.items()}


def search_series(trained: Tensor, untrained: Tensor, marks: Labels, season: int) -> list[Hypothesis]:
    """Compares the units [T,U] with every label: trend and level as they are, the phase as a wave."""
    others = {name: label for name, label in marks.items() if name != "phase"}
    hypotheses = search(trained, untrained, others, least=SEASONS)
    return [phase(trained, untrained, season), *hypotheses] if hypotheses and "phase" in marks else hypotheses


def phase(trained: Tensor, untrained: Tensor, season: int) -> Hypothesis:
    """The season as cosine and sine: multiple R on the first half, the same combination on the second.

    A wave turned in time is the same wave, so that other stretches are no null here; waves of other lengths are.
    """
    a, b = _wave(trained, season)
    chance = torch.tensor([_reported(*_wave(trained, length)) for length in other_lengths(season)])
    seasons = len(trained) // 2 // season
    return Hypothesis(
        name="phase",
        prevalence=1.0,
        episodes=seasons,
        needed=SEASONS,
        null=float(chance.quantile(LEVEL)),
        untrained=_reported(*_wave(untrained, season)),
        a=a,
        b=b,
        probe=_probe(trained, season),
        probe_untrained=_probe(untrained, season),
    )


def _circle(T: int, length: float) -> Tensor:
    """Cosine and sine [T,2] of a season."""
    angle = 2 * math.pi * torch.arange(T, dtype=torch.float64) / length
    return torch.stack([angle.cos(), angle.sin()], 1).float()


def _wave(units: Tensor, length: float) -> Waves:
    """For every unit [T,U]: R with cosine and sine on the first half, r of the same combination on the second."""
    middle = len(units) // 2
    columns = _circle(len(units), length)
    basis, mixing = torch.linalg.qr(columns[:middle] - columns[:middle].mean(0))
    parts = basis.T @ unit_norm(units[:middle])  # [2,U]
    weights = torch.linalg.solve_triangular(mixing, parts, upper=True)
    fit = unit_norm(columns[middle:] @ weights)
    return parts.norm(dim=0), (fit * unit_norm(units[middle:])).sum(0)


def _reported(a: Tensor, b: Tensor) -> float:
    """What the unit that follows a wave best reaches on both halves, at least 0."""
    return max(0.0, float(torch.minimum(a, b).max()))


def other_lengths(season: int) -> NDArray[np.float64]:
    """Lengths of other seasons, from half to twice, none within a tenth of this one, of its half or of its double."""
    drawn = np.exp(np.random.default_rng(0).uniform(np.log(0.5), np.log(2), 20 * DRAWS))
    near = np.abs(drawn[:, None] / np.array([0.5, 1.0, 2.0]) - 1).min(1) < APART
    return np.asarray(season * drawn[~near][:DRAWS])


def _probe(units: Tensor, season: int) -> float:
    """How well all units together tell the phase: the mean of r over cosine and sine, on the second half."""
    halves = Halves.of(units)
    fitted = Probe.of(halves)
    columns = _circle(len(units), season)
    return sum(fitted.r(halves, Halves.of(column[:, None])) for column in columns.T) / 2
