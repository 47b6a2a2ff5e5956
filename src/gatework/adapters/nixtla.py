"""A Forecaster with the methods and the columns of Nixtla's libraries; it needs none of them."""

from collections.abc import Sequence
from typing import Any, Self

import narwhals as nw
import numpy as np

from gatework.adapters.quantiles import between
from gatework.errors import InputError
from gatework.forecast.backtest import until
from gatework.forecast.checks import levels, named
from gatework.forecast.data.panel import Panel
from gatework.forecast.data.series import read_panel
from gatework.forecast.data.table import Stamp
from gatework.forecast.forecaster import Forecaster
from gatework.forecast.prediction import Forecast
from gatework.forecast.table import frame, installed_kind, kind_of
from gatework.runs.arguments import whole

__all__ = ["NixtlaForecaster"]


class NixtlaForecaster:
    """Forecasts as gatework's Forecaster, from and to the tables of statsforecast, neuralforecast and utilsforecast.

    Args:
        h: steps to forecast at most.
        freq: the spacing of times, such as D, MS or 15min; by default what they show.
        level: bands, in percent.
        alias: the name of the column of forecasts.
        options: further arguments of `gatework.Forecaster` by name, such as {"season": 24, "static": ["shop"]}.

    Shapes:
        Tables of unique_id, ds, y and other columns, of pandas, polars or pyarrow; h rows for each series.

    Raises:
        InputError: for an argument that cannot be used.

    Source:
        That of `gatework.Forecaster`.
    """

    def __init__(
        self,
        h: int,
        freq: str | None = None,
        *,
        level: Sequence[float] = (80, 95),
        alias: str = "gatework",
        **options: Any,
    ) -> None:
        self.alias = alias
        self.forecaster = Forecaster(h, freq=freq, levels=level, **options)

    def __repr__(self) -> str:
        return self.alias

    def fit(self, df: Any) -> Self:
        """Learns from a table.

        Args:
            df: rows of unique_id, ds, y and further columns that the options name.

        Returns:
            The forecaster itself.

        Raises:
            InputError: as of `gatework.Forecaster.fit`.
        """
        self.forecaster.fit(df)
        return self

    def predict(self, h: int | None = None, X_df: Any = None, level: Sequence[float] | None = None) -> Any:
        """Forecasts every series from its own last value.

        Args:
            h: steps; by default as many as were learned.
            X_df: the future of the known columns, and rows that came after those of `fit`.
            level: bands, in percent; by default those that were learned.

        Returns:
            A frame of the kind that was given to `fit`: unique_id, ds, the median by the name of `alias`, and
            alias-lo-80, alias-hi-80 for each level.

        Raises:
            InputError: before `fit`, for more steps than were learned, and for wider bands.
        """
        made = self.forecaster.forecasts(X_df)
        model = self.forecaster.fitted
        data = self._columns(made, model.panel, self._steps(h), self._bands(level))
        return _frame(data, model.panel, model.kind)

    def forecast(self, df: Any, h: int | None = None, X_df: Any = None, level: Sequence[float] | None = None) -> Any:
        """Learns from a table and forecasts: `fit` and `predict`."""
        return self.fit(df).predict(h, X_df, level)

    def cross_validation(
        self,
        df: Any,
        h: int | None = None,
        n_windows: int = 1,
        step_size: int = 1,
        level: Sequence[float] | None = None,
        refit: bool = True,
    ) -> Any:
        """Forecasts the last windows of each series, each from what came before.

        Args:
            df: a table, as in `fit`.
            h: steps; by default as many as the forecaster was made for.
            n_windows: how many stretches, the last one ending at the last value.
            step_size: steps from one to the next.
            level: bands, in percent.
            refit: learn anew before each; otherwise before the first, and the networks' state goes on.

        Returns:
            As `predict`, with `cutoff`, the last time that was known, and `y`, the value that came.

        Raises:
            InputError: as `fit`, and for series without rows before the first window.
        """
        windows, step = whole("n_windows", n_windows, least=1), whole("step_size", step_size, least=1)
        h, bands, fitted = self._steps(h), self._bands(level), self.forecaster.unfitted()
        panel = read_panel(df, fitted.columns, reading=fitted.reading)
        _check_long_enough(panel, h + (windows - 1) * step)
        parts = []
        for window in range(windows):
            before = until(panel, h + (windows - 1 - window) * step, fitted.horizon)
            if window == 0 or refit:
                fitted = fitted.unfitted().fit_panel(before)
            parts.append(self._judged(fitted.forecasts_of(before), panel, before, h, bands))
        data = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return _sorted(_frame(data, panel, kind_of(df)), panel)

    def _steps(self, h: int | None) -> int:
        learned = self.forecaster.horizon
        if h is None:
            return learned
        if whole("h", h, least=1) > learned:
            raise InputError(f"h is {h}, and {learned} steps are learned: make the forecaster with h={h}")
        return h

    def _bands(self, level: Sequence[float] | None) -> tuple[float, ...]:
        return self.forecaster.bands if level is None else levels(level)

    def _columns(self, made: list[Forecast], panel: Panel, h: int, bands: tuple[float, ...]) -> dict[str, Any]:
        """The columns of forecasts, h rows for each series."""
        data: dict[str, Any] = {
            panel.columns.id or "unique_id": np.repeat([each.id for each in made], h),
            panel.columns.time or "ds": np.concatenate([each.times[:h] for each in made]),
            self.alias: np.concatenate([each.median[:h] for each in made]),
        }
        for band in bands:
            for side, p in (("lo", 0.5 - band / 200), ("hi", 0.5 + band / 200)):
                data[f"{self.alias}-{side}-{band:g}"] = np.concatenate([between(each, p)[:h] for each in made])
        return data

    def _judged(
        self, made: list[Forecast], panel: Panel, before: Panel, h: int, bands: tuple[float, ...]
    ) -> dict[str, Any]:
        """The columns of one window, with its cutoff and the values that came."""
        data = self._columns(made, panel, h, bands)
        ends = [len(each) for each in before.series]
        truth = [each.y[end : end + h] for each, end in zip(panel.series, ends, strict=True)]
        cutoffs = np.array([each.times[-1] for each in before.series])
        return data | {"cutoff": np.repeat(cutoffs, h), panel.columns.target: np.concatenate(truth)}


def _check_long_enough(panel: Panel, held_out: int) -> None:
    """Raises InputError for a series without a row before the first window."""
    for each in panel.series:
        if len(each) <= held_out:
            raise InputError(
                f"{named(panel, each)} has {len(each):,} rows, of which the windows are the last {held_out:,}: "
                "expected rows before them; ask for fewer windows, or a smaller h"
            )


def _frame(data: dict[str, Any], panel: Panel, kind: str | None) -> Any:
    return frame(data, kind or installed_kind(), Stamp(panel.unit, panel.spacing.zone))


def _sorted(made: Any, panel: Panel) -> Any:
    """A frame by series, then window, then time, as Nixtla's are."""
    by = (panel.columns.id or "unique_id", "cutoff", panel.columns.time or "ds")
    return nw.from_native(made).sort(*by).to_native()
