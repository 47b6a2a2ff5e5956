"""Forecasting measured: series and panels that packages ship, beside classical forecasts; made series; planning.

    python -m gatework.lab.forecasting                          # all; more than an hour, most of it the rivals'
    python -m gatework.lab.forecasting --only series --rivals naive --seeds 1
    python -m gatework.lab.forecasting --only series --figures docs/forecasting.json --anew
    python -m gatework.lab.forecasting --only series --rivals neural --figures docs/forecasting.json
    python -m gatework.lab.forecasting --only made
    python -m gatework.lab.forecasting --only times             # a fit of the longest series
    python -m gatework.lab.forecasting --only wrong             # one wrong value at each of 60 rows
    python -m gatework.lab.forecasting --only bases             # the base alone, what it is chosen by
    OPENBLAS_NUM_THREADS=1 python -m gatework.lab.forecasting --only planning

Prints tables in Markdown; a window's forecast sees nothing of what comes after its origin. Needs statsmodels, sktime
and vega_datasets for the data, statsforecast for the rivals, neuralforecast for the neural ones. `--figures` keeps what
was measured in a file, set by set: what is in it already is not measured again, but gatework with `--anew`.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import NormalDist

import numpy as np
import torch

from gatework.forecast.backtest import MEASURES, backtest
from gatework.forecast.base import average, filled
from gatework.forecast.data.panel import Columns, Panel, Series
from gatework.forecast.data.spacing import Spacing
from gatework.forecast.forecaster import Forecaster
from gatework.forecast.metrics import mase
from gatework.forecast.options import Options
from gatework.forecast.outliers import without_outliers
from gatework.forecast.plan import plan, plans
from gatework.forecast.rivals import Rival, of_statsforecast, seasonal_naive
from gatework.lab.bench.report import table
from gatework.lab.bench.rivals import extra
from gatework.lab.forecasting_sets import PANELS, SERIES, WITHOUT_CLASSICAL, Numbers, SeriesSet

WINDOWS = 3
OURS, NAIVE = "gatework", "seasonal naive"
CLASSICAL = ("AutoETS", "AutoARIMA", "AutoTheta", "AutoCES")
NEURAL = ("LSTM", "NHITS")
NEURAL_STEPS = 200  # updates of the neural rivals
LEAST_RATIO = 0.1  # that a mean of ratios counts, as one of 0 would decide it alone
ALLOWED, BAND_SHARE = 1.1, 0.8  # times the better of two rivals; share that the band should hold
NEAR = 0.72, 0.88  # shares that count as that one
DRAWS = 4000  # of the windows of a set, by which chance is measured
TITLES = {
    "mase": "MASE over seasonal naive's",
    "scaled_quantile_loss": "scaled quantile loss over seasonal naive's",
    "coverage_80": "coverage of the 80 % band",
    "seconds": "seconds a fit",
}
RELATIVE = ("mase", "scaled_quantile_loss")
Figures = dict[str, dict[str, dict[str, float]]]  # of a set, a model, a measure


def _rivals(which: str) -> dict[str, Rival]:
    """Seasonal naive, with "all" the models of statsforecast, with "neural" those of neuralforecast."""
    models: dict[str, Rival] = {NAIVE: seasonal_naive}
    if which == "all":
        models |= {name: of_statsforecast(name) for name in CLASSICAL}
    if which == "neural":
        models |= {name: _of_neuralforecast(name) for name in NEURAL}
    return models


def _of_neuralforecast(name: str) -> Rival:
    """A model of neuralforecast, trained on the one series by the quantile loss with NEURAL_STEPS updates."""

    def forecast(y: Numbers, h: int, m: int, probabilities: Sequence[float]) -> Numbers:
        values = extra("pandas").DataFrame({"unique_id": "y", "ds": np.arange(len(y)), "y": filled(y, m)})
        loss = extra("neuralforecast.losses.pytorch").MQLoss(quantiles=list(probabilities))
        settings = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False}
        settings |= {"enable_checkpointing": False, "enable_model_summary": False}
        model = getattr(extra("neuralforecast.models"), name)(
            h=h, input_size=2 * h, loss=loss, max_steps=NEURAL_STEPS, scaler_type="robust", random_seed=0, **settings
        )
        fitted = extra("neuralforecast").NeuralForecast([model], freq=1)
        fitted.fit(values)
        made = fitted.predict()
        return np.asarray(np.sort(made[[column for column in made if column.startswith(name)]].to_numpy(float), 1))

    return forecast


def _measured(what: SeriesSet, seeds: int, beside: Mapping[str, Rival]) -> dict[str, dict[str, float]]:
    """The mean measures of each model over windows and series and, for the network, seeds; the rivals run once."""
    rows_of: dict[str, list[dict[str, float]]] = {}
    for seed in range(max(seeds, 1)):
        steps = Options.steps if seeds else 1  # only the rivals are wanted
        forecaster = Forecaster(what.horizon, levels=80, seed=seed, steps=steps)
        now = beside if seed == 0 else {}
        for row in backtest(forecaster, what.panel(), WINDOWS, beside=now, scaled_by=what.season).means():
            rows_of.setdefault(OURS if row["model"] == "lstm" else row["model"], []).append(row)
    return {
        model: {name: float(np.mean([row[name] for row in rows])) for name in MEASURES}
        for model, rows in rows_of.items()
    }


def _all_measured(sets: Iterable[SeriesSet], asked: argparse.Namespace) -> Figures:
    """The figures of sets, from a file where it has them; the file is written after each set."""
    kept: Path | None = asked.figures
    figures: Figures = json.loads(kept.read_text()) if kept and kept.exists() else {}
    sets = list(sets)
    for what in sets:
        there = figures.setdefault(what.name, {})
        beside = {name: rival for name, rival in _rivals(asked.rivals).items() if name not in there}
        if what.name in WITHOUT_CLASSICAL:
            beside = {name: rival for name, rival in beside.items() if name not in CLASSICAL}
        own = asked.anew or OURS not in there
        if not (own or beside):
            continue
        made = _measured(what, asked.seeds if own else 0, beside)
        there |= made if own else {name: row for name, row in made.items() if name != OURS}
        if kept:
            kept.write_text(json.dumps(figures, indent=1) + "\n")
    return {what.name: figures[what.name] for what in sets}


def _print_sets(sets: Sequence[SeriesSet], asked: argparse.Namespace) -> None:
    """A table for each measure: sets down, models across, and means over those for choosing, for judging, and all."""
    results = _all_measured(sets, asked)
    models = [name for name in (OURS, *CLASSICAL, *NEURAL) if any(name in row for row in results.values())]
    print(f"{WINDOWS} windows, the last one ending at the last value; gatework: mean of {asked.seeds} seeds; ", end="")
    print(f"{torch.get_num_threads()} threads\n")
    for measure, title in TITLES.items():
        lines = [_line(results, what, number, models, measure) for number, what in enumerate(sets)]
        print(table([title, *models], lines + _means(results, sets, models, measure)), end="\n\n")
    print(_beside_the_better(results, sets))


def _line(results: Figures, what: SeriesSet, number: int, models: Sequence[str], measure: str) -> list[str]:
    """The figures of one set; its name has a star where it is for choosing."""
    cells = [_cell(results, [what], model, measure, ".2f") for model in models]
    if measure == "coverage_80":
        cells[0] += f" ± {_chance(what):.2f}"
    return [what.name + ("" if number % 2 else " *"), *cells]


def _chance(what: SeriesSet) -> float:
    """The standard error of the share that a band of 80 % holds, were all values independent: sqrt(p (1 - p) / n)."""
    n = WINDOWS * what.horizon * len(what.values())
    return float(np.sqrt(BAND_SHARE * (1 - BAND_SHARE) / n))


def _means(results: Figures, sets: Sequence[SeriesSet], models: Sequence[str], measure: str) -> list[list[str]]:
    """The means over the halves and over all, of the sets that all classical models were measured on."""
    halves = {"chosen on": sets[::2], "judged on": sets[1::2], "all": sets}
    above = [what for what in sets if _ratio(results[what.name], OURS, "mase") >= LEAST_RATIO]
    if len(above) < len(sets):
        halves[f"all of MASE {LEAST_RATIO:g} and more"] = above
    lines = []
    for half, some in halves.items():
        whole = [what for what in some if all(model in results[what.name] for model in models if model not in NEURAL)]
        name = f"mean, {half}" + (f" ({len(whole)})" if len(whole) < len(some) else "")
        lines.append([name, *(_cell(results, whole, model, measure, ".3f") for model in models)])
    return lines


def _cell(results: Figures, sets: Sequence[SeriesSet], model: str, measure: str, form: str) -> str:
    """The mean over some sets, geometric where it is relative to seasonal naive; "-" where one was not measured."""
    if not sets or any(model not in results[what.name] for what in sets):
        return "-"
    if measure not in RELATIVE:
        return f"{np.mean([results[what.name][model][measure] for what in sets]):{form}}"
    ratios = np.array([_ratio(results[what.name], model, measure) for what in sets])
    return f"{ratios[0] if len(sets) == 1 else np.exp(np.log(np.maximum(ratios, LEAST_RATIO)).mean()):{form}}"


def _ratio(row: Mapping[str, Mapping[str, float]], model: str, measure: str) -> float:
    """A measure over seasonal naive's."""
    return row[model][measure] / row[NAIVE][measure]


