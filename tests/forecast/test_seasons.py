"""Seasons: found where they are, and not where noise of any colour could look like one."""

import numpy as np
import pytest

from gatework.forecast.seasons import (
    autoregression,
    detected_seasons,
    detrended,
    filtered,
    normal_of_f,
    profile,
    seasonality,
)

T = 150


def noise(kind: str, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    e = random.standard_t(3, T) if kind == "heavy tails" else random.normal(size=T)
    weights = {"autoregression": (0.9, 0.0), "alternating": (-0.5, 0.0), "second order": (1.2, -0.4)}.get(kind, (0, 0))
    x = e.copy()
    for t in range(2, T):
        x[t] = weights[0] * x[t - 1] + weights[1] * x[t - 2] + e[t]
    return {"walk": e.cumsum(), "counts": random.poisson(0.5, T).astype(float)}.get(kind, x)


@pytest.mark.parametrize(
    "kind", ["white", "heavy tails", "autoregression", "alternating", "second order", "walk", "counts"]
)
def test_noise_has_no_season(kind: str) -> None:
    found = [detected_seasons(noise(kind, seed))[1] for seed in range(40)]
    assert sum(map(len, found)) <= 4  # a chance of about 1 in 30


def test_what_sells_once_a_year_has_a_season_of_12_alone() -> None:
    random, t = np.random.default_rng(0), np.arange(108)
    sold = np.array((9, 0, 1, 0, 0, 1, 0, 2, 8, 60, 700, 4100))[t % 12] * 1.03 ** (t // 12)
    assert detected_seasons(np.round(sold * random.uniform(0.9, 1.1, 108)), (12,)) == ((12,), (12,))


@pytest.mark.parametrize("m", [4, 7, 12, 24])
def test_any_pattern_under_noise_is_found(m: int) -> None:
    random = np.random.default_rng(m)
    y = 2 * random.normal(size=m)[np.arange(240) % m] + 0.1 * np.arange(240) + random.normal(size=240)
    assert detected_seasons(y)[1][0] == m


def test_a_day_within_a_week_comes_with_the_week() -> None:
    t = np.arange(24 * 7 * 6)
    y = 3 * np.sin(2 * np.pi * t / 24) - 4 * (t // 24 % 7 >= 5) + np.random.default_rng(0).normal(size=len(t))
    assert set(detected_seasons(y)[1]) == {24, 168}


def test_a_cycle_whose_length_varies_is_a_season() -> None:
    random = np.random.default_rng(3)
    angle = np.cumsum(2 * np.pi / 11 * (1 + 0.15 * random.normal(size=300)))
    (found,) = detected_seasons(np.sin(angle) + 0.1 * random.normal(size=300))[1]
    assert 10 <= found <= 12


def test_usual_seasons_are_tried_where_two_of_them_fit() -> None:
    y = np.random.default_rng(0).normal(size=30)
    assert detected_seasons(y, (12, 52)) == ((12,), ())
    assert detected_seasons(np.arange(8.0)) == ((), ())


def test_a_profile_is_the_mean_at_each_place() -> None:
    pattern = np.tile([1.0, -3.0, 2.0, 0.0], 6)
    np.testing.assert_allclose(profile((5 + 0.3 * np.arange(24) + pattern)[None], 4)[0], pattern)


def test_a_moving_average_is_centred_over_one_season_of_any_length() -> None:
    z = np.array([[3.0, 1, 4, 1, 5, 9, 2]])
    odd = [1 - 8 / 3, 4 - 6 / 3, 1 - 10 / 3, 5 - 15 / 3, 9 - 16 / 3]
    np.testing.assert_allclose(detrended(z, 3), [odd], atol=1e-12)
    even = [4 - 10 / 4, 1 - 15 / 4, 5 - 18 / 4]  # half of the first value and of the last
    np.testing.assert_allclose(detrended(z, 4), [even])
    np.testing.assert_allclose(detrended(z[:, :5], 4), [even[:1]])
    assert detrended(z[:, :4], 4).shape == (1, 0)


def test_the_correlation_with_a_season_later_is_1_of_a_pattern_and_minus_1_half_a_season_later() -> None:
    pattern = np.tile([3.0, 1.0, -3.0, -1.0], 60)[None]
    assert seasonality(pattern, 4) == pytest.approx(1, abs=0.03)
    assert seasonality(np.tile([1.0, -1.0], 60)[None], 3) == pytest.approx(-1, abs=0.03)
    for z, m in ((pattern[:, :11], 4), (np.ones((1, 50)), 4), (pattern, 1)):
        assert seasonality(z, m).tolist() == [-1]


def test_one_outlier_does_not_hide_a_season() -> None:
    y = np.tile([3.0, 1.0, -3.0, -1.0], 60)
    y[100] = 1e6
    assert seasonality(y[None], 4)[0] > 0.5  # of the outlier and its moving average alone, below 0


def test_an_autoregression_is_found_and_filtered_out() -> None:
    random, x = np.random.default_rng(0), np.zeros(4000)
    e = random.normal(size=4000)
    for t in range(3, 4000):
        x[t] = 0.5 * x[t - 1] - 0.3 * x[t - 2] + 0.2 * x[t - 3] + e[t]
    assert autoregression(x[None])[0] == pytest.approx([0.5, -0.3, 0.2], abs=0.05)
    np.testing.assert_allclose(filtered(x[None], np.array([[0.5, -0.3, 0.2]]))[0], e[3:], atol=1e-12)


@pytest.mark.parametrize(("T", "order"), [(9, 0), (10, 1), (29, 2), (30, 3), (300, 3)])
def test_the_order_of_an_autoregression_is_a_tenth_of_the_values_at_most(T: int, order: int) -> None:
    assert autoregression(np.random.default_rng(0).normal(size=(2, T))).shape == (2, order)
    assert not autoregression(np.zeros((1, T))).any()


@pytest.mark.parametrize(("a", "b"), [(1, 30), (3, 140), (11, 100), (20, 20), (9, 10)])
@pytest.mark.parametrize("f", [0.3, 1.0, 2.2, 4.0])
def test_the_f_distribution_by_its_cube_root(f: float, a: int, b: int) -> None:
    stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    assert normal_of_f(np.array(f), a, b) == pytest.approx(stats.norm.isf(stats.f.sf(f, a, b)), abs=0.05)
