"""Forecasting: from a table of one series or thousands to what comes next, as quantiles."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, fields, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Self, cast

import numpy as np

from gatework.cells import find_cell
from gatework.errors import NO_TORCH, TRAINING, InputError
from gatework.forecast import checks
from gatework.forecast.backtest import backtest, mase_ahead
from gatework.forecast.data.panel import Columns, Panel
from gatework.forecast.data.reading import Reading
from gatework.forecast.data.series import read_panel
from gatework.forecast.fitted import Fitted, States, Training
from gatework.forecast.inputs import LAGS, Beside, prepare
from gatework.forecast.naive import apart, naive, unsteadiness, usual_season
from gatework.forecast.options import Options, learned_probabilities
from gatework.forecast.outliers import trusted_rows, without_outliers
from gatework.forecast.plan import PLACES, Plan, plans
from gatework.forecast.plot import draw
from gatework.forecast.prediction import Forecast, Model, forecasts
from gatework.forecast.table import frame, going_on, installed_kind, kind_of, merged, table
from gatework.runs.arguments import above_zero, flag, names, one_name, share, whole
from gatework.runs.parameters import Parameters, tags
from gatework.runs.progress import PartProgress, counted, no_progress

Report = Callable[[int, int, float], None]

__all__ = ["Forecast", "Forecaster"]


def _no_report(step: int, steps: int, loss: float) -> None:
    """Reports nothing."""


@dataclass(kw_only=True, eq=False, repr=False)
class Forecaster(Parameters, Options):
    """Forecasts series: a small recurrent network corrects the simple forecast that suits each of them best.

    At every step t of a series, for k = 1 ... h: y_(t+k) = base_k + scale_k (linear_k + network_k). The base is a
    simple forecast chosen by a rolling check (gatework.forecast.base); scale_k is its error of late, at the place of
    step t + k in the season; the linear part is a ridge regression on lags and on other simple forecasts; the network
    sees the whole history, the state carried, and predicts quantiles of what is left. What a part is trusted with, and
    how wide the bands are, is measured on the last third of the history with parts that have not learned from them.

    After `fit`: `notes` says in words what was chosen, `plans` holds it for each series learned from. `get_params`,
    `set_params` and `score` are those that scikit-learn's `clone` and `GridSearchCV` ask for.

    Args:
        horizon: steps h to forecast.
        cell: of the network: a name of `gw.cells`, a `gw.Cell` or equations.
        season: its length in steps, 1 for none, several such as [24, 168], or "auto": those of the calendar and of the
            autocorrelation are tried.
        levels: bands, in percent: 80, or several.
        target, time, id: the columns of the values, their times and the series they belong to; a table without the
            last two is one series whose rows are counted.
        known, past, static: columns known in the future as well, in the past alone, and fixed for each series; numbers
            or texts; one name or several.
        freq: the spacing of times, such as D, MS or 15min, where the table does not show it; without times, the seasons
            that are usual for it are tried.
        zone: the time zone of times that name none, such as Europe/Berlin.
        decimal: of a file: the mark before decimals, where "." and "," leave a doubt.
        encoding: of a file: how its characters are written, where that is not UTF-8.
        sheet: of a spreadsheet: the name of the one to read.
        strict: refuse a series that nothing can be learned from, as it is empty, too short or constant; otherwise it is
            answered by a naive forecast (none for an empty one), and the others are learned from.
        outliers: "missing": values far beyond all others, such as -999 beside hundreds, count as missing, and `notes`
            names them; "keep": they are trusted.
        members: networks whose quantiles are averaged, each from a seed of its own.
        hidden: units H of each.
        dropout: of their output.
        steps: of training at least, with AdamW and one cycle of the rate.
        learning_rate: the highest.
        seed: the same gives the same numbers.
        engine: what executes the cell, as in `gw.Recurrent`.
        device: what trains the networks, "auto", "cpu", "cuda" or "cuda:1"; what was learned is on the CPU.
        report: called with step, steps and loss as the training goes on.

    Shapes:
        A table of one series of T rows or several; h steps for each series; quantiles [h,P].

    Raises:
        InputError: for an argument that cannot be used.

    Source:
        Simple forecasts and recurrent networks together: Smyl 2020 (doi:10.1016/j.ijforecast.2019.03.017). Bands:
        Romano, Patterson & Candes 2019 (arXiv:1905.03222). Averages of forecasts: Bates & Granger 1969.
    """

    report: Report = _no_report

    def __post_init__(self) -> None:
        positional_first = sorted(fields(self), key=lambda field: bool(field.kw_only))
        self.given = {field.name: getattr(self, field.name) for field in positional_first}
        self.horizon = whole("horizon", self.horizon, least=1)
        self.season, self.levels = checks.season(self.season), checks.levels(self.levels)
        flag("strict", self.strict)
        checks.outliers(self.outliers)
        self.columns = Columns(
            one_name("target", self.target, optional=False) or "",
            one_name("time", self.time),
            one_name("id", self.id),
            names("known", self.known),
            names("past", self.past),
            names("static", self.static),
        )
        self.reading = Reading(self.encoding, self.decimal, self.sheet, self.freq, self.zone)
        self.options = Training(
            find_cell(self.cell),
            whole("hidden", self.hidden, least=1),
            whole("members", self.members, least=1),
            share("dropout", self.dropout),
            whole("steps", self.steps, least=1),
            above_zero("learning_rate", self.learning_rate),
            seed=whole("seed", self.seed, least=0),
            engine=self.engine,
        )
        self.model: Model | None = None
        self._notes: tuple[str, ...] | None = None

    def unfitted(self) -> Self:
        """The same choices, with nothing learned."""
        made = copy(self)
        made.model = made._notes = None
        return made

    @property
    def bands(self) -> tuple[float, ...]:
        """The levels, in percent, each once, from the least."""
        return cast(tuple[float, ...], self.levels)

    @property
    def probabilities(self) -> tuple[float, ...]:
        """The quantiles that are learned: the deciles and the borders of the bands."""
        return learned_probabilities(self.bands)

    def fit(self, df: Any, y: None = None) -> Self:
        """Learns from a table.

        Args:
            df: a frame of pandas, polars or pyarrow, or the path of CSV, Parquet or a spreadsheet; columns may be a
                dict, rows a list of dicts. One series may also be a series of pandas or polars, or an array.
            y: None, as the target is a column of the table; scikit-learn's tools give it.

        Shapes:
            An array [T] of one series, [T,k] of several.

        Returns:
            The forecaster itself.

        Raises:
            InputError: for a table that cannot be used, where all series are constant or too short, and with `strict`
                where one is.
        """
        if y is not None:
            raise InputError(f"fit was given y; expected the target as the column {self.columns.target!r} of the table")
        return self.fit_panel(read_panel(df, self.columns, reading=self.reading), kind_of(df))

    def fit_panel(self, panel: Panel, kind: str | None = None, on_progress: PartProgress = no_progress) -> Self:
        """Learns from series that were read; kind: of the frames to return; on_progress: receives what is done before
        and after the training."""
        training = _with_torch("training")
        device = training.trainer(self.device, self.options)
        checks.sizes(panel)
        panel = without_outliers(panel) if self.outliers == "missing" else panel
        (checks.strict if self.strict else checks.learnable)(panel, self.horizon, self.season)
        h, usual = self.horizon, panel.spacing.seasons()
        learned, others = apart(panel, h, self.season)
        made = plans([each.y for each in learned], h, self.season, usual, partial(on_progress, "planning"))
        by_id = {each.id: plan for each, plan in zip(learned, made, strict=True)}
        lags = max(1, min(LAGS, max(map(len, learned)) // 20))
        beside = Beside.of(replace(panel, series=tuple(learned)))
        inputs = [
            prepare(each, plan, h, lags, beside, panel.spacing)
            for each, plan in counted(zip(learned, made, strict=True), len(made), partial(on_progress, "preparing"))
        ]
        fitted: Fitted = training.fit(
            inputs, lags, PLACES, self.probabilities, self.options, self.report, on_progress, device=device
        )
        unsteady = unsteadiness(learned) if others else 0.0
        answered = {each.id: naive(each, usual_season(made), h, self.season, unsteady) for each in others}
        states: States = training.final_states(fitted.network, inputs, on_progress)
        self.model = Model(panel, by_id, answered, beside, lags, fitted, states, kind)
        self._notes = None
        return self

    @property
    def fitted(self) -> Model:
        if self.model is None:
            raise InputError("this Forecaster has learned nothing yet: call fit(df) before")
        return self.model

    @property
    def plans(self) -> dict[str, Plan]:
        """Of each series that was learned from, by its id: season, base forecast, what each base scores alone."""
        return self.fitted.plans

    @property
    def notes(self) -> tuple[str, ...]:
        """A tuple of lines: what was mended, detected and chosen by the last fit, predict or backtest."""
        return self.fitted.notes(self.fitted.panel) if self._notes is None else self._notes

    def predict(self, df: Any = None) -> Any:
        """Forecasts every series from its own last value.

        Args:
            df: rows that came after those of `fit`, and the future of the known columns; the network goes on from its
                saved state, which stays as it is. Series without new rows are forecast too; those without any value
                are not.

        Returns:
            A frame of the kind that was given to `fit`, h rows for each series: the series' id, the time, "forecast"
            (the median), and "lo-80", "hi-80" for each level.

        Raises:
            InputError: before `fit`, for unknown series, and where known columns lack a step of the horizon.
        """
        kind = (None if df is None else kind_of(df)) or self.fitted.kind
        return table(self.forecasts(df), self.fitted.panel, self.bands, kind)

    def plot(self, df: Any = None) -> Any:
        """Draws the end of each history, the median forecast and its bands.

        Args:
            df: as in `predict`.

        Returns:
            A matplotlib figure.

        Raises:
            InputError: as `predict`, and where matplotlib is not installed.
        """
        panel = self.gone_on(df)
        return draw(panel.series, self.forecasts_of(panel), self.bands, panel.spacing)

    def gone_on(self, df: Any = None) -> Panel:
        """The series of `fit` with the rows of a table that come after them."""
        panel = self.fitted.panel
        return panel if df is None else merged(panel, self.new_rows(df, self.reading))

    def new_rows(self, df: Any, reading: Reading) -> Panel:
        """The rows of a table that go on from those of `fit`, without outliers unless they are trusted."""
        panel = self.fitted.panel
        new = going_on(df, panel, reading)
        checks.sizes(new)
        return trusted_rows(new, panel) if self.outliers == "missing" else new

    def forecasts(self, df: Any = None) -> list[Forecast]:
        """As `predict`, a Forecast for each series."""
        return self.forecasts_of(self.gone_on(df))

    def forecasts_of(self, panel: Panel) -> list[Forecast]:
        """The forecasts of a panel that begins with the rows of `fit`."""
        checks.sizes(panel)
        lacking = checks.future(panel, self.horizon, self.plans)
        self._notes = self.fitted.notes(panel, lacking)
        return forecasts(self.fitted, panel, self.horizon, self.probabilities, lacking)

    def backtest(self, df: Any, windows: int = 5) -> Any:
        """Measures how well it would have forecast stretches of h steps, each from what came before.

        Series that are too short for it are left out; `notes` names them, and says what the last window chose.

        Args:
            df: a table, as in `fit`.
            windows: how many stretches, the last one ending at the last value.

        Returns:
            A frame with a row for each model, this one first, then seasonal naive, and AutoETS and AutoARIMA where
            statsforecast is installed: the means of MASE, the same over seasonal naive's, sMAPE, RMSE, the scaled
            quantile loss, the coverage of the 80 % band (gatework.forecast.metrics), and seconds for each series.

        Raises:
            InputError: for a table that cannot be used, where all series are too short, and with `strict` where one is.
        """
        done = backtest(self, read_panel(df, self.columns, reading=self.reading), windows)
        self._notes, rows = done.lines(), done.means()
        columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        return frame(columns, kind_of(df) or installed_kind())

    def score(self, df: Any, y: None = None) -> float:  # noqa: ARG002, scikit-learn's tools give it
        """Measures the forecast of the h values that come after those of `fit`.

        The more the better, as scikit-learn's `GridSearchCV` and `cross_val_score` ask; split rows by time for them
        (`TimeSeriesSplit`). A table with fewer than h steps is scored on those.

        Args:
            df: a table that has those values.
            y: None, as in `fit`.

        Returns:
            Minus the mean MASE.

        Raises:
            InputError: before `fit`, and where no value comes after those of `fit`.
        """
        return -mase_ahead(self, self.gone_on(df))

    def __sklearn_is_fitted__(self) -> bool:
        return self.model is not None

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn wants to know."""
        return tags(None, required=False)

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Writes all that `predict` needs to a new folder: JSON and safetensors.

        Args:
            folder: the folder to make.
            overwrite: replace a run that is there.

        Raises:
            InputError: before `fit`, and where the folder exists or cannot be written; then nothing has changed.
        """
        _with_torch("checkpoint").save(self, Path(folder), overwrite=overwrite)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Reads what `save` wrote, running no code from it.

        Args:
            folder: the run folder.

        Returns:
            The fitted forecaster.

        Raises:
            InputError: naming the file, where it is damaged or another task's.
        """
        made: Self = _with_torch("checkpoint").load(Path(folder), cls)
        return made


def _with_torch(module: str) -> Any:
    """What learns, or keeps what was learned: imported when it is used, since forecasts need no torch."""
    try:
        return import_module(f"gatework.forecast.{module}")
    except ModuleNotFoundError as error:
        if error.name not in TRAINING:
            raise
        raise ModuleNotFoundError(f"this {NO_TORCH}", name=error.name) from None
