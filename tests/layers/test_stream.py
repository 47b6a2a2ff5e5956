"""A stream takes the steps that the layer takes over a whole sequence, one call each."""

import copy
import io
import pickle

import pytest
import torch
from torch import Tensor

import gatework as gw
from gatework.cells import cells
from numerics import all_same, randomise, same
from recurrents import made

T = 7
LAYERS = {
    "LSTM": lambda **options: gw.LSTM(6, 7, **options),
    "three layers, projected": lambda **options: gw.LSTM(6, 7, 3, proj_size=4, **options),
    "batch first, no bias": lambda **options: gw.GRU(6, 7, 2, bias=False, batch_first=True, **options),
    "one state": lambda **options: gw.RNN(6, 6, **options),
    "zoneout": lambda **options: gw.Recurrent("lstm", 6, 7, zoneout={"h": 0.2, "c": 0.1}, **options),
    "residual, dropout": lambda **options: gw.Recurrent("gru", 6, 7, 3, residual=True, dropout=0.5, **options),
    "learned": lambda **options: gw.Recurrent("slstm", 6, 7, 2, initial="learned", **options),
}
KINDS = pytest.mark.parametrize("kind", LAYERS)
ENGINES = pytest.mark.parametrize("engine", ["native", "reference"])


def states(state) -> tuple[Tensor, ...]:
    return (state,) if isinstance(state, Tensor) else tuple(state)


def steps(stream, x: Tensor) -> Tensor:
    """What a stream gives for each step of x [T,B,I]."""
    return torch.stack([stream(step).clone() for step in x])


