"""How good a forecast was: each measure a function of numbers, with its formula and its source.

y [n] are the true values, f [n] the forecast, history the values before it. Missing values (NaN) are left out.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Numbers = NDArray[np.float64]


def naive_error(history: ArrayLike, season: int = 1) -> float:
    """What seasonal naive errs by inside the history: mean |y_t - y_(t-m)|; NaN where there is no such pair."""
    y = np.asarray(history, dtype=float)
    return _mean(np.abs(y[season:] - y[:-season]))


def mase(y: ArrayLike, f: ArrayLike, history: ArrayLike, season: int = 1) -> float:
    """Mean absolute scaled error, mean |y - f| / mean |y_t - y_(t-m)| of the history (Hyndman & Koehler 2006)."""
    return _ratio(_mean(np.abs(_error(y, f))), naive_error(history, season))


def smape(y: ArrayLike, f: ArrayLike) -> float:
    """Symmetric percentage error, mean 200 |y - f| / (|y| + |f|) (Makridakis 1993); 0 where both are 0."""
    error = np.abs(_error(y, f))
    size = np.abs(np.asarray(y, dtype=float)) + np.abs(np.asarray(f, dtype=float))
    return _mean(200 * np.divide(error, size, out=np.zeros_like(error), where=error != 0))


def rmse(y: ArrayLike, f: ArrayLike) -> float:
    """Root mean squared error, sqrt(mean (y - f)^2)."""
    return float(np.sqrt(_mean(_error(y, f) ** 2)))


def quantile_loss(y: ArrayLike, q: ArrayLike, probabilities: Sequence[float]) -> float:
    """Twice the pinball loss, mean 2 max(p (y - q), (p - 1) (y - q)), over y [n] and quantiles q [n,P].

    At p = 1/2 it is the absolute error (Koenker & Bassett 1978).
    """
    error = np.asarray(y, dtype=float)[:, None] - np.asarray(q, dtype=float)  # [n,P]
    p = np.asarray(probabilities, dtype=float)
    return _mean(2 * np.maximum(p * error, (p - 1) * error))


def scaled_quantile_loss(
    y: ArrayLike, q: ArrayLike, probabilities: Sequence[float], history: ArrayLike, season: int = 1
) -> float:
    """The quantile loss over seasonal naive's mean absolute error in the history, as MASE is scaled (M5, 2022)."""
    return _ratio(quantile_loss(y, q, probabilities), naive_error(history, season))


def coverage(y: ArrayLike, low: ArrayLike, high: ArrayLike) -> float:
    """The share of y that lies in [low, high]: an 80 % band should have 0.8."""
    values = np.asarray(y, dtype=float)
    inside = (values >= np.asarray(low, dtype=float)) & (values <= np.asarray(high, dtype=float))
    return _mean(np.where(np.isnan(values), np.nan, inside.astype(float)))


def _error(y: ArrayLike, f: ArrayLike) -> Numbers:
    return np.asarray(np.asarray(y, dtype=float) - np.asarray(f, dtype=float))


def _ratio(loss: float, scale: float) -> float:
    """NaN where the history is constant, so that there is nothing to scale by."""
    return loss / scale if scale > 0 else float("nan")


def _mean(values: Numbers) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
