"""Weights are those of the call: what hooks, files and torch.func have made of them, on any device, in any dtype."""

import copy
import io

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils import parametrizations, parametrize, prune

import gatework as gw
from gatework.errors import InputError
from numerics import all_same, randomise, same

WITHOUT_WEIGHTS = "h = tanh(x + h)"
ENGINES = pytest.mark.parametrize("engine", ["auto", "reference"])
KINDS = pytest.mark.parametrize(
    "kind",
    [lambda **o: gw.LSTM(4, 5, 2, **o), lambda **o: gw.Recurrent("peephole_lstm", 4, 5, initial="learned", **o)],
    ids=["LSTM", "learned"],
)


def values(layer: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
    output, state = layer(x)
    return (output, *state)


# -- every way to use the weights sees what the hooks make of them


def halved(layer: gw.Recurrent) -> gw.Recurrent:
    """The layer with pruned weights, and no trace of how it came to them."""
    for place in layer.children():
        for name in list(place.shapes):
            prune.random_unstructured(place, name, 0.5)
        with torch.no_grad():
            for parameter in place.parameters():
                parameter.mul_(0.5)  # what is kept beside the parameters is now stale
    return layer


def made_permanent(layer: gw.Recurrent) -> gw.Recurrent:
    plain = copy.deepcopy(layer)
    for place in plain.children():
        for name in place.shapes:
            prune.remove(place, name)
    return plain


@KINDS
@ENGINES
def test_streams_starts_and_recordings_see_pruned_weights(kind, engine):
    with torch.no_grad():
        layer = halved(randomise(kind(engine=engine)))
        plain, x = made_permanent(layer), torch.randn(6, 2, 4)
    expected = values(plain, x)
    all_same(layer.start(0, "", 2), plain.start(0, "", 2))
    stream = layer.stream(2)
    same(torch.stack([stream(step).clone() for step in x]), expected[0])
    with gw.record(layer, "f", gradients=True) as found, gw.record(plain, "f", gradients=True) as wanted:
        for each in (layer, plain):
            each(x)[0].square().sum().backward()
    all_same(dict(found), dict(wanted))
    all_same(found.gradients, wanted.gradients)


def brought_in(layer: gw.Recurrent) -> gw.Recurrent:
    """The layer with its weights kept elsewhere, but for the time in which each module that holds some is called."""
    for place in layer.children():
        kept = dict(place.named_parameters())
        elsewhere = {name: nn.Parameter(value.detach().to("meta")) for name, value in kept.items()}
        place.register_forward_pre_hook(lambda place, _args, kept=kept: place._parameters.update(kept))
        place.register_forward_hook(lambda place, _args, _out, gone=elsewhere: place._parameters.update(gone))
        place._parameters.update(elsewhere)
    return layer


@KINDS
@ENGINES
@torch.no_grad()
def test_weights_that_are_brought_in_are_there_while_they_are_used(kind, engine):
    layer, x = randomise(kind(engine=engine)), torch.randn(6, 2, 4)
    expected, start = values(layer, x), layer.start(0, "", 2)
    layer = brought_in(layer)
    for _ in range(2):
        all_same(values(layer, x), expected)
    all_same(layer.start(0, "", 2), start)
    stream = layer.stream(2)
    same(torch.stack([stream(step).clone() for step in x]), expected[0])


def test_repr_moves_no_weights():
    layer, calls = gw.LSTM(4, 5), []
    layer.l0.register_forward_pre_hook(lambda *given: calls.append(given))
    assert "native" in repr(layer) and not calls


def test_pruned_weights_are_drawn_anew_under_their_masks():
    layer = halved(gw.LSTM(4, 5))
    before = layer.l0.U_f_orig.detach().clone()
    layer.reset_parameters()
    assert not torch.equal(layer.l0.U_f_orig, before)
    layer(torch.randn(3, 2, 4))
    same(layer.l0.U_f, layer.l0.U_f_orig * layer.l0.U_f_mask)


def test_parametrised_weights_are_drawn_anew_through_the_parametrisation():
    layer = gw.Recurrent("rnn", 4, 5, init={"U_h": "identity", "b_h": 3})
    parametrizations.orthogonal(layer.l0, "U_h")
    with torch.no_grad():
        layer.l0.U_h = torch.linalg.qr(torch.randn(5, 5))[0]
    layer.reset_parameters()
    same(layer.l0.U_h, torch.eye(5))
    assert (layer.l0.b_h == 3).all()


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
def test_weights_that_cannot_be_drawn_anew_are_named_and_nothing_is_drawn():
    layer = gw.LSTM(4, 5)
    nn.utils.weight_norm(layer.l0, "U_f")
    before = copy.deepcopy(layer.state_dict())
    with pytest.raises(InputError, match=r"^U_f is made of other tensors: remove what makes it before new weights are"):
        layer.reset_parameters()
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())


