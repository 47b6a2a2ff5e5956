"""The scale of a series: how much its base forecast errs, of late and at each place of its season."""

import math

import numpy as np

from gatework.tasks.forecast_base import Numbers

FORGETTING = 0.05  # weight of the newest error in the fast half of the scale
LEAST = 1e-3  # of the mean error, that a scale may be
DOUBT = 2.0  # by which errors may differ more among places by chance than normal ones do


def errors_behind(y: Numbers, base: Numbers) -> Numbers:
    """What the base forecast erred by at each step: the mean over the horizon of |y_t - f_(t-k),k| [T]."""
    T, h = base.shape
    behind = np.full((T, h), np.nan)
    for k in range(1, min(h, T - 1) + 1):
        behind[k:, k - 1] = np.abs(y[k:] - base[:-k, k - 1])
    count = (~np.isnan(behind)).sum(1)
    return np.where(count > 0, np.nansum(behind, 1) / np.maximum(count, 1), np.nan)


def recent(e: Numbers) -> Numbers:
    """The scale [T] of errors e [T]: half the mean of all so far, half of late. Before the first it is that one."""
    known = e[~np.isnan(e)]
    least = LEAST * known.mean() if known.size and known.mean() > 0 else 1.0
    start = known[:8].mean() if known.size else 1.0
    scale, slow, fast = np.empty(len(e)), start, start
    seen = 4.0  # so many errors is the start worth
    for t in range(len(e)):
        if not np.isnan(e[t]):
            seen += 1
            slow += (e[t] - slow) / seen
            fast += FORGETTING * (e[t] - fast)
        scale[t] = max(0.5 * (slow + fast), least)
    return scale


def scales(y: Numbers, base: Numbers, season: int) -> tuple[Numbers, Numbers]:
    """The scale of each step [T], and that of each step ahead of it [T,h], by its place in the season.

    Both know the past alone. A season of 1 has no places: all steps ahead have the scale of the origin.
    """
    T, h = base.shape
    e = errors_behind(y, base)
    if season == 1:
        scale = recent(e)
        return scale, np.repeat(scale[:, None], h, axis=1)
    factors = place_factors(e, season)  # [S+1,m]
    t = np.arange(T)
    scale = recent(e / factors[t // season, t % season])
    ahead = t[:, None] + np.arange(1, h + 1)
    return scale, scale[:, None] * factors[(t[:, None] + 1) // season, ahead % season]


def place_factors(e: Numbers, m: int) -> Numbers:
    """By how much errors differ from their mean at each of m places: row s knows the first s seasons [S+1,m].

    The logarithms of the mean errors are shrunk to their mean, all the way where they differ no more than chance lets
    them (empirical Bayes: Efron & Morris 1975).
    """
    S = len(e) // m
    by_season = e[: S * m].reshape(S, m)
    count = (~np.isnan(by_season)).cumsum(0)
    mean = np.nan_to_num(by_season).cumsum(0) / np.maximum(count, 1)
    return np.concatenate([np.ones((1, m)), *(shrunk(*row)[None] for row in zip(mean, count, strict=True))])


def shrunk(mean: Numbers, count: Numbers) -> Numbers:
    """Factors [m], 1 on the mean, from the mean error and the number of errors at each place."""
    there = count > 0
    overall = float(mean[there] @ count[there]) / max(1, count.sum())
    factors = np.ones(len(mean))
    if there.sum() < 2 or overall == 0:
        return factors
    logs = np.log(np.maximum(mean[there], LEAST * overall))
    logs -= logs.mean()
    found, chance = float(logs.var(ddof=1)), float(log_variance(count[there]).mean())
    factors[there] = np.exp(logs * (max(0.0, 1 - DOUBT * chance / found) if found else 0.0))
    return np.asarray(factors / factors.mean())


def log_variance(n: Numbers) -> Numbers:
    """The variance of log(mean |x|) of n normal values: (pi/2 - 1) / n for many, pi^2 / 8 for one, and between."""
    return (math.pi / 2 - 1) / n + (math.pi**2 / 8 - math.pi / 2 + 1) / n**2
