"""Layers and directions in one call of torch's fused functions: the same numbers as call by call."""

import copy

import pytest
import torch

import gatework as gw
from gatework.cells import TORCH_LAYERS
from gatework.engines import vendor
from gatework.engines.choose import may_stack
from gatework.engines.vendor.recognise import recognise
from gatework.engines.vendor.weights import kept, names, stacked, unstacked
from numerics import all_same, gradients, random, randomise, weighed

T, B, I, H = 7, 4, 3, 5
DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
SHAPES = {"stacked": (3, False), "both directions": (1, True), "stacked in both": (2, True)}
LENGTHS = torch.tensor([7, 0, 3, 5])
RESETS = torch.arange(T)[:, None] == torch.tensor([2, 3, 0, 4])
CALLS = {"whole": {}, "lengths": {"lengths": LENGTHS}, "resets": {"resets": RESETS}}
CALLS["lengths and resets"] = CALLS["lengths"] | CALLS["resets"]


@pytest.fixture
def calls(monkeypatch):
    """The layers of each call of torch's functions, as they come."""
    seen, call = [], vendor._call

    def counted(fused, *given):
        seen.append(next(value for value in given if type(value) is int))
        return call(fused, *given)

    monkeypatch.setattr(vendor, "_call", counted)
    return seen


def made(cell, layers, both, **options):
    sizes = {"proj_size": 2} if cell == "projected_lstm" else {}
    return randomise(gw.Recurrent(cell, I, H, layers, bidirectional=both, engine="torch", **sizes, **options))


def answers(layer, x, state=None, **call):
    output, new = layer(x, state, **call)
    return output, *new, *gradients(layer, weighed(output, *new), x, *(state or ())).values()


def by_call(monkeypatch, layer, *given, **call):
    """The answers where each layer and direction is a call."""
    with monkeypatch.context() as patch:
        patch.setattr("gatework.layers.recurrent.may_stack", lambda *_: False)
        return answers(copy.deepcopy(layer), *given, **call)


@pytest.mark.parametrize("cell", TORCH_LAYERS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_layers_and_directions_are_one_call(cell, dtype, shape, calls, monkeypatch):
    if not vendor.runs(torch.device("cpu"), dtype):
        pytest.skip(f"torch has no {dtype} here")
    layers, both = SHAPES[shape]
    layer = made(cell, layers, both, dtype=dtype)
    x = random(T, B, I, dtype=dtype, requires_grad=True)
    sizes = [size for _, size in layer.state_shapes.values()]
    state = tuple(random(layers * (1 + both), B, size, dtype=dtype, requires_grad=True) for size in sizes)
    for begun in (None, state):
        for call in CALLS.values():
            calls.clear()
            found = answers(layer, x, begun, **call)
            assert calls == [layers]
            wanted = by_call(monkeypatch, layer, x, begun, **call)
            assert len(calls) == 1 + layers * (1 + both)
            close(found, wanted)


def close(found, wanted):
    """By the comparator, which knows float32 and float64; the small dtypes round each layer's output alike."""
    if found[0].dtype in (torch.float32, torch.float64):
        all_same(found, wanted)
    else:
        bound = 0.02 * max(value.abs().max() for value in wanted)
        assert all((one - other).abs().max() <= bound for one, other in zip(found, wanted, strict=True))


def test_dropout_between_layers_is_drawn_as_ever_and_outside_training_all_is_one_call(calls, monkeypatch):
    layer = made("lstm", 3, True, dropout=0.4, dtype=torch.float64)
    x = random(T, B, I, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(1)
    found = answers(layer, x)
    assert calls == [1, 1, 1]
    torch.manual_seed(1)
    all_same(found, by_call(monkeypatch, layer, x))
    calls.clear()
    layer.eval()(x)
    assert calls == [3]


@pytest.mark.parametrize("options", [{"residual": True}, {"initial": "learned"}, {"variational": True, "dropout": 0.3}])
def test_what_stands_between_layers_is_not_left_out(options, monkeypatch):
    layer = made("gru_reset_after", 2, True, dtype=torch.float64, **options)
    x = random(T, B, I, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(2)
    found = answers(layer, x)
    torch.manual_seed(2)
    all_same(found, by_call(monkeypatch, layer, x))


def test_masks_and_recordings_are_of_each_layer(calls):
    layer = made("lstm", 2, True)
    x = random(T, B, I, dtype=torch.float32)
    expected, _ = layer(x)
    calls.clear()
    with gw.record(layer, "h") as trace:
        output, _ = layer(x)
    assert calls == [1] * 4
    all_same((output, torch.cat([trace["l1.h"], trace["l1_reverse.h"]], -1)), (expected, expected))
    with pytest.raises(gw.InputError, match="masks and taps act inside the cell"):
        made("lstm", 2, True, zoneout={"h": 0.5})(x)


def test_no_steps_no_sequences_and_nothing_but_empty_ones():
    layer = made("lstm", 2, True)
    for steps, many, lengths in ((0, 3, None), (4, 0, None), (4, 3, torch.zeros(3, dtype=torch.int64))):
        state = tuple(random(4, many, H, dtype=torch.float32) for _ in range(2))
        output, new = layer(random(steps, many, I, dtype=torch.float32), state, lengths=lengths)
        assert output.shape == (steps, many, 2 * H) and not output.any()
        assert all(torch.equal(*pair) for pair in zip(new, state, strict=True))


def test_a_stack_under_autocast_runs_in_its_dtype(calls):
    layer = made("lstm", 2, True)
    x = random(T, B, I, dtype=torch.float32)
    expected, _ = layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        output, state = layer(x)
    assert calls == [2, 2] and output.dtype == torch.bfloat16 and state.c.dtype == torch.float32
    assert (output.float() - expected).abs().max() < 0.05


def test_a_weight_of_another_dtype_is_named():
    layer = made("lstm", 2, False)
    layer.weights(1, "").double()
    with pytest.raises(gw.InputError, match=r"the output of l0 is torch.float32, the layer torch.float64"):
        layer(random(T, B, I, dtype=torch.float32))


def test_the_weights_of_a_stack_are_kept_until_one_changes_and_their_gradients_go_back():
    layer = made("projected_lstm", 2, True)
    known = recognise(layer.program)
    params = [dict(layer.weights(at, side).named_parameters()) for at in range(2) for side in ("", "_reverse")]
    used = [each[name] for each in params for name in names(known)]
    first = kept(known, used, True)
    assert len(first) == 4 * known.weights and kept(known, used, True)[0] is first[0]
    with torch.no_grad():
        used[-1].mul_(2)
    again = kept(known, used, True)
    wanted = [weight for each in params for weight in stacked(known, each)]
    assert again[0] is not first[0] and all(torch.equal(*pair) for pair in zip(again, wanted, strict=True))
    by_weights = vendor.weights._Kept.apply(known, True, *used)
    numbers = [torch.randn_like(weight) for weight in wanted]
    found = torch.autograd.grad(by_weights, used, numbers)
    all_same(found, torch.autograd.grad([w for w in wanted if w.requires_grad], used, grads(wanted, numbers)))
    parts = unstacked(known, numbers[: known.weights])
    assert all(torch.equal(parts[name], each) for name, each in zip(names(known), found, strict=False))


def grads(values, numbers):
    return [number for value, number in zip(values, numbers, strict=True) if value.requires_grad]


def test_layers_may_be_one_call_on_cuda_and_by_name():
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert may_stack("torch", cpu) and may_stack("auto", cuda)
    assert not may_stack("auto", cpu) and not may_stack("native", cpu) and not may_stack("reference", cuda)
