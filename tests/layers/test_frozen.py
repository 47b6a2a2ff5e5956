"""Frozen layers and streams: what the layer gives, of weights as they are stored, whatever becomes of the layer's."""

import copy
import pickle

import pytest
import torch
from torch import Tensor

import gatework as gw
from gatework.cells import cells
from gatework.core import _native
from gatework.errors import InputError
from gatework.verify.comparison import compare
from numerics import random, same

STORED = ["float32", "bfloat16", "int8"]
SOME = ["lstm", "gru", "peephole_lstm", "layer_norm_lstm", "projected_lstm", "slstm", "sru"]
each_storage = pytest.mark.parametrize("weights", STORED)


def made(cell: str, I: int = 5, H: int = 19, **options) -> gw.Recurrent:
    sizes = {"proj_size": 7} if cell == "projected_lstm" else {}
    if "I" not in cells[cell].program.sizes:
        I = H
    return gw.Recurrent(cell, I, H, **sizes, **options)


def in_eight_bits(matrix: Tensor) -> Tensor:
    """Whole numbers from -127 to 127 times a scale, of each row and 512 columns."""
    parts = []
    for part in matrix.split(512, 1):
        scale = part.abs().amax(1, keepdim=True) / 127
        parts.append(torch.where(scale > 0, (part / scale).round() * scale, 0))
    return torch.cat(parts, 1)


def rounded(layer: gw.Recurrent, weights: str) -> gw.Recurrent:
    """The layer with its matrices as they are stored."""
    layer = copy.deepcopy(layer)
    for parameter in layer.parameters():
        if parameter.dim() == 2 and weights == "bfloat16":
            parameter.data = parameter.data.bfloat16().float()
        elif parameter.dim() == 2 and weights == "int8":
            parameter.data = in_eight_bits(parameter.data)
    return layer


def check(actual, expected, weights: str) -> None:
    """Equal but for the order of sums; what weights of 8 bits multiply has 16."""
    for one, other in zip((actual[0], *actual[1]), (expected[0], *expected[1]), strict=True):
        alike(one, other, weights)


def alike(one: Tensor, other: Tensor, weights: str) -> None:
    if weights == "int8":
        compare(one, other, rms=1e-4, peak=1e-3)
    else:
        same(one, other)


def as_tuple(result):
    output, state = result
    return output, state if isinstance(state, tuple) else (state,)


@each_storage
@pytest.mark.parametrize("B", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("name", SOME)
def test_it_gives_what_the_layer_gives_with_weights_as_they_are_stored(name, B, weights):
    layer = made(name)
    frozen, expected = layer.frozen(weights), rounded(layer, weights)
    for T in (1, 6, 3, 6):  # shapes come back
        x = random(T, B, layer.input_size, dtype=torch.float32)
        with torch.no_grad():
            check(as_tuple(frozen(x)), as_tuple(expected(x)), weights)


@each_storage
def test_matrices_of_many_columns_and_units_are_stored_too(weights):
    layer = gw.LSTM(530, 140)
    x = random(3, 2, 530, dtype=torch.float32)
    with torch.no_grad():
        check(layer.frozen(weights)(x), rounded(layer, weights)(x), weights)


@each_storage
def test_layers_directions_states_lengths_and_resets(weights):
    layer = gw.LSTM(5, 8, 2, bidirectional=True, batch_first=True)
    frozen, expected = layer.frozen(weights), rounded(layer, weights)
    x, state = random(3, 7, 5, dtype=torch.float32), [random(4, 3, 8, dtype=torch.float32) for _ in range(2)]
    options = {"lengths": torch.tensor([7, 3, 0]), "resets": torch.rand(3, 7) < 0.3}
    with torch.no_grad():
        check(frozen(x, state, **options), expected(x, state, **options), weights)


@pytest.mark.parametrize("isa", ["avx512", "avx2", "baseline"])
@each_storage
def test_every_instruction_set_reads_narrow_weights(weights, isa, monkeypatch):
    if isa not in _native.isas():
        pytest.skip(f"no {isa} on this machine")
    monkeypatch.setenv("GATEWORK_ISA", isa)
    layer = gw.GRU(5, 37)
    for B in (1, 2, 3, 5):
        x = random(4, B, 5, dtype=torch.float32)
        with torch.no_grad():
            check(as_tuple(layer.frozen(weights)(x)), as_tuple(rounded(layer, weights)(x)), weights)


@each_storage
@pytest.mark.parametrize("B", [1, 5])
def test_a_stream_stores_its_weights_as_narrow(weights, B):
    layer = gw.LSTM(5, 33, 2)
    stream, expected = layer.stream(B, weights=weights), rounded(layer, weights)
    x = random(6, B, 5, dtype=torch.float32)
    outputs = torch.stack([stream(each).clone() for each in x])
    with torch.no_grad():
        alike(outputs, expected(x)[0], weights)
    assert copy.copy(stream).weights == weights


@pytest.mark.parametrize("I", [1, 511, 512, 1025])
@pytest.mark.parametrize("isa", ["avx512", "avx2", "baseline"])
def test_eight_bits_hold_the_largest_of_sums(I, isa, monkeypatch):
    """512 products of the largest whole numbers are as much as 32 bits have room for."""
    if isa not in _native.isas():
        pytest.skip(f"no {isa} on this machine")
    monkeypatch.setenv("GATEWORK_ISA", isa)
    layer = gw.Recurrent(gw.Cell("sum", "h = W @ x + 0 * h"), I, 3, init={"W": -2.0})
    for value in (1.0, -3.0):
        output, _ = layer.frozen("int8")(torch.full((2, 1, I), value))
        compare(output, torch.full_like(output, -2 * value * I), rms=1e-6, peak=1e-6)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 0.0, 1e-40])
