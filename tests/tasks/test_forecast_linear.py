"""The linear part: ridge regression step by step of the horizon, its penalty chosen on what was not fitted."""

import numpy as np
import pytest

from gatework.tasks import forecast_linear as linear
from gatework.tasks.forecast_inputs import Inputs

NAN = np.nan
RIGHT = np.array([[1.0, -2.0, 3.0], [1.0, -2.0, 4.0]]) / 4


def prepared(T: int = 200, h: int = 2, warm: int = 0) -> Inputs:
    """Two inputs of all steps ahead and one of each; the residual at step k is (x0 - 2 x1 + (k + 3) a_k) / 4."""
    random = np.random.default_rng(0)
    common, ahead = random.normal(size=(T, 2)), random.normal(size=(T, h, 1))
    residual = ((common @ [1.0, -2.0])[:, None] + (np.arange(h) + 3) * ahead[:, :, 0]) / 4
    for k in range(h):
        residual[T - 1 - k :, k] = NAN  # its true value is not there yet
    nothing = np.zeros((T, h))
    return Inputs(nothing, nothing + 1, residual, np.zeros((T, 0)), common, ahead, warm)


def test_it_adds_what_all_steps_share_and_what_each_has_of_its_own() -> None:
    given = prepared(5)
    weights = np.array([[1.0, 10.0, 100.0], [2.0, 20.0, 200.0]])
    shared, own = given.common @ weights[:, :2].T, given.ahead[:, :, 0] * weights[:, 2]
    assert linear.Linear(weights)(given) == pytest.approx(shared + own)


def test_a_share_is_of_the_steps_that_are_learned_from() -> None:
    assert linear.cut(prepared(100, warm=20), 0.4) == 20 + 32
    assert linear.cut(prepared(100, warm=20), 1.0) == 100


def test_rows_start_where_learning_does_and_have_a_true_value() -> None:
    given = prepared(6, warm=2)
    given.residual[3, 1] = NAN
    given.residual[2, 1] = 50.0
    x, r, targets = linear.designs(given, 1)
    assert targets.tolist() == [4]  # step 2 alone: of 3 the value is missing, of 4 and 5 it is not there yet
    assert x.tolist() == [[*given.common[2], given.ahead[2, 1, 0]]]
    assert r.tolist() == [6]  # cut off


def test_stretches_lie_between_the_cuts_by_what_is_forecast_not_by_its_origin() -> None:
    given = prepared(100, h=1)
    _, _, targets = linear.designs(given, 0)
    found = [(int(targets[rows][0]), int(targets[rows][-1])) for rows in linear.stretches(given, targets)]
    assert found == [(1, 39), (40, 54), (55, 69), (70, 99)]


def test_sums_are_over_all_series_and_rows_of_a_stretch() -> None:
    given, other = prepared(40), prepared(60)
    squares, products, counts = linear.moments([given, other])
    assert counts.sum(0).tolist() == [39 + 59, 38 + 58]
    x, r, _ = linear.designs(given, 1)
    y, s, _ = linear.designs(other, 1)
    assert squares.sum(0)[1] == pytest.approx(x.T @ x + y.T @ y)
    assert products.sum(0)[1] == pytest.approx(x.T @ r + y.T @ s)


def test_a_penalty_counts_in_units_of_each_inputs_mean_square() -> None:
    """Of one input x: w = mean(x r) / (mean(x^2) (1 + penalty))."""
    x, r = np.array([1.0, -2.0, 3.0, 4.0]), np.array([2.0, 1.0, 0.0, 3.0])
    solved = linear.solve(np.array([[[x @ x]]]), np.array([[x @ r]]), np.array([4.0]), np.array([0.5]))
    assert solved == pytest.approx(np.array([[(x @ r) / (x @ x) / 1.5]]))


def test_an_input_that_is_always_0_and_a_stretch_without_rows_have_no_weight() -> None:
    assert linear.solve(np.zeros((1, 2, 2)), np.zeros((1, 2)), np.zeros(1), np.ones(2)).tolist() == [[0, 0]]


def test_a_lag_is_penalised_by_its_square_and_all_else_alike() -> None:
    given = prepared()
    wide = Inputs(given.base, given.scale, given.residual, given.x, np.zeros((200, 7)), given.ahead, 0)
    assert linear.lag_penalty(wide, 3).tolist() == [1, 4, 9, 1, 4, 9, 1, 1]


def test_what_was_fitted_before_a_cut_is_judged_on_what_follows_it() -> None:
    given = prepared(100)
    fits = [RIGHT, 0 * RIGHT, RIGHT, 0 * RIGHT]
    _, r, targets = zip(*(linear.designs(given, k) for k in range(2)), strict=True)
    second = np.concatenate([r[k][(targets[k] >= 55) & (targets[k] < 70)] for k in range(2)])
    assert linear.judged([given], fits) == pytest.approx([0, np.abs(second).mean(), 0], abs=1e-12)


def test_what_inputs_explain_is_found_and_its_share_told() -> None:
    fits, left = linear.fit_linear([prepared(400)], lags=1)
    assert [fit.weights.shape for fit in fits] == [(2, 3)] * 4
    assert fits[-1].weights == pytest.approx(RIGHT, rel=0.01)
    assert left < 0.01


def test_what_inputs_do_not_explain_leaves_no_weights() -> None:
    given = prepared(400)
    noise = np.random.default_rng(1).normal(size=given.residual.shape)
    useless = Inputs(given.base, given.scale, noise, given.x, given.common, given.ahead, 0)
    fits, left = linear.fit_linear([useless], lags=1)
    assert left == 1.0
    assert not any(fit.weights.any() for fit in fits)


def test_nothing_to_explain_leaves_all_of_it() -> None:
    given = prepared(50)
    flat = Inputs(given.base, given.scale, 0 * given.residual, given.x, given.common, given.ahead, 0)
    assert linear.fit_linear([flat], lags=1)[1] == 1.0
