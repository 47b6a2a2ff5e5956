"""The linear part: ridge regression step by step of the horizon, its penalty chosen on what was not fitted."""

import numpy as np
import pytest

from gatework.forecast import linear
from gatework.forecast.inputs import Inputs

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


def test_a_step_that_is_forecast_has_the_inputs_of_its_origin_where_there_is_something_to_learn_from() -> None:
    given = prepared(6, warm=2)
    given.residual[3, 1] = NAN
    given.residual[2, 1] = 50.0
    ((begin, x, r, there),) = linear.designs(given)
    assert (begin, x.shape) == (0, (2, 6, 3))
    assert there.tolist() == [[0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 1, 0]]  # two steps ahead, step 4 from 2; 3 has no value
    assert x[1, 4].tolist() == [*given.common[2], given.ahead[2, 1, 0]]
    assert not x[there == 0].any() and not r[there == 0].any()
    assert r[1, 4] == 6  # cut off
    assert r[0, 3:].tolist() == given.residual[2:5, 0].tolist()


def test_a_long_horizon_is_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    given = prepared(10, h=5)
    ((_, *whole),) = linear.designs(given)
    monkeypatch.setattr(linear, "TOGETHER", 2 * 10 * 3)
    parts = list(linear.designs(given))
    assert [begin for begin, *_ in parts] == [0, 2, 4]
    for joined, expected in zip(zip(*parts, strict=True), [None, *whole], strict=True):
        assert expected is None or np.array_equal(np.concatenate(joined), expected)


def test_stretches_lie_between_the_cuts() -> None:
    found = [(rows.start, rows.stop) for rows in linear.stretches(prepared(100))]
    assert found == [(0, 40), (40, 55), (55, 70), (70, 100)]


def rows_of(given: Inputs, k: int, begin: int, end: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and residuals of the steps from `begin` to before `end`, forecast k + 1 steps before."""
    origins = np.arange(max(begin - k - 1, 0), end - k - 1)
    return np.concatenate([given.common[origins], given.ahead[origins, k]], 1), given.residual[origins, k]


def test_sums_are_over_all_series_and_rows_of_a_stretch() -> None:
    given, other = prepared(40), prepared(60)
    squares, products, counts = linear.moments([given, other])
    assert counts.sum(0).tolist() == [39 + 59, 38 + 58]
    (x, r), (y, s) = rows_of(given, 1, 16, 22), rows_of(other, 1, 24, 33)  # from 0.4 to 0.55 of each
    assert counts[1].tolist() == [15, 15]
    assert squares[1, 1] == pytest.approx(x.T @ x + y.T @ y)
    assert products[1, 1] == pytest.approx(x.T @ r + y.T @ s)


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
    fits = np.stack([RIGHT, 0 * RIGHT, RIGHT, 0 * RIGHT])
    second = np.abs(np.concatenate([rows_of(given, k, 55, 70)[1] for k in range(2)])).mean()
    all_third = np.abs(np.concatenate([rows_of(given, k, 70, 100)[1] for k in range(2)])).mean()
    left = linear.judged([given], np.stack([fits, 0 * fits], 3))
    assert left[:, 0] == pytest.approx([0, second, 0], abs=1e-12)
    assert left[1:, 1] == pytest.approx([second, all_third])


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


@pytest.mark.parametrize(("useful", "chosen"), [(0.9, None), (0.96, 1), (0.99, 1)])
def test_the_linear_part_must_gain_enough_and_lose_on_no_stretch(useful: float, chosen: int | None) -> None:
    left = np.array([[0.90, 0.94, 0.99, 1.0], [1.01, 0.95, 0.99, 1.0]])  # two stretches; penalties 0 to 2, and none
    assert linear._choice(left, useful) == chosen
    assert linear._choice(np.array([[0.95, 0.95, 0.95, 1.0]] * 2), 0.96) == 2  # of penalties as good the greatest
