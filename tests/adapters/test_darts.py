"""gatework as a model of darts: its own backtests run it, and the numbers are the Forecaster's.

darts brings more with it than all else that the tests need, so that it is no part of requirements-dev.txt.
"""

import numpy as np
import pandas as pd
import pytest
import torch
from forecast_toys import quick, seasonal, table

import gatework as gw
from numerics import same

pytest.importorskip("darts", reason="darts is not installed: pip install '.[darts]'")

from darts import TimeSeries
from darts.metrics import mae, mql

from gatework.adapters.darts import DartsForecaster

SMALL = {"season": 12, "steps": 5, "members": 2, "hidden": 4}
COVERED = 120


def small(h: int = 4, **options: object) -> DartsForecaster:
    return DartsForecaster(h, **{**SMALL, **options})


def monthly(T: int = 96, seed: int = 0) -> TimeSeries:
    times = pd.date_range("2010-01", periods=T, freq="MS")
    return TimeSeries.from_times_and_values(times, seasonal(T, seed=seed), columns=["sales"])


def own(y: TimeSeries, h: int = 4) -> gw.Forecaster:
    """gatework's own forecaster, fitted to the same values."""
    return quick(h, season=12).fit(table(y.values()[:, 0]))


def same_numbers(actual: object, expected: object) -> None:
    same(torch.tensor(np.asarray(actual)), torch.tensor(np.asarray(expected)))


def test_a_forecast_is_that_of_the_forecaster():
    y = monthly()
    made = small().fit(y).predict(3)
    (expected,) = own(y).forecasts()
    same_numbers(made.values()[:, 0], expected.median[:3])
    assert made.time_index.equals(pd.date_range("2018-01", periods=3, freq="MS")) and list(made.components) == ["sales"]


def test_the_parameters_of_the_likelihood_are_the_quantiles_and_samples_are_drawn_from_them():
    y = monthly()
    model = small().fit(y)
    (expected,) = own(y).forecasts()
    quantiles = model.predict(3, predict_likelihood_parameters=True)
    assert list(quantiles.components) == [f"sales_q{p:.3f}" for p in expected.probabilities]
    same_numbers(quantiles.values(), expected.quantiles[:3])
    samples = model.predict(3, num_samples=4000, random_state=1)
    spread = expected.at(0.9)[:3] - expected.at(0.1)[:3]
    for p in (0.1, 0.5, 0.9):
        assert (abs(samples.quantile(p).values()[:, 0] - expected.at(p)[:3]) < 0.1 * spread).all()
    assert samples == model.predict(3, num_samples=4000, random_state=1)


def test_historical_forecasts_know_nothing_of_what_came_after():
    y = monthly()
    made = small().historical_forecasts(y, start=84, forecast_horizon=4, stride=4, last_points_only=False)
    assert [each.start_time() for each in made] == list(pd.date_range("2017-01", periods=3, freq="4MS"))
    same_numbers(made[1].values()[:, 0], own(y[:88]).forecasts()[0].median)


def test_without_retraining_the_networks_go_on_from_their_state():
    y = monthly()
    model = small().fit(y[:84])
    backtest = {"start": 84, "forecast_horizon": 4, "stride": 4, "last_points_only": False, "retrain": False}
    made = model.historical_forecasts(y, **backtest)
    (expected,) = own(y[:84]).forecasts(table(y.values()[:92, 0]).iloc[84:])
    same_numbers(made[2].values()[:, 0], expected.median)
    errors = model.backtest(y, metric=mae, reduction=None, **backtest)
    same_numbers(errors[2], np.abs(expected.median - y.values()[92:, 0]).mean())
    same_numbers(model.predict(4).values()[:, 0], own(y[:84]).forecasts()[0].median)


def test_a_backtest_judges_the_quantiles():
    losses = small().backtest(
        monthly(),
        start=88,
        forecast_horizon=4,
        stride=4,
        last_points_only=False,
        predict_likelihood_parameters=True,
        metric=mql,
        metric_kwargs={"q": [0.1, 0.5, 0.9]},
    )
    assert np.shape(losses) == (3,) and np.isfinite(losses).all()


def with_promotion(T: int = COVERED, h: int = 3) -> tuple[TimeSeries, TimeSeries]:
    """A series that stands 20 higher where there is a promotion, and the promotions, h steps longer."""
    promotion = (np.random.default_rng(1).random(T + h) < 0.3).astype(float)
    times = pd.date_range("2010-01", periods=T + h, freq="MS")
    y = TimeSeries.from_times_and_values(times[:T], seasonal(T, seed=2) + 20 * promotion[:T])
    return y, TimeSeries.from_times_and_values(times, promotion)


def test_future_covariates_are_known_in_the_future():
    y, promotion = with_promotion()
    model = small(3).fit(y, future_covariates=promotion)
    without, always = (promotion[:COVERED].append_values(np.full((3, 1), value)) for value in (0.0, 1.0))
    more = model.predict(3, future_covariates=always) - model.predict(3, future_covariates=without)
    assert (more.values() > 5).all()


def test_darts_makes_covariates_of_the_times_where_it_is_asked_to():
    y, promotion = with_promotion()

    def promoted(times: pd.DatetimeIndex) -> np.ndarray:
        return promotion.to_series().reindex(times).to_numpy()

    made = small(3, add_encoders={"custom": {"future": [promoted]}}).fit(y).predict(3)
    same_numbers(made.values(), small(3).fit(y, future_covariates=promotion).predict(3).values())


def test_another_series_than_that_of_fit_is_refused():
    y = monthly()
    model = small().fit(y)
    with pytest.raises(gw.InputError, match=r"other values than that of fit: .* retrain=True"):
        model.predict(2, series=y * 2)
    with pytest.raises(gw.InputError, match=r"reaches from 2010-01-01 .* to 2014-02-01 .* give it whole"):
        model.predict(2, series=y[:50])
    with pytest.raises(gw.InputError, match=r"reaches from 2018-01-01 .* give it whole"):
        model.predict(2, series=y.shift(96))
    same_numbers(model.predict(2).values()[:, 0], own(y).forecasts()[0].median[:2])


def test_more_steps_than_are_learned_are_refused():
    with pytest.raises(gw.InputError, match="n is 9, and 4 steps are learned: make the forecaster with horizon=9"):
        small().fit(monthly()).predict(9)


def test_a_series_without_times_and_one_with_missing_values_are_forecast():
    values = seasonal(96)
    values[40] = np.nan
    made = small().fit(TimeSeries.from_values(values)).predict(2)
    assert made.time_index.tolist() == [96, 97] and np.isfinite(made.values()).all()


def test_a_series_too_short_to_learn_from_is_forecast_naively():
    y = monthly(6)
    made = small().fit(y).predict(2).values()
    assert (made >= y.values().min()).all() and (made <= y.values().max()).all()
