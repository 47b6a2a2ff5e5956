"""Simple forecasts, from every origin of a series at once: what the network starts from, and must beat.

z [T] is a series without missing values (see `filled`), h the horizon. Each gives f [T,h]: row t holds the forecasts
of z[t+1] ... z[t+h] made from z[0] ... z[t] alone; NaN where there is too little past.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Kind = Literal["last value", "mean", "drift", "seasonal naive", "seasonal naive with drift", "smoothing"]

# Weights of the newest value in level, slope and season of exponential smoothing; a slope fades by DAMPING a step.
LEVELS, SLOPES, SEASONS = (0.05, 0.15, 0.35, 0.7), (0.0, 0.1), (0.05, 0.25, 0.6)
DAMPING = 0.97
CHECKED = 2000  # origins at most, the newest ones, that the rolling check looks at


@dataclass(frozen=True)
class Base:
    """A simple forecast: its kind, its season (1 for none), and the weights of exponential smoothing."""

    kind: Kind
    season: int = 1
    weights: tuple[float, ...] = ()

    def __str__(self) -> str:
        return self.kind if self.season == 1 else f"{self.kind}, season {self.season}"

    def forecasts(self, z: Numbers, h: int) -> Numbers:
        """f [T,h]."""
        match self.kind:
            case "last value":
                return np.repeat(z[:, None], h, axis=1)
            case "mean":
                return np.repeat((z.cumsum() / np.arange(1, len(z) + 1))[:, None], h, axis=1)
            case "drift":
                return drift(z, h)
            case "seasonal naive":
                return seasonal(z, h, self.season)
            case "seasonal naive with drift":
                return seasonal_drift(z, h, self.season)
        return smoothings(z, h, self.season, [self.weights])[0]


def average(bases: Sequence[Base], z: Numbers, h: int) -> Numbers:
    """The mean of the forecasts [T,h] of several."""
    return np.asarray(np.mean([base.forecasts(z, h) for base in bases], axis=0))


def filled(y: Numbers, season: int = 1) -> Numbers:
    """y [T] with each missing value replaced by that of the season before, or else by the last one known."""
    z = y.copy()
    missing = np.flatnonzero(np.isnan(z))
    if len(missing):
        first = int(np.flatnonzero(~np.isnan(z))[0])
        z[:first] = z[first]
        for t in missing[missing > first]:
            z[t] = z[t - season] if t >= first + season else z[t - 1]
    return z


def drift(z: Numbers, h: int, least: int = 8) -> Numbers:
    """The last value and the mean slope so far: f = z_t + k (z_t - z_0) / t."""
    t = np.arange(len(z), dtype=float)
    slope = np.where(t >= least, (z - z[0]) / np.maximum(t, 1), np.nan)
    return z[:, None] + slope[:, None] * np.arange(1, h + 1)


def seasonal(z: Numbers, h: int, m: int) -> Numbers:
    """Seasonal naive: f = the value at the same place of the last season."""
    origin, k = np.arange(len(z))[:, None], np.arange(1, h + 1)
    source = origin + k - m * -(-k // m)  # [T,h]
    return np.where(origin >= m - 1, z[np.maximum(source, 0)], np.nan)


def seasonal_drift(z: Numbers, h: int, m: int) -> Numbers:
    """Seasonal naive, moved by the mean change from season to season so far."""
    change = np.concatenate([np.zeros(m), z[m:] - z[:-m]]).cumsum()
    count = np.arange(len(z)) - m + 1
    step = np.where(count >= max(3, m // 2), change / np.maximum(count, 1), np.nan)  # [T], a season
    return seasonal(z, h, m) + step[:, None] * -(-np.arange(1, h + 1) // m)


def smoothings(z: Numbers, h: int, m: int, weights: Sequence[tuple[float, ...]]) -> "Smoothings":
    """Exponential smoothing with a damped slope and an additive season, for several weights (a, g, c) side by side.

    l_t = a (z - s_(t-m)) + (1 - a) (l + d b), b_t = g (l_t - l) + (1 - g) d b, s_t = c (z - l_t) + (1 - c) s_(t-m),
    f = l + (d + ... + d^k) b + s (Holt 1957; Winters 1960; damped: Gardner & McKenzie 1985); d = 0.97.
    """
    a, g, c = np.array(weights).T  # [G]
    start, T = max(m, 4), len(z)
    level, slope = np.full(len(a), z[:start].mean()), np.zeros(len(a))
    levels, slopes = np.full((T, len(a)), np.nan), np.zeros((T, len(a)))
    seasons = np.zeros((T, len(a)))
    seasons[:m] = (z[:m] - z[:m].mean())[:, None] if m > 1 else 0.0
    for t in range(m if m > 1 else 0, T):
        old, was = seasons[t - m], level
        ahead = DAMPING * slope
        level = a * (z[t] - old) + (1 - a) * (level + ahead)
        slope = g * (level - was) + (1 - g) * ahead
        seasons[t] = c * (z[t] - level) + (1 - c) * old
        levels[t], slopes[t] = level, slope
    levels[: start - 1] = np.nan
    return Smoothings(levels, slopes, seasons, m, h)


@dataclass(frozen=True)
class Smoothings:
    """Levels, slopes and seasons [T,G] of exponential smoothing under G weights; [g] forecasts under one."""

    levels: Numbers
    slopes: Numbers
    seasons: Numbers
    m: int
    h: int

    def __getitem__(self, choice: int) -> Numbers:
        k = np.arange(1, self.h + 1)
        f = self.levels[:, choice, None] + (DAMPING**k).cumsum() * self.slopes[:, choice, None]
        if self.m > 1:
            f = f + seasonal(self.seasons[:, choice], self.h, self.m)
        return np.asarray(f)


def errors(y: Numbers, f: Numbers) -> Numbers:
    """The error [T,h] of each forecast f [T,h] whose true value is in y [T], NaN where it is not."""
    T, h = f.shape
    ahead = np.concatenate([y[1:], np.full(h, np.nan)])
    return np.lib.stride_tricks.sliding_window_view(ahead, h)[:T] - f


def mean_error(y: Numbers, f: Numbers, begin: int = 0) -> float:
    """The mean absolute error from the origins of `begin` on; infinite where there is none."""
    e = np.abs(errors(y[begin:], f[begin:]))
    known = ~np.isnan(e)
    return float(e[known].mean()) if known.any() else math.inf


def candidates(T: int, seasons: Sequence[int]) -> list[Base]:
    """The simple forecasts that a series of T values allows; exponential smoothing without its weights yet."""
    found = [Base("last value"), Base("mean"), Base("drift"), Base("smoothing")]
    for m in seasons:
        if first_origin(Base("seasonal naive", m)) + 4 <= T:
            found += [Base("seasonal naive", m), Base("seasonal naive with drift", m), Base("smoothing", m)]
    return found


def rolling_check(y: Numbers, z: Numbers, h: int, found: Sequence[Base]) -> list[tuple[float, Base]]:
    """The mean absolute error of each simple forecast over the same origins, the best first.

    Exponential smoothing gets the weights that err least.
    """
    begin = judged_from([(0.0, base) for base in found], z)
    scored = [checked(base, y, z, h, begin) for base in found]
    return sorted((pair for pair in scored if math.isfinite(pair[0])), key=lambda pair: pair[0])


def judged_from(found: Sequence[tuple[float, Base]], z: Numbers) -> int:
    """The first origin that all simple forecasts are judged at."""
    begin = max(first_origin(base) for _, base in found)
    return int(min(max(begin, len(z) - CHECKED), len(z) - 2))


def first_origin(base: Base) -> int:
    """The first origin that a simple forecast is judged at: it has seen a season, or eight values."""
    return base.season + max(3, base.season // 2) if base.season > 1 else 8


def checked(base: Base, y: Numbers, z: Numbers, h: int, begin: int) -> tuple[float, Base]:
    if base.kind != "smoothing" or base.weights:
        return mean_error(y, base.forecasts(z, h), begin), base
    grid = [(a, g, c) for a in LEVELS for g in SLOPES for c in (SEASONS if base.season > 1 else (0.0,))]
    smoothed = smoothings(z, h, base.season, grid)
    scores = [mean_error(y, smoothed[choice], begin) for choice in range(len(grid))]
    best = int(np.argmin(scores))
    return scores[best], replace(base, weights=grid[best])
