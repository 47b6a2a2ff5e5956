"""What lies past a sequence's length is never read: not by the output, the states, or any gradient."""

import math

import pytest
import torch
from torch import Tensor, nn

import gatework as gw
from gatework.cells import cells
from numerics import all_same, gradients, randomise, weighed

LENGTHS = torch.tensor([7, 0, 3, 5, 7, 1, 2])
T, B, H = 7, len(LENGTHS), 6
PAST = torch.arange(T)[:, None] >= LENGTHS  # [T,B]
RESETS = torch.rand(T, B, generator=torch.Generator().manual_seed(4)) > 0.7
NEVER = (math.nan, math.inf, -math.inf)


def answers(layer: nn.Module, x: Tensor, **options: Tensor) -> dict[str, Tensor]:
    torch.manual_seed(3)
    x = x.clone().requires_grad_()
    output, state = layer(x, lengths=LENGTHS, **options)
    values = (output, state) if isinstance(state, Tensor) else (output, *state)
    found = {f"value {index}": value for index, value in enumerate(values)}
    return found | gradients(layer, weighed(*values), x)


def unseen(layer: nn.Module, call: nn.Module | None = None, dtype: torch.dtype = torch.float32) -> None:
    """The answers are the same with numbers and with anything else past the lengths; x is [T,B,H], H = I."""
    randomise(layer)
    call, x = layer if call is None else call, torch.randn(T, B, H, dtype=dtype)
    for options in ({}, {"resets": RESETS}):
        expected = answers(layer, x, **options)
        for value in NEVER:
            all_same(answers_of(call, layer, x.masked_fill(PAST[:, :, None], value), options), expected)


def answers_of(call: nn.Module, layer: nn.Module, x: Tensor, options: dict[str, Tensor]) -> dict[str, Tensor]:
    found = answers(call, x, **options)
    return {name.removeprefix("_orig_mod."): value for name, value in found.items()}


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("cell", cells)
def test_of_every_cell(cell, engine):
    options = {"proj_size": 3} if "R" in cells[cell].program.sizes else {}
    unseen(gw.Recurrent(cell, H, H, engine=engine, **options))


MASKS = {"recurrent_dropout": {"h": 0.3}, "zoneout": {"c": 0.2, "h": 0.1}, "dropout": 0.4}
KINDS = {
    "both directions": {"bidirectional": True, "num_layers": 2},
    "recompute": {"recompute": True, "bidirectional": True},
    "masks": {**MASKS, "num_layers": 2, "bidirectional": True},
    "masks for all steps": {**MASKS, "num_layers": 2, "variational": True},
    "masks and recompute": {**MASKS, "num_layers": 2, "recompute": True},
    "learned and residual": {"initial": "learned", "residual": True, "num_layers": 2},
}


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_of_every_kind_of_layer(options, engine):
    unseen(gw.Recurrent("lstm", H, H, engine=engine, **options))


@pytest.mark.parametrize("recompute", [False, True])
def test_in_bfloat16(recompute):
    layer = gw.LSTM(H, H, 2, bidirectional=True, recompute=recompute, engine="native", dtype=torch.bfloat16)
    unseen(layer, dtype=torch.bfloat16)


@pytest.mark.filterwarnings("ignore:`torch.jit.script.*:DeprecationWarning")  # torch's own
@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "recompute": True}])
def test_compiled(options):
    torch._dynamo.reset()
    layer = gw.Recurrent("peephole_lstm", H, H, **options)
    unseen(layer, torch.compile(layer, fullgraph=True, backend="aot_eager"))


def test_where_a_gradient_is_recorded():
    layer, x = gw.LSTM(H, H), torch.randn(T, B, H).masked_fill(PAST[:, :, None], math.nan)
    with gw.record(layer, "f", "c", gradients=True) as trace:
        layer(x, lengths=LENGTHS)[0].sum().backward()
    for values in (trace, trace.gradients):
        assert all((value.masked_select(PAST[:, :, None]) == 0).all() for value in values.values())
