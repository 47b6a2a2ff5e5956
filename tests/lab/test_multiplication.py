"""Multiplication as the paper defines it: adding's sequences with values from 0 to 1, and their product."""

import torch

from gatework.lab.learning import Stop
from gatework.lab.multiplication import WRONG, draw


def test_the_target_is_the_product_of_the_marked_values() -> None:
    batch = draw(100, 3000, torch.Generator().manual_seed(1))
    marked = batch.x[..., 1] == 1
    products = torch.where(marked, batch.x[..., 0], 1.0).prod(0)  # the first pair counts as 1
    torch.testing.assert_close(batch.y[:, 0], products)
    values = batch.x[..., 0]
    assert 0 <= values.min() < 0.01 and 0.99 < values.max() <= 1
    assert 0.24 < float(batch.y.mean()) < 0.29


def test_training_ends_with_12_wrong_of_2000_but_not_with_13() -> None:
    stop, errors = Stop(wrong=WRONG), torch.zeros(2000)
    assert stop.holds(errors, torch.arange(2000) < 12)
    assert not stop.holds(errors, torch.arange(2000) < 13)
