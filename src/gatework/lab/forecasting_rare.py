"""Intermittent demand: gatework's quantiles beside those of a distribution in two parts, zeros and what is above them.

    python -m gatework.lab.forecasting_rare

Prints the scaled quantile loss over seasonal naive's and the coverage of the 80 % band, of series that packages ship
(`gatework.lab.forecasting`) and of made ones, over three windows.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np

from gatework.forecast.backtest import BAND, until
from gatework.forecast.forecaster import Forecaster
from gatework.forecast.metrics import coverage, scaled_quantile_loss
from gatework.forecast.options import DECILES
from gatework.forecast.outliers import without_outliers
from gatework.forecast.rivals import seasonal_naive
from gatework.lab.bench.report import table
from gatework.lab.forecasting import NAIVE, OURS, WINDOWS
from gatework.lab.forecasting_sets import SERIES, Numbers, SeriesSet

FORGETTING = 0.05  # weight of the newest step in the share of zeros
LATEST = 60  # values above zero that their quantiles are taken of
PARTS, MEAN = "two parts", "mean of both"


def two_parts(y: Numbers, h: int, probabilities: Sequence[float]) -> Numbers:
    """Quantiles [h,P] after y [T] >= 0: 0 up to the probability of zero, above it those of the latest values above 0.

    The probability is the share of zeros so far, in which each step counts 1 - FORGETTING of the one after it; the
    quantile p of all is that of (p - p_0) / (1 - p_0) of what is above zero (a hurdle: Mullahy 1986).
    """
    known = y[~np.isnan(y)]
    weights = (1 - FORGETTING) ** np.arange(len(known))[::-1]
    zero = float(weights @ (known == 0) / weights.sum())
    above = known[known > 0][-LATEST:]
    q = [float(np.quantile(above, (p - zero) / (1 - zero))) if p > zero and len(above) else 0.0 for p in probabilities]
    return np.tile(q, (h, 1))


def demands(kind: str, count: int = 12, T: int = 132) -> list[Numbers]:
    """Made series: demand comes with a probability of .3, or one that falls from .5 to .2 half-way; or its size varies
    more (log-normal, otherwise 1 and a Poisson number of mean 3)."""
    random = np.random.default_rng(0)
    often = np.where(np.arange(T) < T // 2, 0.5, 0.2) if kind == "falling" else np.full(T, 0.3)
    there = random.random((count, T)) < often
    sizes = np.exp(random.normal(1, 1, (count, T))) if kind == "heavy" else 1.0 + random.poisson(3, (count, T))
    return list(there * sizes)


SETS = (
    *(what for what in SERIES if what.name in ("drugs", "Seattle, rain")),
    *(SeriesSet(f"made, {kind}", partial(demands, kind), 12, 1, "month") for kind in ("steady", "falling", "heavy")),
)


def _measured(what: SeriesSet) -> dict[str, tuple[float, float]]:
    """The mean scaled quantile loss and the mean coverage of each way to forecast, over windows and series."""
    h, panel = what.horizon, without_outliers(what.panel())
    scores: dict[str, list[tuple[float, float]]] = {name: [] for name in (OURS, PARTS, MEAN, NAIVE)}
    for window in range(WINDOWS):
        before = until(panel, (WINDOWS - window) * h, h)
        made = Forecaster(h, levels=80).fit_panel(before).forecasts()
        for series, past, forecast in zip(panel.series, before.series, made, strict=True):
            truth = series.y[len(past) : len(past) + h]
            own, parts = np.stack([forecast.at(p) for p in DECILES], 1), two_parts(past.y, h, DECILES)
            naive = seasonal_naive(past.y, h, what.season, DECILES)
            by_name = {OURS: own, PARTS: parts, MEAN: (own + parts) / 2, NAIVE: naive}
            for name, q in by_name.items():
                loss = scaled_quantile_loss(truth, q, DECILES, past.y, what.season)
                scores[name].append((loss, coverage(truth, q[:, BAND[0]], q[:, BAND[1]])))
    means = {name: np.mean(each, axis=0) for name, each in scores.items()}
    return {name: (float(loss / means[NAIVE][0]), float(held)) for name, (loss, held) in means.items()}


def main() -> None:
    columns = [(name, place) for place in (0, 1) for name in (OURS, PARTS, MEAN)]
    lines = []
    for what in SETS:
        measured = _measured(what)
        lines.append([what.name, *(f"{measured[name][place]:.2f}" for name, place in columns)])
    heads = [f"{('quantile loss', '80 % band holds')[place]}: {name}" for name, place in columns]
    print(table([f"{WINDOWS} windows", *heads], lines))


if __name__ == "__main__":
    main()
