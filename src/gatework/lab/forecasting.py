"""Forecasting measured: four series beside seasonal naive, ETS and ARIMA, a panel of 500 made series, planning.

    python -m gatework.lab.forecasting                 # all; a few minutes
    python -m gatework.lab.forecasting --only four --seeds 1
    python -m gatework.lab.forecasting --only panel
    OPENBLAS_NUM_THREADS=1 python -m gatework.lab.forecasting --only planning

Prints tables in Markdown; a window's forecast sees nothing of what comes after its origin. Needs statsmodels for the
data (sunspots, Nile, El Nino) and statsforecast for the rivals; the air passengers are in examples/.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gatework.forecast.backtest import MEASURES, Backtest, backtest
from gatework.forecast.data.panel import Columns, Panel, Series
from gatework.forecast.data.spacing import Spacing
from gatework.forecast.forecaster import Forecaster
from gatework.forecast.plan import plans
from gatework.forecast.rivals import rivals
from gatework.lab import airline
from gatework.lab.bench.rivals import extra

Numbers = NDArray[np.float64]
Times = NDArray[np.datetime64]

WINDOWS = 5


def _monthly(first: str, count: int) -> Times:
    return (np.datetime64(first, "M") + np.arange(count)).astype("datetime64[s]")


def _yearly(first: int, count: int) -> Times:
    return (np.datetime64(str(first), "Y") + np.arange(count)).astype("datetime64[s]")


def _panel_of(times: Times | NDArray[np.int64], values: Sequence[Numbers], spacing: Spacing) -> Panel:
    """Series over the same times, without other columns."""
    T = len(times)
    none, nothing = np.zeros((T, 0)), np.zeros(0)
    series = [Series(f"series {n}", times, np.asarray(y, float), none, none, nothing) for n, y in enumerate(values)]
    return Panel(tuple(series), spacing, Columns())


def _data(name: str) -> Any:
    """A table that statsmodels ships."""
    return extra(f"statsmodels.datasets.{name}").load_pandas().data


def _four() -> Mapping[str, tuple[Panel, int, int]]:
    """Each series with its horizon and the season that errors are scaled by."""
    air = airline.panel().series[0].y
    sunspots = _data("sunspots")["SUNACTIVITY"].to_numpy()
    nile = _data("nile")["volume"].to_numpy()
    nino = _data("elnino").drop(columns="YEAR").to_numpy().ravel()
    month, year = Spacing("month"), Spacing("year")
    return {
        "air passengers": (_panel_of(_monthly("1949-01", len(air)), [air], month), 12, 12),
        "sunspots": (_panel_of(_yearly(1700, len(sunspots)), [sunspots], year), 11, 11),
        "Nile": (_panel_of(_yearly(1871, len(nile)), [nile], year), 10, 1),
        "El Nino": (_panel_of(_monthly("1950-01", len(nino)), [nino], month), 12, 12),
    }


def _measured(panel: Panel, horizon: int, season: int, seeds: int) -> dict[str, dict[str, float]]:
    """The mean measures of each model, over windows and, for the network, seeds; the rivals run once."""
    rows_of: dict[str, list[dict[str, float]]] = {}
    for seed in range(seeds):
        forecaster = Forecaster(horizon, levels=80, seed=seed)
        beside = rivals() if seed == 0 else {}
        result: Backtest = backtest(forecaster, panel, WINDOWS, beside=beside, scaled_by=season)
        for row in result.means():
            rows_of.setdefault("gatework" if row["model"] == "lstm" else row["model"], []).append(row)
    return {
        model: {name: float(np.mean([row[name] for row in rows])) for name in MEASURES}
        for model, rows in rows_of.items()
    }


def _print_four(seeds: int) -> None:
    """A table for each measure: models down, series across, and their geometric mean (coverage: mean)."""
    results = {name: _measured(*what, seeds) for name, what in _four().items()}
    models = list(next(iter(results.values())))
    print(f"{WINDOWS} windows, the last one ending at the last value; gatework: mean of {seeds} seeds; ", end="")
    print(f"{torch.get_num_threads()} threads\n")
    for name, title in TITLES.items():
        print(f"| {title} | {' | '.join(results)} | mean |\n|---|{'---|' * (len(results) + 1)}")
        for model in models:
            values = [results[series][model][name] for series in results]
            if name in ("mase", "scaled_quantile_loss"):
                values = [
                    value / results[series]["seasonal naive"]["mase"]
                    for value, series in zip(values, results, strict=True)
                ]
                mean = float(np.exp(np.mean(np.log(values))))
            else:
                mean = float(np.mean(values))
            print(f"| {model} | {' | '.join(f'{value:.2f}' for value in values)} | {mean:.3f} |")
        print()


TITLES = {
    "mase": "MASE over seasonal naive's",
    "scaled_quantile_loss": "scaled quantile loss over seasonal naive's MASE",
    "coverage_80": "coverage of the 80 % band",
    "seconds": "seconds a fit",
}


def _made_panel(count: int = 500, T: int = 300, seed: int = 0) -> tuple[Panel, list[int]]:
    """Series of levels from 1 to 10^6, seasons of 7, 12 and 24 in turn, a slope, and noise that has a memory."""
    random = np.random.default_rng(seed)
    seasons = [(7, 12, 24)[n % 3] for n in range(count)]
    t = np.arange(T)
    values = []
    for m in seasons:
        level = 10 ** random.uniform(0, 6)
        shape = random.normal(size=m)
        noise = np.zeros(T)
        for step in range(1, T):
            noise[step] = 0.7 * noise[step - 1] + random.normal()
        slope = random.normal() * 0.3
        values.append(level * (1 + 0.2 * (shape - shape.mean())[t % m] + slope * t / T + 0.05 * noise))
    return _panel_of(t, values, Spacing("step")), seasons


def _print_panel() -> None:
    """Fits the panel without its last 12 steps, and compares with seasonal naive for each season."""
    panel, seasons = _made_panel()
    began = time.perf_counter()
    result = backtest(
        Forecaster(12, levels=80),
        panel,
        1,
        scaled_by=dict(zip((s.id for s in panel.series), seasons, strict=True)),
        beside={"seasonal naive": rivals()["seasonal naive"]},
    )
    seconds = time.perf_counter() - began
    print(f"panel: {len(panel):,} series of {len(panel.series[0]):,} steps, horizon 12, {seconds:.0f} s in all\n")
    print(
        "| season | gatework MASE | seasonal naive MASE | relative | coverage of the 80 % band |\n|---|---|---|---|---|"
    )
    by_id = {series.id: m for series, m in zip(panel.series, seasons, strict=True)}
    for m in sorted(set(seasons)):
        rows = {
            model: [s for s in result.scores if by_id[s.id] == m and (s.model == "lstm") == model]
            for model in (True, False)
        }
        own, naive = (float(np.mean([s.mase for s in rows[model]])) for model in (True, False))
        covered = float(np.mean([s.coverage_80 for s in rows[True]]))
        print(f"| {m} | {own:.3f} | {naive:.3f} | {own / naive:.2f} | {covered:.2f} |")


def _print_planning() -> None:
    """What it costs to choose the season and the base forecast of short series, of one length and of thirty."""
    print("| series | values | ms of processor a series |\n|---|---|---|")
    for count in (1_000, 10_000):
        values = [series.y for series in _made_panel(count, 60)[0].series]
        for lengths, cut in {"60": values, "31 to 60": [y[: 60 - n % 30] for n, y in enumerate(values)]}.items():
            began = time.process_time()
            plans(cut, 12, "auto")
            print(f"| {count:,} | {lengths} | {1000 * (time.process_time() - began) / count:.2f} |")


PARTS = ("four", "panel", "planning")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    if given.only in (None, "four"):
        _print_four(given.seeds)
    if given.only in (None, "panel"):
        _print_panel()
    if given.only in (None, "planning"):
        _print_planning()


if __name__ == "__main__":
    main()
