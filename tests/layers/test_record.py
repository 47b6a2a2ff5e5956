"""gw.record: any named value of any layer at each step, and the loss's gradient by it; nothing else changes."""

import pytest
import torch
from torch import Tensor, nn

import gatework as gw
from gatework.cells import cells
from gatework.engines import Arguments, Choice, reference
from gatework.errors import InputError
from gatework.layers import recurrent
from numerics import all_same, random, same, weighed
from recurrents import flat, made

T, B, I, H = 5, 3, 4, 5
EVERY = pytest.mark.parametrize("cell", cells)


def lstm_by_hand(layer: gw.Recurrent, x: Tensor) -> dict[str, Tensor]:
    """All values of an LSTM at each step, each a tensor whose gradient autograd keeps."""
    w, h, c = layer.l0, torch.zeros(x.shape[1], H).double(), torch.zeros(x.shape[1], H).double()
    steps: list[dict[str, Tensor]] = []
    for step in x:
        i, f, o = (
            torch.sigmoid(
                step @ w.get_parameter(f"W_{k}").T + h @ w.get_parameter(f"U_{k}").T + w.get_parameter(f"b_{k}")
            )
            for k in "ifo"
        )
        g = torch.tanh(step @ w.W_g.T + h @ w.U_g.T + w.b_g)
        c = f * c + i * g
        h = o * torch.tanh(c)
        steps.append({"i": i, "f": f, "g": g, "o": o, "c": c, "h": h})
        for value in steps[-1].values():
            value.retain_grad()
    return {name: [step[name] for step in steps] for name in steps[0]}


# -- values and gradients


def test_values_are_those_of_the_equations_computed_by_hand():
    layer, x = made("lstm"), random(T, B, I)
    with gw.record(layer, "i", "f", "g", "o", "c", "h") as trace:
        layer(x)
    for name, values in lstm_by_hand(layer, x).items():
        same(trace[f"l0.{name}"], torch.stack(values), name)


def test_gradients_are_those_that_autograd_keeps_by_hand():
    """The whole derivative: through this step and all later ones."""
    layer, x = made("lstm"), random(T, B, I)
    with gw.record(layer, "i", "f", "g", "o", "c", "h", gradients=True) as trace:
        weighed(layer(x)[0]).backward()
    wanted = lstm_by_hand(layer, x)
    weighed(torch.stack(wanted["h"])).backward()
    for name, values in wanted.items():
        same(trace.gradients[f"l0.{name}"], torch.stack([value.grad for value in values]), name)


def test_gradients_are_those_of_finite_differences():
    """Shifting f by d at every step moves the loss by the sum of its gradients over steps and sequences."""
    lines = cells["lstm"].equations.replace("W_f @ x + U_f @ h + b_f)", "W_f @ x + U_f @ h + b_f) + d")
    layer, x = made(gw.Cell("shifted", lines)), random(T, B, I)
    with gw.record(layer, "f", gradients=True) as trace:
        weighed(layer(x)[0]).backward()
    found, epsilon = trace.gradients["l0.f"].sum((0, 1)), 1e-6
    for unit in range(H):
        losses = []
        for sign in (1, -1):
            with torch.no_grad():
                layer.l0.d[unit] += sign * epsilon
                losses.append(weighed(layer(x)[0]))
                layer.l0.d[unit] -= sign * epsilon
        assert (losses[0] - losses[1]).item() / (2 * epsilon) == pytest.approx(found[unit].item(), rel=1e-6, abs=1e-8)


@EVERY
def test_every_assigned_value_of_every_cell_can_be_recorded(cell):
    layer = made(cell, bidirectional=True)
    names = list(layer.program.names)
    with gw.record(layer, *names, gradients=True) as trace:
        output, state = layer(random(T, B, layer.input_size))
        weighed(output, *state).backward()
    assert list(trace) == [f"{place}.{name}" for place in ("l0", "l0_reverse") for name in names]
    for key, value in trace.items():
        assert value.shape == (T, B, layer.sizes[0][layer.program.nodes[layer.program.names[key.split(".")[1]]].size])
        assert trace.gradients[key].shape == value.shape and trace.gradients[key].isfinite().all()
    for s, final in zip(layer.program.states, state, strict=True):
        same(trace[f"l0.{s.name}"][-1], final[0])
        same(trace[f"l0_reverse.{s.name}"][0], final[1])


