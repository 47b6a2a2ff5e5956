"""Dropout between layers, dropout inside the cell, zoneout: what is dropped, when, how often."""

import math
from functools import partial

import pytest
import torch
from torch import Tensor

import gatework as gw
from gatework.errors import InputError
from numerics import all_same, random, same
from recurrents import UNTIED, flat, made

T, B, H = 40, 10, 30  # 12,000 values: a rate of 0.3 is seen to within 0.0042 (one deviation)
NEAR = 0.025


def zeros(values: Tensor) -> float:
    """The share of zeros."""
    return (values == 0).double().mean().item()


def passing(num_layers: int = 2, **options) -> gw.Recurrent:
    """Layers that hand on what they read, so that the output of the last shows what became of the first's."""
    return gw.Recurrent("h = x + U @ h", H, H, num_layers, dtype=torch.float64, init={"U": "zeros"}, **options)


def recorded(layer: gw.Recurrent, x: Tensor, *names: str, **options) -> tuple[Tensor, ...]:
    """The values of the first layer at each step, [T,B,H]."""
    with gw.record(layer, *names) as trace:
        layer(x, **options)
    return tuple(trace[f"l0.{name}"] for name in names)


# -- dropout between layers


def test_dropout_drops_at_its_rate_and_scales_the_rest():
    output = passing(dropout=0.3)(torch.ones(T, B, H).double())[0]
    assert abs(zeros(output) - 0.3) < NEAR
    same(output.unique(), torch.tensor([0, 1 / 0.7], dtype=torch.float64))


def test_dropout_draws_anew_for_each_step_and_each_gap_between_layers():
    x = torch.ones(T, B, H).double()
    assert abs(zeros(passing(3, dropout=0.3)(x)[0]) - (1 - 0.7**2)) < NEAR
    output = passing(dropout=0.3)(x)[0]
    assert not torch.equal(output[0], output[1])


def test_variational_dropout_is_one_mask_for_all_steps_of_each_sequence():
    output = passing(dropout=0.3, variational=True)(torch.ones(T, B, H).double())[0]
    assert torch.equal(output, output[:1].expand(T, -1, -1))
    assert abs(zeros(output) - 0.3) < 0.1 and not torch.equal(output[0, 0], output[0, 1])


def test_variational_dropout_drops_another_mask_each_call():
    layer, x = passing(dropout=0.3, variational=True), torch.ones(2, B, H).double()
    assert not torch.equal(layer(x)[0], layer(x)[0])


@pytest.mark.filterwarnings("ignore:dropout=0.5 acts between layers")
@pytest.mark.parametrize("variational", [False, True])
def test_dropout_spares_the_output_and_acts_in_training_only(variational):
    x = random(T, B, H)
    assert torch.equal(passing(1, dropout=0.5, variational=variational)(x)[0], x)
    assert torch.equal(passing(3, dropout=0.5, variational=variational).eval()(x)[0], x)


@pytest.mark.parametrize("layer", [gw.LSTM, gw.GRU, gw.RNN, partial(gw.Recurrent, "peephole_lstm")])
def test_dropout_with_nothing_between_layers_warns_at_the_line_that_asks_for_it(layer):
    with pytest.warns(UserWarning, match=r"^dropout=0.2 acts between layers, and num_layers=1 leaves nothing") as found:
        layer(4, 5, dropout=0.2)
    assert [warning.filename for warning in found] == [__file__]
    layer(4, 5, 2, dropout=0.2)
    layer(4, 5, dropout=0.0)


def test_dropout_0_drops_nothing_and_dropout_1_everything():
    x = random(T, B, H)
    assert torch.equal(passing(dropout=0.0)(x)[0], x) and not passing(dropout=1.0)(x)[0].any()


def test_gradients_pass_where_nothing_was_dropped():
    x = torch.ones(T, B, H).double().requires_grad_()
    output = passing(dropout=0.3)(x)[0]
    assert torch.equal(torch.autograd.grad(output.sum(), x)[0], output)


