"""Measures of forecasts, held to values computed by hand."""

import math

import numpy as np
import pytest

from gatework.forecast import metrics

NAN = float("nan")
HISTORY = [1.0, 3.0, 2.0, 6.0]  # changes 2, 1, 4 step by step; 1, 3 over a season of 2


def test_the_naive_error_is_the_mean_change_over_a_season():
    assert metrics.naive_error(HISTORY) == pytest.approx(7 / 3)
    assert metrics.naive_error(HISTORY, 2) == pytest.approx(2)


def test_mase_divides_the_error_by_seasonal_naives_in_the_history():
    assert metrics.mase([5, 9], [4, 12], HISTORY, 2) == pytest.approx(2 / 2)
    assert metrics.mase([5, 9], [4, 12], HISTORY) == pytest.approx(2 / (7 / 3))


def test_smape_is_the_error_in_percent_of_the_mean_size():
    assert metrics.smape([100, 0, -2], [50, 0, 2]) == pytest.approx((200 * 50 / 150 + 0 + 200) / 3)


def test_rmse_is_the_root_of_the_mean_square():
    assert metrics.rmse([1, 2], [4, 6]) == pytest.approx(math.sqrt((9 + 16) / 2))


def test_the_quantile_loss_weighs_values_above_a_quantile_by_its_probability():
    # y - q is 2 and -4 at p = 0.1: 2 * 0.1 * 2 and 2 * 0.9 * 4
    assert metrics.quantile_loss([5, 1], [[3], [5]], [0.1]) == pytest.approx((0.4 + 7.2) / 2)


def test_the_quantile_loss_of_the_median_is_the_absolute_error():
    assert metrics.quantile_loss([5, 1], [[3], [5]], [0.5]) == pytest.approx(3)


def test_the_scaled_quantile_loss_divides_by_seasonal_naives_error():
    assert metrics.scaled_quantile_loss([5, 1], [[3], [5]], [0.1], HISTORY, 2) == pytest.approx(3.8 / 2)


def test_coverage_is_the_share_inside_the_band_with_its_borders():
    assert metrics.coverage([1, 2, 3, 9], [1, 0, 4, 0], [2, 2, 5, 8]) == 0.5


def test_missing_values_are_left_out():
    assert metrics.mase([5, NAN], [4, 12], [1, NAN, 3, 3], 2) == pytest.approx(1 / 2)
    assert metrics.coverage([1, NAN], [0, 0], [2, 2]) == 1
    assert metrics.rmse([NAN, 3], [0, 0]) == 3


def test_nothing_is_scaled_by_a_constant_history():
    assert math.isnan(metrics.mase([1], [2], np.ones(5)))