def test_numbers_without_a_scale_are_seen_beside_eight_bits(value):
    layer = gw.LSTM(40, 3)
    x = torch.zeros(1, 2, 40)
    x[0, 0, 37] = value
    with torch.no_grad():
        output, expected = layer.frozen("int8")(x)[0], layer(x)[0]
    assert output[0, 0].isnan().all() == (not abs(value) < 1)
    compare(output[0, 1], expected[0, 1], rms=1e-6, peak=1e-6)


def test_a_later_change_of_the_layer_is_not_seen():
    layer = gw.LSTM(3, 4)
    frozen, x = layer.frozen(), random(5, 2, 3, dtype=torch.float32)
    before = frozen(x)[0]
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    assert torch.equal(frozen(x)[0], before)
    assert torch.equal(frozen(x[:3])[0], before[:3])


def test_it_runs_as_outside_training_and_records_no_gradients():
    layer = gw.LSTM(3, 4, 2, dropout=0.9, recurrent_dropout={"h": 0.9})
    frozen, x = layer.frozen(), random(5, 2, 3, dtype=torch.float32, requires_grad=True)
    output, _ = frozen(x)
    assert not output.requires_grad
    assert layer.training
    with torch.no_grad():
        same(output, layer.eval()(x)[0])


def test_copies_are_frozen_by_themselves():
    frozen = gw.LSTM(3, 4).frozen("int8")
    x = random(5, 1, 3, dtype=torch.float32)
    expected = frozen(x)[0]
    for other in (copy.deepcopy(frozen), pickle.loads(pickle.dumps(frozen))):
        assert torch.equal(other(x)[0], expected)
        assert other.weights == "int8"


def test_eight_bits_are_near_the_weights():
    layer, x = gw.LSTM(16, 32), random(20, 1, 16, dtype=torch.float32)
    with torch.no_grad():
        expected = layer(x)[0]
        compare(layer.frozen("bfloat16")(x)[0], expected, rms=5e-3, peak=5e-2)
        compare(layer.frozen("int8")(x)[0], expected, rms=2e-2, peak=2e-1)


def without(op):
    """A layer whose cell has an operation that the core has not."""
    layer = gw.LSTM(2, 3)
    layer.lacks = (op,)
    return layer


@pytest.mark.parametrize(
    ("layer", "weights", "message"),
    [
        (
            lambda: gw.LSTM(2, 3),
            "int4",
            "weights is 'int4'; expected 'float32' or 'bfloat16' or 'int8'",
        ),
        (lambda: gw.LSTM(2, 3, dtype=torch.float64), "int8", "weights='int8' is for the native engine"),
        (lambda: gw.LSTM(2, 3, dtype=torch.bfloat16), "bfloat16", "a layer of float32, not for torch.bfloat16"),
        (lambda: gw.LSTM(2, 3, engine="reference"), "bfloat16", "by the reference engine"),
        (lambda: without("tanh"), "bfloat16", "by the reference engine"),
    ],
)
def test_what_cannot_be_stored_is_refused(layer, weights, message):
    for freeze in (layer().frozen, lambda weights: layer().stream(weights=weights)):
        with pytest.raises(InputError, match=message):
            freeze(weights)


def test_the_reference_engine_freezes_a_copy():
    layer = gw.LSTM(2, 3, dtype=torch.float64)
    frozen, x = layer.frozen(), random(4, 2, 2)
    with torch.no_grad():
        same(frozen(x)[0], layer(x)[0])
