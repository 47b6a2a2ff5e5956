"""Values far beyond all others: which they are, what is said of them, and that they move no forecast."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from forecast_toys import MONTHS, panel, quick, seasonal, table

import gatework as gw
from gatework import InputError
from gatework.forecast.backtest import backtest
from gatework.forecast.data.series import read_panel
from gatework.forecast.outliers import outliers, without_outliers

NAN = np.nan
WRONG = (-1e6, 1e6, -9999.0, 5000.0, -1e9, 1e12)
SEASON = 60.0  # from the lowest month to the highest


def near_130(T: int = 60, seed: int = 0) -> np.ndarray:
    """Sales near 130 with a season, a slope and noise."""
    t, random = np.arange(T), np.random.default_rng(seed)
    return np.round(130 + 0.2 * t + SEASON / 2 * np.sin(2 * np.pi * t / 12) + 3 * random.normal(size=T), 1)


def put(y: np.ndarray, row: int, value: float) -> np.ndarray:
    changed = y.copy()
    changed[row] = value
    return changed


@pytest.mark.parametrize("value", WRONG)
def test_one_wrong_value_is_seen_wherever_it_stands(value: float) -> None:
    y = near_130()
    assert all(outliers(put(y, row, value)).tolist() == [row] for row in range(len(y)))


@pytest.mark.parametrize("row", [0, 1, 20, 48, 58, 59])
def test_what_a_wrong_value_is_makes_no_difference_to_forecast_or_band(row: int) -> None:
    values = WRONG if row in (0, 59) else (*WRONG, NAN)  # a table neither begins nor ends with nothing
    made = [quick().fit(table(put(near_130(), row, value))).forecasts()[0].quantiles for value in values]
    for each in made[1:]:
        assert np.array_equal(each, made[0])


@pytest.fixture(scope="module")
def right() -> Any:
    return quick().fit(table(near_130())).forecasts()[0]


@pytest.mark.parametrize("row", range(60))
def test_a_wrong_value_moves_the_forecast_by_less_than_a_tenth_of_the_season(row: int, right: Any) -> None:
    (wrong,) = quick().fit(table(put(near_130(), row, -1e6))).forecasts()
    assert np.abs(right.median - wrong.median).max() < SEASON / 10
    width, changed = (np.mean(each.band(80)[1] - each.band(80)[0]) for each in (right, wrong))
    assert changed == pytest.approx(width, rel=0.4)  # that a value is missing changes which base is chosen


SENTINELS = {
    "-999 beside hundreds": (-999.0, [5]),
    "-9999 several times": (-9999.0, [3, 17, 18, 44]),
    "1e6 several times": (1e6, [10, 11, 30]),
    "999999 at the end": (999999.0, [58, 59]),
    "-99 where nothing is below 0": (-99.0, [7]),
}


@pytest.mark.parametrize("case", SENTINELS)
def test_sentinels_are_named_with_their_times_and_rows(case: str) -> None:
    value, rows = SENTINELS[case]
    y = near_130()
    y[rows] = value
    assert outliers(y).tolist() == rows
    fitted = quick().fit(table(y))
    (note,) = [each for each in fitted.notes if "far beyond all others of y" in each]
    for row in rows:
        assert f"{value:.10g} at {MONTHS[row]:%Y-%m} (row {row + 1})" in note
    assert "outliers='keep'" in note


def test_both_kinds_of_wrong_values_are_seen_at_once() -> None:
    y = near_130()
    y[[4, 40]] = -999
    y[20] = 1e7
    assert outliers(y).tolist() == [4, 20, 40]


RANDOM = np.random.default_rng(1)
T = np.arange(240)
GENUINE = {
    "noise": RANDOM.normal(size=240),
    "heavy tails": RANDOM.standard_t(4, size=240),
    "a walk": RANDOM.normal(size=240).cumsum(),
    "growth": np.exp(0.05 * T + 0.1 * RANDOM.normal(size=240)),
    "sizes that differ by factors": np.exp(2 * RANDOM.normal(size=240)),
    "counts": RANDOM.poisson(0.3, 240).astype(float),
    "rare demand": (RANDOM.random(240) < 0.2) * RANDOM.geometric(0.2, 240).astype(float),
    "trees": np.where(T % 12 == 11, 4100.0, 5 + RANDOM.poisson(3, 240)),
    "a new level": np.where(T < 230, 100.0, 5000.0) + RANDOM.normal(size=240),
    "one change of a constant": np.where(T < 239, 5.0, 9.0),
    "a spike twice": 10 + RANDOM.normal(size=240) + 80 * np.isin(T, (50, 170)),
    "temperatures that pass -99 and 999": RANDOM.uniform(-150, 1500, 240).round(),
}


@pytest.mark.parametrize("name", GENUINE)
def test_what_a_series_may_well_be_is_trusted(name: str) -> None:
    assert outliers(GENUINE[name]).tolist() == []


def test_too_few_values_are_not_judged() -> None:
    assert outliers(put(near_130(12), 3, -1e6)).tolist() == []
    assert outliers(np.full(40, NAN)).tolist() == outliers(np.zeros(0)).tolist() == []


def test_missing_values_stay_so_and_rows_count_them() -> None:
    y = near_130()
    y[[2, 3, 10]] = NAN
    y[20] = 1e6
    (mended,) = without_outliers(read_panel(table(y))).series
    assert np.flatnonzero(np.isnan(mended.y)).tolist() == [2, 3, 10, 20]


def test_keep_trusts_them() -> None:
    y = put(near_130(), 20, -1e6)
    kept = quick(outliers="keep").fit(table(y))
    assert not any("far beyond" in note for note in kept.notes)
    assert kept.fitted.panel.series[0].y[20] == -1e6
    for wrong in ("mend", None, 1, ["keep"]):
        with pytest.raises(InputError, match=r'outliers is .*; expected "missing", or "keep"'):
            quick(outliers=wrong)


def test_those_of_a_panel_are_named_with_their_series() -> None:
    fitted = quick().fit(panel(a=near_130(), b=put(near_130(seed=1), 33, -9999)))
    assert any("-9999 at 2012-10 (row 34 of 'b')" in note for note in fitted.notes)
    assert fitted.fitted.panel.series[0].y.tolist() == near_130().tolist()


def test_new_rows_are_judged_beside_the_old_ones() -> None:
    y = near_130(64)
    fitted = quick().fit(table(y[:60]))
    plain = fitted.predict(table(np.where(np.arange(64) == 61, NAN, y)).iloc[60:])
    pd.testing.assert_frame_equal(fitted.predict(table(put(y, 61, 1e6)).iloc[60:]), plain)
    assert any("1000000 at 2015-02" in note for note in fitted.notes)


def test_a_table_that_is_given_again_is_not_said_to_have_changed() -> None:
    given = table(put(near_130(), 20, -999))
    fitted = quick().fit(given)
    plain = fitted.predict()
    pd.testing.assert_frame_equal(fitted.predict(given), plain)
    assert not any("anew" in note for note in fitted.notes)
    assert sum("far beyond" in note for note in fitted.notes) == 1


def test_a_run_keeps_what_was_chosen_and_one_without_the_choice_trusts_all(tmp_path: Path) -> None:
    fitted = quick().fit(table(put(near_130(), 20, -999)))
    fitted.save(tmp_path / "run")
    loaded = gw.Forecaster.load(tmp_path / "run")
    assert loaded.outliers == "missing"
    pd.testing.assert_frame_equal(loaded.predict(), fitted.predict())
    path = tmp_path / "run" / "run.json"
    path.write_text(path.read_text().replace('"outliers": "missing",', ""))
    assert gw.Forecaster.load(tmp_path / "run").outliers == "keep"


def test_a_backtest_is_not_scaled_by_them() -> None:
    y = near_130(96)
    right, wrong = (
        backtest(quick(6), read_panel(table(each)), 2, beside={}, scaled_by=12) for each in (y, put(y, 30, -1e6))
    )
    for one, other in zip(right.scores, wrong.scores, strict=True):
        assert other.mase == pytest.approx(one.mase, rel=0.5)
    assert any("-1000000 at" in line for line in wrong.lines())


def test_seasons_are_seen_as_before() -> None:
    assert quick().fit(table(put(seasonal(), 40, 1e6))).plans["y"].season == 12
