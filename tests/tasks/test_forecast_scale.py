"""The scale of a series: it follows the error of the base forecast, by place where places differ."""

import numpy as np
import pytest

from gatework.tasks.forecast_scale import log_variance, place_factors, scales

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
