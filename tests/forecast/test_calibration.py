"""From what was learned to quantiles: each step of the way is seen in the forecast."""

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
import torch
from forecast_toys import panel, quick, seasonal, table

import gatework as gw
from gatework.forecast.backtest import BAND, backtest, score
from gatework.forecast.base import Base, filled
from gatework.forecast.calibration import WIDEST, independent_errors, trusted, widths
from gatework.forecast.data.series import read_panel
from gatework.forecast.inputs import LARGEST, Beside, known_ahead, standard
from gatework.forecast.linear import lag_penalty
from gatework.forecast.metrics import coverage
from gatework.forecast.options import DECILES
from gatework.forecast.plan import CLOSE, plan, swings_grow
from gatework.forecast.prediction import residuals
from gatework.forecast.rivals import seasonal_naive
from gatework.forecast.scale import errors_behind, place_factors, recent, scales
from gatework.forecast.seasons import detected_seasons, seasonality
from gatework.forecast.smoothing import smoothings


@pytest.fixture(scope="module")
def fitted() -> gw.Forecaster:
    return quick(6, levels=(80, 95)).fit(panel(one=seasonal(), two=30 + np.random.default_rng(3).normal(size=80)))


def with_changes(fitted: gw.Forecaster, **changes: object) -> gw.Forecaster:
    """The same, some of what it learned being another."""
    made = fitted.unfitted()
    made.model = replace(fitted.fitted, fitted=replace(fitted.fitted.fitted, **changes))
    return made


def quantiles(forecaster: gw.Forecaster) -> np.ndarray:
    """[series,h,P]."""
    return np.stack([each.quantiles for each in forecaster.forecasts()])


def test_quantiles_never_cross(fitted: gw.Forecaster) -> None:
    learned = fitted.fitted.fitted
    crossing = quantiles(
        with_changes(fitted, factors=-learned.factors, offsets=learned.offsets + learned.offsets[::-1])
    )
    assert (np.diff(crossing, axis=2) >= 0).all()
    assert (np.diff(crossing, axis=2) > 0).any()


def test_factors_move_each_quantile_away_from_the_median(fitted: gw.Forecaster) -> None:
    learned = fitted.fitted.fitted
    first = learned.factors.copy()
    usual, wider = (quantiles(with_changes(fitted, factors=by * first)) for by in (0.4, 0.8))  # the limits are far
    middle = usual.shape[2] // 2
    np.testing.assert_allclose(wider[:, :, middle], usual[:, :, middle])
    away = usual - usual[:, :, [middle]]
    assert (np.abs(away[:, :, [0, -1]]) > 0).all()
    np.testing.assert_allclose(wider - wider[:, :, [middle]], 2 * away)


def test_the_network_counts_by_the_trust_in_it(fitted: gw.Forecaster) -> None:
    none, half, whole = (quantiles(with_changes(fitted, trust=trust)) for trust in (0.0, 0.5, 1.0))
    assert not np.allclose(none, whole)
    np.testing.assert_allclose(half, (none + whole) / 2)


def test_the_judge_has_no_say_in_the_forecast(fitted: gw.Forecaster) -> None:
    trusting = with_changes(fitted, trust=1.0)
    before = quantiles(trusting)
    offset = trusting.fitted.fitted.network.offset
    kept = offset.detach().clone()
    with torch.no_grad():
        offset[0] += 5.0
        judged = quantiles(trusting)
        offset[1] += 5.0
        learned = quantiles(trusting)
        offset.copy_(kept)
    np.testing.assert_allclose(judged, before)
    assert not np.allclose(learned, before)


def test_what_is_learned_is_in_units_of_the_scale_of_each_step() -> None:
    t = np.arange(108)
    y = np.array((9, 0, 1, 0, 0, 1, 0, 2, 8, 60, 700, 4100))[t % 12] * np.random.default_rng(0).uniform(0.9, 1.1, 108)
    made = quick(12).fit(table(np.round(y)))
    made.model = model = replace(made.fitted, plans={"y": replace(made.plans["y"], bounded=False)})
    (inputs,) = (model.prepared(each, model.panel.spacing, 12) for each in model.panel.series)
    output = model.states[0][-1, 0].reshape(model.fitted.network.members, model.fitted.network.hidden)
    expected = inputs.base[-1][:, None] + inputs.scale[-1][:, None] * residuals(model.fitted, inputs, output)
    np.testing.assert_allclose(made.forecasts()[0].quantiles, np.maximum(np.sort(expected, 1), 0))
    assert inputs.scale[-1].max() > 50 * inputs.scale[-1].min()
    v, h = inputs.base, 12
    for origin, k in ((30, 1), (50, 7), (90, 12)):
        true = np.round(y)[origin + k]
        assert inputs.residual[origin, k - 1] == pytest.approx((true - v[origin, k - 1]) / inputs.scale[origin, k - 1])
    assert np.isnan(inputs.residual[108 - h :, -1]).all()


