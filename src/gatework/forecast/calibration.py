"""Calibration of forecasts: how far the networks are trusted, and how wide bands must be to hold their share."""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from gatework.forecast.base import Numbers
from gatework.forecast.inputs import LARGEST

TRUST = (0.0, 0.25, 0.5, 0.75, 1.0)  # shares of what the network says that are tried
WORTH = 0.995  # a larger share must bring the error down to this
LEAST_INDEPENDENT = 3.0  # errors that a width is taken to rest on
WIDEST = 3.0  # factor of a band's width


def trusted(median: Numbers, true: Numbers) -> tuple[float, float]:
    """The share of the network's median that leaves the least error, and how much of it that leaves."""
    true = np.clip(true, -LARGEST, LARGEST)
    losses = [float(np.abs(true - share * median).mean()) for share in TRUST]
    best = 0
    for choice in range(1, len(TRUST)):
        if losses[choice] < WORTH * losses[best]:
            best = choice
    return TRUST[best], losses[best] / losses[0] if losses[0] else 1.0


def independent_errors(errors: Numbers) -> float:
    """How many independent errors those of overlapping forecasts [T,h] are worth.

    n (1 - r) / (1 + r) for the n values that were forecast, r being the correlation of the mean error of one with that
    of the next (Bayley & Hammersley 1946).
    """
    T, h = errors.shape
    by_target = np.full((T + h, h), np.nan)
    for k in range(h):
        by_target[k + 1 : k + 1 + T, k] = errors[:, k]
    count = (~np.isnan(by_target)).sum(1)
    e = np.nansum(by_target, 1)[count > 0] / count[count > 0]
    if len(e) < 3 or not e.any():
        return float(len(e))
    r = float(np.clip((e[1:] @ e[:-1]) / (e @ e), 0, 0.95))
    return len(e) * (1 - r) / (1 + r)


def widths(quantiles: Numbers, true: Numbers, probabilities: Sequence[float], independent: float) -> Numbers:
    """Factors [P] of the distance between each quantile and the median under which bands hold the right share.

    Conformal prediction on the judges' stretches (Romano, Patterson & Candes 2019), with one factor for both borders of
    a band at all steps. Bands are never narrower than what was left while learning, and wider as few independent errors
    are known: by the quantiles of Student's t over those of the normal.
    """
    middle = len(probabilities) // 2
    factors = np.ones(len(probabilities))
    median = quantiles[:, middle]
    for low in range(middle):
        high = len(probabilities) - 1 - low
        border = np.where(true < median, median - quantiles[:, low], quantiles[:, high] - median)
        ratio = np.abs(true - median) / np.maximum(border, 1e-6)
        factor = max(1.0, float(np.quantile(ratio, probabilities[high] - probabilities[low])))
        factor *= caution(probabilities[high], max(independent, LEAST_INDEPENDENT))
        factors[[low, high]] = min(factor, WIDEST)
    return factors


def caution(p: float, n: float) -> float:
    """How much farther the quantile p of the next value lies where the deviation was measured on n values.

    sqrt(1 + 1/n) t / z, t being Student's of v = n - 1 degrees of freedom and z the normal quantile, with
    t = z + (z^3 + z) / (4 v) + (5 z^5 + 16 z^3 + 3 z) / (96 v^2) (Cornish & Fisher 1938).
    """
    z, v = NormalDist().inv_cdf(p), n - 1
    return math.sqrt(1 + 1 / n) * (1 + (z**2 + 1) / (4 * v) + (5 * z**4 + 16 * z**2 + 3) / (96 * v**2))
