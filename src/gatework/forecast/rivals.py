"""What a forecast is measured against: seasonal naive, and ETS and ARIMA of statsforecast where it is installed."""

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from statistics import NormalDist
from typing import Any

import numpy as np

from gatework.forecast.base import Numbers, filled
from gatework.forecast.smoothing import seasonal

# y [T], horizon h, season m, probabilities [P] to quantiles [h,P]
Rival = Callable[[Numbers, int, int, Sequence[float]], Numbers]


def seasonal_naive(y: Numbers, h: int, m: int, probabilities: Sequence[float]) -> Numbers:
    """The values of the last season; normal quantiles with the deviation of its own errors, which grows with each
    season ahead by the square root (Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 5.5)."""
    z = filled(y, m)
    change = y[m:] - y[:-m]
    deviation = np.sqrt(np.nanmean(change**2)) if np.isfinite(change).any() else 0.0
    width = deviation * np.sqrt(-(-np.arange(1, h + 1) // m))
    return np.asarray(seasonal(z, h, m)[-1][:, None] + width[:, None] * normal(probabilities))


def normal(probabilities: Sequence[float]) -> Numbers:
    """The quantiles [P] of the standard normal distribution."""
    return np.array([NormalDist().inv_cdf(p) for p in probabilities])


def rivals() -> Mapping[str, Rival]:
    """Those that are installed, by name."""
    models: dict[str, Rival] = {"seasonal naive": seasonal_naive}
    if find_spec("statsforecast"):
        models |= {name: of_statsforecast(name) for name in ("AutoETS", "AutoARIMA")}
    return models


def of_statsforecast(name: str) -> Rival:
    """A model of statsforecast; a quantile is a border of the symmetrical band of that level."""

    def forecast(y: Numbers, h: int, m: int, probabilities: Sequence[float]) -> Numbers:
        from statsforecast import models  # noqa: PLC0415

        levels = sorted({round(abs(200 * p - 100), 6) for p in probabilities if p != 0.5})
        made: dict[str, Any] = getattr(models, name)(season_length=m).forecast(y=filled(y, m), h=h, level=levels)
        return np.stack([border(made, p) for p in probabilities], 1)

    return forecast


def border(made: Mapping[str, Any], p: float) -> Numbers:
    """The quantile p [h] among a model's mean, "lo-80", "hi-80" and so on."""
    if p == 0.5:
        return np.asarray(made["mean"], dtype=float)
    level = round(abs(200 * p - 100), 6)
    side = "lo" if p < 0.5 else "hi"
    key = next(key for key in made if key.startswith(f"{side}-") and abs(float(key[3:]) - level) < 1e-6)
    return np.asarray(made[key], dtype=float)
