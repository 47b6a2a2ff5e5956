"""gatework as estimators of sktime: its own checks, and the numbers of the Forecaster and the SequenceClassifier."""

import numpy as np
import pandas as pd
import pytest
import torch
from forecast_toys import quick, seasonal, table
from sktime.utils.estimator_checks import check_estimator

import gatework as gw
from gatework.adapters.sktime import GateworkClassifier, GateworkForecaster
from numerics import same

SMALL = {"steps": 5, "members": 2, "hidden": 4}


def same_numbers(actual: object, expected: object) -> None:
    same(torch.tensor(np.asarray(actual)), torch.tensor(np.asarray(expected)))


def monthly(T: int = 96, seed: int = 0) -> pd.Series:
    return pd.Series(seasonal(T, seed=seed), pd.period_range("2010-01", periods=T, freq="M"), name="sales")


def own(y: pd.Series, h: int = 3, **options: object) -> gw.Forecaster:
    """gatework's own forecaster, fitted to the same values."""
    return quick(h, season=12, **options).fit(table(y.to_numpy()))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # sktime's own, of what it will change
@pytest.mark.parametrize("estimator", [GateworkForecaster, GateworkClassifier])
def test_sktimes_checks_all_pass(estimator: type):
    results = check_estimator(estimator, verbose=False)
    assert {name: error for name, error in results.items() if error != "PASSED"} == {}
    assert len(results) > 200


def test_a_forecast_is_that_of_the_forecaster():
    y = monthly()
    forecaster = GateworkForecaster(season=12, **SMALL).fit(y, fh=[1, 3])
    made = forecaster.predict()
    assert made.index.equals(pd.PeriodIndex(["2018-01", "2018-03"], freq="M")) and made.name == "sales"
    (expected,) = own(y).forecasts()
    same_numbers(made.to_numpy(), expected.median[[0, 2]])


def test_learned_quantiles_are_those_of_the_forecaster_and_others_lie_between():
    y = monthly()
    forecaster = GateworkForecaster(season=12, **SMALL).fit(y, fh=[1, 2, 3])
    made = forecaster.predict_quantiles(alpha=[0.1, 0.15, 0.2])
    (expected,) = own(y).forecasts()
    same_numbers(made[("sales", 0.1)].to_numpy(), expected.at(0.1))
    assert (made[("sales", 0.1)] < made[("sales", 0.15)]).all() and (made[("sales", 0.15)] < made[("sales", 0.2)]).all()
    with pytest.raises(gw.InputError, match=r"the quantile 0.001 lies beyond .* 0.025 to 0.975: .* band of 99.8 %"):
        forecaster.predict_quantiles(alpha=0.001)


def test_new_values_move_the_forecast_without_learning():
    y = monthly()
    forecaster = GateworkForecaster(season=12, **SMALL).fit(y.iloc[:90], fh=[1, 2, 3])
    forecaster.update(y.iloc[90:], update_params=False)
    (expected,) = own(y.iloc[:90]).forecasts(table(y.to_numpy()).iloc[90:])
    same_numbers(forecaster.predict().to_numpy(), expected.median)
    assert forecaster.predict().index[0] == pd.Period("2018-01", "M")


def test_an_update_that_learns_is_a_fit_to_all_values():
    y = monthly()
    forecaster = GateworkForecaster(season=12, **SMALL).fit(y.iloc[:90], fh=[1, 2, 3])
    forecaster.update(y.iloc[90:], update_params=True)
    same_numbers(forecaster.predict().to_numpy(), own(y).forecasts()[0].median)


def test_one_network_learns_from_all_of_a_panel_and_answers_each_of_it_in_order():
    series = {f"shop {number}": monthly(seed=number) for number in range(11)}  # as texts, 10 comes before 2
    y = pd.concat({name: one.to_timestamp().to_frame() for name, one in series.items()})
    made = GateworkForecaster(season=12, **SMALL).fit(y, fh=[2]).predict()
    long = pd.concat([table(one.to_numpy()).assign(unique_id=name) for name, one in series.items()])
    expected = {each.id: each.median[1] for each in quick(2, season=12).fit(long).forecasts()}
    assert {name: float(made.loc[name].iloc[0, 0]) for name in series}.keys() == expected.keys()
    for name, value in expected.items():
        assert abs(made.loc[name].iloc[0, 0] - value) < 0.05 * value  # the order of series draws other origins


def test_columns_beside_are_known_in_the_future():
    T, h = 120, 3
    promotion = (np.random.default_rng(1).random(T + h) < 0.3).astype(float)
    y = monthly(T, seed=2) + 20 * promotion[:T]
    times = pd.period_range("2010-01", periods=T + h, freq="M")
    X = pd.DataFrame({"promotion": promotion}, times)
    forecaster = GateworkForecaster(season=12, **SMALL).fit(y, X=X.iloc[:T], fh=[1, 2, 3])
    without = forecaster.predict(X=X.iloc[T:] * 0)
    assert (forecaster.predict(X=X.iloc[T:] * 0 + 1) > without + 5).all()


def test_a_series_that_ended_before_the_others_is_forecast_at_their_times():
    ended, other = monthly(90), monthly(92, seed=1)
    y = pd.concat({name: one.to_frame() for name, one in {"a": ended, "b": other}.items()})
    made = GateworkForecaster(season=12, **SMALL).fit(y, fh=[1, 2]).predict()
    assert made.loc["a"].index.equals(pd.PeriodIndex(["2017-09", "2017-10"], freq="M"))
    long = pd.concat([table(one.to_numpy()).assign(unique_id=name) for name, one in {"a": ended, "b": other}.items()])
    expected = {each.id: each for each in quick(4, season=12).fit(long).forecasts()}
    same_numbers(made.loc["a"].iloc[:, 0], expected["a"].median[2:])
    same_numbers(made.loc["b"].iloc[:, 0], expected["b"].median[:2])


def test_series_too_short_to_learn_from_are_forecast_naively_and_it_is_said():
    y = monthly(8)
    with pytest.warns(UserWarning, match="forecast naively"):
        forecaster = GateworkForecaster().fit(y, fh=[1, 2])
    assert forecaster.predict().between(y.min(), y.max()).all()


def waves(N: int = 12, T: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Waves [N,2,T] of two lengths."""
    rng = np.random.default_rng(0)
    y = np.array(["short", "long"] * (N // 2))
    lengths = np.where(y == "short", 4, 10)[:, None, None]
    return np.sin(2 * np.pi * np.arange(T) / lengths + rng.random((N, 2, 1))), y


def test_a_class_is_that_of_the_sequence_classifier():
    X, y = waves()
    options = {"hidden": 4, "epochs": 4, "branch": "none", "random_state": 3}
    made = GateworkClassifier(**options).fit(X, y)
    expected = gw.SequenceClassifier(**options).fit(X.transpose(0, 2, 1), y)
    assert made.classes_.tolist() == ["long", "short"]
    same_numbers(made.predict_proba(X), expected.predict_proba(X.transpose(0, 2, 1)))
    assert made.predict(X).tolist() == expected.predict(X.transpose(0, 2, 1)).tolist()