def _beside_the_better(results: Figures, sets: Sequence[SeriesSet]) -> str:
    """On how many sets it errs by far more than the better of ETS and ARIMA, and holds the share that a band should."""
    rows = [results[what.name] for what in sets]
    both = [row for row in rows if "AutoETS" in row and "AutoARIMA" in row]
    own, ets, arima = (_worse(both, model, (OURS, "AutoETS", "AutoARIMA")) for model in (OURS, "AutoETS", "AutoARIMA"))
    held = sum(NEAR[0] <= row[OURS]["coverage_80"] <= NEAR[1] for row in rows)
    independent, summed = (sum(_chance_near(what, summed=each) for what in sets) for each in (False, True))
    return (
        f"MASE over {ALLOWED:g} times the better of AutoETS and AutoARIMA: {own} of {len(both)} sets; "
        f"80 % band holds {100 * NEAR[0]:.0f} to {100 * NEAR[1]:.0f} %: {held} of {len(rows)} sets\n"
        f"AutoETS over {ALLOWED:g} times the better of gatework and AutoARIMA: {ets}; "
        f"AutoARIMA over {ALLOWED:g} times the better of gatework and AutoETS: {arima}\n"
        f"bands that are right in truth would on {independent:.1f}, were all errors independent, "
        f"on {summed:.1f}, did those of a window add up as a random walk's do\n"
    )


