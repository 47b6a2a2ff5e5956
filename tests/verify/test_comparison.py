"""The comparison itself: it passes noise, and nothing else."""

import math

import pytest
import torch

from gatework.verify.comparison import Errors, Mismatch, compare

BOUNDS = {"rms": 1e-5, "peak": 1e-4}


def values(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def test_equal_values_have_no_error():
    expected = values(3, 4)
    assert compare(expected.clone(), expected, rms=0, peak=0) == Errors(0, 0)


def test_rounding_to_float32_passes_and_is_measured():
    expected = values(40, 30)
    errors = compare(expected.float(), expected, **BOUNDS)
    assert 1e-8 < errors.rms < 6e-8 and errors.rms < errors.peak < 4e-7


def test_the_figures_are_relative_to_the_root_mean_square_of_what_was_expected():
    expected = torch.tensor([3.0, -4.0, 0.0, 0.0])  # root mean square 2.5
    errors = compare(expected + torch.tensor([0.0, 0.0, 0.0, 0.5]), expected, rms=1, peak=1)
    assert errors == Errors(rms=pytest.approx(0.1), peak=pytest.approx(0.2))


def test_the_peak_at_a_large_value_is_relative_to_that_value():
    expected = torch.tensor([30.0, -40.0, 0.0, *[0.0] * 97])  # root mean square 5
    errors = compare(expected + torch.tensor([0.0, 0.5, *[0.0] * 98]), expected, rms=1, peak=1)
    assert errors == Errors(rms=pytest.approx(0.01), peak=pytest.approx(0.0125))


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1.0, 1e30, 1e300])
def test_the_figures_do_not_depend_on_the_scale(scale):
    expected = values(50)
    errors = compare(scale * (expected + 1e-6), scale * expected, **BOUNDS)
    assert errors.peak == pytest.approx(1e-6 / expected.square().mean().sqrt().item(), rel=1e-5)


def test_one_wrong_value_among_many_fails_by_its_peak():
    expected = values(1000, 100)
    actual = expected.clone()
    actual[17, 33] += 1e-3
    with pytest.raises(Mismatch, match=r"bounds 1\.00e-05, 1\.00e-04\); worst at \[17, 33\]: ") as caught:
        compare(actual, expected, **BOUNDS)
    assert caught.value.errors.rms < BOUNDS["rms"] and caught.value.errors.peak == pytest.approx(1e-3, rel=0.02)


def test_a_small_error_everywhere_fails_by_its_root_mean_square():
    expected = values(30, 20)
    with pytest.raises(Mismatch) as caught:
        compare(expected * (1 + 2e-5), expected, **BOUNDS)
    assert caught.value.errors.rms == pytest.approx(2e-5) and caught.value.errors.peak < BOUNDS["peak"]


def test_the_message_says_what_and_where_and_how_far():
    actual, expected = torch.tensor([[1.0, 2.5]]), torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    with pytest.raises(Mismatch) as caught:
        compare(actual, expected, what="gradient W_f", **BOUNDS)
    assert str(caught.value) == (
        "gradient W_f: [1, 2] torch.float32: rms 2.24e-01, peak 2.50e-01 (bounds 1.00e-05, 1.00e-04); "
        "worst at [0, 1]: 2.5 where 2 was expected"
    )
    assert isinstance(caught.value, AssertionError)


@pytest.mark.parametrize(("actual", "expected"), [((3, 1), (3,)), ((1,), ()), ((2, 3), (3, 2)), ((0,), (0, 2))])
def test_another_shape_fails_even_where_it_would_broadcast(actual, expected):
    with pytest.raises(Mismatch, match=r"where \[.*\] was expected"):
        compare(torch.ones(actual), torch.ones(expected), rms=1, peak=1)


@pytest.mark.parametrize("shape", [(0,), (0, 3, 4), (2, 0)])
def test_empty_tensors_of_one_shape_are_equal(shape):
    assert compare(torch.empty(shape), torch.empty(shape), rms=0, peak=0) == Errors(0, 0)


@pytest.mark.parametrize("shape", [(), (1,)])
def test_single_values_compare(shape):
    compare(torch.full(shape, 2.0), torch.full(shape, 2.0), rms=0, peak=0)
    with pytest.raises(Mismatch):
        compare(torch.full(shape, 2.1), torch.full(shape, 2.0), **BOUNDS)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (math.nan, 1.0),
        (1.0, math.nan),
        (math.inf, 1.0),
        (1.0, math.inf),
        (math.inf, -math.inf),
        (math.nan, math.inf),
        (math.inf, math.nan),
    ],
)
def test_what_is_no_number_must_stand_where_it_is_expected(actual, expected):
    """However wide the bounds."""
    with pytest.raises(Mismatch, match=r"at \[1\]: ") as caught:
        compare(torch.tensor([1.0, actual]), torch.tensor([1.0, expected]), rms=math.inf, peak=math.inf)
    assert caught.value.errors == Errors(math.inf, math.inf)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_expected_infinities_count_for_neither_figure(value):
    expected = torch.tensor([value, 3.0, 4.0])
    assert compare(expected.clone(), expected, rms=0, peak=0) == Errors(0, 0)
    with pytest.raises(Mismatch):
        compare(torch.tensor([value, 3.0, 4.1]), expected, **BOUNDS)
    only = torch.full((2,), value)
    assert compare(only, only.clone(), rms=0, peak=0) == Errors(0, 0)


def test_expected_zeros_must_be_zeros():
    zeros = torch.zeros(5)
    assert compare(-zeros, zeros, rms=0, peak=0) == Errors(0, 0)
    with pytest.raises(Mismatch) as caught:
        compare(zeros + 1e-30, zeros, rms=1e9, peak=1e9)
    assert caught.value.errors == Errors(math.inf, math.inf)


def test_values_that_cancel_are_measured_against_the_floor():
    cancelled = torch.tensor([1e-3, -1e-3])
    noise = torch.tensor([1e-5, 0.0])
    assert compare(cancelled + noise, cancelled, rms=1, peak=1).peak == pytest.approx(1e-2, rel=1e-3)
    assert compare(cancelled + noise, cancelled, rms=1, peak=1, floor=0.1).peak == pytest.approx(1e-4, rel=1e-3)
    assert compare(noise, 0 * noise, rms=1, peak=1, floor=0.1).peak == pytest.approx(1e-4)
    with pytest.raises(Mismatch):
        compare(cancelled + noise, cancelled, **BOUNDS, floor=0.01)


def test_the_floor_does_not_matter_to_values_above_it():
    expected = values(50)
    assert compare(expected + 1e-6, expected, **BOUNDS, floor=0.1) == compare(expected + 1e-6, expected, **BOUNDS)


def test_a_value_too_large_for_float32_fails():
    with pytest.raises(Mismatch, match=r"inf where 1e\+39 was expected"):
        compare(torch.tensor([1e39]).float(), torch.tensor([1e39], dtype=torch.float64), rms=1, peak=1)


def test_gradients_are_not_followed():
    compare(torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True) * 1, rms=0, peak=0)


def test_errors_join_to_the_larger_of_each():
    assert Errors(1, 5) | Errors(2, 3) == Errors(2, 5)
