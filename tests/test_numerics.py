"""The comparisons that tests share: of two dtypes the coarser one's rounding passes, and nothing else."""

import math

import pytest
import torch

from gatework.verify.check import BOUNDS
from gatework.verify.comparison import Mismatch
from numerics import all_same, gradients, random, same, weighed

DTYPES = list(BOUNDS)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


@every_dtype
def test_rounding_to_a_dtype_passes_from_either_side(dtype: torch.dtype) -> None:
    values = random(40, 30)
    same(values.to(dtype), values)
    same(values, values.to(dtype))


@every_dtype
@pytest.mark.parametrize("other", DTYPES, ids=str)
def test_an_error_of_twice_the_coarser_bound_fails(dtype: torch.dtype, other: torch.dtype) -> None:
    """Everywhere, and at one place of a thousand."""
    bounds = max(BOUNDS[dtype], BOUNDS[other], key=lambda bounds: bounds.rms)
    values = random(1000).to(dtype)
    for error in (2 * bounds.rms * torch.ones(1000), 4 * bounds.peak * torch.eye(1000)[17]):
        with pytest.raises(Mismatch):
            same((values.double() + error * (1 + values.double().abs())).to(torch.float64), values.double().to(other))


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_what_is_no_number_fails(wrong: float) -> None:
    values = random(5)
    spoilt = values.index_fill(0, torch.tensor([2]), wrong)
    for actual, expected in ((spoilt, values), (values, spoilt)):
        with pytest.raises(Mismatch, match=r"at \[2\]"):
            same(actual, expected)
    same(spoilt, spoilt.clone())


def test_what_would_broadcast_fails() -> None:
    with pytest.raises(Mismatch, match=r"values: \[1\] torch.float64 where \[5\] was expected"):
        same(torch.ones(1, dtype=torch.float64), torch.ones(5))


def test_one_wrong_value_of_several_is_named() -> None:
    right = (random(3), random(4))
    all_same(right, tuple(value.clone() for value in right))
    with pytest.raises(Mismatch, match=r"^value 1: "):
        all_same((right[0], right[1] + 1e-6), right)


def test_a_value_more_or_less_fails() -> None:
    value = random(3)
    for actual, expected in (((value,), (value, value)), ((value, value), (value,)), ((), (value,))):
        with pytest.raises(ValueError, match="zip"):
            all_same(actual, expected)


def test_other_names_fail_and_so_does_another_order() -> None:
    a, b = random(3), random(3)
    all_same({"a": a, "b": b}, {"a": a, "b": b})
    for named in ({"a": a}, {"a": a, "b": b, "c": a}, {"b": b, "a": a}, {"a": a, "c": b}):
        with pytest.raises(AssertionError):
            all_same(named, {"a": a, "b": b})


def test_a_gradient_that_cancels_is_measured_against_the_largest_and_only_there() -> None:
    large, cancelled = 1e3 * random(30), 1e-15 * random(30)
    noise = 1e-14 * random(30)
    all_same({"W": large, "b": cancelled + noise}, {"W": large, "b": cancelled})
    with pytest.raises(Mismatch):
        all_same((large, cancelled + noise), (large, cancelled))
    with pytest.raises(Mismatch):
        all_same({"W": large * (1 + 1e-9), "b": cancelled}, {"W": large, "b": cancelled})


def test_a_weighed_loss_moves_with_every_number_by_another_amount() -> None:
    first, second = random(2, 3, requires_grad=True), random(4, requires_grad=True)
    slopes = torch.cat([g.flatten() for g in torch.autograd.grad(weighed(first, second), (first, second))])
    assert slopes.unique().numel() == 10 and bool((slopes != 0).all())


def test_gradients_are_by_place_and_by_name_and_zero_where_nothing_depends() -> None:
    module = torch.nn.Bilinear(2, 2, 1, bias=True)
    x = random(2, dtype=torch.float32, requires_grad=True)
    found = gradients(module, (3 * x).sum(), x)
    assert list(found) == ["0", "weight", "bias"]
    same(found["0"], torch.full((2,), 3.0))
    assert not found["weight"].any() and found["weight"].shape == (1, 2, 2)
