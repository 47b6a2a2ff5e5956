"""Backtests: the origin rolled over the end of a history, each forecast beside simple and classical ones."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from gatework.errors import InputError
from gatework.forecast.base import Numbers
from gatework.forecast.checks import named, needed
from gatework.forecast.data.panel import Panel, Series
from gatework.forecast.estimator import Estimator
from gatework.forecast.metrics import coverage, mase, rmse, scaled_quantile_loss, smape
from gatework.forecast.naive import counted
from gatework.forecast.options import DECILES
from gatework.forecast.outliers import without_outliers
from gatework.forecast.prediction import Model
from gatework.forecast.rivals import Rival, rivals
from gatework.runs.arguments import whole
from gatework.runs.progress import PartProgress, no_progress

BAND = (DECILES.index(0.1), DECILES.index(0.9))  # of 80 %

Report = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Score:
    """What one model scored on one series in one window; seconds: of one fit, its share of the series' number."""

    model: str
    id: str
    window: int
    mase: float
    smape: float
    rmse: float
    scaled_quantile_loss: float
    coverage_80: float
    seconds: float


MEASURES = ("mase", "smape", "rmse", "scaled_quantile_loss", "coverage_80", "seconds")


@dataclass(frozen=True)
class Backtest:
    """All scores, the season by which errors are scaled for each series, and what each fit chose.

    read: what was mended in the table, and which series were left out.
    """

    scores: tuple[Score, ...]
    seasons: Mapping[str, int]
    notes: tuple[tuple[str, ...], ...]
    read: tuple[str, ...] = ()

    def lines(self) -> tuple[str, ...]:
        """What was mended and left out, and what the last window chose, a line each."""
        last = (note for note in self.notes[-1] if note not in self.read)
        return (*self.read, *(f"last window: {note}" for note in last))

    def means(self) -> list[dict[str, Any]]:
        """For each model the mean of each measure over windows and series, MASE also over seasonal naive's."""
        models = list(dict.fromkeys(score.model for score in self.scores))
        means: list[dict[str, Any]] = []
        for model in models:
            rows = [asdict(score) for score in self.scores if score.model == model]
            means.append({"model": model} | {name: _mean([row[name] for row in rows]) for name in MEASURES})
        naive = next((row["mase"] for row in means if row["model"] == "seasonal naive"), float("nan"))
        return [{**row, "relative_mase": row["mase"] / naive if naive else float("nan")} for row in means]


def _mean(values: Sequence[float]) -> float:
    """The mean of the numbers that are finite: a window without a true value, or after a constant, has none."""
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else float("nan")


def _no_report(done: int, total: int, what: str) -> None:
    """Reports nothing."""


def backtest(
    forecaster: Estimator,
    panel: Panel,
    windows: int = 5,
    *,
    beside: Mapping[str, Rival] | None = None,
    scaled_by: int | Mapping[str, int] | None = None,
    report: Report = _no_report,
    on_progress: PartProgress = no_progress,
) -> Backtest:
    """Fits and forecasts as many times, the last window ending at each series' last value, the windows side by side.

    beside: models to compare with, by default all of `rivals`. scaled_by: the season of the errors that MASE divides
        by, and of the models beside, for all series or for each; by default the one detected before the first window.
    The forecaster given is not changed. Series whose history before the first window is too short are left out; raises
    InputError where all are, or one is and the forecaster is strict.
    """
    h = forecaster.horizon
    windows = whole("windows", windows, least=1)
    panel = without_outliers(panel) if forecaster.outliers == "missing" else panel
    panel = _long_enough(panel, windows, h, forecaster.season, strict=forecaster.strict)
    beside = rivals() if beside is None else beside
    scores: list[Score] = []
    notes: list[tuple[str, ...]] = []
    ids = [each.id for each in panel.series]
    seasons = dict(scaled_by) if isinstance(scaled_by, Mapping) else dict.fromkeys(ids, scaled_by) if scaled_by else {}
    for window in range(windows):
        report(window, windows, f"window {window + 1} of {windows}")
        before = until(panel, (windows - window) * h, h)
        began = time.perf_counter()
        fitted = forecaster.unfitted().fit_panel(before, on_progress=on_progress)
        made = fitted.forecasts_of(before)
        seconds = (time.perf_counter() - began) / len(panel)
        seasons = seasons or _seasons_of(fitted.fitted)
        notes.append(fitted.notes)
        for series, past, forecast in zip(panel.series, before.series, made, strict=True):
            truth = series.y[len(past) : len(past) + h]
            own = np.stack([forecast.at(p) for p in DECILES], 1)
            m = seasons[series.id]
            scores.append(score(forecaster.options.cell.name, series.id, window, truth, own, past.y, m, seconds))
            scores += [_judge(name, rival, series.id, window, truth, past.y, m) for name, rival in beside.items()]
    report(windows, windows, "done")
    return Backtest(tuple(scores), seasons, tuple(notes), panel.notes)


