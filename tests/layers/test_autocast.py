"""Under autocast a layer takes what its neighbours give and gives what they take, as torch's own layers do."""

from copy import deepcopy
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import gatework as gw
from gatework.layers.autocast import run_dtype
from numerics import all_same, same

BFLOAT16 = torch.bfloat16


def torchs(layer: nn.LSTM, x: torch.Tensor) -> torch.Tensor | None:
    """What torch's layer gives under autocast; None where this processor has no bfloat16 LSTM for it."""
    try:
        return layer(x)[0]
    except RuntimeError as error:
        assert "could not create a primitive descriptor" in str(error)
        return None


def test_the_output_has_autocasts_dtype_and_the_state_the_layers():
    ours, theirs = gw.LSTM(4, 5), nn.LSTM(4, 5)
    x = torch.randn(6, 3, 4)
    exact = ours(x)[0]
    with torch.autocast("cpu", BFLOAT16):
        output, state = ours(x)
        yardstick = torchs(theirs, x)
    assert output.dtype == BFLOAT16 and {value.dtype for value in state} == {torch.float32}
    assert yardstick is None or yardstick.dtype == BFLOAT16
    same(output, exact)  # within the roundings of bfloat16


@pytest.mark.parametrize("make", [lambda: gw.LSTM(4, 5, 2, bidirectional=True), lambda: gw.Recurrent("slstm", 4, 5)])
def test_the_native_engine_computes_in_bfloat16(make):
    layer, x = make(), torch.randn(6, 3, 4, requires_grad=True)
    rounded = deepcopy(layer).bfloat16()
    expected, final = rounded(x.bfloat16())
    wanted = torch.autograd.grad(expected.float().sum(), (x, *rounded.parameters()))
    with torch.autocast("cpu", BFLOAT16):
        output, state = layer(x)
        loss = output.float().sum()
    assert torch.equal(output, expected)
    all_same(tuple(state), tuple(value.float() for value in final))
    found = torch.autograd.grad(loss, (x, *layer.parameters()))
    assert [value.dtype for value in found] == [torch.float32] * len(found)
    all_same(found, tuple(value.float() for value in wanted))


@pytest.mark.parametrize("engine", ["auto", "triton"])
def test_triton_is_given_bfloat16_and_not_what_it_has_no_kernels_for(engine, monkeypatch):
    pytest.importorskip("triton")
    anchor, cell = SimpleNamespace(device=torch.device("cuda"), dtype=torch.float32), gw.cells["peephole_lstm"]
    for asked, given in ((BFLOAT16, BFLOAT16), (torch.float16, torch.float32), (None, torch.float32)):
        monkeypatch.setattr("gatework.layers.autocast.autocast_dtype", lambda _, asked=asked: asked)
        assert run_dtype(anchor, engine, cell.program) == given
        assert run_dtype(anchor, "reference", cell.program) == torch.float32


def test_on_cuda_auto_gives_torchs_functions_all_dtypes_that_torch_has(monkeypatch):
    anchor, cell = SimpleNamespace(device=torch.device("cuda"), dtype=torch.float32), gw.cells["lstm"]
    monkeypatch.setattr("gatework.engines.vendor._asked", lambda *_: True)
    for asked in (BFLOAT16, torch.float16):
        monkeypatch.setattr("gatework.layers.autocast.autocast_dtype", lambda _, asked=asked: asked)
        assert run_dtype(anchor, "auto", cell.program) == asked


def test_a_backward_pass_inside_autocast_is_the_same():
    layer, x = gw.LSTM(4, 5), torch.randn(6, 3, 4)
    with torch.autocast("cpu", BFLOAT16):
        output, _ = layer(x)
    wanted = torch.autograd.grad(output.float().sum(), tuple(layer.parameters()))
    with torch.autocast("cpu", BFLOAT16):
        found = torch.autograd.grad(layer(x)[0].float().sum(), tuple(layer.parameters()))
    all_same(found, wanted)


def test_what_the_native_engine_has_not_it_computes_in_the_layers_dtype():
    layer, x = gw.LSTM(4, 5, engine="native"), torch.randn(6, 3, 4)
    exact = layer(x)[0]
    with torch.autocast("cpu", torch.float16):
        assert torch.equal(layer(x)[0], exact.half())


def test_input_and_state_may_be_of_either_dtype():
    layer, x = gw.LSTM(4, 5), torch.randn(6, 3, 4).bfloat16()
    with torch.autocast("cpu", BFLOAT16):
        output, state = layer(x.float())
        assert torch.equal(layer(x)[0], output)
        rounded = tuple(value.bfloat16() for value in state)
        assert torch.equal(layer(x, rounded)[0], layer(x, tuple(value.float() for value in rounded))[0])


@pytest.mark.parametrize("cell", ["lstm", "gru", "slstm", "layer_norm_lstm"])
def test_the_reference_engine_multiplies_in_autocasts_dtype(cell):
    layer = gw.Recurrent(cell, 4, 5, 2, bidirectional=True, engine="reference")
    x = torch.randn(6, 3, 4, requires_grad=True)
    _, wanted = layer(x)
    with torch.autocast("cpu", BFLOAT16):
        output, state = layer(x)
    assert output.dtype == BFLOAT16 and state[0].dtype == torch.float32
    assert (state[0] - wanted[0]).abs().max() < 0.1 and not torch.allclose(state[0], wanted[0], atol=1e-5)
    output.float().sum().backward()
    assert x.grad.dtype == torch.float32 and x.grad.isfinite().all()


def test_float64_is_left_alone():
    layer, x = gw.LSTM(4, 5, dtype=torch.float64), torch.randn(6, 3, 4, dtype=torch.float64)
    with torch.autocast("cpu", BFLOAT16):
        assert torch.equal(layer(x)[0], layer(x)[0].double())
        with pytest.raises(gw.InputError, match=r"^x is torch.float32, the layer torch.float64; convert one with"):
            layer(x.float())


def test_repr_says_what_runs_under_autocast():
    layer = gw.LSTM(4, 5)
    with torch.autocast("cpu", BFLOAT16):
        assert "engine='auto': native (the fastest for bfloat16 on cpu)" in repr(layer)
