"""The scale of a series: how much its base forecast errs, of late and at each place of its season."""

import math

import numpy as np

from gatework.forecast.base import Numbers

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
    slow = fast = float(start)
    seen = 4.0  # so many errors is the start worth
    scale = []
    for error in e.tolist():  # Python's numbers are faster than arrays of one
        if not math.isnan(error):
            seen += 1
            slow += (error - slow) / seen
            fast += FORGETTING * (error - fast)
        scale.append(0.5 * (slow + fast))
    return np.maximum(scale, least)


def scales(y: Numbers, base: Numbers, season: int) -> tuple[Numbers, Numbers]:
    """The scale of each step [T], and that of each step ahead of it [T,h], by its place in the season.

    Both know the past alone. A season of 1 has no places: all steps ahead have the scale of the origin.
    """
    T, h = base.shape
    e = errors_behind(y, base)
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
    return np.concatenate([np.ones((1, m)), shrunk(mean, count)])


def shrunk(mean: Numbers, count: Numbers) -> Numbers:
    """Factors [S,m], 1 on the mean, from the mean error and the number of errors at each place."""
    there = count > 0
    places = np.maximum(there.sum(1), 1)
    overall = (mean * count).sum(1) / np.maximum(count.sum(1), 1)
    logs = np.log(np.maximum(np.where(there, mean, 1.0), np.where(overall > 0, LEAST * overall, 1.0)[:, None]))
    logs = np.where(there, logs - (logs * there).sum(1, keepdims=True) / places[:, None], 0.0)
    variance = (logs**2).sum(1) / np.maximum(places - 1, 1)
    chance = np.where(there, log_variance(np.maximum(count, 1)), 0.0).sum(1) / places
    share = np.maximum(0.0, 1 - DOUBT * chance / np.where(variance > 0, variance, np.inf))
    share = np.where((variance > 0) & (overall > 0) & (there.sum(1) >= 2), share, 0.0)
    factors = np.exp(logs * share[:, None])
    return np.asarray(factors / factors.mean(1, keepdims=True))


def log_variance(n: Numbers) -> Numbers:
    """The variance of log(mean |x|) of n normal values: (pi/2 - 1) / n for many, pi^2 / 8 for one, and between."""
    return (math.pi / 2 - 1) / n + (math.pi**2 / 8 - math.pi / 2 + 1) / n**2
