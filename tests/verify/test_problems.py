"""The random problems that engines answer: what is drawn is the cell's own."""

import pytest
import torch

from gatework.cells import Cell
from gatework.verify.problems import Case, draw


@pytest.mark.parametrize("extras", [False, True])
def test_what_is_a_constant_to_the_cell_is_one_in_its_problems(extras):
    cell = Cell("leaky", "h = h + rate * (tanh(W @ x + U @ h) - h)", constants={"rate": 0.25})
    problem = draw(cell, Case(3, 2, 4, 5, 3, extras=extras))
    assert set(problem.params) == {"W", "U"}


def test_extras_are_every_mask_and_tap_of_every_value():
    cell = Cell("two", "d = W @ x\nc = 0.5 * c + d\nh = tanh(c)")
    plain, extras = (draw(cell, Case(3, 2, 4, 5, 3, extras=extras)) for extras in (False, True))
    masks = {f"{kind} {name}" for kind in ("dropout", "tap") for name in ("d", "c", "h")} | {"zoneout c"}
    assert not plain.inputs and not plain.record
    assert set(extras.inputs) == masks and set(extras.record) == {"d", "c", "h"}


def test_the_same_draw_is_the_same_problem_and_another_is_not():
    cell = Cell("one", "h = tanh(W @ x + U @ h)")
    first, again, other = (draw(cell, Case(3, 2, 4, 5, 3, seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(first.x, again.x) and not torch.equal(first.x, other.x)
