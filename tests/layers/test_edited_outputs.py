"""Outputs and states may be edited in place, as those of torch's layers may, and gradients stay what they are."""

import pytest
import torch
from torch.nn import functional as F

import gatework as gw
from gatework.engines.native.memory import LEAST
from numerics import all_same, gradients, randomise, weighed

SIZES = {"small": (5, 3, 4), "large": (9, LEAST // 32, 8)}
LAYERS = {
    "GRU": lambda I: gw.GRU(I, I),
    "LSTM": lambda I: gw.LSTM(I, I, 2),
    "recompute": lambda I: gw.LSTM(I, I, recompute=True),
    "another output": lambda I: gw.Recurrent("y = tanh(W @ x + U @ y)\nh = 2 * y", I, I),
}
EDITS = {
    "added to": (lambda y: y.add_(1), lambda y: y + 1),
    "zeroed in part": (
        lambda y: y.index_fill_(0, torch.tensor([0]), 0),
        lambda y: y.index_fill(0, torch.tensor([0]), 0),
    ),
    "dropout": (lambda y: F.dropout(y, 0.5, inplace=True), lambda y: F.dropout(y, 0.5)),
    "relu": (F.relu_, F.relu),
}


@pytest.mark.parametrize("lengths", [False, True])
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("edits", EDITS.values(), ids=EDITS)
def test_an_edit_in_place_is_as_one_apart(edits, make, sizes, lengths):
    layer, x = randomise(make(sizes[-1]), 0.3), torch.randn(sizes, requires_grad=True)
    options = {"lengths": torch.arange(sizes[1]) % (sizes[0] + 1)} if lengths else {}
    found = []
    for edit in edits:
        torch.manual_seed(2)
        output, state = layer(x, **options)
        values = [edit(value) for value in (output, *([state] if isinstance(state, torch.Tensor) else state))]
        found.append(gradients(layer, weighed(*values), x) | {f"value {k}": v for k, v in enumerate(values)})
    all_same(*found)


def test_an_edit_of_what_a_layer_has_read_is_noticed():
    layer, x = gw.LSTM(4, 5), torch.randn(6, 3, 4)
    output, _ = layer(x)
    x.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


def test_an_edit_of_lengths_is_noticed():
    layer, x, lengths = gw.LSTM(4, 5), torch.randn(6, 3, 4), torch.tensor([6, 2, 4])
    output, _ = layer(x, lengths=lengths)
    lengths.fill_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()
