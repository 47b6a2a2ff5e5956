"""Seasons: found where they are, and not where noise of any colour could look like one."""

import numpy as np
import pytest

from gatework.tasks.forecast_seasons import found_seasons, normal_of_f, profile

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
    found = [found_seasons(noise(kind, seed))[1] for seed in range(40)]
    assert sum(map(len, found)) <= 4  # a chance of about 1 in 30


def test_what_sells_once_a_year_has_a_season_of_12_alone() -> None:
    random, t = np.random.default_rng(0), np.arange(108)
    sold = np.array((9, 0, 1, 0, 0, 1, 0, 2, 8, 60, 700, 4100))[t % 12] * 1.03 ** (t // 12)
    assert found_seasons(np.round(sold * random.uniform(0.9, 1.1, 108)), (12,)) == ((12,), (12,))


@pytest.mark.parametrize("m", [4, 7, 12, 24])
def test_any_pattern_under_noise_is_found(m: int) -> None:
    random = np.random.default_rng(m)
    y = 2 * random.normal(size=m)[np.arange(240) % m] + 0.1 * np.arange(240) + random.normal(size=240)
    assert found_seasons(y)[1][0] == m


def test_a_day_within_a_week_comes_with_the_week() -> None:
    t = np.arange(24 * 7 * 6)
    y = 3 * np.sin(2 * np.pi * t / 24) - 4 * (t // 24 % 7 >= 5) + np.random.default_rng(0).normal(size=len(t))
    assert set(found_seasons(y)[1]) == {24, 168}


def test_a_cycle_whose_length_varies_is_a_season() -> None:
    random = np.random.default_rng(3)
    angle = np.cumsum(2 * np.pi / 11 * (1 + 0.15 * random.normal(size=300)))
    (found,) = found_seasons(np.sin(angle) + 0.1 * random.normal(size=300))[1]
    assert 10 <= found <= 12


def test_usual_seasons_are_tried_where_two_of_them_fit() -> None:
    y = np.random.default_rng(0).normal(size=30)
    assert found_seasons(y, (12, 52)) == ((12,), ())
    assert found_seasons(np.arange(8.0)) == ((), ())


def test_a_profile_is_the_mean_at_each_place() -> None:
    pattern = np.tile([1.0, -3.0, 2.0, 0.0], 6)
    np.testing.assert_allclose(profile((5 + 0.3 * np.arange(24) + pattern)[None], 4)[0], pattern)


@pytest.mark.parametrize(("f", "a", "b", "p"), [(2.165, 12, 30, 1.96), (3.32, 9, 10, 1.733), (1.0, 20, 20, 0.0)])
def test_the_f_distribution_by_its_cube_root(f: float, a: int, b: int, p: float) -> None:
    assert normal_of_f(f, a, b) == pytest.approx(p, abs=0.25)
