"""Small tables for tests of forecasting."""

from typing import Any

import numpy as np
import pandas as pd

import gatework as gw

MONTHS = pd.date_range("2010-01-01", periods=200, freq="MS")


def seasonal(T: int = 96, *, noise: float = 0.3, seed: int = 0) -> np.ndarray:
    """A season of 12 with a slope."""
    t = np.arange(T)
    return 20 + 0.05 * t + 5 * np.sin(2 * np.pi * t / 12) + noise * np.random.default_rng(seed).normal(size=T)


def table(y: np.ndarray, **columns: Any) -> pd.DataFrame:
    """One series by month."""
    return pd.DataFrame({"ds": MONTHS[: len(y)], "y": y, **columns})


def panel(**series: np.ndarray) -> pd.DataFrame:
    """Several series by month."""
    return pd.concat([table(y).assign(unique_id=name) for name, y in series.items()])


def quick(horizon: int = 6, **options: Any) -> gw.Forecaster:
    """A forecaster that is trained for a moment."""
    return gw.Forecaster(horizon, **{"steps": 5, "members": 2, "hidden": 4, **options})
