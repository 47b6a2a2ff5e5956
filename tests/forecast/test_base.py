"""The simple forecasts under the network, held to values computed by hand, and the choice among them."""

import numpy as np
import pytest

from gatework.forecast import base
from gatework.forecast.base import Base
from gatework.forecast.plan import never_negative, plan, swings_grow

Z = np.array([1.0, 5.0, 2.0, 7.0, 4.0])
NAN = np.nan


def test_the_last_value_stays():
    assert Base("last value").forecasts(Z, 2).tolist() == [[1, 1], [5, 5], [2, 2], [7, 7], [4, 4]]


def test_the_mean_is_that_of_all_values_so_far():
    assert Base("mean").forecasts(Z, 1)[:, 0].tolist() == pytest.approx([1, 3, 8 / 3, 15 / 4, 19 / 5])


def test_drift_goes_on_by_the_mean_slope_so_far():
    f = base.drift(Z, 3, least=2)
    assert np.isnan(f[:2]).all()
    assert f[4].tolist() == pytest.approx([4.75, 5.5, 6.25])


def test_seasonal_naive_repeats_the_last_season_and_sees_nothing_later():
    f = Base("seasonal naive", 2).forecasts(Z, 3)
    assert np.isnan(f[0]).all()
    assert f[1:].tolist() == [[1, 5, 1], [5, 2, 5], [2, 7, 2], [7, 4, 7]]


def test_seasonal_naive_with_drift_adds_the_mean_change_from_season_to_season():
    z = np.array([0.0, 10, 1, 11, 2, 12])
    assert Base("seasonal naive with drift", 2).forecasts(z, 3)[-1].tolist() == pytest.approx([3, 13, 4])


def test_smoothing_follows_its_equations():
    z = np.array([2.0, 4, 6, 8, 10.0])
    f = Base("smoothing", 1, (0.5, 0.0, 0.0)).forecasts(z, 2)
    level = z[:4].mean()
    for value in z:
        level = 0.5 * value + 0.5 * level
    assert f[-1].tolist() == pytest.approx([level, level])


def test_no_forecast_looks_ahead():
    random = np.random.default_rng(0)
    z = random.normal(size=60)
    later = z.copy()
    later[40:] = random.normal(size=20)
    for each in (
        Base("mean"),
        Base("drift"),
        Base("seasonal naive with drift", 6),
        Base("smoothing", 6, (0.3, 0.1, 0.2)),
    ):
        assert np.array_equal(each.forecasts(z, 4)[:40], each.forecasts(later, 4)[:40], equal_nan=True)


def test_missing_values_are_filled_from_the_season_before_or_the_step_before():
    y = np.array([NAN, 1.0, NAN, 3.0, NAN])
    assert base.filled(y, 2).tolist() == [1, 1, 1, 3, 1]


def test_errors_are_missing_where_the_true_value_is():
    e = base.errors(np.array([1.0, NAN, 4.0]), np.zeros((3, 2)))
    np.testing.assert_array_equal(e, [[NAN, 4], [4, NAN], [NAN, NAN]])


def series(name: str, T: int = 150) -> np.ndarray:
    random, t = np.random.default_rng(1), np.arange(T)
    season = 4 * np.sin(2 * np.pi * t / 12)
    noise = random.normal(size=T)
    return {
        "noise": 30 + noise,
        "walk": np.cumsum(noise),
        "slope": t + noise,
        "season": 30 + season + 0.3 * noise,
        "season and slope": 30 + season + 0.5 * t + 0.3 * noise,
    }[name]


CHOICES = {
    "noise": {"mean", "smoothing"},
    "walk": {"last value", "smoothing", "drift"},
    "slope": {"drift", "smoothing"},
    "season": {"seasonal naive", "smoothing"},
    "season and slope": {"seasonal naive with drift", "autoregression"},
}


@pytest.mark.parametrize("name", list(CHOICES))
def test_the_base_suits_the_series(name):
    chosen = plan(series(name), 6, "auto")
    assert {each.kind for each in chosen.base} & CHOICES[name]
    assert (chosen.base[0].season == 12) == name.startswith("season")


def test_of_two_seasons_the_better_one_is_the_base():
    t = np.arange(24 * 7 * 6)
    weekend = t // 24 % 7 >= 5
    y = 10 + 3 * np.sin(2 * np.pi * t / 24) - 6 * weekend + 0.2 * np.random.default_rng(0).normal(size=len(t))
    chosen = plan(y, 24, "auto", (24, 168))
    assert chosen.base[0].season == 168
    assert {chosen.season, chosen.second} == {24, 168}


def test_a_usual_season_that_a_series_has_not_is_none():
    assert plan(series("walk"), 6, "auto", (12,)).season == 1
    assert plan(series("season"), 6, "auto", (12,)).season == 12


@pytest.mark.parametrize(
    ("values", "never"),
    [([0.0, 2.5, 1.0], True), ([3.0, 2.0, 7.0], True), ([0.5, 2.5, 1.0], False), ([0.0, -1.0, 2.0], False)],
)
def test_counts_and_amounts_are_never_negative(values, never):
    assert never_negative(np.array([*values, NAN])) == never


def test_the_logarithm_is_for_swings_that_grow_with_the_level():
    t, noise = np.arange(144), np.random.default_rng(0).normal(size=144)
    assert swings_grow(np.exp(0.02 * t + 0.1 * noise))
    assert not swings_grow(100 + t + noise)
    assert not swings_grow(noise)
