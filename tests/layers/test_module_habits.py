"""Layers behave as torch modules do: copied, saved, moved, traced by torch.func, shown."""

import copy
import io
import pickle
import subprocess
import sys

import pytest
import torch
from torch import Tensor, multiprocessing, nn
from torch.func import functional_call
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

import gatework as gw
from numerics import all_same, gradients, random, randomise, same, weighed
from recurrents import flat, made, outputs

EVERY_KIND = pytest.mark.parametrize(
    "layer",
    [
        lambda: gw.Recurrent("peephole_lstm", 4, 5, 2, zoneout={"c": 0.1}, initial="learned"),
        lambda: gw.Recurrent("slstm", 4, 5),
        lambda: gw.LSTM(4, 5, 2, proj_size=3, bidirectional=True),
        lambda: gw.GRU(4, 5, bias=False),
        lambda: gw.RNN(4, 5, nonlinearity="relu"),
    ],
    ids=["peephole", "slstm", "LSTM", "GRU", "RNN"],
)


# -- copies and files


@EVERY_KIND
def test_a_copy_is_the_same_function_with_weights_of_its_own(layer):
    original = layer().eval()
    twin, x = copy.deepcopy(original), torch.randn(3, 2, 4)
    before = outputs(original, x)
    assert all(torch.equal(a, b) for a, b in zip(outputs(twin, x), before, strict=True))
    randomise(twin)
    assert all(torch.equal(a, b) for a, b in zip(outputs(original, x), before, strict=True))


@EVERY_KIND
def test_a_layer_can_be_pickled(layer):
    original = layer().eval()
    again, x = pickle.loads(pickle.dumps(original)), torch.randn(3, 2, 4)
    assert all(torch.equal(a, b) for a, b in zip(outputs(again, x), outputs(original, x), strict=True))
    assert repr(again) == repr(original)


@EVERY_KIND
def test_a_state_dict_survives_a_file_and_loads_without_running_code(layer):
    original, other, file = layer().eval(), layer().eval(), io.BytesIO()
    torch.save(original.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    x = torch.randn(3, 2, 4)
    assert all(torch.equal(a, b) for a, b in zip(outputs(other, x), outputs(original, x), strict=True))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda state: pickle.loads(pickle.dumps(state))])
def test_a_state_can_be_copied_and_pickled(copied):
    layer = made("lstm")
    with torch.no_grad():
        state = layer(random(3, 2, 4))[1]
    again = copied(state)
    assert type(again) is type(state) and again._fields == ("h", "c")
    assert torch.equal(again.h, state.h) and again.h is not state.h


@pytest.mark.parametrize("cell", ["lstm", "slstm", "gru"])
def test_a_state_loads_as_torch_loads_by_default(cell):
    layer, file = gw.Recurrent(cell, 4, 5), io.BytesIO()
    x = torch.randn(3, 2, 4)
    state = layer(x)[1]
    torch.save({"state": state, "step": 3}, file)
    for again in (io.BytesIO(file.getvalue()), io.BytesIO(file.getvalue())):
        loaded = torch.load(again, weights_only=True)["state"]
        assert type(loaded) is type(state) and loaded._fields == layer.state_names
        assert torch.equal(layer(x, loaded)[0], layer(x, state)[0])