def _worse(rows: Sequence[Mapping[str, Mapping[str, float]]], model: str, models: Sequence[str]) -> int:
    """On how many sets the MASE of a model is over ALLOWED times that of the best of the other models."""
    others = [name for name in models if name != model]
    return sum(row[model]["mase"] > ALLOWED * min(row[name]["mase"] for name in others) for row in rows)


def _chance_near(what: SeriesSet, *, summed: bool) -> float:
    """The chance that the right band of 80 % holds a share in `NEAR` of the windows' values.

    Their errors are normal, and independent or, within a window, sums of all so far, as those of a random walk.
    """
    windows = WINDOWS * len(what.values())
    errors = np.random.default_rng(0).normal(size=(DRAWS, windows, what.horizon))
    if summed:
        errors = errors.cumsum(-1) / np.sqrt(np.arange(1, what.horizon + 1))
    within = np.abs(errors) < NormalDist().inv_cdf((1 + BAND_SHARE) / 2)
    shares = within.mean((1, 2))
    return float(np.mean((shares >= NEAR[0]) & (shares <= NEAR[1])))


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
    lines = []
    for m in sorted(set(seasons)):
        rows = {
            model: [s for s in result.scores if by_id[s.id] == m and (s.model == "lstm") == model]
            for model in (True, False)
        }
        own, naive = (float(np.mean([s.mase for s in rows[model]])) for model in (True, False))
        covered = float(np.mean([s.coverage_80 for s in rows[True]]))
        lines.append([str(m), f"{own:.3f}", f"{naive:.3f}", f"{own / naive:.2f}", f"{covered:.2f}"])
    columns = ("season", "gatework MASE", "seasonal naive MASE", "relative", "coverage of the 80 % band")
    print(table(columns, lines), end="\n\n")


def _print_bases(windows: int = 6) -> None:
    """MASE over seasonal naive's of the base forecast alone: of the series for choosing, what to choose it by."""
    ratios = [_base_alone(what, windows) for what in SERIES]
    names = [what.name + ("" if number % 2 else " *") for number, what in enumerate(SERIES)]
    lines = [[name, f"{ratio:.3f}"] for name, ratio in zip(names, ratios, strict=True)]
    for half, some in {"chosen on": ratios[::2], "judged on": ratios[1::2]}.items():
        lines.append([f"mean, {half}", f"{np.exp(np.log(some).mean()):.3f}"])
    print(table((f"the base alone, {windows} windows", "MASE over seasonal naive's"), lines), end="\n\n")