def _seasons_of(model: Model) -> dict[str, int]:
    """The season of each series, learned from or not."""
    answered = {name: naive.base.season for name, naive in model.answered.items()}
    return answered | {name: plan.season for name, plan in model.plans.items()}


def _judge(name: str, rival: Rival, id: str, window: int, truth: Numbers, past: Numbers, m: int) -> Score:
    """Lets a rival forecast, and scores it."""
    began = time.perf_counter()
    quantiles = rival(past, len(truth), m, DECILES)
    return score(name, id, window, truth, quantiles, past, m, time.perf_counter() - began)


def score(
    model: str, id: str, window: int, truth: Numbers, quantiles: Numbers, past: Numbers, m: int, seconds: float
) -> Score:
    """All measures of deciles [h,9]."""
    median = quantiles[:, 4]
    return Score(
        model,
        id,
        window,
        mase(truth, median, past, m),
        smape(truth, median),
        rmse(truth, median),
        scaled_quantile_loss(truth, quantiles, DECILES, past, m),
        coverage(truth, quantiles[:, BAND[0]], quantiles[:, BAND[1]]),
        seconds,
    )


def until(panel: Panel, left_out: int, horizon: int) -> Panel:
    """A panel without its last values; what is known of the horizon after them stays."""
    return replace(panel, series=tuple(_first(each, len(each) - left_out, horizon) for each in panel.series))


def _first(series: Series, T: int, horizon: int) -> Series:
    """The first T steps of a series, with what is known of the horizon after them."""
    return replace(
        series,
        times=series.times[:T],
        y=series.y[:T],
        known=series.known[: T + horizon],
        past=series.past[:T],
    )


def _long_enough(panel: Panel, windows: int, horizon: int, season: Any, *, strict: bool) -> Panel:
    """The series that are long enough for all windows, and a note of those that are not."""
    least = needed(horizon, season) + windows * horizon
    short = [each for each in panel.series if len(each) < least]
    if short and (strict or len(short) == len(panel)):
        blamed = short[0] if strict else max(short, key=len)
        raise InputError(
            f"{named(panel, blamed)} has {len(blamed):,} rows: {windows} windows of {horizon} steps and the history "
            f"before them need {least:,}; ask for fewer windows, or a smaller horizon"
        )
    if not short:
        return panel
    which = counted([each.id for each in short], len(panel))
    note = f"{which} left out, with fewer than the {least:,} rows that {windows} windows of {horizon} steps need"
    gone = {each.id for each in short}
    remaining = tuple(each for each in panel.series if each.id not in gone)
    return replace(panel, series=remaining, notes=(*panel.notes, note))


def mase_ahead(forecaster: Estimator, panel: Panel) -> float:
    """The mean MASE of forecasts from the end of what was learned, for the values that a panel has after it."""
    model, h = forecaster.fitted, forecaster.horizon
    begun = {each.id: len(each) for each in model.panel.series}
    known = [each for each in panel.series if each.id in begun]
    before = replace(panel, series=tuple(_first(each, begun[each.id], h) for each in known))
    seasons, scores = _seasons_of(model), []
    for series, past, made in zip(known, before.series, forecaster.forecasts_of(before), strict=True):
        truth = series.y[len(past) : len(past) + h]
        scores.append(mase(truth, made.median[: len(truth)], past.y, seasons[series.id]))
    score = _mean(scores)
    if np.isnan(score):
        raise InputError(f"there is no value to score by after those of fit: give rows with {panel.columns.target}")
    return score