# -- where values are found


@pytest.mark.parametrize("gradients", [False, True])
def test_nothing_else_changes(gradients):
    layer, x = made("lstm", 4, 5, 2, bidirectional=True), random(T, B, I)
    before = flat(layer(x))
    with gw.record(layer, "f", "c", gradients=gradients):
        inside = flat(layer(x))
    all_same(inside, before)
    assert all(torch.equal(a, b) for a, b in zip(flat(layer(x)), before, strict=True))


def test_each_layer_and_direction_has_a_key():
    layer = made("gru", 4, 5, 2, bidirectional=True)
    with gw.record(layer, "z", "h") as trace:
        layer(random(T, B, I))
    places = ("l0", "l0_reverse", "l1", "l1_reverse")
    assert list(trace) == [f"{place}.{name}" for place in places for name in ("z", "h")] and len(trace) == 8
    assert "l1.z" in trace and "l1.r" not in trace


def test_the_reverse_direction_is_filed_by_the_steps_of_x():
    layer, x = made("lstm", bidirectional=True), random(T, B, I)
    alone = made("lstm")
    alone.l0.load_state_dict(layer.l0_reverse.state_dict())
    with gw.record(layer, "f", gradients=True) as trace:
        output = layer(x)[0]
        weighed(output[:, :, H:]).backward()
    with gw.record(alone, "f", gradients=True) as turned:
        weighed(alone(x.flip(0))[0].flip(0)).backward()
    same(trace["l0_reverse.f"], turned["l0.f"].flip(0))
    same(trace.gradients["l0_reverse.f"], turned.gradients["l0.f"].flip(0))
    assert not trace.gradients["l0.f"].any()


def test_layers_are_filed_under_their_path_in_the_model():
    model = nn.ModuleDict({"encoder": nn.ModuleList([nn.Linear(I, I), gw.LSTM(I, H)]), "head": gw.GRU(H, 2)})
    with gw.record(model, "f", "r") as trace:
        model["head"](model["encoder"][1](model["encoder"][0](torch.randn(T, B, I)))[0])
    assert list(trace) == ["encoder.1.l0.f", "head.l0.r"]  # a layer without the name is passed over


def test_a_layer_in_two_places_is_filed_under_the_first():
    layer = gw.GRU(H, H)
    with gw.record(nn.Sequential(layer, nn.Identity(), layer), "r") as trace:
        layer(layer(torch.randn(T, B, H))[0])
    assert list(trace) == ["0.l0.r"] and trace["0.l0.r"].shape == (2 * T, B, H)


def test_converted_models_are_recorded():
    model = gw.convert(nn.Sequential(nn.LSTM(I, H)))
    with gw.record(model, "c") as trace:
        model(torch.randn(T, B, I))
    assert trace["0.l0.c"].shape == (T, B, H)


def test_values_stand_in_the_order_of_time_whatever_the_order_of_x():
    layer, x = made("lstm", batch_first=True), random(B, T, I)
    plain = made("lstm")
    plain.load_state_dict(layer.state_dict())
    found = []
    for module, given in ((layer, x), (plain, x.transpose(0, 1))):
        with gw.record(module, "f", gradients=True) as trace:
            output = module(given)[0]
            weighed(output if module is plain else output.transpose(0, 1)).backward()
        found.append((trace["l0.f"], trace.gradients["l0.f"]))
    all_same(*found)
    with gw.record(plain, "f") as trace:
        plain(x[0])
    assert trace["l0.f"].shape == (T, 1, H)


# -- several calls, lengths, masks


def test_calls_follow_one_another_in_time():
    layer, x = made("lstm"), random(T, B, I)
    with gw.record(layer, "c", gradients=True) as whole:
        weighed(layer(x)[0]).backward()
    with gw.record(layer, "c", gradients=True) as parts:
        first, state = layer(x[:2])
        second, _ = layer(x[2:], state)
        weighed(torch.cat([first, second])).backward()
    same(parts["l0.c"], whole["l0.c"])
    same(parts.gradients["l0.c"], whole.gradients["l0.c"])


