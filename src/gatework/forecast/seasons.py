"""Seasons: the lengths after which a series repeats itself, tested against chance."""

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from gatework.forecast.base import Numbers, filled

Flags = NDArray[np.bool_]
Rows = NDArray[np.int64]

LONGEST = 400  # steps of a season that is looked for
CHANCE = 0.01  # with which a series without any season may be said to have one
ORDER = 3  # of the autoregression that the noise is taken to be
WANDERING = 0.5  # correlation one season later that makes a cycle of varying length a season, of
LEAST_CYCLE = 4  # steps at least
DIVIDES = 0.5  # a divisor of a season is tried too where the series correlates so much of that again after it


def detected_seasons(y: Numbers, usual: Sequence[int] = ()) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Seasons that a series y [T] may have, NaN where missing: the usual ones that it holds, and those detected in it.

    Returns all, and those detected.
    """
    (seasons,) = seasons_of(y[None], usual)
    return seasons


def seasons_of(values: Numbers, usual: Sequence[int] = ()) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """`detected_seasons` of several series [B,T] at once."""
    usual_ones = [m for m in usual if 2 * m + 2 <= values.shape[1]]
    own = _own_seasons(np.stack([filled(y) for y in values]))
    return [(tuple(dict.fromkeys(usual_ones + seasons)), tuple(seasons)) for seasons in own]


def _own_seasons(z: Numbers) -> list[list[int]]:
    """Of each series [B,T] the season that chance explains least, with a multiple and a divisor of it that say more.

    A cycle of varying length, or nothing, where no season is detected.
    """
    lengths = range(2, min(LONGEST, z.shape[1] // 3) + 1)
    chance = CHANCE / max(1, len(lengths))
    r = _seasonalities(z, len(lengths) + 2)  # [lengths,B]
    peaks = np.zeros_like(r, bool)
    peaks[2:-1] = (r[2:-1] > 0) & (r[2:-1] > r[1:-2]) & (r[2:-1] > r[3:])
    differ = _where(peaks, lambda rows, m: _places_differ(z[rows], m, chance))
    strongest = np.where(differ.any(0), np.where(differ, r, -1.0).argmax(0), 0)
    by_row: list[list[int]] = [[] for _ in z]
    for m in np.unique(strongest):
        rows = np.flatnonzero(strongest == m)
        if m == 0:
            each = [_wandering(column, lengths, z.shape[1], chance) for column in r[:, rows].T]
        else:
            each = _family(z[rows], int(m), r[:, rows], peaks[:, rows], chance)
        for row, seasons in zip(rows, each, strict=True):
            by_row[row] = seasons
    return by_row


def _where(asked: Flags, test: Callable[[Rows, int], Flags]) -> Flags:
    """The cells [M,B] in which a test holds, asked of those alone; the test gets the rows of a length m and m."""
    passed = np.zeros_like(asked)
    for m in np.flatnonzero(asked.any(1)):
        rows = np.flatnonzero(asked[m])
        passed[m, rows] = test(rows, int(m))
    return passed


def _family(z: Numbers, strongest: int, r: Numbers, peaks: Flags, chance: float) -> list[list[int]]:
    """The seasons of series [B,T] with one strongest length: the shortest divisor that says as much, and its kin."""
    season = np.full(len(z), strongest)
    for m in reversed([m for m in range(2, strongest) if strongest % m == 0]):
        season[~_says_more(z, strongest, m, chance)] = m
    kin = np.arange(len(r))[:, None]
    longer = _where(
        peaks & (kin > season) & (kin % season == 0),
        lambda rows, m: _says_more_each(z[rows], m, season[rows], chance),
    )
    of = r[season, np.arange(len(z))]
    shorter = peaks & (kin < season) & (season % np.maximum(kin, 1) == 0) & (r > DIVIDES * of)
    return [
        [int(m), *_best(longer[:, row], r[:, row]), *_best(shorter[:, row], r[:, row])] for row, m in enumerate(season)
    ]


def _best(among: Flags, r: Numbers) -> list[int]:
    """The length of the greatest correlation among some [M], or none."""
    return [int(np.where(among, r, -1.0).argmax())] if among.any() else []


def _says_more_each(z: Numbers, longer: int, seasons: Rows, chance: float) -> Flags:
    """`_says_more` than a season of its own for each series."""
    more = np.zeros(len(z), bool)
    for m in np.unique(seasons):
        more[seasons == m] = _says_more(z[seasons == m], longer, int(m), chance)
    return more


def _says_more(z: Numbers, longer: int, m: int, chance: float) -> Flags:
    """Whether the places of a longer season still differ where the profile of m is taken out: [B]."""
    return _places_differ(z - profile(z, m), longer, chance)


def _wandering(r: Numbers, lengths: range, T: int, chance: float) -> list[int]:
    """The cycle after which a series correlates most with itself, by its correlations r, where its length varies."""
    if lengths[LEAST_CYCLE:]:
        first = lengths[LEAST_CYCLE - lengths.start]
        m = first + int(r[first : lengths.stop].argmax())
        if r[m] > max(WANDERING, NormalDist().inv_cdf(1 - chance) / math.sqrt(T - 2 * m)):
            return [m]
    return []


def _places_differ(z: Numbers, m: int, chance: float) -> Flags:
    """Whether the values at the m places of a season differ by more than autoregressive noise does, of series [B,T].

    The noise is what the profile leaves; z is filtered by its autoregression, so that noise would become white, and an
    F test compares the means of the places (analysis of variance with autocorrelated errors: Cochrane & Orcutt 1949).
    """
    noise = z - profile(z, m)
    w = filtered(z, autoregression(noise - noise.mean(1, keepdims=True)))
    T = w.shape[1]
    count = np.bincount(np.arange(T) % m, minlength=m)
    mean = _by_place(w, m) / count  # [B,m]
    between = ((mean - w.mean(1, keepdims=True)) ** 2) @ count / (m - 1)
    within = ((w - _repeated(mean, T)) ** 2).sum(1) / (T - m)
    nothing = within <= 1e-20 * np.maximum(between, 1e-300)
    f = between / np.where(nothing, 1.0, within)
    return np.where(nothing, between > 0, normal_of_f(f, m - 1, T - m) > NormalDist().inv_cdf(1 - chance))


def _by_place(x: Numbers, m: int, first: int = 0) -> Numbers:
    """The sums [B,m] of x [B,T] at the m places of a season, of which the first value has the place `first`."""
    seasons = -(-(first + x.shape[1]) // m)
    whole = np.zeros((len(x), seasons * m))
    whole[:, first : first + x.shape[1]] = x
    return np.asarray(whole.reshape(len(x), seasons, m).sum(1))


def _repeated(places: Numbers, T: int) -> Numbers:
    """Values of m places [B,m] over T steps [B,T]."""
    return np.asarray(places[:, np.arange(T) % places.shape[1]])


def autoregression(x: Numbers) -> Numbers:
    """The coefficients [B,p] of x_t on x_(t-1) ... x_(t-p), by least squares; none for few values."""
    T = x.shape[1]
    p = min(ORDER, T // 10)
    if p == 0:
        return np.zeros((len(x), 0))
    past = np.stack([x[:, p - lag : T - lag] for lag in range(1, p + 1)], 2)  # [B,T-p,p]
    q, triangle = np.linalg.qr(past)
    coefficients = np.linalg.pinv(triangle, rcond=T * np.finfo(float).eps) @ (q.swapaxes(1, 2) @ x[:, p:, None])
    return np.asarray(coefficients[:, :, 0])


def filtered(z: Numbers, coefficients: Numbers) -> Numbers:
    """What an autoregression [B,p] leaves of z [B,T]: [B,T-p]."""
    T, p = z.shape[1], coefficients.shape[1]
    left = z[:, p:].copy()
    for lag in range(1, p + 1):
        left -= coefficients[:, lag - 1, None] * z[:, p - lag : T - lag]
    return left


def normal_of_f(f: Numbers, a: int, b: int) -> Numbers:
    """The standard normal deviate as unlikely as a value of the F distribution with a and b degrees of freedom.

    By the cube root of f (Wilson & Hilferty 1931; Paulson 1942).
    """
    root, left, right = np.cbrt(f), 2 / (9 * a), 2 / (9 * b)
    return np.asarray(((1 - right) * root - (1 - left)) / np.sqrt(right * root**2 + left))


def profile(z: Numbers, m: int) -> Numbers:
    """The mean at each place of a season of series [B,T] less their moving averages, repeated over the series."""
    x = detrended(z, m)
    first = (z.shape[1] - x.shape[1]) // 2 % m
    count = np.bincount((first + np.arange(x.shape[1])) % m, minlength=m)
    return _repeated(_by_place(x, m, first) / np.maximum(count, 1), z.shape[1])


def detrended(z: Numbers, m: int) -> Numbers:
    """Series [B,T] less their centred moving averages over m steps, without the m // 2 steps at both ends."""
    T, half = z.shape[1], m // 2
    if 2 * half + 1 > T:
        return np.zeros((len(z), 0))
    sums = np.zeros((len(z), T + 1))
    np.cumsum(z - z.mean(1, keepdims=True), axis=1, out=sums[:, 1:])
    mean = (sums[:, m:] - sums[:, :-m]) / m + z.mean(1, keepdims=True)  # [B,T-m+1]
    if m % 2 == 0:
        mean = (mean[:, 1:] + mean[:, :-1]) / 2
    return np.asarray(z[:, half : T - half] - mean)


def _seasonalities(z: Numbers, longest: int) -> Numbers:
    """`seasonality` of series [B,T] for each length up to the longest: [longest + 1,B]."""
    return np.stack([np.full(len(z), -1.0), *(seasonality(z, m) for m in range(1, longest + 1))])


def seasonality(z: Numbers, m: int) -> Numbers:
    """The correlation of series with themselves m steps later, less their moving averages; -1 for too few: [B]."""
    x = detrended(z, m)
    if m < 2 or x.shape[1] < m + 4:
        return np.full(len(z), -1.0)
    spread = 6 * np.median(np.abs(x), axis=1, keepdims=True)
    x = np.clip(x, -np.where(spread, spread, np.inf), np.where(spread, spread, np.inf))
    energy = np.einsum("bt,bt->b", x, x)
    return np.where(energy > 0, np.einsum("bt,bt->b", x[:, m:], x[:, :-m]) / np.where(energy > 0, energy, 1.0), -1.0)
