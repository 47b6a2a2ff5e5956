"""Sequences of unequal lengths and sequences with borders inside: as if each piece were run alone."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import gatework as gw
from gatework.cells import cells
from numerics import all_same, gradients, random, same, weighed
from recurrents import flat, made

EVERY = pytest.mark.parametrize("cell", cells)
SOME = pytest.mark.parametrize("cell", ["lstm", "gru", "slstm", "projected_lstm", "on_lstm", "sru"])
LENGTHS = [5, 0, 3, 1]


def stacked(cell: str, **options) -> gw.Recurrent:
    """Both directions; two layers where a second one fits on both."""
    return made(cell, 4, 5, 1 if cells[cell].program.tied else 2, bidirectional=True, **options)


def a_state(layer: gw.Recurrent, B: int) -> tuple[Tensor, ...]:
    """A random state, away from 0 for normalisers."""
    start = layer(random(0, B, layer.input_size))[1]
    return tuple((random(*value.shape).abs() + 0.1).requires_grad_() for value in start)


def pieces(layer: gw.Recurrent, x: Tensor, state: tuple[Tensor, ...] | None, borders: list[int]) -> tuple[Tensor, ...]:
    """One sequence [T,1,I], cut before each border, the pieces run alone: outputs, and the states at either end.

    The first piece starts forward from the given state, the last one backward; all else from the start.
    """
    start = layer(x[:0])[1]
    state = start if state is None else state
    cuts = [0, *(border for border in borders if border > 0), len(x)]
    forward = torch.arange(len(start[0])) % len(layer.directions) == 0  # [L*D]
    outputs, finals = [], []
    for k, (begin, end) in enumerate(pairwise(cuts)):
        goes_on = forward & (k == 0 and 0 not in borders) | ~forward & (k == len(cuts) - 2)
        old = tuple(torch.where(goes_on[:, None, None], s, v) for s, v in zip(state, start, strict=True))
        output, final = layer(x[begin:end], old)
        outputs.append(output)
        finals.append(final)
    ends = (torch.where(forward[:, None, None], last, first) for first, last in zip(finals[0], finals[-1], strict=True))
    return torch.cat(outputs), *ends


def alone(layer, x: Tensor, state, lengths: list[int], resets: Tensor | None = None) -> tuple[Tensor, ...]:
    """Each sequence of a batch by itself, cut to its length and at its resets; outputs padded with 0."""
    found = []
    for b, length in enumerate(lengths):
        borders = [] if resets is None else resets[:length, b].nonzero().flatten().tolist()
        old = None if state is None else tuple(value[:, b : b + 1] for value in state)
        output, *final = pieces(layer, x[:length, b : b + 1], old, borders)
        padding = torch.zeros(len(x) - length, 1, layer.output_size, dtype=x.dtype)
        found.append((torch.cat([output, padding]), *final))
    return tuple(torch.cat(values, 1) for values in zip(*found, strict=True))


# -- lengths


@EVERY
@pytest.mark.parametrize("given_state", [False, True], ids=["from the start", "from a state"])
def test_with_lengths_each_sequence_runs_as_if_alone(cell, given_state):
    """Outputs, final states, and gradients by x, the state and every parameter."""
    layer = stacked(cell)
    x = random(5, 4, layer.input_size, requires_grad=True)
    state = a_state(layer, 4) if given_state else ()
    found = flat(layer(x, state or None, lengths=LENGTHS))
    wanted = alone(layer, x, state or None, LENGTHS)
    all_same(found, wanted)
    losses = (weighed(*(v for v in values if v.isfinite().all())) for values in (found, wanted))
    all_same(*(gradients(layer, loss, x, *state) for loss in losses))


@pytest.mark.parametrize(
    ("cell", "padding"),
    [*((cell, math.nan) for cell in cells), ("lstm", math.inf), ("slstm", -math.inf), ("gru", 1e30)],
)
def test_what_stands_in_the_padding_changes_nothing(cell, padding):
    layer = stacked(cell)
    x = random(5, 4, layer.input_size)
    alive = torch.arange(5)[:, None, None] < torch.tensor(LENGTHS)[:, None]
    found = []
    for value in (0.0, padding):
        filled = torch.where(alive, x, value).requires_grad_()
        output, state = layer(filled, lengths=LENGTHS)
        by = gradients(layer, weighed(output, *(v for v in state if v.isfinite().all())), filled)
        assert not output[~alive[:, :, 0]].any() and not by["0"][~alive[:, :, 0]].any()
        found.append((output, *state, *by.values()))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


@SOME
def test_a_sequence_of_length_0_gives_zeros_and_the_state_it_had(cell):
    layer = stacked(cell)
    x, state = random(5, 4, layer.input_size), a_state(layer, 4)
    output, final = layer(x, state, lengths=LENGTHS)
    assert not output[:, 1].any()
    for new, old in zip(final, state, strict=True):
        assert torch.equal(new[:, 1], old[:, 1])


@SOME
def test_full_lengths_are_no_lengths(cell):
    layer = stacked(cell)
    x = random(5, 4, layer.input_size)
    all_same(flat(layer(x, lengths=[5, 5, 5, 5])), flat(layer(x)))


def test_the_forward_state_is_that_of_the_last_step_and_the_reverse_one_that_of_the_first():
    layer = made("gru", bidirectional=True)
    output, state = layer(random(5, 4, 4), lengths=LENGTHS)
    for b, length in enumerate(LENGTHS):
        if length:
            same(state.h[0, b], output[length - 1, b, :5])
            same(state.h[1, b], output[0, b, 5:])


@pytest.mark.parametrize(
    "lengths",
    [
        (5, 0, 3, 1),
        torch.tensor(LENGTHS, dtype=torch.int32),
        torch.tensor(LENGTHS, dtype=torch.uint8),
        torch.tensor(LENGTHS, dtype=torch.int8),
    ],
    ids=["tuple", "int32", "uint8", "int8"],
)
def test_lengths_may_be_any_whole_numbers(lengths):
    layer, x = stacked("lstm"), random(5, 4, 4)
    all_same(flat(layer(x, lengths=lengths)), flat(layer(x, lengths=LENGTHS)))


def test_small_integers_count_long_sequences():
    layer, x = made("gru", bidirectional=True), random(200, 2, 4)
    wanted = flat(layer(x, lengths=[200, 100]))
    all_same(flat(layer(x, lengths=torch.tensor([200, 100], dtype=torch.uint8))), wanted)


def test_lengths_with_batch_first_and_without_a_batch():
    layer, first = stacked("lstm"), stacked("lstm", batch_first=True)
    first.load_state_dict(layer.state_dict())
    x = random(5, 4, 4)
    output, state = layer(x, lengths=LENGTHS)
    all_same(flat(first(x.transpose(0, 1), lengths=LENGTHS)), (output.transpose(0, 1), *state))
    same(layer(x[:, 2], lengths=[3])[0], output[:, 2])


def test_padding_stays_zero_with_residual_connections_and_dropout():
    layer = made("lstm", 4, 5, 3, residual=True, dropout=0.5, zoneout={"h": 0.3})
    output = layer(random(5, 4, 4), lengths=LENGTHS)[0]
    assert not output[torch.arange(5)[:, None] >= torch.tensor(LENGTHS)].any()


# -- resets


def some_resets(T: int, B: int) -> Tensor:
    """None, one in the middle, at the first and last step, at every step."""
    resets = torch.zeros(T, B, dtype=torch.bool)
    resets[T // 2, 1] = resets[0, 2] = resets[T - 1, 2] = True
    resets[:, 3] = True
    return resets


@EVERY
@pytest.mark.parametrize("given_state", [False, True], ids=["from the start", "from a state"])
def test_with_resets_each_piece_runs_as_if_alone(cell, given_state):
    """Both directions; outputs, final states, and gradients by x, the state and every parameter."""
    layer = stacked(cell)
    x = random(5, 4, layer.input_size, requires_grad=True)
    state, resets = a_state(layer, 4) if given_state else (), some_resets(5, 4)
    found = flat(layer(x, state or None, resets=resets))
    wanted = alone(layer, x, state or None, [5] * 4, resets)
    all_same(found, wanted)
    all_same(gradients(layer, weighed(*found), x, *state), gradients(layer, weighed(*wanted), x, *state))


@EVERY
def test_no_gradient_crosses_a_reset(cell):
    layer = stacked(cell)
    x, state = random(6, 2, layer.input_size, requires_grad=True), a_state(layer, 2)
    resets = torch.zeros(6, 2, dtype=torch.bool)
    resets[3] = True
    output = layer(x, state, resets=resets)[0]
    early, late = (gradients(layer, weighed(part), x, *state) for part in (output[:3], output[3:]))
    forward = torch.arange(len(state[0])) % 2 == 0
    assert not early["0"][3:].any() and early["0"][:3].all()
    assert not late["0"][:3].any() and late["0"][3:].all()
    for k in range(1, len(state) + 1):  # the forward state enters at the first step, the reverse one at the last
        assert not early[str(k)][~forward].any() and not late[str(k)][forward].any()


@SOME
def test_no_resets_are_no_resets(cell):
    layer = stacked(cell)
    x = random(5, 4, layer.input_size)
    resets = torch.zeros(5, 4, dtype=torch.bool)
    all_same(flat(layer(x, resets=resets)), flat(layer(x)))


@SOME
def test_resets_go_back_to_a_learned_start_and_teach_it(cell):
    layer = stacked(cell, initial="learned")
    x, resets = random(5, 4, layer.input_size), some_resets(5, 4)
    state = a_state(layer, 4)
    found, wanted = flat(layer(x, state, resets=resets)), alone(layer, x, state, [5] * 4, resets)
    all_same(found, wanted)
    by = gradients(layer, weighed(*found))
    all_same(by, gradients(layer, weighed(*wanted)))
    assert by[f"l0.initial_{layer.program.states[0].name}"].any()


def test_resets_with_batch_first_and_without_a_batch():
    layer, first = stacked("lstm"), stacked("lstm", batch_first=True)
    first.load_state_dict(layer.state_dict())
    x, resets = random(5, 4, 4), some_resets(5, 4)
    output, state = layer(x, resets=resets)
    all_same(flat(first(x.transpose(0, 1), resets=resets.T)), (output.transpose(0, 1), *state))
    same(layer(x[:, 1], resets=resets[:, 1])[0], output[:, 1])
    same(first(x[:, 1], resets=resets[:, 1])[0], output[:, 1])


# -- both


@settings(max_examples=25)
@given(
    st.lists(st.integers(0, 6), min_size=3, max_size=3),
    st.lists(st.booleans(), min_size=18, max_size=18),
    st.sampled_from(["lstm", "slstm", "gru"]),
)
def test_lengths_and_resets_together(lengths, flags, cell):
    layer = stacked(cell)
    x, resets = random(6, 3, 4), torch.tensor(flags).reshape(6, 3)
    state = a_state(layer, 3)
    all_same(flat(layer(x, state, lengths=lengths, resets=resets)), alone(layer, x, state, lengths, resets))


def test_a_reset_in_the_padding_changes_nothing():
    layer, x = stacked("lstm"), random(5, 4, 4)
    resets = torch.zeros(5, 4, dtype=torch.bool)
    wanted = flat(layer(x, lengths=LENGTHS, resets=resets))
    resets |= torch.arange(5)[:, None] >= torch.tensor(LENGTHS)
    all_same(flat(layer(x, lengths=LENGTHS, resets=resets)), wanted)
