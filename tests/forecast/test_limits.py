"""Bands are kept to what the past can bear, and are never without width."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from forecast_toys import panel, quick, seasonal, table

import gatework as gw
from gatework.forecast.base import Base
from gatework.forecast.limits import BEYOND, NARROWEST, REACH, around_shift, bounded

P = (0.1, 0.5, 0.9)
Y = np.array([4.0, 8.0, 6.0, 10.0, 7.0])
WIDE = np.full(2, 9.0)  # the scale, where it is no bound
LAST = np.repeat(Y[:, None], 2, axis=1)  # surprises: one step 4, 2, 4, 3; two steps 2, 2, 1


def test_no_quantile_lies_farther_from_the_base_than_the_largest_surprise_bears() -> None:
    wild = np.array([[-1e9, 7.0, 1e9], [-1e9, 7.0, 1e9]])
    made = bounded(wild, P, Y, LAST, WIDE, 0)
    low, high = 4 - BEYOND * 6, 10 + BEYOND * 6
    assert made[0].tolist() == pytest.approx([max(low, 7 - REACH * 4), 7, min(high, 7 + REACH * 4)])
    assert made[1].tolist() == made[0].tolist()  # what surprised within one step may within two


def test_a_base_that_goes_on_with_a_trend_takes_its_band_along() -> None:
    y = np.arange(20.0)
    base = y[:, None] + np.array([1.0, 40.0])
    base[:-1, 1] = np.arange(19.0) + 2  # a trend that suddenly is steep
    made = bounded(np.array([[0.0, 20.0, 99.0], [0.0, 59.0, 99.0]]), P, y, base, WIDE, 0)
    assert made[1, 1] == 59
    assert (made[:, 2] - base[-1] <= REACH * 1.0 + 1e-9).all()


def test_a_band_is_never_narrower_than_a_share_of_the_surprises() -> None:
    made = bounded(np.full((2, 3), 7.0), P, Y, LAST, WIDE, 0)
    usual = np.sqrt([(16 + 4 + 16 + 9) / 4, (16 + 4 + 16 + 9) / 4])
    np.testing.assert_allclose(made[:, 2] - made[:, 1], NARROWEST * usual * 1.2815516, rtol=1e-6)
    np.testing.assert_allclose(made[:, 1] - made[:, 0], made[:, 2] - made[:, 1])


def test_where_a_place_of_the_season_has_less_surprise_its_own_is_the_bound() -> None:
    made = bounded(np.full((2, 3), 7.0), P, Y, LAST, np.array([0.5, 9.0]), 0)
    np.testing.assert_allclose(made[0, 2] - made[0, 1], NARROWEST * 0.5 * 1.2815516, rtol=1e-6)
    assert made[1, 2] - made[1, 1] > 4 * (made[0, 2] - made[0, 1])


def test_quantiles_within_reason_stay_as_they_are() -> None:
    inside = np.array([[5.0, 7.0, 9.0], [4.5, 7.0, 9.5]])
    assert bounded(inside, P, Y, LAST, WIDE, 0).tolist() == inside.tolist()


def test_a_series_that_never_surprised_has_a_narrow_band() -> None:
    y = np.tile([1.0, 5.0], 20)
    base = np.stack([np.roll(y, -1), y], 1)
    made = bounded(np.repeat(base[-1][:, None], 3, 1), P, y, base, WIDE, 0)
    assert (np.diff(made, axis=1) > 0).all()
    assert (made[:, 2] - made[:, 0] < 0.1).all()


RANDOM = np.random.default_rng(2)
T = np.arange(72)
SERIES = {
    "constant, then 9": np.where(T < 71, 5.0, 9.0),
    "a pattern without noise": np.tile([1.0, 5.0, 2.0, 8.0], 18),
    "cycles of hares": np.round(np.exp(6 + 1.5 * np.sin(2 * np.pi * T / 9.6) + 0.4 * RANDOM.normal(size=72))),
    "rare demand": (RANDOM.random(72) < 0.3) * RANDOM.geometric(0.3, 72).astype(float),
    "a walk": RANDOM.normal(size=72).cumsum(),
    "growth": np.exp(0.05 * T + 0.1 * RANDOM.normal(size=72)),
    "tiny": 1e-9 * seasonal(72),
    "large": 1e9 * seasonal(72),
}


@pytest.mark.parametrize("name", SERIES)
def test_bands_have_width_quantiles_are_in_order_and_nothing_is_out_of_reach(name: str) -> None:
    y = SERIES[name]
    (made,) = quick(6, levels=(80, 95)).fit(table(y)).forecasts()
    assert (np.diff(made.quantiles, axis=1) >= 0).all()
    low, high = made.band(80)
    assert (high > low).all()
    room = BEYOND * (y.max() - y.min())
    if name != "growth":
        assert made.quantiles.max() <= y.max() + room + 1e-6 * abs(y.max())
        assert made.quantiles.min() >= y.min() - room - 1e-6 * abs(y.max())


def test_a_constant_series_in_a_panel_has_a_band_as_narrow_as_its_own_surprise() -> None:
    made = {each.id: each for each in quick().fit(panel(a=seasonal(), same=np.full(96, 20.0))).forecasts()}
    low, high = made["same"].band(80)
    assert (made["same"].median == 20).all()
    assert (high > low).all()
    other_low, other_high = made["a"].band(80)
    assert (high - low < 0.2 * (other_high - other_low)).all()


def test_a_run_of_before_the_limits_forecasts_without_them(tmp_path: Path) -> None:
    fitted = quick().fit(table(SERIES["constant, then 9"]))
    fitted.save(tmp_path / "run")
    loaded = gw.Forecaster.load(tmp_path / "run")
    pd.testing.assert_frame_equal(loaded.predict(), fitted.predict())
    path = tmp_path / "run" / "run.json"
    path.write_text(path.read_text().replace('"bounded": true', '"bounded": false'))
    assert not gw.Forecaster.load(tmp_path / "run").plans["y"].bounded


@pytest.mark.parametrize("since", [1, 2, 3])
def test_a_level_that_has_just_shifted_is_in_the_band_with_the_one_before(since):
    y = np.where(np.arange(60) < 60 - since, 5.0, 9.0)
    (made,) = gw.Forecaster(6, levels=(80, 95), members=1, steps=5).fit({"y": y}).forecasts()
    for level in (80, 95):
        low, high = made.band(level)
        assert (low <= 5).all()
        assert (high >= 9).all()
    assert ((made.median >= 5) & (made.median <= 9.5)).all()


def test_a_surprise_like_those_before_widens_nothing():
    y = np.tile([4.0, 6.0], 30)
    said, narrow = Base("last value").forecasts(y, 1)[:, 0], np.array([[5.5, 6.0, 6.5], [5.5, 6.0, 6.5]])
    assert np.array_equal(around_shift(narrow, P, y, said, 3), narrow)
    assert not np.array_equal(around_shift(narrow, P, np.append(y, 20.0), np.append(said, 20.0), 3), narrow)


def test_the_peak_of_a_season_that_grows_is_no_shift_of_the_level():
    t = np.arange(96)
    y = np.where(t % 12 == 11, 1000.0 * 1.6 ** (t // 12), 5.0 + t % 3)
    (made,) = gw.Forecaster(6, levels=80, season=12, members=1, steps=5).fit({"y": y}).forecasts()
    assert (made.band(80)[1] < 1000).all()
