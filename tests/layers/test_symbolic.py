"""A layer in what torch.fx traces: one call of a module, with the arguments that the model gives it."""

import pytest
import torch
from torch import Tensor, nn

import gatework as gw
from numerics import all_same


class Tagger(nn.Module):
    """Passes the layer nothing but x where `fewest`, else a state and lengths too."""

    def __init__(self, fewest: bool) -> None:
        super().__init__()
        self.rnn, self.fewest = gw.GRU(4, 5), fewest

    def forward(self, x: Tensor, state: Tensor, lengths: Tensor) -> Tensor:
        return self.rnn(x)[0] if self.fewest else self.rnn(x, state, lengths=lengths)[0]


@pytest.mark.parametrize("fewest", [True, False])
def test_a_layer_is_one_call_with_the_arguments_it_was_given(fewest):
    model = Tagger(fewest)
    traced = torch.fx.symbolic_trace(model)
    (call,) = (node for node in traced.graph.nodes if node.op == "call_module")
    names = [arg.name for arg in call.args], {name: value.name for name, value in call.kwargs.items()}
    assert call.target == "rnn"
    assert names == ((["x"], {}) if fewest else (["x", "state"], {"lengths": "lengths"}))
    x, state, lengths = torch.randn(6, 3, 4), torch.randn(1, 3, 5), torch.tensor([6, 0, 2])
    all_same(traced(x, state, lengths), model(x, state, lengths))


def test_a_layer_by_itself_is_no_model_to_trace():
    with pytest.raises(gw.InputError, match=r"^torch.fx traces models that hold a layer; trace a module whose forward"):
        torch.fx.symbolic_trace(gw.GRU(4, 5))
