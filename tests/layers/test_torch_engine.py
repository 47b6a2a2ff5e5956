"""Layers on the engine "torch": stacked, in both directions, with lengths, under autocast, streamed, and as modules."""

import copy

import pytest
import torch
from torch._dynamo.exc import Unsupported
from torch._subclasses import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.testing._internal.two_tensor import TwoTensor
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

import gatework as gw
from gatework.errors import InputError
from numerics import all_same, gradients, random, randomise, weighed

T, B, I, H = 7, 4, 3, 5
LENGTHS = torch.tensor([7, 0, 3, 5])
LAYERS = {"lstm": {}, "projected_lstm": {"proj_size": 2}, "gru_reset_after": {}, "rnn": {}, "rnn_relu": {}}


pytestmark = [  # torch's own
    pytest.mark.filterwarnings("ignore:`torch.jit..*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
]


def pair(cell, **options):
    """A layer on the engine and its equal on the reference engine."""
    layer = randomise(gw.Recurrent(cell, I, H, 2, bidirectional=True, engine="torch", **LAYERS[cell], **options))
    other = copy.deepcopy(layer)
    other.engine = "reference"
    return layer, other


@pytest.mark.parametrize("cell", LAYERS)
@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_stacked_layers_in_both_directions_are_those_of_the_reference_engine(cell, lengths, dtype):
    layer, other = pair(cell, dtype=dtype, dropout=0.3, initial="learned")
    x = random(T, B, I, dtype=dtype, requires_grad=True)
    answers = []
    for module in (layer, other):
        torch.manual_seed(3)
        output, state = module(x, lengths=lengths)
        answers.append(((output, *state), gradients(module, weighed(output, *state), x)))
    all_same(answers[0][0], answers[1][0])
    all_same(answers[0][1], answers[1][1])


def test_under_autocast_the_output_comes_in_its_dtype():
    layer, _ = pair("lstm")
    x = random(T, B, I, dtype=torch.float32)
    expected = layer(x)[0]
    with torch.autocast("cpu", torch.bfloat16):
        output, state = layer(x)
    assert output.dtype == torch.bfloat16 and state.h.dtype == torch.float32
    assert (output.float() - expected).abs().max() < 0.05
    weighed(output).backward()
    assert all(p.grad.dtype == torch.float32 and p.grad.abs().max() > 0 for p in layer.parameters())


def test_a_stream_takes_the_same_steps():
    layer = randomise(gw.LSTM(I, H, 2, engine="torch"))
    x = random(T, B, I, dtype=torch.float32)
    stream = layer.stream(B)
    with torch.no_grad():
        all_same((torch.stack([stream(step).clone() for step in x]),), (layer(x)[0],))


def test_a_recorded_output_is_there_and_what_is_inside_is_refused():
    layer = gw.LSTM(I, H, engine="torch")
    x = random(T, B, I, dtype=torch.float32)
    with gw.record(layer, "h") as trace:
        output, _ = layer(x)
    assert torch.equal(trace["l0.h"], output)
    with pytest.raises(InputError, match="has no recorded f: use"), gw.record(layer, "f"):
        layer(x)
    with pytest.raises(InputError, match="masks and taps act inside the cell"):
        gw.LSTM(I, H, engine="torch", recurrent_dropout={"g": 0.5})(x)


def test_checkpoints_and_copies_on_meta():
    layer, other = pair("lstm")
    x = random(T, B, I, dtype=torch.float32, requires_grad=True)
    found = checkpoint(layer, x, use_reentrant=False)[0]
    all_same(gradients(layer, weighed(found), x), gradients(other, weighed(other(x)[0]), x))
    meta = gw.LSTM(I, H, engine="torch", device="meta")
    for lengths in (None, LENGTHS.to("meta")):
        assert meta(torch.empty(T, B, I, device="meta"), lengths=lengths)[0].shape == (T, B, H)


def test_torch_func_is_refused_in_one_line():
    layer = gw.LSTM(I, H, engine="torch")
    x = random(T, B, I, dtype=torch.float32)
    with pytest.raises(InputError, match=r"engine='torch' has no torch.func and forward mode: use engine='reference'"):
        torch.func.grad(lambda value: layer(value)[0].sum())(x)


WATCHED = r"^engine='torch' runs eager calls: for what torch's tools trace or wrap use engine='reference'$"


def fake(call, x):
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        return call(mode.from_tensor(x))


def counted(call, x):
    with FlopCounterMode(display=False):
        return call(x)


TOOLS = {
    "torch.jit.trace": lambda call, x: torch.jit.trace(call, (x,)),
    "make_fx": lambda call, x: make_fx(call)(x),
    "functionalize": lambda call, x: torch.func.functionalize(call)(x),
    "FakeTensorMode": fake,
    "a wrapper": lambda call, x: call(TwoTensor(x, 2 * x)),
    "FlopCounterMode": counted,
}


@pytest.mark.parametrize("cell", ["lstm", "gru_reset_after", "rnn"])
@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_what_traces_or_wraps_is_refused_in_one_line(cell, tool, lengths):
    layer = gw.Recurrent(cell, I, H, engine="torch").requires_grad_(False)
    x = random(T, B, I, dtype=torch.float32)
    with pytest.raises(InputError, match=WATCHED):
        TOOLS[tool](lambda x: layer(x, lengths=lengths)[0], x)
    layer(x, lengths=lengths)  # and then runs again


def test_export_is_refused():
    layer = gw.LSTM(I, H, engine="torch")
    with pytest.raises(InputError, match=WATCHED):
        torch.export.export(layer, (random(T, B, I, dtype=torch.float32),))


@pytest.mark.parametrize("cell", ["lstm", "gru_reset_after"])
def test_compiled_whole_sequences_run_and_lengths_are_refused(cell):
    torch._dynamo.reset()
    layer, other = pair(cell)
    x = random(T, B, I, dtype=torch.float32, requires_grad=True)
    found, expected = torch.compile(layer, backend="aot_eager", fullgraph=True)(x)[0], other(x)[0]
    all_same((found,), (expected,))
    all_same(gradients(layer, weighed(found), x), gradients(other, weighed(expected), x))
    for whole, error in ((True, Unsupported), (False, InputError)):
        torch._dynamo.reset()
        with pytest.raises(error, match=WATCHED[1:-1]):
            torch.compile(layer, backend="aot_eager", fullgraph=whole)(x, lengths=LENGTHS)
