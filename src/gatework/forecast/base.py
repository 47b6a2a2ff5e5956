"""Simple forecasts, from every origin of a series at once: what the network starts from, and must beat.

z [...,T] is a series without missing values (see `filled`), or several of one length, h the horizon. Each gives
f [...,T,h]: row t holds the forecasts of z[t+1] ... z[t+h] made from z[0] ... z[t] alone; NaN where there is too little
past.
"""

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from gatework.forecast.autoregression import autoregression, first_origin
from gatework.forecast.smoothing import origin_weights, seasonal, smoothings
from gatework.runs.arguments import real, whole

Numbers = NDArray[np.float64]
Kind = Literal[
    "last value",
    "mean",
    "median",
    "drift",
    "seasonal naive",
    "seasonal naive with drift",
    "smoothing",
    "autoregression",
    "intermittent demand",
]
Weights = tuple[float, ...]

# Weights of the newest value in level, slope and season of smoothing, and what is left of a slope a step on.
LEVELS, SLOPES, SEASONS = (0.05, 0.15, 0.35, 0.7, 0.95), (0.0, 0.1, 0.3), (0.05, 0.25, 0.6)
DAMPINGS = (0.9, 0.97, 1.0)
ORDERS = ((2, 0), (5, 0), (1, 1), (4, 1))  # of autoregressions: steps looked back, whether changes are looked at
SEASONAL_ORDERS = ((1, 0), (2, 1))
MOST_ORDER = 100  # of an autoregression that was saved
LATEST_VALUES = (12, 24, 60)  # that medians are taken of, beside that of all
DEMANDS = tuple((a, b) for a in (0.05, 0.2) for b in (0.05, 0.2))  # weights of the newest size and of its coming
ZEROS = 0.3  # share of zeros from which a series is one of intermittent demand
LATEST = 2  # times the first origin of an autoregression, that a series must be long
CHECKED = 2000  # origins at most, the newest ones, that the rolling check looks at


@dataclass(frozen=True)
class Base:
    """A simple forecast: its kind, its season (1 for none), the weights or orders of kinds that have them.

    second: a longer season of smoothing with two, 1 for none.
    """

    kind: Kind
    season: int = 1
    weights: Weights = ()
    second: int = 1

    def __str__(self) -> str:
        if self.second > 1:
            return f"{self.kind}, seasons {self.season} and {self.second}"
        return self.kind if self.season == 1 else f"{self.kind}, season {self.season}"

    @property
    def seasons(self) -> tuple[int, ...]:
        """Those that it has, the shorter one first."""
        return tuple(m for m in (self.season, self.second) if m > 1)

    @property
    def family(self) -> str:
        """What it is one of: two of a family err alike, and their average brings little."""
        return FAMILIES.get(self.kind, self.kind)

    def forecasts(self, z: Numbers, h: int) -> Numbers:
        """f [...,T,h]."""
        T = z.shape[-1]
        match self.kind:
            case "last value":
                return np.repeat(z[..., None], h, axis=-1)
            case "mean":
                return np.repeat((z.cumsum(-1) / np.arange(1, T + 1))[..., None], h, axis=-1)
            case "median":
                return np.repeat(medians(z, *map(int, self.weights))[..., None], h, axis=-1)
            case "drift":
                return drift(z, h)
            case "seasonal naive":
                return seasonal(z, h, self.season)
            case "seasonal naive with drift":
                return _seasonal_drift(z, h, self.season)
            case "autoregression":
                order, differences = map(int, self.weights)
                f = autoregression(z, h, self.season, order, differences)
                return np.where(np.isnan(f), seasonal(z, h, self.season), f)  # naive before it begins
            case "intermittent demand":
                return np.repeat(demand(z, *self.weights)[..., None], h, axis=-1)
        return smoothings(z, h, self.seasons, [self.weights])[0]


def base_from_json(values: Mapping[str, Any]) -> Base:
    """A simple forecast as run.json has it; raises ValueError and others for what is none."""
    base = Base(**{**values, "weights": tuple(values["weights"])})
    if base.kind not in get_args(Kind):
        raise ValueError(f"{base.kind!r} is no simple forecast")
    for name in ("season", "second"):
        whole(name, getattr(base, name), least=1)
    numbers = [number for number in map(real, base.weights) if number is not None]
    if len(numbers) < len(base.weights) or not _fitting(base.kind, numbers):
        raise ValueError(f"{base.kind} has weights {list(base.weights)}")
    return base


