"""Forecasting measured: series and panels that packages ship, beside classical forecasts; made series; planning.

    python -m gatework.lab.forecasting                          # all; more than an hour, most of it the rivals'
    python -m gatework.lab.forecasting --only series --rivals naive --seeds 1
    python -m gatework.lab.forecasting --only series --figures figures.json
    python -m gatework.lab.forecasting --only made
    OPENBLAS_NUM_THREADS=1 python -m gatework.lab.forecasting --only planning

Prints tables in Markdown; a window's forecast sees nothing of what comes after its origin. Needs statsmodels, sktime
and vega_datasets for the data, statsforecast for the rivals. `--figures` keeps what was measured in a file, so that
rivals that are in it already are not measured again.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from gatework.forecast.backtest import MEASURES, backtest
from gatework.forecast.data.panel import Columns, Panel, Series
from gatework.forecast.data.spacing import Spacing
from gatework.forecast.forecaster import Forecaster
from gatework.forecast.plan import plans
from gatework.forecast.rivals import Rival, of_statsforecast, seasonal_naive
from gatework.lab.forecasting_sets import PANELS, SERIES, Numbers, SeriesSet

WINDOWS = 3
OURS, NAIVE = "gatework", "seasonal naive"
CLASSICAL = ("AutoETS", "AutoARIMA", "AutoTheta", "AutoCES")
TITLES = {
    "mase": "MASE over seasonal naive's",
    "scaled_quantile_loss": "scaled quantile loss over seasonal naive's",
    "coverage_80": "coverage of the 80 % band",
    "seconds": "seconds a fit",
}
RELATIVE = ("mase", "scaled_quantile_loss")
Figures = dict[str, dict[str, dict[str, float]]]  # of a set, a model, a measure


def _rivals(which: str) -> dict[str, Rival]:
    """Seasonal naive, and with "all" the models of statsforecast."""
    classical = {name: of_statsforecast(name) for name in CLASSICAL} if which == "all" else {}
    return {NAIVE: seasonal_naive, **classical}


def _measured(what: SeriesSet, seeds: int, beside: Mapping[str, Rival]) -> dict[str, dict[str, float]]:
    """The mean measures of each model over windows and series and, for the network, seeds; the rivals run once."""
    rows_of: dict[str, list[dict[str, float]]] = {}
    for seed in range(seeds):
        forecaster = Forecaster(what.horizon, levels=80, seed=seed)
        now = beside if seed == 0 else {}
        for row in backtest(forecaster, what.panel(), WINDOWS, beside=now, scaled_by=what.season).means():
            rows_of.setdefault(OURS if row["model"] == "lstm" else row["model"], []).append(row)
    return {
        model: {name: float(np.mean([row[name] for row in rows])) for name in MEASURES}
        for model, rows in rows_of.items()
    }


def _all_measured(sets: Iterable[SeriesSet], seeds: int, which: str, kept: Path | None) -> Figures:
    """The figures of sets, those of rivals from a file where it has them; the file is written after each set."""
    figures: Figures = json.loads(kept.read_text()) if kept and kept.exists() else {}
    sets = list(sets)
    for what in sets:
        there = figures.setdefault(what.name, {})
        beside = {name: rival for name, rival in _rivals(which).items() if name not in there}
        there |= _measured(what, seeds, beside)
        if kept:
            kept.write_text(json.dumps(figures, indent=1))
    return {what.name: figures[what.name] for what in sets}


def _print_sets(sets: Sequence[SeriesSet], seeds: int, which: str, kept: Path | None) -> None:
    """A table for each measure: sets down, models across, and means over those for choosing, for judging, and all."""
    results = _all_measured(sets, seeds, which, kept)
    models = [name for name in (OURS, *_rivals("all")) if all(name in row for row in results.values())]
    halves = {"chosen on": sets[::2], "judged on": sets[1::2], "all": sets}
    print(f"{WINDOWS} windows, the last one ending at the last value; gatework: mean of {seeds} seeds; ", end="")
    print(f"{torch.get_num_threads()} threads\n")
    for measure, title in TITLES.items():
        print(f"| {title} | {' | '.join(models)} |\n|---|{'---|' * len(models)}")
        for number, what in enumerate(sets):
            print(f"| {what.name}{'' if number % 2 else ' *'} | {_cells(results, [what], models, measure, '.2f')} |")
        for half, some in halves.items():
            print(f"| mean, {half} | {_cells(results, some, models, measure, '.3f')} |")
        print()


def _cells(results: Figures, sets: Sequence[SeriesSet], models: Sequence[str], measure: str, form: str) -> str:
    """One row: the mean over some sets of each model, geometric where it is relative to seasonal naive."""
    return " | ".join(f"{_mean_over(results, sets, model, measure):{form}}" for model in models)


def _mean_over(results: Figures, sets: Sequence[SeriesSet], model: str, measure: str) -> float:
    values = np.array([results[what.name][model][measure] for what in sets])
    if measure not in RELATIVE:
        return float(values.mean())
    return float(np.exp(np.log(values / [results[what.name][NAIVE][measure] for what in sets]).mean()))


def _made_panel(count: int = 500, T: int = 300, seed: int = 0) -> tuple[Panel, list[int]]:
    """Series of levels from 1 to 10^6, seasons of 7, 12 and 24 in turn, a slope, and noise that has a memory."""
    random = np.random.default_rng(seed)
    seasons = [(7, 12, 24)[n % 3] for n in range(count)]
    t = np.arange(T)
    none, nothing = np.zeros((T, 0)), np.zeros(0)
    series = []
    for n, m in enumerate(seasons):
        level = 10 ** random.uniform(0, 6)
        shape = random.normal(size=m)
        noise = np.zeros(T)
        for step in range(1, T):
            noise[step] = 0.7 * noise[step - 1] + random.normal()
        slope = random.normal() * 0.3
        y: Numbers = level * (1 + 0.2 * (shape - shape.mean())[t % m] + slope * t / T + 0.05 * noise)
        series.append(Series(f"series {n}", t, y, none, none, nothing))
    return Panel(tuple(series), Spacing("step"), Columns()), seasons


def _print_made() -> None:
    """Fits the panel without its last 12 steps, and compares with seasonal naive for each season."""
    panel, seasons = _made_panel()
    by_id = {series.id: m for series, m in zip(panel.series, seasons, strict=True)}
    began = time.perf_counter()
    result = backtest(Forecaster(12, levels=80), panel, 1, scaled_by=by_id, beside={NAIVE: seasonal_naive})
    seconds = time.perf_counter() - began
    print(f"panel: {len(panel):,} series of {len(panel.series[0]):,} steps, horizon 12, {seconds:.0f} s in all\n")
    print(
        "| season | gatework MASE | seasonal naive MASE | relative | coverage of the 80 % band |\n|---|---|---|---|---|"
    )
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("series", "panels", "made", "planning"))
    parser.add_argument("--rivals", choices=("all", "naive"), default="all")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--figures", type=Path)
    given = parser.parse_args()
    parts: dict[str, Callable[[], None]] = {
        "series": lambda: _print_sets(SERIES, given.seeds, given.rivals, given.figures),
        "panels": lambda: _print_sets(PANELS, given.seeds, given.rivals, given.figures),
        "made": _print_made,
        "planning": _print_planning,
    }
    for name, part in parts.items():
        if given.only in (None, name):
            part()


if __name__ == "__main__":
    main()
