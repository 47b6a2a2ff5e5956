"""Exponential smoothing from every origin of a series at once, with a damped slope and seasons."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Weights = tuple[float, ...]

DAMPING = 0.97  # of runs that were saved before others were tried


def smoothings(z: Numbers, h: int, seasons: Sequence[int], weights: Sequence[Weights]) -> "Smoothings":
    """Exponential smoothing with a damped slope and additive seasons, for several weights (a, g, c, d) side by side.

    l_t = a (z - s_(t-m)) + (1 - a) (l + d b), b_t = g (l_t - l) + (1 - g) d b, s_t = c (z - l_t) + (1 - c) s_(t-m),
    f = l + (d + ... + d^k) b + s (Holt 1957; Winters 1960; damped: Gardner & McKenzie 1985). Of several seasons each is
    taken out of z for the others (Taylor 2003).
    """
    shape = (z.shape[-1], *z.shape[:-1], len(weights))  # [T,...,G]
    complete = [(*each, DAMPING)[:4] for each in weights]
    if z.size == len(z) and len(weights) == 1:
        parts = _smoothed(z.tolist(), complete[0], seasons)  # Python's numbers are faster than arrays of one
    else:
        parts = _smoothed(list(np.broadcast_to(np.moveaxis(z, -1, 0)[..., None], shape)), np.array(complete).T, seasons)
    levels, slopes, *each = (np.moveaxis(np.reshape(part, shape), 0, -2) for part in parts)
    levels[..., : max(*seasons, 4, 1) - 1, :] = np.nan
    return Smoothings(levels, slopes, tuple(zip(seasons, each, strict=True)), np.array([w[3] for w in complete]), h)


def _smoothed(z: Sequence[Any], weights: Any, seasons: Sequence[int]) -> list[list[Any]]:
    """The recursion of `smoothings` over T values, numbers or arrays: levels, slopes, and each season."""
    a, g, c, d = weights
    longest = max(seasons, default=0)
    first = z[: max(longest, 4)]
    level = sum(first[1:], first[0]) / len(first)
    slope = none = 0 * level
    levels, slopes = [none + math.nan] * len(z), [none] * len(z)
    places = [
        (m, [*begun, *[none] * (len(z) - len(begun))]) for m, begun in zip(seasons, _begun(z, seasons), strict=True)
    ]
    for t in range(longest, len(z)):
        olds = [season[t - m] for m, season in places]
        rest, was, ahead = z[t] - sum(olds), level, d * slope
        level = a * rest + (1 - a) * (level + ahead)
        slope = g * (level - was) + (1 - g) * ahead
        left = c * (rest - level)
        for (_, season), old in zip(places, olds, strict=True):
            season[t] = left + old
        levels[t], slopes[t] = level, slope
    return [levels, slopes, *(season for _, season in places)]


def _begun(z: Sequence[Any], seasons: Sequence[int]) -> list[list[Any]]:
    """The first values of each season, in order of length: means at its places over the first of the longest."""
    begin = list(z[: max(seasons, default=0)])
    begun = []
    for m in seasons:
        mean = sum(begin[1:], begin[0]) / len(begin)
        places = [begin[place::m] for place in range(m)]
        profile = [sum(some[1:], some[0]) / len(some) - mean for some in places]
        begun.append([profile[t % m] for t in range(len(begin))])
        begin = [value - own for value, own in zip(begin, begun[-1], strict=True)]
    return begun


@dataclass(frozen=True)
class Smoothings:
    """Levels, slopes and seasons [...,T,G] of exponential smoothing under G weights; [g] forecasts under one.

    seasons: each with its length. dampings [G]: what is left of a slope a step on.
    """

    levels: Numbers
    slopes: Numbers
    seasons: tuple[tuple[int, Numbers], ...]
    dampings: Numbers
    h: int

    def __getitem__(self, choice: int) -> Numbers:
        k = np.arange(1, self.h + 1)
        f = self.levels[..., choice, None] + (self.dampings[choice] ** k).cumsum() * self.slopes[..., choice, None]
        for m, season in self.seasons:
            f = f + seasonal(season[..., choice], self.h, m)
        return np.asarray(f)

    def mean_errors(self, y: Numbers, begin: int) -> Numbers:
        """`mean_error` of y [...,T] under each of the weights: [...,G]."""
        known = (~np.isnan(y)).astype(float)
        origins = ~np.isnan(self.levels[..., begin:, 0]) * origin_weights(begin, y.shape[-1])
        truth, levels = np.nan_to_num(y)[..., None], np.nan_to_num(self.levels)
        total, count = np.zeros(()), np.zeros(())
        for k in range(1, self.h + 1):
            rows = slice(begin, max(begin, y.shape[-1] - k))
            e = truth[..., begin + k :, :] - levels[..., rows, :]
            e -= (self.dampings[:, None] ** np.arange(1, k + 1)).sum(1) * self.slopes[..., rows, :]
            for m, season in self.seasons:
                back = m * -(-k // m) - k
                e -= season[..., rows.start - back : rows.stop - back, :]
            weights = known[..., begin + k :] * origins[..., : e.shape[-2]]
            total = total + np.einsum("...tg,...t->...g", np.abs(e, out=e), weights)
            count = count + weights.sum(-1)[..., None]
        return np.where(count > 0, total / np.maximum(count, 1), math.inf)

    def of(self, row: int) -> "Smoothings":
        """Those of one of several series."""
        seasons = tuple((m, season[row]) for m, season in self.seasons)
        return replace(self, levels=self.levels[row], slopes=self.slopes[row], seasons=seasons)


def seasonal(z: Numbers, h: int, m: int) -> Numbers:
    """Seasonal naive: f = the value at the same place of the last season."""
    origin, k = np.arange(z.shape[-1])[:, None], np.arange(1, h + 1)
    source = origin + k - m * -(-k // m)  # [T,h]
    return np.where(origin >= m - 1, z[..., np.maximum(source, 0)], np.nan)


def origin_weights(begin: int, T: int) -> Numbers:
    """What the error from each origin [T - begin] counts: as much as it has values behind it.

    What is fitted at an origin errs the more, the fewer values it is fitted to: early errors tell little of the next.
    """
    return np.arange(begin + 1.0, T + 1) / T