def whole(layer: gw.Recurrent, x: Tensor, *state) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Output [T,B,H] and states of the layer, outside training."""
    training, first = layer.training, layer.batch_first
    layer.eval().batch_first = False
    with torch.no_grad():
        output, final = layer(x, *state)
    layer.train(training).batch_first = first
    return output, states(final)


@ENGINES
@KINDS
@pytest.mark.parametrize("B", [1, 7])
def test_steps_are_the_whole_sequence(kind, engine, B):
    layer, x = randomise(LAYERS[kind](engine=engine)), torch.randn(T, B, 6)
    stream = layer.stream(B)
    for length in (1, T):  # the second sequence goes on from the state that the first has left
        expected, final = whole(layer, x[:length], *(() if length == 1 else (stream.state,)))
        same(steps(stream, x[:length]), expected)
        all_same(states(stream.state), final)


@pytest.mark.parametrize("cell", cells)
def test_every_cell_streams(cell):
    layer = made(cell, 6, 7).float()
    x = torch.randn(T, 2, layer.input_size)
    stream, (expected, final) = layer.stream(2), whole(layer, x)
    same(steps(stream, x), expected)
    all_same(tuple(stream.state), final)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_dtypes_stream(dtype):
    layer, x = gw.LSTM(6, 7, 2, dtype=dtype), torch.randn(T, 2, 6, dtype=dtype)
    stream, (expected, final) = layer.stream(2), whole(layer, x)
    same(steps(stream, x), expected)
    all_same(stream.state, final)
    assert {value.dtype for value in (stream(x[0]), *stream.state)} == {dtype}


@ENGINES
def test_a_stream_starts_where_it_is_told(engine):
    layer, x = gw.LSTM(6, 7, 2, engine=engine), torch.randn(T, 3, 6)
    state = (torch.randn(2, 3, 7), torch.randn(2, 3, 7))
    expected = whole(layer, x, state)[0]
    stream = layer.stream(3, state)
    same(steps(stream, x), expected)
    stream.reset(state)
    same(steps(stream, x), expected)


@ENGINES
@pytest.mark.parametrize("before", [0, 1, 2])
def test_a_reset_leads_back_to_the_start(engine, before):
    layer, x = randomise(gw.Recurrent("slstm", 6, 7, 2, initial="learned", engine=engine)), torch.randn(T, 2, 6)
    stream = layer.stream(2)
    for step in x[:before]:
        stream(step)
    stream.reset()
    same(steps(stream, x), whole(layer, x)[0])


def test_the_state_has_the_form_that_the_layer_returns():
    assert type(gw.LSTM(6, 7).stream().state) is type(gw.LSTM(6, 7)(torch.randn(1, 6))[1])
    assert gw.GRU(6, 7, 2).stream(3).state.shape == (2, 3, 7)
    assert gw.Recurrent("gru", 6, 7).stream().state.h.shape == (1, 1, 7)


def test_the_state_is_a_copy():
    stream = gw.GRU(6, 7).stream()
    stream(torch.randn(1, 6))
    state = stream.state
    before = state.clone()
    stream(torch.randn(1, 6))
    assert torch.equal(state, before) and not torch.equal(stream.state, before)


def test_two_buffers_take_turns():
    stream = gw.LSTM(6, 7).stream()
    first, second, third = (stream(torch.randn(1, 6)) for _ in range(3))
    assert first.data_ptr() == third.data_ptr() != second.data_ptr()


def test_an_output_may_be_the_next_input():
    layer = randomise(gw.GRU(7, 7), 0.2)
    stream, x = layer.stream(), torch.randn(1, 7)
    found, expected = x, x
    for _ in range(T):
        found = stream(found)
    found = found.clone()
    stream.reset()
    for _ in range(T):
        expected = stream(expected.clone())
    assert torch.equal(found, expected)


@ENGINES
def test_weights_are_those_of_the_moment_it_was_made(engine):
    layer, x = gw.LSTM(6, 7, engine=engine), torch.randn(T, 1, 6)
    stream, (expected, _) = layer.stream(), whole(layer, x)
    randomise(layer)
    same(steps(stream, x), expected)


def test_a_strided_step_is_read_as_it_is_meant():
    layer, x = gw.LSTM(6, 7), torch.randn(3, 6, T)
    expected = whole(layer, x.permute(2, 0, 1))[0]
    same(steps(layer.stream(3), x.permute(2, 0, 1)), expected)


def test_no_gradients_pass():
    stream = gw.LSTM(6, 7).stream()
    assert not stream(torch.randn(1, 6, requires_grad=True)).requires_grad
    assert not stream(torch.nn.Parameter(torch.randn(1, 6))).requires_grad


def test_a_stream_made_in_inference_mode_runs_outside_it():
    with torch.inference_mode():
        stream = gw.LSTM(6, 7).stream()
        stream(torch.randn(1, 6))
    stream(torch.randn(1, 6))
    stream.reset()


def saved(stream):
    torch.save(stream, file := io.BytesIO())
    file.seek(0)
    return torch.load(file, weights_only=False)


COPIES = {
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "pickle": lambda s: pickle.loads(pickle.dumps(s)),
    "file": saved,
}


@ENGINES
@KINDS
@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copy_goes_on_from_the_same_state_by_itself(kind, engine, copied):
    layer, x = randomise(LAYERS[kind](engine=engine)), torch.randn(T, 2, 6)
    stream, expected = layer.stream(2), whole(layer, x)[0]
    same(steps(stream, x[:3]), expected[:3])
    twin = copied(stream)
    same(steps(twin, x[3:]), expected[3:])
    same(steps(stream, x[3:]), expected[3:])
    twin.reset()
    same(steps(twin, x), expected)


def test_the_copy_of_a_model_with_a_stream_has_a_layer_of_its_own():
    model = {"layer": gw.LSTM(6, 7)}
    model["stream"] = model["layer"].stream()
    twin = copy.deepcopy(model)
    assert twin["stream"].layer is twin["layer"] is not model["layer"]


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.ones(6), r"^x has shape \[6\]; expected one step \[B,I\], \[2, 6\]$"),
        (torch.ones(1, 2, 6), r"^x has shape \[1, 2, 6\]; expected one step"),
        (torch.ones(2, 5), r"^x has shape \[2, 5\]; expected one step"),
        (torch.ones(2, 6).double(), r"^x is torch.float64, the layer torch.float32; convert one with"),
        (torch.ones(2, 6, device="meta"), r"^x is on meta, the layer on cpu; move one with"),
        (torch.ones(2, 6).to_sparse(), r"^x is torch.sparse_coo; expected a dense tensor: x.to_dense\(\)$"),
        ([[0.0] * 6] * 2, r"^x is list; expected a tensor \[B,I\]$"),
    ],
    ids=["no batch", "several steps", "too narrow", "float64", "no memory", "sparse", "lists"],
)
def test_what_is_no_step_is_refused(x, message):
    with pytest.raises(gw.InputError, match=message):
        gw.LSTM(6, 7).stream(2)(x)


STRIDED = {
    "an expanded row": lambda x: x[:1].expand(2, -1),
    "columns of a wider table": lambda x: x.repeat_interleave(2, 1)[:, ::2],
    "transposed": lambda x: x.t().contiguous().t(),
    "negative numbers that are only marked so": lambda x: torch.complex(x, -x).conj().imag,
}


@ENGINES
@pytest.mark.parametrize("strided", STRIDED.values(), ids=STRIDED)
@pytest.mark.parametrize("B", [1, 2])
def test_a_step_is_read_as_the_tensor_it_is(engine, strided, B):
    layer, x = randomise(gw.GRU(6, 7, engine=engine)), torch.randn(T, B, 6)
    given = [strided(step)[:B] for step in x]
    same(steps(layer.stream(B), given), whole(layer, torch.stack([step.clone() for step in given]))[0])


def test_no_door_takes_a_step_unchecked():
    layer = gw.LSTM(6, 7)
    stream = layer.stream()
    public = [name for name in dir(stream) if not name.startswith("_")]
    held = ["anchor", "batch_size", "device", "dtype", "layer", "shape", "start", "state", "weights"]
    assert public == sorted([*held, "fitting", "reset", "take"])


@pytest.mark.parametrize("cell", ["a = tanh(W @ x)\nh = tanh(V @ (a * h) + b)", "h = tanh(W @ x + U @ h)"])
def test_plans_whose_steps_run_into_one_another_stream_too(cell):
    """The first cell's last block and the next step's first run tile by tile together."""
    layer, x = randomise(gw.Recurrent(cell, 6, 7)), torch.randn(T, 3, 6)
    same(steps(layer.stream(3), x), whole(layer, x)[0])


def test_what_cannot_be_streamed_is_refused():
    with pytest.raises(gw.InputError, match=r"^bidirectional=True needs the whole sequence"):
        gw.LSTM(6, 7, bidirectional=True).stream()
    with pytest.raises(gw.InputError, match=r"^batch_size is 0; expected a whole number of at least 1$"):
        gw.LSTM(6, 7).stream(0)
    with pytest.raises(gw.InputError, match=r"^state h has shape \[1, 1, 7\]; expected \[1, 2, 7\]"):
        gw.LSTM(6, 7).stream(2, (torch.zeros(1, 1, 7), torch.zeros(1, 1, 7)))
    layer = gw.LSTM(6, 7)
    with gw.record(layer, "h"), pytest.raises(gw.InputError, match=r"^a stream records nothing"):
        layer.stream()


@ENGINES
@KINDS
def test_rows_taken_go_on_as_sequences_of_their_own(kind, engine):
    """Left out, in another order, more than once, as many as before or not."""
    layer, x = randomise(LAYERS[kind](engine=engine)), torch.randn(T, 4, 6)
    for rows in ([3, 1, 0, 2], [2, 2, 0, 2], [1], [0, 1, 2, 3, 3, 0, 1]):
        stream = layer.stream(4)
        for step in x[:3]:
            stream(step)
        stream.take(torch.tensor(rows))
        expected, final = whole(layer, x[:, rows])
        same(steps(stream, x[3:, rows]), expected[3:])
        all_same(states(stream.state), final)


@pytest.mark.parametrize("rows", [[0, 2], [-1], [], [[0]], [0.0]], ids=str)
def test_rows_that_are_not_there_are_refused(rows):
    with pytest.raises(gw.InputError, match=r"^rows is .*; expected whole numbers from 0 to 1$"):
        gw.LSTM(6, 7).stream(2).take(torch.tensor(rows))


def test_a_state_of_autocast_begins_a_stream():
    layer, x = randomise(gw.LSTM(6, 7)), torch.randn(T, 2, 6)
    with torch.autocast("cpu"):
        _, state = layer(x)
        low = tuple(value.bfloat16() for value in state)
        found = steps(layer.stream(2, low), x)
    same(found, steps(layer.stream(2, tuple(value.float() for value in low)), x))