def test_what_is_done_to_a_parametrised_weight_shows_at_the_next_call():
    class Masked(nn.Module):
        on = True

        def forward(self, matrix: Tensor) -> Tensor:
            return matrix if self.on else torch.zeros_like(matrix)

    layer, x, mask = gw.LSTM(4, 5), torch.randn(3, 2, 4), Masked()
    for gate in "ifgo":
        parametrize.register_parametrization(layer.l0, f"W_{gate}", mask)
    layer(x)
    mask.on = False
    same(layer(x)[0], layer(torch.zeros_like(x))[0])


# -- device and dtype are the weights'


@KINDS
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float32], ids=str)
def test_weights_that_are_assigned_bring_their_dtype_and_device(kind, dtype):
    with torch.device("meta"):
        layer = kind()
    weights = randomise(kind(dtype=dtype))
    layer.load_state_dict(weights.state_dict(), assign=True)
    x = torch.randn(6, 2, 4, dtype=dtype)
    all_same(values(layer, x), values(weights, x))
    assert repr(layer) == repr(weights)
    stream, other = layer.stream(2), weights.stream(2)
    assert torch.equal(stream(x[0]), other(x[0])) and stream.dtype is dtype
    with pytest.raises(InputError, match=rf"^x is torch.float16, the layer {dtype}; convert one with"):
        layer(x.half())


@KINDS
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_functional_call_takes_weights_of_any_dtype(kind, dtype):
    layer, weights = kind(), randomise(kind(dtype=dtype))
    x = torch.randn(6, 2, 4, dtype=dtype)
    output, state = functional_call(layer, dict(weights.named_parameters()), (x,))
    all_same((output, *state), values(weights, x))
    assert layer(x.float())[0].dtype == torch.float32


def test_torchs_weights_are_assigned_as_tensors_of_their_own():
    theirs, file = nn.LSTM(4, 5, dtype=torch.float64), io.BytesIO()
    ours = gw.LSTM(4, 5, device="meta")
    ours.load_state_dict(theirs.state_dict(), assign=True)
    x = torch.randn(3, 2, 4, dtype=torch.float64)
    same(ours(x)[0], theirs(x)[0])
    assert len({p.untyped_storage().data_ptr() for p in ours.parameters()}) == len(list(ours.parameters()))
    torch.save(ours.state_dict(), file)
    with torch.no_grad():
        ours.l0.W_i.zero_()
    assert theirs.weight_ih_l0.all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_a_cell_without_parameters_takes_what_it_is_given(dtype):
    layer, x = gw.Recurrent(WITHOUT_WEIGHTS, 4, 4, 2, bidirectional=False), torch.randn(3, 2, 4, dtype=dtype)
    output, state = layer(x)
    assert output.dtype == state.h.dtype == dtype
    assert layer(x, state)[0].dtype == dtype
    assert layer(x.to("meta"))[0].is_meta
    stream = layer.stream(2, tuple(torch.zeros(2, 2, 4, dtype=dtype) for _ in state))
    same(stream(x[0]), layer(x[:1])[0][0])


def test_a_cell_without_parameters_streams_in_the_default_dtype():
    layer = gw.Recurrent(WITHOUT_WEIGHTS, 4, 4)
    assert layer.stream()(torch.zeros(1, 4)).dtype == torch.float32


def test_a_state_on_another_device_or_of_another_dtype_is_refused_for_any_weights():
    layer, x = gw.LSTM(4, 5, dtype=torch.float64), torch.randn(3, 2, 4, dtype=torch.float64)
    with pytest.raises(InputError, match=r"^state c is torch.float32, the layer torch.float64"):
        layer(x, (torch.zeros(1, 2, 5, dtype=torch.float64), torch.zeros(1, 2, 5)))


@ENGINES
@pytest.mark.parametrize("kind", [torch.float64, "meta"], ids=str)
def test_weights_of_two_kinds_are_named(engine, kind):
    layer, x = gw.LSTM(4, 5, 2, engine=engine), torch.randn(3, 2, 4)
    layer.l1.U_f = nn.Parameter(layer.l1.U_f.detach().to(kind))
    with pytest.raises(
        InputError, match=r"^the weights of l1 are of two kinds, W_i torch.float32 on cpu, U_f torch.fl"
    ):
        layer(x)
    layer.l1.to_empty(device="cpu").to(torch.float64)
    with pytest.raises(InputError, match=r"^the output of l0 is torch.float32, the layer torch.float64; convert one"):
        layer(x)


# -- how they show themselves


def test_repr_shows_names_and_sizes():
    text = repr(gw.LSTM(4, 5, initial="learned"))
    assert "(l0): Weights([5,4] W_i W_f W_g W_o, [5,5] U_i U_f U_g U_o, [5] b_i b_f b_g b_o initial_h" in text
    assert all(len(line) < 240 for line in text.splitlines())
    assert "(l1): Weights([5,5] W_h U_h, [5] b_h)" in repr(gw.RNN(4, 5, 2))