# -- dropout inside the cell


@pytest.mark.parametrize("cell", [name for name in UNTIED if name not in ("rnn_relu", "indrnn")])  # 0 of themselves
def test_any_value_of_a_cell_can_be_dropped(cell):
    """In training, at its rate; the rest is scaled, and what reads the value reads it so."""
    name = made(cell).program.named[0][0]
    layer = made(cell, 4, H, recurrent_dropout={name: 0.3})
    (value,) = recorded(layer, random(T, B, 4), name)
    assert abs(zeros(value) - 0.3) < NEAR


def test_a_dropped_candidate_adds_nothing_to_the_memory():
    layer, x = made("lstm", 4, H, recurrent_dropout={"g": 0.4}), random(T, B, 4)
    f, g, i, c, h, o = recorded(layer, x, "f", "g", "i", "c", "h", "o")
    before = torch.cat([torch.zeros(1, B, H).double(), c[:-1]])
    same(c, f * before + i * g)
    same(h, o * c.tanh())
    w, old = layer.l0, torch.cat([torch.zeros(1, B, H).double(), h[:-1]])
    candidate = torch.tanh(x @ w.W_g.T + old @ w.U_g.T + w.b_g)
    same(g, torch.where(g == 0, 0, candidate / 0.6))


def test_several_values_are_dropped_each_by_a_mask_of_its_own():
    layer = made("lstm", 4, H, recurrent_dropout={"g": 0.3, "i": 0.1})
    g, i = recorded(layer, random(T, B, 4), "g", "i")
    assert abs(zeros(g) - 0.3) < NEAR and abs(zeros(i) - 0.1) < NEAR
    assert abs(((g == 0) & (i == 0)).double().mean() - 0.03) < NEAR


def test_recurrent_dropout_is_one_mask_for_all_steps_only_if_variational():
    x = random(T, B, 4)
    (each,) = recorded(made("lstm", 4, H, recurrent_dropout={"g": 0.3}), x, "g")
    (one,) = recorded(made("lstm", 4, H, recurrent_dropout={"g": 0.3}, variational=True), x, "g")
    assert not torch.equal(each[0] == 0, each[1] == 0)
    assert torch.equal(one == 0, (one[:1] == 0).expand(T, -1, -1)) and not torch.equal(one[0, 0] == 0, one[0, 1] == 0)


def test_a_dropped_state_is_carried_as_dropped():
    layer, x = made("gru", 4, H, recurrent_dropout={"h": 0.3}), random(T, B, 4)
    output, state = layer(x)
    assert abs(zeros(output) - 0.3) < NEAR
    same(state.h[0], output[-1])


def test_recurrent_dropout_acts_in_training_only():
    layer, x = made("lstm", recurrent_dropout={"g": 0.5}).eval(), random(6, 3, 4)
    plain = made("lstm")
    plain.load_state_dict(layer.state_dict())
    assert torch.equal(layer(x)[0], plain(x)[0])
    assert not torch.equal(layer.train()(x)[0], plain(x)[0])


# -- zoneout


@pytest.mark.parametrize(("cell", "rates"), [("lstm", {"h": 0.1, "c": 0.4}), ("gru", {"h": 0.3}), ("lem", {"z": 0.3})])
def test_in_training_a_state_stands_still_at_its_rate(cell, rates):
    layer = made(cell, 4, H, zoneout=rates)
    for (name, rate), values in zip(rates.items(), recorded(layer, random(T, B, 4), *rates), strict=True):
        still = (values[1:] == values[:-1]).double().mean()
        assert abs(still - rate) < NEAR, name


def test_where_a_state_moves_it_moves_to_its_new_value():
    layer, x = made("lstm", 4, H, zoneout={"c": 0.4}), random(T, B, 4)
    f, i, g, o, c, h = recorded(layer, x, "f", "i", "g", "o", "c", "h")
    before = torch.cat([torch.zeros(1, B, H).double(), c[:-1]])
    new = f * before + i * g
    same(c, torch.where(c == before, before, new))
    same(h, o * new.tanh())  # what the equations call c within the step is the new value