def _base_alone(what: SeriesSet, windows: int) -> float:
    """The mean MASE of the base forecast of a series over that of seasonal naive."""
    own, naive = [], []
    for series in without_outliers(what.panel()).series:
        for window in range(windows):
            T = len(series) - (windows - window) * what.horizon
            past, truth = series.y[:T], series.y[T : T + what.horizon]
            chosen = plan(past, what.horizon, "auto", Spacing(what.unit).seasons())
            f = average(chosen.base, filled(np.log(past) if chosen.log else past, chosen.season), what.horizon)[-1]
            own.append(mase(truth, np.exp(f) if chosen.log else f, past, what.season))
            naive.append(mase(truth, seasonal_naive(past, what.horizon, what.season, (0.5,))[:, 0], past, what.season))
    return float(np.mean(own) / np.mean(naive))


def _print_wrong(seeds: int = 5) -> None:
    """What one value of -1e6 in 60 months near 130 does to forecast and band, at each row in turn; what seeds do."""
    t = np.arange(60)
    months = 130 + 0.2 * t + 30 * np.sin(2 * np.pi * t / 12) + 3 * np.random.default_rng(0).normal(size=60)

    def band(values: Numbers, seed: int = 0) -> tuple[Numbers, float]:
        forecaster = Forecaster(12, levels=80, freq="MS", seed=seed).fit({"y": values})
        (made,) = forecaster.forecasts()
        low, high = made.band(80)
        return made.median, float((high - low).mean())

    median, width = band(months)
    lines = []
    for name, changed in {
        "a wrong value": [band(np.where(t == row, -1e6, months)) for row in t],
        f"none, the seeds 1 to {seeds}": [band(months, seed) for seed in range(1, seeds + 1)],
    }.items():
        shift = max(float(np.abs(each - median).max()) for each, _ in changed)
        ratios = [each / width for _, each in changed]
        lines.append([name, f"{shift:.2f}", f"{min(ratios):.2f}", f"{np.median(ratios):.2f}", f"{max(ratios):.2f}"])
    columns = ("", "largest shift of the median", "width of the band over its own: least", "median", "most")
    print(table(columns, lines), end="\n\n")


def _print_times(count: int = 5) -> None:
    """Seconds of processor that a fit of the longest series takes."""
    longest = sorted(SERIES, key=lambda what: len(what.values()[0]))[-count:]
    Forecaster(longest[0].horizon, steps=1).fit_panel(longest[0].panel())  # what is made once, outside the time
    lines = []
    for what in longest:
        panel = what.panel()
        began = time.process_time()
        Forecaster(what.horizon, levels=80).fit_panel(panel)
        lines.append([what.name, f"{len(panel.series[0]):,}", str(what.horizon), f"{time.process_time() - began:.2f}"])
    print(table(("series", "steps", "horizon", "s of processor a fit"), lines), end="\n\n")


def _print_planning() -> None:
    """What it costs to choose the season and the base forecast of short series, of one length and of thirty."""
    lines = []
    for count in (1_000, 10_000):
        values = [series.y for series in _made_panel(count, 60)[0].series]
        for lengths, cut in {"60": values, "31 to 60": [y[: 60 - n % 30] for n, y in enumerate(values)]}.items():
            began = time.process_time()
            plans(cut, 12, "auto")
            lines.append([f"{count:,}", lengths, f"{1000 * (time.process_time() - began) / count:.2f}"])
    print(table(("series", "values", "ms of processor a series"), lines), end="\n\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("series", "panels", "made", "wrong", "bases", "times", "planning"))
    parser.add_argument("--rivals", choices=("all", "naive", "neural"), default="all")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--figures", type=Path)
    parser.add_argument("--anew", action="store_true", help="measure gatework though it is in the file")
    given = parser.parse_args()
    parts: dict[str, Callable[[], None]] = {
        "series": lambda: _print_sets(SERIES, given),
        "panels": lambda: _print_sets(PANELS, given),
        "made": _print_made,
        "wrong": _print_wrong,
        "bases": _print_bases,
        "times": _print_times,
        "planning": _print_planning,
    }
    for name, part in parts.items():
        if given.only in (None, name):
            part()


if __name__ == "__main__":
    main()
