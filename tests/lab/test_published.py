"""What the trials of 1997 to 2002 share: their learning rule, as equations."""

import pytest
import torch

import gatework as gw
from gatework.lab.published import cut
from numerics import same


def flow_of(cell: str):
    torch.manual_seed(0)
    layer = gw.Recurrent(cell, 3, 5, engine="reference").double()
    return gw.gradient_flow(layer, torch.randn(9, 4, 3, dtype=torch.float64))


@pytest.mark.parametrize("name", ["lstm", "peephole_lstm"])
def test_the_gradient_of_the_memory_flows_back_along_the_memory_alone(name):
    flow = flow_of(cut(name))
    same(flow.norms["l0.c"], flow.direct["l0.c"], "c")
    assert not flow.norms["l0.h"][1:].any()


@pytest.mark.parametrize("name", ["lstm_no_forget", "lstm_1997"])
def test_without_a_forget_gate_it_stays_as_it_is(name):
    norms = flow_of(cut(name)).norms["l0.c"]
    same(norms[1:], norms[:1].expand_as(norms[1:]), "c")


@pytest.mark.parametrize("name", ["lstm", "lstm_1997", "peephole_lstm"])
def test_values_are_those_of_the_cell(name):
    torch.manual_seed(0)
    whole, part = gw.Recurrent(name, 3, 5), gw.Recurrent(cut(name), 3, 5)
    part.load_state_dict(whole.state_dict())
    x = torch.randn(7, 2, 3)
    same(part(x)[0], whole(x)[0])