def test_the_state_that_stands_still_is_the_output_too():
    layer = made("gru", 4, H, zoneout={"h": 0.3})
    with gw.record(layer, "h") as trace:
        output, state = layer(random(T, B, 4))
    assert torch.equal(output, trace["l0.h"]) and torch.equal(state.h[0], output[-1])


def test_outside_training_a_state_moves_by_the_expectation():
    p, layer, x = 0.3, made("rnn", 4, H, zoneout={"h": 0.3}).eval(), random(6, B, 4)
    h, w, outputs = torch.zeros(B, H).double(), layer.l0, []
    for step in x:
        h = p * h + (1 - p) * torch.tanh(step @ w.W_h.T + h @ w.U_h.T + w.b_h)
        outputs.append(h)
    same(layer(x)[0], torch.stack(outputs))
    assert torch.equal(layer(x)[0], layer(x)[0])


@pytest.mark.parametrize("training", [True, False])
def test_zoneout_0_changes_nothing_and_zoneout_1_never_moves(training):
    plain, x, h = made("gru"), random(6, 3, 4), random(1, 3, 5)
    for rate in (0.0, 1.0):
        layer = made("gru", zoneout={"h": rate}).train(training)
        layer.load_state_dict(plain.state_dict())
        wanted = plain(x, h)[0] if rate == 0 else h.expand(6, -1, -1)
        same(layer(x, h)[0], wanted)


def test_layers_and_directions_stand_still_independently():
    layer = made("gru", 4, H, 2, bidirectional=True, zoneout={"h": 0.5})
    with gw.record(layer, "h") as trace:
        layer(random(T, B, 4))
    still = [trace[key][1:] == trace[key][:-1] for key in trace]
    for k, first in enumerate(still):
        for second in still[k + 1 :]:
            assert abs((first & second).double().mean() - 0.25) < NEAR


def test_zoneout_takes_no_step_past_a_length():
    layer = made("gru", 4, H, zoneout={"h": 0.5})
    output, state = layer(random(6, 2, 4), lengths=[3, 6])
    assert torch.equal(state.h[0, 0], output[2, 0])


def test_chunks_are_one_run_outside_training():
    layer, x = made("lstm", zoneout={"h": 0.2, "c": 0.4}).eval(), random(6, 3, 4)
    first, state = layer(x[:2])
    second, state = layer(x[2:], state)
    all_same((torch.cat([first, second]), *state), flat(layer(x)))


def test_a_state_that_starts_at_infinity_cannot_stand_still():
    """Between minus infinity and a number there is nothing."""
    with pytest.raises(
        InputError, match=r"zoneout: m starts at infinity, so it cannot stand still; there are \['h', 'c', 'n'\]"
    ):
        made("slstm", zoneout={"m": 0.1})
    assert made("slstm", zoneout={"h": 0.3, "m": 0})(random(4, 2, 4))[0].isfinite().all()


def test_masks_are_drawn_in_the_layers_dtype():
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        layer = gw.Recurrent(
            "lstm", 4, 5, 2, dropout=0.3, recurrent_dropout={"g": 0.3}, zoneout={"c": 0.3}, dtype=dtype
        )
        assert layer(torch.ones(3, 2, 4, dtype=dtype))[0].dtype == dtype


def test_gradients_through_masks_are_finite_and_reach_every_parameter():
    layer = made("lstm", 4, 5, 2, dropout=0.3, recurrent_dropout={"g": 0.3}, zoneout={"h": 0.3, "c": 0.3})
    layer(random(8, 4, 4))[0].sum().backward()
    assert all(p.grad.isfinite().all() and p.grad.any() for p in layer.parameters())


def test_rates_may_be_whole_numbers():
    assert math.isclose(made("gru", zoneout={"h": 1}).zoneout["h"], 1.0)
