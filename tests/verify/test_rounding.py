"""Rounding: torch computes as it always does, each number off by a little."""

import pytest
import torch

from gatework.verify.rounding import Rounding


def test_by_nothing_every_operation_is_torchs_own_with_all_its_arguments():
    x = torch.arange(6.0).reshape(2, 3)
    with Rounding(0.0, 1):
        total, filled = x.sum(1, keepdim=True, dtype=torch.float64), torch.full((2,), 0.1, dtype=torch.float64)
    assert total.dtype == filled.dtype == torch.float64
    assert total.tolist() == [[3.0], [12.0]] and filled.tolist() == [0.1, 0.1]


@pytest.mark.parametrize("unit", [1e-6, 1e-3])
def test_each_number_is_off_by_up_to_the_unit(unit):
    x = torch.ones(1000, dtype=torch.float64)
    with Rounding(unit, 1):
        off = (x * 1 - 1).abs()
    assert off.max() <= 2.1 * unit and off.max() > 0.9 * unit  # the product's and the difference's
    assert len(off.unique()) > 900


def test_the_terms_of_a_sum_are_off_too():
    x = torch.tensor([1.0, -1.0], dtype=torch.float64)
    assert x.sum() == 0
    with Rounding(1e-3, 1):
        assert 1e-6 < abs(float(x.sum())) < 2e-3