def test_a_call_that_the_loss_does_not_reach_has_zeros():
    layer, x = made("lstm"), random(T, B, I)
    with gw.record(layer, "c", gradients=True) as trace:
        with torch.no_grad():
            layer(x)
        weighed(layer(x)[0]).backward()
    assert trace["l0.c"].shape == trace.gradients["l0.c"].shape == (2 * T, B, H)
    assert not trace.gradients["l0.c"][:T].any() and trace.gradients["l0.c"][T:].all()


def test_calls_of_different_batches_are_not_joined():
    layer = made("lstm")
    with gw.record(layer, "c") as trace:
        layer(random(T, 3, I))
        layer(random(T, 2, I))
    with pytest.raises(InputError, match=r"'l0.c' was recorded in batches of 3 and 2 sequences, .* block of its own"):
        trace["l0.c"]


def test_past_a_length_values_and_gradients_are_zero():
    layer, x, lengths = made("lstm", 4, 5, 2, bidirectional=True), random(T, B, I), torch.tensor([3, 5, 0])
    with gw.record(layer, "f", "c", gradients=True) as trace:
        output, state = layer(x, lengths=lengths)
        weighed(output, *state).backward()
    past = torch.arange(T)[:, None] >= lengths
    for key in trace:
        assert not trace[key][past].any() and not trace.gradients[key][past].any()
        assert trace[key][~past].all() and (key.endswith("f") or trace.gradients[key][~past].all())
    with gw.record(layer, "f", "c", gradients=True) as alone:
        output, state = layer(x[:3, :1])
        weighed(output).backward()
    for key in alone:
        same(trace[key][:3, :1], alone[key])


def test_a_state_under_zoneout_is_recorded_as_it_is_carried():
    layer, x = made("lstm", zoneout={"c": 0.5}), random(T, B, I)
    with gw.record(layer, "c", gradients=True) as trace:
        _, state = layer(x)
        state.c.sum().backward()
    assert torch.equal(trace["l0.c"][-1], state.c[0])
    assert (trace.gradients["l0.c"][-1] == 1).all()


def test_without_gradients_wanted_none_are_kept():
    layer, x = made("lstm"), random(T, B, I)
    with gw.record(layer, "f") as trace:
        layer(x)[0].sum().backward()
    assert not trace["l0.f"].requires_grad
    with pytest.raises(
        InputError, match=r"gradients were not recorded; write gw.record\(module, ..., gradients=True\)"
    ):
        _ = trace.gradients


def test_values_are_recorded_under_no_grad_and_gradients_then_missing():
    layer = made("lstm")
    with gw.record(layer, "f", gradients=True) as trace, torch.no_grad():
        layer(random(T, B, I))
    assert trace["l0.f"].shape == (T, B, H)
    with pytest.raises(InputError, match=r"no gradient has arrived yet; call backward\(\) on a loss"):
        _ = trace.gradients


def test_frozen_layers_are_recorded_too():
    layer = made("lstm").requires_grad_(False)
    with gw.record(layer, "f", gradients=True) as trace:
        layer(random(T, B, I))[0].sum().backward()
    assert trace.gradients["l0.f"].any()


def test_gradients_of_parameters_are_the_same_while_recording():
    layer, x = made("lstm", bidirectional=True), random(T, B, I)
    found = []
    for names in ((), ("f", "c", "h")):
        layer.zero_grad()
        if names:
            with gw.record(layer, *names, gradients=True):
                weighed(layer(x)[0]).backward()
        else:
            weighed(layer(x)[0]).backward()
        found.append({name: parameter.grad.clone() for name, parameter in layer.named_parameters()})
    all_same(*found)


# -- what it costs, and what is left behind


@pytest.fixture
def calls(monkeypatch) -> list[dict]:
    """What layers ask of the engine, call by call."""
    seen: list[dict] = []

    def run(arguments: Arguments):
        seen.append(vars(arguments))
        return reference.run(arguments)

    monkeypatch.setattr(recurrent, "choose", lambda *_: Choice("watched", "to see its calls", run))
    return seen