@pytest.mark.parametrize("imports", ["torch, gatework", "gatework, torch", "gatework.layers, torch"])
def test_a_state_loads_in_a_process_where_no_such_layer_was_made(tmp_path, imports):
    layer = gw.Recurrent("slstm", 4, 5)
    torch.save(layer(torch.randn(3, 2, 4))[1], tmp_path / "state.pt")
    code = f"""
import {imports}
state = torch.load({str(tmp_path / "state.pt")!r})
assert state._fields == {layer.state_names!r} and state.n.shape == (1, 2, 5)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_state_is_a_tree_of_tensors():
    state = made("lstm")(random(3, 2, 4))[1]
    leaves, shape = tree_flatten(state)
    assert len(leaves) == 2 and all(a is b for a, b in zip(leaves, state, strict=True))
    detached = tree_map(Tensor.detach, state)
    assert type(detached) is type(state) and not detached.c.requires_grad
    assert type(tree_unflatten(leaves, shape)) is type(state)


def test_a_state_dict_holds_the_parameters_and_nothing_else():
    layer = gw.Recurrent("gru", 4, 5, initial="learned")
    assert list(layer.state_dict()) == [name for name, _ in layer.named_parameters()]


# -- dtypes and devices


@EVERY_KIND
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_layer_can_be_converted(layer, dtype):
    converted = layer().to(dtype)
    found = outputs(converted, torch.randn(3, 2, 4, dtype=dtype))
    assert {value.dtype for value in (*found, *converted.parameters())} == {dtype}


def test_float32_is_float64_but_for_rounding():
    layer = made("lstm", 4, 5, 2, bidirectional=True)
    x = random(6, 3, 4).float().double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(parameter.float())
    wanted = flat(layer(x))
    all_same(flat(layer.float()(x.float())), wanted)


def test_the_default_dtype_is_torchs():
    try:
        torch.set_default_dtype(torch.float64)
        assert gw.Recurrent("gru", 4, 5)(torch.randn(2, 1, 4))[0].dtype == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


@EVERY_KIND
def test_a_layer_on_the_meta_device_gives_shapes_and_can_be_filled(layer):
    with torch.device("meta"):
        planned = layer().eval()
    x = torch.randn(3, 2, 4)
    real = layer().eval()
    found = outputs(planned, x.to("meta"))
    assert [value.shape for value in found] == [value.shape for value in outputs(real, x)]
    assert all(value.is_meta for value in found)
    planned.to_empty(device="cpu").load_state_dict(real.state_dict())
    all_same(outputs(planned, x), outputs(real, x))


# -- torch.func, hooks, parametrisations


def test_a_layer_is_a_function_of_its_parameters():
    layer, x = made("lstm", 4, 5, 2, bidirectional=True), random(4, 3, 4)
    params = {name: value.detach() for name, value in layer.named_parameters()}
    doubled = {name: 2 * value for name, value in params.items()}
    output, state = functional_call(layer, doubled, (x,))
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(2)
    all_same((output, *state), flat(layer(x)))


def test_gradients_for_each_sequence_by_vmap():
    layer, x = made("gru", bidirectional=True), random(4, 3, 4)
    params = {name: value.detach() for name, value in layer.named_parameters()}

    def loss(params: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(layer, params, (x,))[0].square().sum()

    each = torch.vmap(torch.func.grad(loss), (None, 1))(params, x)
    summed = {name: value.sum(0) for name, value in each.items()}
    all_same(summed, gradients(layer, layer(x)[0].square().sum()))


def test_states_come_through_vmap_with_their_names():
    layer, x = made("lstm"), random(4, 3, 4)
    output, state = torch.vmap(layer, 1, 1)(x)
    wanted, final = layer(x)
    same(output, wanted)
    same(state.c, final.c)


def test_a_second_derivative_exists():
    layer, x = made("peephole_lstm"), random(3, 2, 4, requires_grad=True)
    (first,) = torch.autograd.grad(weighed(layer(x)[0]), x, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), x)
    assert second.isfinite().all() and second.any()


def test_weights_can_be_parametrised():
    layer, x = made("rnn"), random(3, 2, 4)
    nn.utils.parametrizations.orthogonal(layer.l0, "U_h")
    matrix = layer.l0.U_h
    same(matrix @ matrix.T, torch.eye(5, dtype=torch.float64))
    assert layer(x)[0].shape == (3, 2, 5)


def test_hooks_run():
    seen = []
    layer = made("gru")
    layer.register_forward_hook(lambda *call: seen.append(call[2][0].shape))
    layer(random(3, 2, 4))
    assert seen == [(3, 2, 5)]


def test_training_moves_every_parameter():
    layer = made("layer_norm_lstm", 4, 5, 2, bidirectional=True, initial="learned")
    before = {name: value.detach().clone() for name, value in layer.named_parameters()}
    optimiser = torch.optim.Adam(layer.parameters(), foreach=False)
    weighed(*flat(layer(random(4, 3, 4)))).backward()
    optimiser.step()
    assert all(not torch.equal(before[name], value) for name, value in layer.named_parameters())


@EVERY_KIND
@pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")
def test_scripting_is_refused_in_a_line_that_names_what_works(layer):
    for module in (layer(), nn.Sequential(nn.Linear(4, 4), layer())):
        with pytest.raises(
            gw.InputError, match=r"^torch.jit.script reads Python's source, and \w+ is made of .* use torch"
        ):
            torch.jit.script(module)


def test_layers_in_shared_memory_go_to_another_process():
    layers = [gw.LSTM(4, 5, 2, bidirectional=True), gw.Recurrent("slstm", 4, 5, initial="learned")]
    x = torch.randn(3, 2, 4)
    for layer in layers:
        layer.requires_grad_(False).share_memory()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.starmap(outputs, [(layer, x) for layer in layers])
    for layer, values in zip(layers, found, strict=True):
        all_same(values, outputs(layer, x))


# -- how it shows itself


def test_repr_says_what_differs_from_the_usual_and_which_engine_runs_and_why():
    layer = gw.Recurrent("gru", 4, 5, 2, zoneout={"h": 0.1}, batch_first=True)
    assert repr(layer).splitlines()[1].strip() == (
        "gru, 4, 5, num_layers=2, batch_first=True, zoneout={'h': 0.1}, "
        "engine='auto': native (the fastest for float32 on cpu)"
    )
    assert "bidirectional" not in repr(layer)
    assert "engine='reference': reference (asked for by name)" in repr(gw.LSTM(4, 5, engine="reference"))
    assert "engine='auto': reference (native runs float32 and bfloat16 on cpu, not float64 on" in repr(layer.double())
    named = gw.LSTM(4, 5, engine="native")
    assert "engine='native': native (asked for by name)" in repr(named)
    assert "engine='native': none (engine='native' runs float32 and bfloat16 on cpu, not" in repr(named.double())


def test_an_engine_asked_for_by_name_runs_or_refuses():
    layer, x = gw.LSTM(4, 5, engine="native"), torch.randn(2, 3, 4)
    layer(x)
    with pytest.raises(gw.InputError, match="not float64 on cpu: use engine='reference'"):
        layer.double()(x.double())
    with pytest.raises(gw.InputError, match="not float64 on cpu: use engine='reference'"):
        gw.LSTM(4, 5, engine="native", dtype=torch.float64)


def test_repr_names_a_cell_of_ones_own():
    assert "custom, 4, 5" in repr(gw.Recurrent("h = tanh(W @ x + U @ h)", 4, 5))
    cell = gw.Cell("mine", "h = tanh(W @ x + U @ h)")
    assert "mine, 4, 5" in repr(gw.Recurrent(cell, 4, 5))


def test_parameters_drawn_anew_differ_and_keep_to_the_rules():
    layer = gw.Recurrent("lstm", 4, 5, init={"b_i": -2})
    first = layer.l0.U_f.detach().clone()
    with torch.no_grad():
        layer.l0.b_f.zero_()
    layer.reset_parameters()
    assert not torch.equal(layer.l0.U_f, first)
    assert (layer.l0.b_f == 1).all() and (layer.l0.b_i == -2).all() and not layer.l0.b_o.any()
