"""The scale of a series: it follows the error of the base forecast, by place where places differ."""

import math

import numpy as np
import pytest

from gatework.forecast.scale import (
    DOUBT,
    LEAST,
    errors_behind,
    log_variance,
    place_factors,
    recent,
    scales,
    shrunk,
)

RANDOM = np.random.default_rng(0)


def last_values(y: np.ndarray, h: int = 3) -> np.ndarray:
    return np.repeat(y[:, None], h, axis=1)


@pytest.mark.parametrize("season", [1, 6])
def test_the_scale_follows_the_error_and_never_looks_ahead(season: int) -> None:
    y = np.cumsum(RANDOM.normal(size=60))
    later = y.copy()
    later[50:] += 30
    for before, after in zip(scales(y, last_values(y), season), scales(later, last_values(later), season), strict=True):
        assert np.array_equal(before[:50], after[:50])
    for small, large in zip(
        scales(y, last_values(y), season), scales(10 * y, last_values(10 * y), season), strict=True
    ):
        assert large == pytest.approx(10 * small)


def test_without_a_season_all_steps_ahead_have_one_scale() -> None:
    y = RANDOM.normal(size=40)
    scale, ahead = scales(y, last_values(y), 1)
    assert np.array_equal(ahead, np.repeat(scale[:, None], 3, axis=1))


def test_places_that_err_more_have_a_larger_scale() -> None:
    deviation = np.tile([10.0, 0.1, 1.0, 1.0], 12)
    y = deviation * RANDOM.normal(size=48)
    _, ahead = scales(y, np.zeros((48, 4)), 4)
    assert ahead[-1, 0] > 20 * ahead[-1, 1]  # the next step is at the first place
    assert np.abs(y).mean() == pytest.approx(ahead[-1].mean(), rel=0.5)


def test_places_that_differ_by_chance_alone_have_one_scale() -> None:
    factors = [place_factors(np.abs(np.random.default_rng(seed).normal(size=96)), 12)[-1] for seed in range(20)]
    assert np.mean([(f == 1).all() for f in factors]) > 0.8
    assert np.std(factors) < 0.1


def test_the_factors_of_each_season_know_those_before_it() -> None:
    e = np.array([1.0, 9, 1, 9, 1, 9, np.nan, 9, 1, 9])
    factors = place_factors(e, 2)
    assert factors.shape == (6, 2)
    assert (factors[0] == 1).all()
    assert factors.mean(1) == pytest.approx(np.ones(6))
    assert np.array_equal(factors[:4], place_factors(e[:6], 2))


def test_the_variance_of_the_logarithm_is_that_of_normal_values() -> None:
    for n in (1, 4, 16):
        drawn = np.log(np.abs(RANDOM.normal(size=(20_000, n))).mean(1))
        assert log_variance(np.array([n]))[0] == pytest.approx(drawn.var(), rel=0.15)


def test_errors_behind_are_the_mean_over_the_horizon_of_what_was_said_of_a_step() -> None:
    y = np.array([1.0, 4, 2, np.nan, 7])
    base = np.array([[2.0, 3], [4, 6], [1, 5], [0, 0], [9, 9]])
    expected = [np.nan, 2, (2 + 1) / 2, np.nan, (7 + 2) / 2]  # of step 4: |7 - 0| from step 3, |7 - 5| from step 2
    np.testing.assert_array_equal(errors_behind(y, base), expected)


def test_a_scale_is_half_the_mean_of_all_errors_so_far_and_half_that_of_late() -> None:
    e = np.array([2.0, 4.0, np.nan, 10.0])
    start = 16 / 3  # worth four errors
    slow = [(4 * start + 2) / 5, (4 * start + 6) / 6, (4 * start + 16) / 7]
    fast = [0.95 * start + 0.05 * 2]
    fast += [0.95 * fast[0] + 0.05 * 4]
    fast += [0.95 * fast[1] + 0.05 * 10]
    at = [0, 1, 1, 2]  # a missing error changes nothing
    assert recent(e) == pytest.approx([(slow[k] + fast[k]) / 2 for k in at])


def test_a_scale_starts_at_its_first_eight_errors_and_never_vanishes() -> None:
    assert recent(np.array([1.0] * 8 + [1000.0]))[:8] == pytest.approx(np.ones(8))
    assert recent(np.array([np.nan, 1.0])) == pytest.approx([1, 1])
    assert recent(np.zeros(3)).tolist() == recent(np.full(3, np.nan)).tolist() == [1, 1, 1]
    late = np.array([0.0] * 8 + [9.0])
    assert recent(late)[:8] == pytest.approx(np.full(8, LEAST))  # a thousandth of the mean error, 1


def test_places_differ_by_their_logarithms_less_what_chance_makes_of_them() -> None:
    mean, count = np.array([1.0, 2.0, 8.0, 0.0]), np.array([50, 50, 50, 0])
    logs = np.log(mean[:3]) - np.log(mean[:3]).mean()
    left = 1 - DOUBT * log_variance(np.array([50.0]))[0] / logs.var(ddof=1)
    factors = np.array([*np.exp(logs * left), 1.0])
    assert 0 < left < 1
    assert shrunk(mean[None], count[None])[0] == pytest.approx(factors / factors.mean())


def test_places_that_cannot_be_told_apart_have_no_factors() -> None:
    for mean, count in (([3.0, 0.0], [5, 0]), ([0.0, 0.0], [5, 5]), ([2.0, 2.0], [9, 9]), ([0.0, 0.0], [0, 0])):
        assert shrunk(np.array([mean]), np.array([count])).tolist() == [[1, 1]]


def test_a_place_without_any_error_is_a_thousandth_of_the_mean_at_least() -> None:
    (factors,) = shrunk(np.array([[0.0, 1.0, 1.0]]), np.array([[10**9] * 3]))
    assert factors[1] / factors[0] == pytest.approx(1 / (LEAST * 2 / 3), rel=1e-4)


def test_steps_ahead_have_the_factor_of_their_place_in_the_season() -> None:
    y, season = np.tile([10.0, 0.1, 1.0], 20) * np.tile([1.0, -1.0], 30), 3
    scale, ahead = scales(y, np.zeros((60, 4)), season)
    factors = place_factors(errors_behind(y, np.zeros((60, 4))), season)
    for t in (1, 30, 58):
        seen = factors[(t + 1) // season]  # whole seasons up to t
        assert ahead[t] == pytest.approx(scale[t] * seen[[(t + k) % season for k in range(1, 5)]])


def test_the_variance_of_the_logarithm_is_exact_for_one_value_and_for_many() -> None:
    assert log_variance(np.array([1.0]))[0] == pytest.approx(math.pi**2 / 8)  # of log |x|
    assert 1e9 * log_variance(np.array([1e9]))[0] == pytest.approx(math.pi / 2 - 1)  # (deviation / mean)^2 of |x|
