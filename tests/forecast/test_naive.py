"""Panels with series of which nothing can be learned: the others are forecast, these are answered and named."""

import numpy as np
import pandas as pd
import pytest
from forecast_toys import MONTHS, panel, quick, seasonal, table

import gatework as gw
from gatework import InputError
from gatework.forecast.backtest import backtest
from gatework.forecast.base import Base
from gatework.forecast.data.series import read_panel
from gatework.forecast.naive import Naive, fitting, unsteadiness
from gatework.forecast.rivals import seasonal_naive

NAN = np.nan
LONG = {f"long {k}": seasonal(96, seed=k) for k in range(3)}
ODD = {
    "a year": seasonal(14, seed=7),  # of values that are there, for each name
    "short": np.array([3.0, 9.0, 4.0, 8.0]),
    "single": np.array([5.0]),
    "empty": np.full(4, NAN),
    "constant": np.full(60, 7.0),
    "holes": np.where(np.arange(60) % 12 == 0, 5.0 + np.arange(60), NAN),
}


@pytest.fixture(scope="module")
def fitted() -> gw.Forecaster:
    return quick(12).fit(panel(**LONG, **ODD))


def test_one_odd_series_leaves_the_forecasts_of_the_others_as_they_are(fitted: gw.Forecaster) -> None:
    alone = quick(12).fit(panel(**LONG)).forecasts()
    with_odd = {each.id: each for each in fitted.forecasts()}
    for each in alone:
        np.testing.assert_allclose(with_odd[each.id].quantiles, each.quantiles, rtol=1e-6)


def test_every_series_with_a_value_has_a_forecast_from_its_own_end(fitted: gw.Forecaster) -> None:
    made = fitted.predict()
    assert list(made["unique_id"].unique()) == [*LONG, *(name for name in ODD if name != "empty")]
    assert np.isfinite(made[["forecast", "lo-80", "hi-80"]]).all(axis=None)
    for name, y in (ODD | LONG).items():
        if name != "empty":
            end = int(np.flatnonzero(~np.isnan(y))[-1]) + 1
            assert list(made[made["unique_id"] == name]["ds"]) == list(MONTHS[end : end + 12]), name


def test_what_answers_is_the_naive_forecast_that_the_length_allows(fitted: gw.Forecaster) -> None:
    made = {each.id: each.median for each in fitted.forecasts()}
    np.testing.assert_allclose(made["a year"], ODD["a year"][[2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]])
    np.testing.assert_allclose(made["short"], 6.0)  # jumps: the mean errs less than the last value
    np.testing.assert_allclose(made["single"], 5.0)
    np.testing.assert_allclose(made["constant"], 7.0)


def test_they_are_named_with_what_answers_them(fitted: gw.Forecaster) -> None:
    notes = fitted.notes
    assert any("1 of 9 series ('empty') has no value of y: not forecast" in note for note in notes)
    assert any("4 of 9 series ('a year', 'short', 'single', ...) are too short to learn from" in note for note in notes)
    assert "1 of 9 series ('constant') is constant: forecast by last value" in notes
    ended = next(note for note in notes if "more than 12 steps before 2017-12" in note)
    assert ended.startswith("5 of 9 series ('a year', 'short', 'single', ...) end")


def test_bands_of_a_series_with_few_values_are_as_wide_as_the_others_are_unsteady(fitted: gw.Forecaster) -> None:
    made = {each.id: each.band(80) for each in fitted.forecasts()}
    for name in ("a year", "short", "single", "holes"):
        low, high = made[name]
        assert (high - low > 0.5).all(), name
    low, high = made["constant"]  # of 60 values that never changed
    assert (high - low > 0).all()
    assert (high - low < 0.1).all()


def test_a_band_is_that_of_normal_errors_widened_as_they_are_few() -> None:
    y = np.array([0.0, 2.0, -1.0, 3.0, 1.0])  # changes 2, -3, 4, -2: root of the mean square 2.872
    q = Naive(Base("last value"), "short").quantiles(y, 4, (0.1, 0.5, 0.9), unsteady=9.0)
    student = 1.638  # t of 3 degrees of freedom at 0.9
    width = np.sqrt(33 / 4) * np.sqrt(1.25) * student
    np.testing.assert_allclose(q[:, 2] - q[:, 1], width * np.sqrt([1, 2, 3, 4]), rtol=0.02)
    np.testing.assert_allclose(q[:, 1] - q[:, 0], q[:, 2] - q[:, 1])
    np.testing.assert_allclose(q[:, 1], 1.0)


def test_counts_are_not_answered_below_zero() -> None:
    q = Naive(Base("last value"), "short").quantiles(np.array([0.0, 3.0, 1.0, 0.0]), 3, (0.1, 0.5, 0.9), 1.0)
    assert (q >= 0).all()
    assert (q[:, 0] == 0).all()


