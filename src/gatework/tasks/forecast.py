"""Forecasting: from a table of one series or thousands to what comes next, as quantiles."""

from collections.abc import Callable, Sequence
from copy import copy
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from gatework.cells import Cell
from gatework.data.panel import Columns, Panel
from gatework.data.series import read_panel
from gatework.errors import InputError
from gatework.layers import check
from gatework.tasks import forecast_checks as checks
from gatework.tasks.forecast_backtest import DECILES, backtest
from gatework.tasks.forecast_inputs import LAGS, Beside, prepare
from gatework.tasks.forecast_plan import PLACES, Plan, plan
from gatework.tasks.forecast_plot import draw
from gatework.tasks.forecast_run import load, save
from gatework.tasks.forecast_table import frame, going_on, installed_kind, kind_of, merged, table
from gatework.tasks.forecast_training import Options, fit
from gatework.tasks.forecast_use import Forecast, Model, final_states, forecasts

Report = Callable[[int, int, float], None]

__all__ = ["Forecast", "Forecaster"]


def silent(step: int, steps: int, loss: float) -> None:
    """Reports to nobody."""


class Forecaster:
    """Forecasts series: a small recurrent network corrects the simple forecast that suits each of them best.

    horizon h: steps to forecast. cell: a name of `gw.cells`, a `gw.Cell` or equations.
    season: its length in steps, 1 for none, or "auto": those of the calendar and of the autocorrelation are tried.
    levels: bands, in percent.
    target, time, id: the columns of the values, their times and the series they belong to; a table without the last two
        is one series whose rows are counted. known, past, static: columns known in the future as well, in the past
        alone, and fixed for each series; numbers or texts.
    members: networks whose quantiles are averaged, each from a seed of its own; hidden units H of each; dropout of
        their output; steps of training at least, with AdamW and one cycle up to learning_rate.
    seed: the same gives the same numbers. engine: as in `gw.Recurrent`.
    report: called with step, steps and loss as the training goes on.

    After `fit`: `notes` says in words what was found and chosen, `plans` holds it for each series.

    The model, at every step t of a series, for k = 1 ... h: y_(t+k) = base_k + scale_k (linear_k + network_k). The
    base is a simple forecast chosen by a rolling check (gatework.tasks.forecast_base); scale_k is its error of late, at
    the place of step t + k in the season;
    the linear part is a ridge regression on lags and on other simple forecasts; the network sees the whole history,
    the state carried, and predicts quantiles of what is left. What a part is trusted with, and how wide the bands are,
    is measured on the last third of the history with parts that have not learned from them.
    """

    def __init__(
        self,
        horizon: int,
        cell: str | Cell = "lstm",
        *,
        season: int | Literal["auto"] = "auto",
        levels: Sequence[float] = (80,),
        target: str = "y",
        time: str | None = "ds",
        id: str | None = "unique_id",
        known: Sequence[str] = (),
        past: Sequence[str] = (),
        static: Sequence[str] = (),
        members: int = 3,
        hidden: int = 16,
        dropout: float = 0.3,
        steps: int = 120,
        learning_rate: float = 0.01,
        seed: int = 0,
        engine: str = "auto",
        report: Report = silent,
    ) -> None:
        for name, value in (("horizon", horizon), ("members", members), ("hidden", hidden), ("steps", steps)):
            check.size(name, value, least=1)
        check.size("seed", seed, least=0)
        self.horizon, self.season, self.levels = horizon, checks.season(season), checks.levels(levels)
        self.columns = Columns(target, time, id, tuple(known), tuple(past), tuple(static))
        rate = checks.rate(learning_rate)
        dropped = check.probability("dropout", dropout)
        self.options = Options(check.cell(cell), hidden, members, dropped, steps, rate, seed=seed, engine=engine)
        self.report = report
        self.model: Model | None = None

    def anew(self) -> Self:
        """The same choices, with nothing learned."""
        made = copy(self)
        made.model = None
        return made

    @property
    def probabilities(self) -> tuple[float, ...]:
        """The quantiles that are learned: the deciles and the borders of the bands."""
        borders = {round(0.5 + sign * level / 200, 6) for level in self.levels for sign in (-1, 1)}
        return tuple(sorted(borders | set(DECILES)))

    def fit(self, df: Any) -> Self:
        """Learns from a table: a frame of pandas, polars or pyarrow, or the path of a CSV or Parquet file.

        Raises InputError for a table that cannot be used, and for series that are constant or too short.
        """
        return self.fit_panel(read_panel(df, self.columns), kind_of(df))

    def fit_panel(self, panel: Panel, kind: str | None = None) -> Self:
        """Learns from series that were read; kind: of the frames to return."""
        checks.learnable(panel, self.horizon, self.season)
        h, usual = self.horizon, panel.spacing.seasons()
        plans = {each.id: plan(each.y, h, self.season, usual) for each in panel.series}
        lags = max(1, min(LAGS, max(map(len, panel.series)) // 20))
        beside = Beside.of(panel)
        inputs = [prepare(each, plans[each.id], h, lags, beside, panel.spacing) for each in panel.series]
        fitted = fit(inputs, lags, PLACES, self.probabilities, self.options, self.report)
        self.model = Model(panel, plans, beside, lags, fitted, final_states(fitted, inputs), kind)
        return self

    @property
    def fitted(self) -> Model:
        if self.model is None:
            raise InputError("this Forecaster has learned nothing yet: call fit(df) before")
        return self.model

    @property
    def plans(self) -> dict[str, Plan]:
        """What was chosen for each series: season, scale, base forecast, and what each base scores alone."""
        return self.fitted.plans

    @property
    def notes(self) -> tuple[str, ...]:
        """What was mended, found and chosen, a line each."""
        return self.fitted.notes()

    def predict(self, df: Any = None) -> Any:
        """The forecast of every series, as a frame of the kind that was given to `fit`.

        df: rows that came after those of `fit`, and the future of the known columns; the network goes on from its saved
        state, which stays as it is. Series without new rows are forecast too.

        Columns: the series' id, the time, "forecast" (the median) and "lo-80", "hi-80" for each level.
        Raises InputError for unknown series, and where known columns lack a step of the horizon.
        """
        kind = (None if df is None else kind_of(df)) or self.fitted.kind
        return table(self.forecasts(df), self.fitted.panel.columns, self.levels, kind)

    def plot(self, df: Any = None) -> Any:
        """A matplotlib figure of the end of each history, the median forecast and its bands; df as in `predict`."""
        panel = self.gone_on(df)
        return draw(panel.series, self.forecasts_of(panel), self.levels)

    def gone_on(self, df: Any = None) -> Panel:
        """The series of `fit` with the rows of a table that come after them."""
        panel = self.fitted.panel
        return panel if df is None else merged(panel, going_on(df, panel))

    def forecasts(self, df: Any = None) -> list[Forecast]:
        """As `predict`, a Forecast for each series."""
        return self.forecasts_of(self.gone_on(df))

    def forecasts_of(self, panel: Panel) -> list[Forecast]:
        """The forecasts of a panel that begins with the rows of `fit`."""
        checks.future(panel, self.horizon)
        return forecasts(self.fitted, panel, self.horizon, self.probabilities)

    def backtest(self, df: Any, windows: int = 5) -> Any:
        """How well it would have forecast the last `windows` stretches of h steps, each from what came before.

        Returns a frame with a row for each model, this one first, then seasonal naive, and AutoETS and AutoARIMA where
        statsforecast is installed: the means of MASE, the same over seasonal naive's, sMAPE, RMSE, the scaled quantile
        loss, the coverage of the 80 % band (gatework.tasks.forecast_metrics), and seconds for each series.
        """
        found = backtest(self, read_panel(df, self.columns), windows).means()
        columns = {name: np.array([row[name] for row in found]) for name in found[0]}
        return frame(columns, kind_of(df) or installed_kind())

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Writes all that `predict` needs to a new folder: JSON and safetensors. Raises InputError where it exists."""
        save(self, Path(folder), overwrite=overwrite)

    @classmethod
    def load(cls, folder: str | Path) -> "Forecaster":
        """Reads what `save` wrote, running no code from it; raises InputError, naming the file, where it is damaged."""
        return load(Path(folder))