@pytest.mark.parametrize("cell", ["gru", "sru"])  # the output of an sru is none of its states
def test_a_forecast_begins_from_the_output_at_the_last_step(cell: str) -> None:
    made = quick(6, cell=cell, steps=20).fit(table(seasonal()))
    plan = replace(made.plans["y"], bounded=False)
    made.model = model = replace(made.fitted, plans={"y": plan}, fitted=replace(made.fitted.fitted, trust=1.0))
    (inputs,) = (model.prepared(each, model.panel.spacing, 6) for each in model.panel.series)
    with torch.no_grad():
        output = model.fitted.network.states(torch.tensor(inputs.x[:, None], dtype=torch.float32))[0][-1, 0].numpy()
    expected = inputs.base[-1][:, None] + inputs.scale[-1][:, None] * residuals(model.fitted, inputs, output)
    np.testing.assert_allclose(made.forecasts()[0].quantiles, np.sort(expected, 1), rtol=1e-6)


def normal(n: int, width: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Bands [n,3] of a width at 10 and 90 %, and normal values."""
    z = NormalDist().inv_cdf(0.9)
    return np.repeat([[-width * z, 0.0, width * z]], n, axis=0), np.random.default_rng(seed).normal(size=n)


def test_bands_that_are_wide_enough_are_not_narrowed_and_none_is_widened_without_end() -> None:
    wide, true = normal(5000, 2.0)
    assert widths(wide, true, (0.1, 0.5, 0.9), 1e6) == pytest.approx([1, 1, 1], abs=1e-3)
    narrow, true = normal(5000, 0.01)
    assert widths(narrow, true, (0.1, 0.5, 0.9), 1e6).tolist() == [WIDEST, 1, WIDEST]


def test_each_border_of_a_band_is_held_to_its_own_side() -> None:
    z = NormalDist().inv_cdf(0.9)
    _, true = normal(20_000, 1.0)
    lopsided = np.repeat([[-z / 2, 0.0, 2 * z]], len(true), axis=0)
    (low, _, high) = widths(lopsided, true, (0.1, 0.5, 0.9), 1e6)
    assert low == high
    inside = (true > -z / 2 * low) & (true < 2 * z * high)
    assert inside.mean() == pytest.approx(0.8, abs=0.01)


def test_a_share_of_the_network_must_bring_the_error_down_by_more_than_a_hair() -> None:
    true = np.random.default_rng(0).normal(size=2000)
    helps = 0.004 * true  # all of it leaves 0.996 of the error
    assert trusted(helps, true)[0] == 0
    assert trusted(5 * helps, true)[0] > 0


def test_errors_of_one_sign_for_long_are_worth_few_independent_ones() -> None:
    e = np.random.default_rng(1).normal(size=2000)
    x = e.copy()
    for t in range(1, 2000):
        x[t] += 0.8 * x[t - 1]
    assert independent_errors(x[:, None]) == pytest.approx(2000 * 0.2 / 1.8, rel=0.25)
    assert independent_errors(np.zeros((5, 1))) == 5


def test_the_scale_is_half_of_all_errors_half_of_those_of_late() -> None:
    e = np.concatenate([np.full(200, 1.0), np.full(20, 5.0)])
    slow = (4 * 1 + 200 * 1 + 20 * 5) / 224
    fast = 5 - 4 * 0.95**20
    assert recent(e)[-1] == pytest.approx((slow + fast) / 2)
    assert recent(np.array([np.nan, 2.0, np.nan, 2.0])).tolist() == pytest.approx([2] * 4)


def test_a_scale_is_never_next_to_nothing() -> None:
    e = np.concatenate([np.zeros(400), [1000.0]])
    assert recent(e)[:300].min() == pytest.approx(1e-3 * e.mean())


def test_errors_are_looked_back_at_over_the_horizon() -> None:
    y = np.array([1.0, 2.0, 4.0, np.nan, 8.0])
    base = np.repeat(y[:, None], 2, axis=1)
    np.testing.assert_allclose(errors_behind(y, base), [np.nan, 1, (2 + 3) / 2, np.nan, 4])


def test_factors_of_places_have_mean_1_and_are_those_of_the_place_that_is_forecast() -> None:
    deviation = np.tile([8.0, 1.0, 1.0, 1.0], 20)
    e = deviation * np.abs(np.random.default_rng(0).normal(size=80))
    factors = place_factors(e, 4)
    assert factors.mean(1) == pytest.approx(np.ones(21))
    assert factors[-1, 0] > 3 * factors[-1, 1:].max()
    y = deviation * np.random.default_rng(0).normal(size=80)
    scale, ahead = scales(y, np.zeros((80, 4)), 4)
    known = place_factors(errors_behind(y, np.zeros((80, 4))), 4)
    for t in (41, 42, 43, 44, 79):
        season = (t + 1) // 4  # those that have ended by the step t
        np.testing.assert_allclose(ahead[t], scale[t] * known[season, (t + 1 + np.arange(4)) % 4])


def test_a_season_that_a_shorter_one_explains_is_the_shorter_one() -> None:
    random = np.random.default_rng(0)
    y = np.tile([4.0, -1.0, 0.0, -3.0], 60) + 0.3 * random.normal(size=240)
    assert detected_seasons(y)[1][0] == 4


def test_a_divisor_that_correlates_little_is_no_season_beside_the_longer_one() -> None:
    random = np.random.default_rng(0)
    pattern = 3 * random.normal(size=12)
    assert detected_seasons(pattern[np.arange(240) % 12] + 0.3 * random.normal(size=240))[1] == (12,)


def test_an_outlier_hides_no_season() -> None:
    t = np.arange(120)
    y = 3 * np.sin(2 * np.pi * t / 12) + 0.2 * np.random.default_rng(0).normal(size=120)
    y[60] = 500.0
    assert seasonality(y[None], 12)[0] > 0.1


def test_a_cycle_that_correlates_little_is_none() -> None:
    e = np.random.default_rng(0).normal(size=400)
    x = e.copy()
    for t in range(2, 400):
        x[t] += 2 * 0.9 * np.cos(2 * np.pi / 11) * x[t - 1] - 0.9**2 * x[t - 2]
    assert 0.2 < max(seasonality(x[None], m)[0] for m in (10, 11, 12)) < 0.5
    assert detected_seasons(x)[1] == ()


def test_windows_are_forecast_from_what_lies_before_them_alone() -> None:
    y = seasonal(96)
    seen = []

    def spy(past: np.ndarray, h: int, m: int, probabilities: object) -> np.ndarray:
        seen.append(past.copy())
        return np.repeat(past[-1:, None], h, 0) + np.zeros((1, 9))

    found = backtest(quick(6), read_panel(table(y)), 2, beside={"spy": spy}, scaled_by=1)
    for past, end in zip(seen, (84, 90), strict=True):
        np.testing.assert_array_equal(past, y[:end])
    rows = {each.window: each for each in found.scores if each.model == "spy"}
    for window, end in ((0, 84), (1, 90)):
        true = y[end : end + 6]
        assert rows[window].rmse == pytest.approx(np.sqrt(np.mean((true - y[end - 1]) ** 2)))
        assert rows[window].mase == pytest.approx(np.abs(true - y[end - 1]).mean() / np.abs(np.diff(y[:end])).mean())


def test_a_backtest_is_scored_by_the_median_and_the_band_of_80_percent() -> None:
    assert (DECILES[BAND[0]], DECILES[BAND[1]]) == (0.1, 0.9)
    truth, history = np.array([0.0, 10.0]), np.arange(10.0)
    deciles = np.tile(np.arange(-4.0, 5.0), (2, 1))  # the median is 0, the band -4 to 4
    found = score("model", "id", 0, truth, deciles, history, 1, 0.0)
    assert (found.mase, found.coverage_80) == (5.0, 0.5)


def test_a_value_on_the_border_lies_in_the_band() -> None:
    assert coverage([1.0, 3.0, 3.1, 0.9], np.ones(4), np.full(4, 3.0)) == 0.5


def test_seconds_are_those_of_a_series() -> None:
    found = backtest(quick(6), read_panel(panel(a=seasonal(), b=seasonal(seed=1))), 1, beside={})
    assert len({each.seconds for each in found.scores}) == 1


def test_the_bands_of_seasonal_naive_grow_with_each_season_ahead() -> None:
    y = np.tile([1.0, 5.0], 20) + np.random.default_rng(0).normal(size=40)
    q = seasonal_naive(y, 6, 2, (0.1, 0.5, 0.9))
    np.testing.assert_allclose((q[:, 2] - q[:, 0]) / (q[0, 2] - q[0, 0]), np.sqrt([1, 1, 2, 2, 3, 3]))


def test_a_runner_up_that_is_far_behind_has_no_part_in_the_base() -> None:
    t = np.arange(96)
    y = 100 + 20 * np.sin(2 * np.pi * t / 12) + 0.01 * np.random.default_rng(0).normal(size=96)
    made = plan(y, 6, 12)
    errors = sorted(score for name, score in made.scores.items() if "average" not in name)
    assert (len(made.base) == 2) == (errors[1] <= CLOSE * errors[0])
    far = [Base("mean"), Base("last value"), Base("drift")]
    assert all(made.scores[str(each)] > 1.5 * errors[0] for each in far)
    assert not any(each in made.others for each in far)


def test_levels_that_differ_little_or_by_chance_need_no_logarithm() -> None:
    random, t = np.random.default_rng(0), np.arange(144)
    steady = 100 + 10 * (t // 72) + (5 + 5 * (t // 72)) * random.normal(size=144)
    assert not swings_grow(np.maximum(steady, 1))
    two = np.where(t < 12, 10.0, 30.0) + random.normal(size=144) * np.where(t % 24 < 12, 1.0, 3.0)
    assert not swings_grow(two)


def test_a_gap_is_filled_from_the_season_before_where_there_is_one() -> None:
    y = np.array([1.0, 2.0, 3.0, np.nan, 5.0, np.nan, np.nan, 8.0])
    assert filled(y, 3).tolist() == [1, 2, 3, 1, 5, 3, 1, 8]
    assert filled(y).tolist() == [1, 2, 3, 3, 5, 5, 5, 8]


def test_a_slope_fades_as_it_is_carried_on() -> None:
    z, d = np.arange(0.0, 40.0, 2.0), 0.97
    level, slope = z[:4].mean(), 0.0
    for value in z:
        ahead, was = d * slope, level
        level = 0.5 * value + 0.5 * (level + ahead)
        slope = 0.2 * (level - was) + 0.8 * ahead
    f = Base("smoothing", 1, (0.5, 0.2, 0.0)).forecasts(z, 3)[-1]
    assert f.tolist() == pytest.approx(
        [level + d * slope, level + (d + d**2) * slope, level + (d + d**2 + d**3) * slope]
    )


def test_a_season_is_smoothed_too() -> None:
    z = np.array([1.0, 5.0, 2.0, 6.0, 3.0, 9.0])
    found = smoothings(z, 2, (2,), [(0.5, 0.0, 0.25)])
    level, seasons = z[:4].mean(), list(z[:2] - z[:2].mean())
    for t in range(2, 6):
        level = 0.5 * (z[t] - seasons[t - 2]) + 0.5 * level
        seasons.append(0.25 * (z[t] - level) + 0.75 * seasons[t - 2])
    assert found[0][-1].tolist() == pytest.approx([level + seasons[4], level + seasons[5]])


def test_only_the_newest_origins_of_a_long_series_are_checked() -> None:
    random = np.random.default_rng(0)
    old, new = 30 + random.normal(size=3000), np.cumsum(random.normal(size=2100)) + 30
    made = plan(np.concatenate([old, new]), 3, 1)
    assert all(each.kind != "mean" for each in made.base)
    assert made.scores["mean"] > 3


def test_columns_beside_are_cut_off_and_missing_ones_are_the_mean() -> None:
    x = standard(np.array([[2.0], [1e9], [-1e9], [np.nan], [4.0]]), ([2.0], [2.0]))
    assert x[:, 0].tolist() == [0, LARGEST, -LARGEST, 0, 1]
    assert standard(np.array([[7.0], [9.0]]), ([7.0], [0.0])).tolist() == [[0.0], [0.0]]


def test_known_columns_are_seen_at_the_step_now_and_a_season_before_that_step() -> None:
    known = np.arange(12.0)[:, None]
    then, now, before = known_ahead(known, 8, 4, 2)
    assert then[5, :, 0].tolist() == [6, 7, 8, 9]
    assert now[5, :, 0].tolist() == [5, 5, 5, 5]
    assert before[5, :, 0].tolist() == [4, 5, 4, 5]  # at the same place of the last season, never ahead


def test_far_lags_are_shrunk_more() -> None:
    read = read_panel(table(seasonal()))
    (series,) = read.series
    inputs = quick().fit(table(seasonal())).fitted.prepared(series, read.spacing, 6)
    lags = 4
    penalty = lag_penalty(inputs, lags)
    assert penalty[:8].tolist() == [1, 4, 9, 16, 1, 4, 9, 16]
    assert (penalty[8:] == 1).all()
    assert Beside.of(read).known == ([], [])
