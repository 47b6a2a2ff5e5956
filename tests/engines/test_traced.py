"""The reference engine as one operator answers as its loop does, and a traced layer takes any T and B."""

import pytest
import torch

import gatework as gw
from gatework.cells import cells
from gatework.engines import reference, traced
from gatework.verify.problems import Case, answer, draw
from numerics import all_same, gradients, weighed

CASES = {
    "plain": Case(4, 3, 4, 9, 5),
    "lengths": Case(4, 7, 4, 9, 5, lengths=True),
    "resets": Case(4, 7, 4, 9, 5, resets=True),
    "masks and records": Case(4, 3, 4, 9, 5, lengths=True, extras=True),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("cell", ["lstm", "gru", "slstm"])
def test_values_and_gradients_are_those_of_the_loop(cell, case):
    problem = draw(cells[cell], case, torch.float64)
    all_same(answer(traced.run, problem), answer(reference.run, problem))


@pytest.mark.filterwarnings("ignore:`torch.jit..*:DeprecationWarning", "ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("options", [{"dtype": torch.float64}, {"engine": "reference"}], ids=["float64", "by name"])
def test_a_traced_layer_has_the_gradients_of_the_layer_at_any_length(options):
    layer = gw.LSTM(4, 5, 2, bidirectional=True, **options)
    dtype = layer.l0.W_i.dtype
    module = torch.jit.trace(layer, torch.randn(3, 2, 4, dtype=dtype))
    x = torch.randn(7, 3, 4, dtype=dtype, requires_grad=True)
    (output, state), (expected, wanted) = module(x), layer(x)
    found = gradients(layer, weighed(output, *state), x)
    all_same((output, *state), (expected, *wanted))
    all_same(found, gradients(layer, weighed(expected, *wanted), x))
