"""Autoregressions at every origin: their equations, the past alone, and series that they suit."""

import numpy as np
import pytest

from gatework.forecast import autoregression as module
from gatework.forecast.autoregression import FADING, RIDGE, autoregression, first_origin
from gatework.forecast.base import Base, candidates, demand, grid, medians
from gatework.forecast.plan import intermittent, plan

CASES = [(1, 2, 0), (1, 2, 1), (6, 1, 0), (6, 2, 1)]  # m, order, differences


def by_hand(z: np.ndarray, h: int, m: int, order: int, differences: int) -> list[float]:
    """The forecast from the last value, step by step."""
    u = z[m:] - z[:-m] if m > 1 else z - z[0]
    w = np.diff(u) if differences else u
    looked = sorted({*range(1, order + 1), *([m] if m > 1 else [])})
    back = max(looked)
    x = np.array([[*(w[t - lag] for lag in looked), float(not (differences and m > 1))] for t in range(back, len(w))])
    weights = FADING ** np.arange(len(x))[::-1]
    squares = x.T @ (weights[:, None] * x)
    squares += RIDGE / weights.sum() * np.diag(np.diag(squares))
    if not squares[-1, -1]:
        squares[-1, -1] = 1
    c = np.linalg.solve(squares, x.T @ (weights * w[back:]))
    path, level, f = list(w), u[-1], []
    for k in range(h):
        value = float(np.clip(sum(a * path[-lag] for a, lag in zip(c, looked, strict=False)) + c[-1], w.min(), w.max()))
        path.append(value)
        level = level + value if differences else value
        f.append(level + ((z[len(z) + k - m] if k < m else f[k - m]) if m > 1 else z[0]))
    return f


@pytest.mark.parametrize(("m", "order", "differences"), CASES)
def test_a_forecast_follows_the_equations(m: int, order: int, differences: int) -> None:
    z = 50 + np.random.default_rng(0).normal(size=60).cumsum() + 3 * np.sin(np.arange(60) * 2 * np.pi / 6)
    f = autoregression(z, 8, m, order, differences)
    first = first_origin(order, differences, m)
    assert np.isnan(f[:first]).all()
    assert np.isfinite(f[first:]).all()
    for t in (first, 45, 59):
        assert f[t].tolist() == pytest.approx(by_hand(z[: t + 1], 8, m, order, differences)), t


def test_the_base_is_naive_until_the_autoregression_begins() -> None:
    z = np.random.default_rng(0).normal(size=60).cumsum()
    for m, naive in ((1, Base("last value")), (6, Base("seasonal naive", 6))):
        f, first = Base("autoregression", m, (2, 1)).forecasts(z, 4), first_origin(2, 1, m)
        assert np.array_equal(f[:first], naive.forecasts(z, 4)[:first], equal_nan=True)
        assert np.array_equal(f[first:], autoregression(z, 4, m, 2, 1)[first:])


@pytest.mark.parametrize(("m", "order", "differences"), CASES)
def test_several_series_at_once_are_as_each_alone(
    m: int, order: int, differences: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    z = np.random.default_rng(1).normal(size=(3, 50)).cumsum(1)
    together = autoregression(z, 4, m, order, differences)
    monkeypatch.setattr(module, "TOGETHER", 1)
    assert np.allclose(autoregression(z, 4, m, order, differences), together, equal_nan=True)
    assert np.allclose(together[1], autoregression(z[1], 4, m, order, differences), equal_nan=True)


def test_a_constant_is_forecast_by_itself() -> None:
    for m, order, differences in CASES:
        assert autoregression(np.full(60, 7.0), 3, m, order, differences)[-1].tolist() == pytest.approx([7] * 3)


def test_nothing_is_forecast_that_explodes() -> None:
    z = 1.2 ** np.arange(60)
    assert autoregression(z, 30, 1, 2, 0)[-1].max() <= z.max() + 1e-6


def test_a_cycle_of_varying_length_is_forecast_by_an_autoregression() -> None:
    e, x = np.random.default_rng(0).normal(size=150), np.zeros(150)
    for t in range(2, 150):
        x[t] = 1.6 * x[t - 1] - 0.9 * x[t - 2] + e[t]
    assert "autoregression" in {each.kind for each in plan(x, 6, 1).base}


def test_no_autoregression_is_tried_where_a_series_is_too_short_for_it() -> None:
    assert grid(Base("autoregression", 12), 40) == []
    assert Base("autoregression", 12) not in candidates(40, [12])
    assert Base("autoregression", 12) in candidates(120, [12])


def test_demand_is_its_size_times_how_often_it_comes() -> None:
    z = np.array([0.0, 4.0, 0.0, 0.0, 6.0])
    size, often, expected = 4.0, 1 / 2, []
    for value in z:
        size += 0.2 * (value > 0) * (value - size)
        often += 0.1 * ((value > 0) - often)
        expected.append(size * often)
    expected[0] = 0.0  # before the first demand
    assert demand(z, 0.2, 0.1).tolist() == pytest.approx(expected)
    assert demand(np.stack([z, z[::-1]]), 0.2, 0.1)[0].tolist() == pytest.approx(expected)


def test_the_median_is_that_of_all_values_so_far() -> None:
    z = np.array([[3.0, 1.0, 2.0, 9.0], [0.0, 0.0, 5.0, 5.0]])
    assert medians(z).tolist() == [[3, 2, 2, 2.5], [0, 0, 0, 2.5]]


def test_demand_that_often_does_not_come_is_forecast_as_such() -> None:
    random = np.random.default_rng(0)
    y = (random.random(150) < 0.35) * random.geometric(0.3, 150).astype(float)
    assert intermittent(y)
    assert {each.kind for each in plan(y, 6, 1).base} <= {"median", "intermittent demand"}
    assert not intermittent(y - 1)
    assert not intermittent(np.where(np.arange(10) < 2, 0.0, 4.0))