def _fitting(kind: Kind, weights: Sequence[float]) -> bool:
    """Whether these are the weights of a kind, or its orders."""
    match kind, list(weights):
        case "smoothing", [_, _, _] | [_, _, _, _] as shares:  # runs of before have no damping
            return all(0 <= share <= 1 for share in shares)
        case "intermittent demand", [a, b]:
            return 0 <= a <= 1 and 0 <= b <= 1
        case "autoregression", [order, differences]:
            return 1 <= order <= MOST_ORDER and differences in (0, 1)
        case "median", [latest]:
            return latest >= 1
        case "smoothing" | "intermittent demand" | "autoregression", _:
            return False
    return not weights


FAMILIES: dict[Kind, str] = {"drift": "last value", "seasonal naive with drift": "seasonal naive"}


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
    t = np.arange(z.shape[-1], dtype=float)
    slope = np.where(t >= least, (z - z[..., :1]) / np.maximum(t, 1), np.nan)
    return z[..., None] + slope[..., None] * np.arange(1, h + 1)


def _seasonal_drift(z: Numbers, h: int, m: int) -> Numbers:
    """Seasonal naive, moved by the mean change from season to season so far."""
    change = np.zeros_like(z)
    np.cumsum(z[..., m:] - z[..., :-m], axis=-1, out=change[..., m:])
    count = np.arange(z.shape[-1]) - m + 1
    step = np.where(count >= max(3, m // 2), change / np.maximum(count, 1), np.nan)  # [...,T], a season
    return seasonal(z, h, m) + step[..., None] * -(-np.arange(1, h + 1) // m)


def medians(z: Numbers, latest: int | None = None) -> Numbers:
    """The median [...,T] of the latest so many values, or of all so far."""
    result = np.empty_like(z)
    for row in np.ndindex(z.shape[:-1]):
        values, seen = z[row].tolist(), list[float]()
        for t, value in enumerate(values):
            insort(seen, value)
            if latest and t >= latest:
                del seen[bisect_left(seen, values[t - latest])]
            count = len(seen)
            result[(*row, t)] = (seen[(count - 1) // 2] + seen[count // 2]) / 2
    return result


def demand(z: Numbers, a: float, b: float) -> Numbers:
    """Intermittent demand [...,T]: its size times how often it comes, each smoothed (Teunter, Syntetos & Babai 2011).

    s_t = a z_t + (1 - a) s where there is demand, p_t = b [z_t > 0] + (1 - b) p at every step.
    """
    there = (z != 0).astype(float)
    first = there.argmax(-1)[..., None]  # the first demand
    size, often = np.take_along_axis(z, first, -1)[..., 0], 1.0 / (first[..., 0] + 1)
    result = np.empty_like(z)
    for t in range(z.shape[-1]):
        size = size + a * there[..., t] * (z[..., t] - size)
        often = often + b * (there[..., t] - often)
        result[..., t] = size * often
    return np.where(np.arange(z.shape[-1]) >= first, result, 0.0)


def errors(y: Numbers, f: Numbers) -> Numbers:
    """The error [...,T,h] of each forecast f [...,T,h] whose true value is in y [...,T], NaN where it is not."""
    return np.asarray(_true_values(y, f.shape[-1]) - f)


def _true_values(y: Numbers, h: int) -> Numbers:
    """The h values [...,T,h] that come after each step of y [...,T], NaN past its end."""
    ahead = np.concatenate([y[..., 1:], np.full((*y.shape[:-1], h), np.nan)], -1)
    return np.lib.stride_tricks.sliding_window_view(ahead, h, axis=-1)[..., : y.shape[-1], :]


def mean_error(y: Numbers, f: Numbers, begin: int = 0) -> Numbers:
    """The mean absolute error [...] from the origins of `begin` on, by `origin_weights`; infinite if there is none."""
    return _mean_size(errors(y[..., begin:], f[..., begin:, :]), origin_weights(begin, y.shape[-1]))


def _mean_size(e: Numbers, weights: Numbers) -> Numbers:
    """The mean absolute value [...] of errors [...,T,h], NaN where one is not known; infinite where none is.

    weights [T]: of each origin.
    """
    known = ~np.isnan(e) * weights[:, None]
    count = known.sum((-2, -1))
    return np.where(
        count > 0, (np.abs(np.nan_to_num(e)) * known).sum((-2, -1)) / np.where(count > 0, count, 1), math.inf
    )


def candidates(T: int, seasons: Sequence[int], *, intermittent: bool = False) -> list[Base]:
    """The simple forecasts that a series of T values allows; those that have weights without them yet."""
    bases = [Base("last value"), Base("mean"), Base("drift"), Base("smoothing")]
    for m in seasons:
        if _first_origin(Base("seasonal naive", m)) + 4 <= T:
            kinds: tuple[Kind, ...] = ("seasonal naive", "seasonal naive with drift", "smoothing")
            bases += [Base(kind, m) for kind in kinds]
    pairs = [
        Base("smoothing", m, second=n)
        for m, n in pairwise(sorted(seasons))
        if _first_origin(Base("smoothing", n)) + 4 <= T
    ]
    bases += [*pairs, *(each for m in (1, *seasons) if grid(each := Base("autoregression", m), T))]
    return bases + ([Base("median"), Base("intermittent demand")] if intermittent else [])


def grid(base: Base, T: int) -> list[Weights]:
    """The weights that are tried for a kind of forecast of T values; one without any for a kind that has none."""
    match base.kind:
        case "smoothing":
            slopes = [(g, d) for g in SLOPES for d in (DAMPINGS if g else DAMPINGS[-1:])]
            return [(a, g, c, d) for a in LEVELS for g, d in slopes for c in (SEASONS if base.season > 1 else (0.0,))]
        case "median":
            return [(), *((latest,) for latest in LATEST_VALUES)]
        case "intermittent demand":
            return list(DEMANDS)
        case "autoregression":
            orders = SEASONAL_ORDERS if base.season > 1 else ORDERS
            return [each for each in orders if LATEST * first_origin(*each, base.season) <= T]
    return [()]


@dataclass(frozen=True)
class Scored:
    """A simple forecast in the rolling check: its mean absolute error, itself, and f [T,h]."""

    score: float
    base: Base
    forecast: Callable[[], Numbers]


def rolling_check(y: Numbers, z: Numbers, h: int, bases: Sequence[Base]) -> list[list[Scored]]:
    """Judges simple forecasts over the same origins of each series y [B,T], the best first; z [B,T] has no gaps.

    Exponential smoothing gets the weights that err least.
    """
    begin = first_scored(bases, z.shape[1])
    truth = _true_values(y[:, begin:], h)
    columns = [_scored(base, y, z, truth, begin) for base in bases]
    ranked = [[each for each in row if math.isfinite(each.score)] for row in zip(*columns, strict=True)]
    return [sorted(row, key=lambda each: each.score) for row in ranked]


def _scored(base: Base, y: Numbers, z: Numbers, truth: Numbers, begin: int) -> list[Scored]:
    """One simple forecast on each series y [B,T], whose values after the origins of `begin` on are truth [B,T,h]."""
    h = truth.shape[-1]
    weights = grid(base, z.shape[1])
    if base.kind == "smoothing":
        smoothed = smoothings(z, h, base.seasons, weights)
        errs = smoothed.mean_errors(y, begin).T  # [G,B]
        return _best(base, weights, errs, lambda best, row: partial(smoothed.of(row).__getitem__, best))
    made = [replace(base, weights=each).forecasts(z, h) for each in weights]
    by_origin = origin_weights(begin, z.shape[1])
    errs = np.stack([_mean_size(truth - f[..., begin:, :], by_origin) for f in made])
    return _best(base, weights, errs, lambda best, row: partial(made[best].__getitem__, row))


def _best(
    base: Base, weights: Sequence[Weights], errs: Numbers, forecast: Callable[[int, int], Callable[[], Numbers]]
) -> list[Scored]:
    """A simple forecast of each series with the weights that err least, errs [G,B]; forecast: by both numbers."""
    return [
        Scored(float(errs[best, row]), replace(base, weights=weights[best]), forecast(best, row))
        for row, best in enumerate(errs.argmin(0).tolist())
    ]


def first_scored(bases: Sequence[Base], T: int) -> int:
    """The first origin that all simple forecasts of T values are judged at."""
    begin = max(map(_first_origin, bases))
    return min(max(begin, T - CHECKED), T - 2)


def _first_origin(base: Base) -> int:
    """The first origin that a simple forecast is judged at: it has seen a season, or eight values."""
    longest = max(base.season, base.second)
    return longest + max(3, longest // 2) if longest > 1 else 8