def test_unsteadiness_is_the_median_share_of_a_value_that_it_changes_by() -> None:
    series = [read_panel(table(y)).series[0] for y in (np.tile([9.0, 11.0], 20), np.tile([5.0, 15.0], 20), np.ones(9))]
    assert unsteadiness(series) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("y", "season", "base"),
    [
        (np.arange(12.0), 12, Base("seasonal naive", 12)),
        (np.arange(11.0), 12, Base("last value")),
        (np.array([3.0, 9.0, 4.0, 8.0]), 12, Base("mean")),
        (np.array([3.0, 9.0, 4.0]), 1, Base("last value")),
        (np.array([5.0]), 1, Base("last value")),
    ],
)
def test_the_naive_that_fits(y: np.ndarray, season: int, base: Base) -> None:
    assert fitting(y, season) == base


STRICT = {
    "empty": "the series 'empty' has no value of y: expected some, or leave it out",
    "short": "the series 'short' has 4 values of y: a horizon of 12 needs 20 at least",
    "holes": "the series 'holes' has 5 values of y: a horizon of 12 needs 20 at least",
    "constant": "the series 'constant' is constant, y = 7 in all 60 rows: expected values that change",
}


@pytest.mark.parametrize("name", STRICT)
def test_strict_refuses_a_series_that_cannot_be_learned_from(name: str) -> None:
    given = panel(**LONG, **{name: ODD[name]})
    with pytest.raises(InputError, match=STRICT[name]):
        quick(12, strict=True).fit(given)
    quick(12, strict=True).fit(panel(**LONG))


def test_where_all_are_short_there_is_nothing_to_learn() -> None:
    with pytest.raises(InputError, match="the series 'b' has 14 values of y: a horizon of 12 needs 20 at least"):
        quick(12).fit(panel(a=seasonal(5), b=seasonal(14), c=seasonal(9)))


def test_where_all_that_are_long_enough_are_constant_there_is_nothing_to_learn() -> None:
    with pytest.raises(InputError, match="'b' is constant"):
        quick(12).fit(panel(a=seasonal(5), b=np.full(60, 2.0)))


def test_a_run_keeps_what_answers_them(fitted: gw.Forecaster, tmp_path) -> None:
    fitted.save(tmp_path / "run")
    loaded = gw.Forecaster.load(tmp_path / "run")
    fitted.predict()
    pd.testing.assert_frame_equal(loaded.predict(), fitted.predict())
    assert loaded.notes == fitted.notes


def later(T: int, steps: int, name: str, y: object = NAN, **columns: object) -> pd.DataFrame:
    return pd.DataFrame({"ds": MONTHS[T : T + steps], "y": y, "unique_id": name, **columns})


def test_new_rows_of_an_odd_series_move_its_forecast(fitted: gw.Forecaster) -> None:
    made = fitted.predict(pd.concat([later(4, 1, "short", 5.0), later(10, 2, "empty", [4.0, 6.0])]))
    first = made.groupby("unique_id").first()
    assert first.loc["short", "ds"] == MONTHS[5]
    assert first.loc["short", "forecast"] == pytest.approx(5.8)
    assert (first.loc["empty", "ds"], first.loc["empty", "forecast"]) == (MONTHS[12], 6.0)
    assert len(fitted.predict()) == len(made) - 12


def test_a_plan_that_covers_an_empty_series_is_taken(fitted: gw.Forecaster) -> None:
    made = fitted.predict(pd.concat([later(96, 12, "empty"), later(96, 12, "long 0")]))
    assert set(made["unique_id"]) == {*LONG, *ODD} - {"empty"}


def test_only_what_was_learned_from_needs_the_future_of_known_columns() -> None:
    given = pd.concat([panel(**LONG, short=ODD["short"], ended=seasonal(60)).assign(price=1.0)])
    given["price"] = np.arange(len(given)) % 3
    fitted = quick(12, known="price").fit(given)
    plan = pd.concat([later(96, 12, name, price=1.0) for name in LONG])
    made = fitted.predict(plan)
    assert set(made["unique_id"]) == {*LONG, "short", "ended"}
    assert any("('ended') is without price for the steps ahead, having ended before" in note for note in fitted.notes)
    with pytest.raises(InputError, match="price of the series 'long 2' is missing at 2018-01, step 1"):
        fitted.predict(plan[plan["unique_id"] != "long 2"])


def test_a_backtest_leaves_out_what_is_too_short_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    # models of statsforecast on such series: tests/forecast/test_rivals.py
    monkeypatch.setattr("gatework.forecast.backtest.rivals", lambda: {"seasonal naive": seasonal_naive})
    found = quick(6)
    scores = found.backtest(panel(**LONG, **ODD), 2)
    assert np.isfinite(scores["mase"]).all()
    assert any(
        "3 of 8 series ('a year', 'short', 'single') are left out, with fewer than the 26" in n for n in found.notes
    )
    assert any(note.startswith("last window: base forecasts") for note in found.notes)
    judged = {score.id for score in backtest(quick(6), read_panel(panel(**LONG, **ODD)), 1, beside={}).scores}
    assert judged == {*LONG, "constant", "holes"}


def test_a_strict_backtest_refuses_what_is_too_short() -> None:
    with pytest.raises(InputError, match="the series 'short' has 4 rows: 2 windows"):
        quick(6, strict=True).backtest(panel(**LONG, short=ODD["short"]), 2)