def test_nothing_recorded_costs_nothing(calls):
    layer, x = made("lstm"), random(T, B, I)
    layer(x)
    with gw.record(layer, "f", gradients=True):
        layer(x)
    layer(x)
    plain, recorded, after = calls
    for call in (plain, after):
        assert call["program"] is layer.program and call["inputs"] == {} and call["record"] == ()
    assert list(recorded["inputs"]) == ["tap f"] and recorded["record"] == ("f",)


def test_values_alone_are_recorded_without_taps(calls):
    layer = made("lstm")
    with gw.record(layer, "f"):
        layer(random(T, B, I))
    with gw.record(layer, "f", gradients=True), torch.no_grad():
        layer(random(T, B, I))
    assert all(call["program"] is layer.program and call["inputs"] == {} for call in calls)


def test_a_layer_that_lacks_the_names_runs_as_ever(calls):
    model = nn.Sequential(made("lstm"), made("gru"))
    with gw.record(model, "r", gradients=True):
        model[0](random(T, B, I))
    assert calls[0]["program"] is model[0].program and calls[0]["inputs"] == {} and tuple(calls[0]["record"]) == ()


def test_an_exception_inside_the_block_ends_the_recording():
    layer = made("lstm")
    with pytest.raises(KeyboardInterrupt), gw.record(layer, "f") as trace:
        layer(random(T, B, I))
        raise KeyboardInterrupt
    layer(random(T, B, I))
    assert trace["l0.f"].shape == (T, B, H)
    with gw.record(layer, "f"):
        layer(random(T, B, I))


def test_a_trace_outlives_its_block_and_the_layer_goes_on():
    layer, x = made("lstm"), random(T, B, I)
    with gw.record(layer, "f", gradients=True) as trace:
        loss = weighed(layer(x)[0])
    layer(random(T + 1, B, I))
    loss.backward()  # after the block
    assert trace["l0.f"].shape == trace.gradients["l0.f"].shape == (T, B, H) and trace.gradients["l0.f"].any()


# -- what cannot be recorded


@pytest.mark.parametrize(
    ("module", "names", "message"),
    [
        (lambda: nn.Linear(2, 2), ("f",), r"nothing to record: .* no gatework layer; gw.convert\(module\) replaces"),
        (lambda: nn.LSTM(2, 2), ("f",), r"nothing to record: .* no gatework layer; gw.convert\(module\) replaces"),
        (lambda: gw.LSTM(2, 2), (), r"record what\? the cells compute i, f, g, o, c, h$"),
        (
            lambda: gw.LSTM(2, 2),
            ("q",),
            r"'q' cannot be recorded: no equation computes it; there are i, f, g, o, c, h$",
        ),
        (lambda: gw.LSTM(2, 2), ("f", "b_f"), r"'b_f' cannot be recorded: no equation computes it"),
        (
            lambda: nn.Sequential(gw.GRU(2, 2), gw.RNN(2, 2)),
            ("f",),
            r"'f' cannot be recorded: .* there are r, z, n, h$",
        ),
    ],
)
def test_what_no_layer_computes_is_refused(module, names, message):
    with pytest.raises(InputError, match=message), gw.record(module(), *names):
        pass


def test_one_recording_at_a_time():
    model = nn.Sequential(gw.LSTM(2, 2), gw.LSTM(2, 2))
    with gw.record(model[1], "f"):
        message = r"^1 is being recorded already; name all values in one gw.record$"
        with pytest.raises(InputError, match=message), gw.record(model, "c"):
            pass
        with gw.record(model[0], "c"):
            pass
        assert model[1].watcher is not None and model[0].watcher is None


def test_a_key_that_is_not_there_names_those_that_are():
    layer = made("lstm")
    with gw.record(layer, "f", "c") as trace:
        with pytest.raises(KeyError, match=r"'f' was not recorded; there are none: call the module first"):
            trace["f"]
        layer(random(T, B, I))
    with pytest.raises(KeyError, match=r"'f' was not recorded; there are l0.f, l0.c"):
        trace["f"]
