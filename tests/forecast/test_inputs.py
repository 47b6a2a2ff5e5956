"""What the network and its linear part are given, held to values computed by hand."""

import numpy as np
import pytest

from gatework.forecast import inputs

NAN = np.nan
Z = np.array([1.0, 5.0, 2.0, 7.0, 4.0])


def test_columns_are_measured_on_what_is_there() -> None:
    columns = np.array([[1.0, 5.0, NAN], [3.0, 5.0, NAN], [NAN, 5.0, NAN], [8.0, 5.0, NAN]])
    means, deviations = inputs.spread(columns)
    assert means == [4, 5, 0]
    assert deviations == pytest.approx([np.std([1, 3, 8]), 0, 0])  # 0 where all are equal, and where none is there


def test_a_column_that_never_changed_says_nothing_whatever_it_is_later() -> None:
    assert inputs.standard(np.array([[5.0], [9.0], [NAN]]), ([5.0], [0.0])).tolist() == [[0], [0], [0]]


def test_a_column_is_in_units_of_its_deviation_cut_off_and_0_where_missing() -> None:
    standard = inputs.standard(np.array([[10.0, 1.0], [NAN, 3.0], [16.0, 900.0]]), ([10.0, 2.0], [3.0, 0.5]))
    assert standard.tolist() == [[0, -2], [0, 2], [2, inputs.LARGEST]]
    assert inputs.standard(np.array([[-900.0]]), ([0.0], [1.0])).tolist() == [[-inputs.LARGEST]]


def test_a_change_is_from_as_many_steps_before_and_0_where_there_are_none() -> None:
    assert inputs.lagged(Z, 1).tolist() == [0, 4, -3, 5, -3]
    assert inputs.lagged(Z, 3).tolist() == [0, 0, 0, 6, -1]
    assert inputs.lagged(Z, 9).tolist() == [0] * 5


def test_what_is_shifted_comes_later_with_0_before_the_start() -> None:
    assert inputs.shifted(Z, 0).tolist() == Z.tolist()
    assert inputs.shifted(Z, 2).tolist() == [0, 0, 1, 5, 2]
    assert inputs.shifted(Z, 9).tolist() == [0] * 5


def test_the_running_mean_is_of_all_so_far() -> None:
    assert inputs.running_mean(Z).tolist() == pytest.approx([1, 3, 8 / 3, 15 / 4, 19 / 5])


def test_what_the_base_said_of_a_step_is_its_first_forecast_from_the_step_before() -> None:
    base = np.array([[NAN, NAN], [20.0, 30.0], [21.0, 31.0], [22.0, 32.0], [23.0, 33.0]])
    assert inputs.base_behind(base, Z).tolist() == [1, 5, 20, 21, 22]


def test_forecasts_disagree_by_their_difference_or_not_at_all() -> None:
    f, base = np.array([[3.0, NAN, 2.0]]), np.array([[1.0, 4.0, NAN]])
    assert inputs.disagreement(f, base).tolist() == [[2, 0, 0]]


def test_what_is_too_large_is_cut_off() -> None:
    assert inputs.squashed(np.array([-99.0, -5.5, 5.5, 99.0])).tolist() == [-6, -5.5, 5.5, 6]


def test_columns_known_ahead_are_told_at_the_step_forecast_now_and_a_season_before_it() -> None:
    known = np.arange(7.0)[:, None]  # T = 5 steps and a horizon of 2; each value is its step
    there, now, before = inputs.known_ahead(known, 5, 2, 3)
    assert there[:, :, 0].tolist() == [[1, 2], [2, 3], [3, 4], [4, 5], [5, 6]]
    assert now[:, :, 0].tolist() == [[t, t] for t in range(5)]
    assert before[:, :, 0].tolist() == [[0, 0], [0, 0], [0, 1], [1, 2], [2, 3]]


def test_a_horizon_longer_than_a_season_looks_back_from_each_season_ahead_to_the_last_one_known() -> None:
    *_, before = inputs.known_ahead(np.arange(12.0)[:, None], 8, 4, 2)
    assert before[-1, :, 0].tolist() == [6, 7, 6, 7]


def test_columns_that_end_early_are_0_where_they_are_not_known() -> None:
    there, *_ = inputs.known_ahead(np.array([[1.0], [2.0], [3.0]]), 3, 2, 1)
    assert there[:, :, 0].tolist() == [[2, 3], [3, 0], [0, 0]]
    assert inputs.known_ahead(np.zeros((5, 0)), 3, 2, 1) == []
