"""Seasons: the lengths after which a series repeats itself, held against chance."""

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np

from gatework.tasks.forecast_base import Numbers, filled

LONGEST = 400  # steps of a season that is looked for
CHANCE = 0.01  # with which a series without any season may be said to have one
ORDER = 3  # of the autoregression that the noise is taken to be
WANDERING = 0.5  # correlation one season later that makes a cycle of varying length a season, of
LEAST_CYCLE = 4  # steps at least
DIVIDES = 0.5  # a divisor of a season is tried too where the series correlates so much of that again after it


def found_seasons(y: Numbers, usual: Sequence[int] = ()) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Seasons that a series y [T] may have, NaN where missing: the usual ones that it holds, and those found in it.

    Returns all, and those found.
    """
    z = filled(y)
    held, found = [m for m in usual if 2 * m + 2 <= len(z)], own_seasons(z)
    return tuple(dict.fromkeys(held + found)), tuple(found)


def own_seasons(z: Numbers) -> list[int]:
    """The season that chance explains least, with multiples and divisors of it that say more, or a cycle, or none."""
    lengths = range(2, min(LONGEST, len(z) // 3) + 1)
    chance = CHANCE / max(1, len(lengths))
    r = {m: seasonality(z, m) for m in range(1, len(lengths) + 3)}
    peaks = sorted((m for m in lengths if r[m] > max(r[m - 1], r[m + 1], 0)), key=lambda m: -r[m])
    strongest = next((m for m in peaks if places_differ(z, m, chance)), None)
    if strongest is None:
        return wandering(r, lengths, len(z), chance)

    def says_more(longer: int, m: int) -> bool:
        return places_differ(z - profile(z, m), longer, chance)

    divisors = [m for m in lengths if strongest % m == 0]
    season = next(m for m in divisors if m == strongest or not says_more(strongest, m))
    longer = [m for m in peaks if m > season and m % season == 0 and says_more(m, season)]
    shorter = [m for m in peaks if m < season and season % m == 0 and r[m] > DIVIDES * r[season]]
    return [season, *longer[:1], *shorter[:1]]


def wandering(r: Mapping[int, float], lengths: range, T: int, chance: float) -> list[int]:
    """The cycle after which a series correlates most with itself, by its correlations r, where its length varies."""
    if lengths[LEAST_CYCLE:]:
        m = max(lengths[LEAST_CYCLE - lengths.start :], key=lambda m: r[m])
        if r[m] > max(WANDERING, NormalDist().inv_cdf(1 - chance) / math.sqrt(T - 2 * m)):
            return [m]
    return []


def places_differ(z: Numbers, m: int, chance: float) -> bool:
    """Whether the values at the m places of a season differ by more than autoregressive noise does.

    The noise is what the profile leaves; z is filtered by its autoregression, so that noise would become white, and an
    F test compares the means of the places (analysis of variance with autocorrelated errors: Cochrane & Orcutt 1949).
    """
    noise = z - profile(z, m)
    w = filtered(z, autoregression(noise - noise.mean()))
    place = np.arange(len(w)) % m
    count = np.bincount(place, minlength=m)
    mean = np.bincount(place, w, m) / count
    between = float(count @ (mean - w.mean()) ** 2) / (m - 1)
    within = float(((w - mean[place]) ** 2).sum()) / (len(w) - m)
    if within <= 1e-20 * max(between, 1e-300):
        return between > 0
    return normal_of_f(between / within, m - 1, len(w) - m) > NormalDist().inv_cdf(1 - chance)


def autoregression(x: Numbers) -> Numbers:
    """The coefficients [p] of x_t on x_(t-1) ... x_(t-p), by least squares; none for few values or constant ones."""
    p = min(ORDER, len(x) // 10)
    if p == 0 or not x.any():
        return np.zeros(0)
    past = np.stack([x[p - lag : len(x) - lag] for lag in range(1, p + 1)], 1)
    return np.asarray(np.linalg.lstsq(past, x[p:], rcond=None)[0], np.float64)


def filtered(z: Numbers, coefficients: Numbers) -> Numbers:
    """What an autoregression leaves of z [T]: [T-p]."""
    p = len(coefficients)
    return np.asarray(
        z[p:] - sum((a * z[p - lag : len(z) - lag] for lag, a in enumerate(coefficients, 1)), np.zeros(len(z) - p))
    )


def normal_of_f(f: float, a: int, b: int) -> float:
    """The standard normal deviate as unlikely as a value of the F distribution with a and b degrees of freedom.

    By the cube root of f (Wilson & Hilferty 1931; Paulson 1942).
    """
    root, left, right = f ** (1 / 3), 2 / (9 * a), 2 / (9 * b)
    return float(((1 - right) * root - (1 - left)) / np.sqrt(right * root**2 + left))


def profile(z: Numbers, m: int) -> Numbers:
    """The mean at each place of a season of the series less its moving average, repeated over the series [T]."""
    x = detrended(z, m)
    place = np.arange(len(z)) % m
    inside = ~np.isnan(x)
    count = np.bincount(place[inside], minlength=m)
    return np.asarray((np.bincount(place[inside], x[inside], m) / np.maximum(count, 1))[place])


def detrended(z: Numbers, m: int) -> Numbers:
    """z [T] less its centred moving average over m steps; NaN at both ends."""
    weights = np.full(m, 1 / m) if m % 2 else np.array([0.5, *np.ones(m - 1), 0.5]) / m
    half = len(weights) // 2
    x = np.full(len(z), np.nan)
    if len(z) >= len(weights):
        x[half : len(z) - half] = z[half : len(z) - half] - np.convolve(z, weights, "valid")
    return x


def seasonality(z: Numbers, m: int) -> float:
    """The correlation of a series with itself m steps later, less its moving average over m steps; -1 for too few."""
    x = detrended(z, m)
    x = x[~np.isnan(x)]
    if m < 2 or len(x) < m + 4:
        return -1.0
    spread = np.median(np.abs(x))
    x = np.clip(x, -6 * spread, 6 * spread) if spread else x
    energy = float(x @ x)
    return float(x[m:] @ x[:-m]) / energy if energy else -1.0
