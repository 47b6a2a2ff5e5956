"""A Forecaster as a model of darts: `pip install 'gatework[darts]'`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from darts.models.forecasting.forecasting_model import TransferableFutureCovariatesLocalForecastingModel
from darts.utils.likelihood_models.statsforecast import QuantilePrediction
from darts.utils.utils import random_method

from gatework.adapters.short import learned_or_naive
from gatework.cells import Cell
from gatework.errors import InputError
from gatework.forecast.forecaster import Forecaster
from gatework.forecast.options import Options, Outliers, Season

__all__ = ["DartsForecaster"]


class DartsForecaster(TransferableFutureCovariatesLocalForecastingModel):  # type: ignore[misc]
    """Forecasts a series as gatework's Forecaster, with the methods of darts' models.

    Args:
        horizon: steps to forecast at most.
        season, levels, cell, members, hidden, dropout, steps, learning_rate, outliers, engine: as of
            `gatework.Forecaster`.
        random_state: its seed, and that of the samples.
        add_encoders: future covariates that darts makes of the times.

    Shapes:
        A univariate series of T steps, missing values among them as NaN; n steps, at most the horizon.

    Raises:
        InputError: from `fit` and `predict`, for what cannot be used.

    Source:
        That of `gatework.Forecaster`.

    Examples:
        >>> from darts.datasets import AirPassengersDataset
        >>> from gatework.adapters.darts import DartsForecaster
        >>> model = DartsForecaster(3, season=12, members=1, hidden=4, steps=10).fit(AirPassengersDataset().load())
        >>> model.predict(3, predict_likelihood_parameters=True)["#Passengers_q0.900"].n_timesteps
        3
    """

    training_series: Any  # darts' own: the series of fit, or for a time that of `predict`

    @random_method  # type: ignore[untyped-decorator]
    def __init__(
        self,
        horizon: int,
        *,
        season: Season = Options.season,
        levels: float | Sequence[float] = Options.levels,
        cell: str | Cell = Options.cell,
        members: int = Options.members,
        hidden: int = Options.hidden,
        dropout: float = Options.dropout,
        steps: int = Options.steps,
        learning_rate: float = Options.learning_rate,
        outliers: Outliers = Options.outliers,
        engine: str = Options.engine,
        random_state: int = Options.seed,
        add_encoders: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(add_encoders=add_encoders)
        self._settings = Forecaster(
            horizon,
            season=season,
            levels=levels,
            cell=cell,
            members=members,
            hidden=hidden,
            dropout=dropout,
            steps=steps,
            learning_rate=learning_rate,
            outliers=outliers,
            engine=engine,
            seed=random_state,
        )
        self._likelihood = QuantilePrediction(list(self._settings.probabilities))

    @property
    def likelihood(self) -> QuantilePrediction:
        """The quantiles that are learned."""
        return self._likelihood

    @property
    def supports_multivariate(self) -> bool:
        return False

    @property
    def supports_probabilistic_prediction(self) -> bool:
        return True

    def _fit(self, series: Any, future_covariates: Any = None, verbose: bool | None = None) -> "DartsForecaster":  # noqa: ARG002
        self._assert_univariate(series)
        table = _long(series, future_covariates)
        known = [name for name in table.columns if name not in ("ds", "y")]
        self._fitted = learned_or_naive(Forecaster(**{**self._settings.given, "known": known}), table)
        return self

    def predict(self, *arguments: Any, **options: Any) -> Any:
        """As darts' `predict`, by arguments of that; where it fails the series of fit is still there."""
        learned = self.training_series
        try:
            return super().predict(*arguments, **options)
        finally:
            self.training_series = learned

    @random_method  # type: ignore[untyped-decorator]
    def _predict(
        self,
        n: int,
        series: Any = None,
        historic_future_covariates: Any = None,
        future_covariates: Any = None,
        num_samples: int = 1,
        predict_likelihood_parameters: bool = False,
        verbose: bool = False,  # noqa: ARG002
        random_state: int | None = None,  # noqa: ARG002, what decorates it draws by it
    ) -> Any:
        """The median, or what the likelihood makes of the quantiles [n,P], after the last value of the series."""
        if n > self._settings.horizon:
            raise InputError(
                f"n is {n}, and {self._settings.horizon} steps are learned: make the forecaster with horizon={n}"
            )
        if series is not None:
            _check_goes_on(series, self._orig_training_series)
        seen = self.training_series if series is None else series
        (made,) = self._fitted.forecasts(_long(seen, historic_future_covariates, future_covariates))
        if num_samples == 1 and not predict_likelihood_parameters:
            return self._build_forecast_series(made.median[:n], seen)
        values = self._likelihood.predict(made.quantiles[:n], num_samples)
        names = self._likelihood.component_names(series=seen) if predict_likelihood_parameters else None
        return self._build_forecast_series(values, seen, names, with_static_covs=names is None)


def _long(series: Any, *covariates: Any) -> Any:
    """A series as a frame of ds, y and the components of covariates, which go on beyond it with a missing y."""
    columns = [pd.Series(series.values()[:, 0], series.time_index, name="y")]
    parts = [pd.DataFrame(each.values(), each.time_index).add_prefix("x") for each in covariates if each is not None]
    columns += [pd.concat(parts)] if parts else []
    return pd.concat(columns, axis=1).rename_axis("ds").reset_index()


def _check_goes_on(series: Any, learned: Any) -> None:
    """Raises InputError for a series that is another than the one learned from, with what came after it."""
    same = series.slice_intersect(learned) if series.start_time() <= learned.end_time() else None
    if same is None or not same.has_same_time_as(learned):
        raise InputError(
            f"the series reaches from {series.start_time()} to {series.end_time()}, and that of fit from "
            f"{learned.start_time()} to {learned.end_time()}: give it whole with what came after it, or fit anew "
            "(retrain=True)"
        )
    if not np.allclose(same.values(), learned.values(), rtol=1e-9, atol=0, equal_nan=True):
        raise InputError("the series has other values than that of fit: fit to it (in darts' backtest, retrain=True)")
