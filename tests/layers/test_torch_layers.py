"""gw.LSTM, gw.GRU and gw.RNN are torch's layers: the same call, outputs, states and gradients."""

import inspect
import re

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence, pad_packed_sequence

import gatework as gw
from gatework.layers.torch_layers import DropIn
from numerics import all_same, gradients, random, same, weighed

GATES = {gw.LSTM: "ifgo", gw.GRU: "rzn", gw.RNN: "h"}
KINDS = {
    "LSTM": (gw.LSTM, {}),
    "LSTM projected": (gw.LSTM, {"proj_size": 3}),
    "GRU": (gw.GRU, {}),
    "RNN tanh": (gw.RNN, {"nonlinearity": "tanh"}),
    "RNN relu": (gw.RNN, {"nonlinearity": "relu"}),
}
SHAPES = {
    "plain": {},
    "stacked": {"num_layers": 3},
    "bidirectional": {"bidirectional": True},
    "stacked, bidirectional, batch first": {"num_layers": 2, "bidirectional": True, "batch_first": True},
    "without bias": {"num_layers": 2, "bias": False},
    "dropout 0": {"num_layers": 2, "dropout": 0.0},
}
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)
EVERY_SHAPE = pytest.mark.parametrize("shape", SHAPES)


def pair(kind: str, *sizes: int, dtype: torch.dtype = torch.float64, **options) -> tuple[DropIn, nn.RNNBase]:
    """Our layer and torch's, of the same random weights."""
    cls, arguments = KINDS[kind]
    theirs = cls.counterpart(*(sizes or (5, 7)), dtype=dtype, **arguments, **options)
    return cls.from_torch(theirs), theirs


def start(layer: nn.RNNBase, *batch: int, dtype: torch.dtype = torch.float64):
    """A random state, as torch takes it."""
    slots = layer.num_layers * (2 if layer.bidirectional else 1)
    h = random(slots, *batch, layer.proj_size or layer.hidden_size, dtype=dtype, requires_grad=True)
    if layer.mode != "LSTM":
        return h
    return h, random(slots, *batch, layer.hidden_size, dtype=dtype, requires_grad=True)


def parts(state: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (state,) if isinstance(state, Tensor) else tuple(state)


def as_torch_packs(ours: dict[str, Tensor], layer: DropIn, theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Gradients under the names of the equations, packed as torch packs parameters: gate under gate."""
    gates = GATES[type(layer)]

    def packed(key: str) -> Tensor:
        kind, place = key.rsplit("_l", maxsplit=1)
        if kind == "weight_hr":
            return ours[f"l{place}.P_h"]
        letter = {"weight_ih": "W", "weight_hh": "U", "bias_ih": "b", "bias_hh": "b"}[kind]
        names = [f"{letter}_{gate}" for gate in gates]
        if kind == "bias_hh" and isinstance(layer, gw.GRU):
            names[-1] = "b_hn"
        return torch.cat([ours[f"l{place}.{name}"] for name in names])

    return {key: packed(key) if "_l" in key else ours[key] for key in theirs}


def agree(ours: DropIn, theirs: nn.RNNBase, x: Tensor | PackedSequence, state=None, *leaves: Tensor) -> None:
    """Outputs, states, and gradients by the leaves and all parameters are torch's."""
    losses = []
    for layer in (ours, theirs):
        output, final = layer(x, state)
        output = output.data if isinstance(output, PackedSequence) else output
        losses.append((output, *parts(final)))
    all_same(*losses)
    found, wanted = (gradients(m, weighed(*v), *leaves) for m, v in zip((ours, theirs), losses, strict=True))
    all_same(as_torch_packs(found, ours, wanted), wanted)


@EVERY_KIND
@EVERY_SHAPE
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")  # torch's own, of itself
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("given", [True, False], ids=["state given", "default state"])
def test_outputs_states_and_gradients_are_torchs(kind, shape, dtype, given):
    ours, theirs = pair(kind, dtype=dtype, **SHAPES[shape])
    x = random(*((4, 6, 5) if theirs.batch_first else (6, 4, 5)), dtype=dtype, requires_grad=True)
    state = start(theirs, 4, dtype=dtype) if given else None
    agree(ours, theirs, x, state, x, *(parts(state) if given else ()))


@EVERY_KIND
@pytest.mark.parametrize(("T", "B", "I", "H"), [(1, 1, 1, 4), (17, 1, 33, 17), (2, 7, 1, 33), (5, 3, 4, 8)])
def test_at_odd_sizes(kind, T, B, I, H):
    ours, theirs = pair(kind, I, H)
    x = random(T, B, I, requires_grad=True)
    agree(ours, theirs, x, None, x)


@EVERY_KIND
@EVERY_SHAPE
@pytest.mark.parametrize("given", [True, False], ids=["state given", "default state"])
def test_without_a_batch(kind, shape, given):
    ours, theirs = pair(kind, **SHAPES[shape])
    x = random(6, 5, requires_grad=True)
    state = start(theirs) if given else None
    agree(ours, theirs, x, state, x, *(parts(state) if given else ()))


# -- packed sequences


@EVERY_KIND
@EVERY_SHAPE
@pytest.mark.parametrize("lengths", [[6, 4, 4, 1], [2, 6, 3, 6], [5, 5, 5, 5]], ids=str)
def test_packed_sequences(kind, shape, lengths):
    ours, theirs = pair(kind, **SHAPES[shape])
    x = random(6, 4, 5, requires_grad=True)
    packed = pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
    state = start(theirs, 4)
    agree(ours, theirs, packed, None, x)
    agree(ours, theirs, packed, state, x, *parts(state))
    output, (again, _) = ours(packed)[0], theirs(packed)
    assert all(torch.equal(a, b) for a, b in zip(output[1:], again[1:], strict=True))  # sizes and both orders


def test_packed_sequences_already_sorted_keep_their_order():
    """Also where many are of one length, which a sort may exchange."""
    ours, theirs = pair("GRU")
    packed = pack_sequence([random(length, 5) for length in [4] * 50 + [2] * 50], enforce_sorted=True)
    agree(ours, theirs, packed)
    assert ours(packed)[0].sorted_indices is None


def test_packed_sequences_in_an_order_of_their_own():
    """What is of one length may stand in any order."""
    ours, theirs = pair("LSTM")
    x, order = random(3, 4, 5), torch.tensor([2, 0, 3, 1])
    packed = pack_padded_sequence(x[:, order], [3, 3, 3, 3])
    packed = PackedSequence(packed.data, packed.batch_sizes, order, order.argsort())
    agree(ours, theirs, packed)
    same(pad_packed_sequence(ours(packed)[0])[0], ours(x)[0])


# -- the call


def torch_order(cls: type) -> list[str]:
    """The positional arguments as torch documents them; its own signatures are *args."""
    nonlinearity, projection = ["nonlinearity"] * (cls is gw.RNN), ["proj_size"] * (cls is gw.LSTM)
    flags = ["bias", "batch_first", "dropout", "bidirectional"]
    return ["input_size", "hidden_size", "num_layers", *nonlinearity, *flags, *projection, "device", "dtype"]


@pytest.mark.parametrize("cls", GATES)
def test_arguments_stand_in_torchs_order(cls):
    parameters = list(inspect.signature(cls).parameters.values())[:-1]
    assert [parameter.name for parameter in parameters] == torch_order(cls)


@pytest.mark.parametrize(
    ("cls", "arguments"),
    [
        (gw.LSTM, (5, 7, 2, False, True, 0.25, True, 3)),
        (gw.GRU, (5, 7, 2, False, True, 0.25, True)),
        (gw.RNN, (5, 7, 2, "relu", False, True, 0.25, True)),
    ],
)
def test_positional_arguments_mean_what_they_mean_to_torch(cls, arguments):
    ours, theirs = cls(*arguments, dtype=torch.float64), cls.counterpart(*arguments, dtype=torch.float64)
    for name in torch_order(cls)[:-2]:
        assert getattr(ours, name) == getattr(theirs, name), name
    assert {p.dtype for p in ours.parameters()} == {torch.float64}
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())


@pytest.mark.parametrize("cls", GATES)
def test_defaults_are_torchs(cls):
    ours, theirs = cls(5, 7), cls.counterpart(5, 7)
    for name in ("num_layers", "bias", "batch_first", "dropout", "bidirectional", "proj_size"):
        assert getattr(ours, name) == getattr(theirs, name)


def test_an_lstm_returns_a_pair_and_the_others_a_tensor():
    x = torch.randn(3, 2, 5)
    output, (h, c) = gw.LSTM(5, 7)(x)
    assert output.shape == (3, 2, 7) and h.shape == c.shape == (1, 2, 7)
    for cls in (gw.GRU, gw.RNN):
        assert isinstance(cls(5, 7)(x)[1], Tensor)


def test_the_state_of_an_lstm_has_names():
    state = gw.LSTM(5, 7, proj_size=3)(torch.randn(3, 2, 5))[1]
    assert state.h is state[0] and state.c is state[1] and state.h.shape == (1, 2, 3) and state.c.shape == (1, 2, 7)


@EVERY_KIND
def test_what_torchs_layers_are_asked_for_is_there(kind):
    ours, theirs = pair(kind, num_layers=2, bidirectional=True, batch_first=True, dropout=0.25)
    for name in ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert (ours.proj_size, ours.mode) == (theirs.proj_size, theirs.mode)


@EVERY_KIND
def test_torchs_weights_are_not_there_and_an_error_says_where_they_are(kind):
    ours, theirs = pair(kind, num_layers=2, bidirectional=True)
    for name, weight in theirs.named_parameters():
        assert not hasattr(ours, name)
        with pytest.raises(AttributeError, match=rf"^{name} stands here gate by gate: l[01]\S*\.\w+") as error:
            getattr(ours, name)
        names = re.findall(r"l\d\w*\.\w+", str(error.value))
        assert sum(ours.get_parameter(own).numel() for own in names) == weight.numel()
    with pytest.raises(AttributeError, match=r"^all_weights stands here gate by gate: l0"):
        _ = ours.all_weights
    with pytest.raises(AttributeError, match="object has no attribute 'speed'"):
        _ = ours.speed


@pytest.mark.parametrize("cls", GATES)
def test_input_and_state_can_be_given_by_torchs_names(cls):
    layer, x = cls(5, 7), torch.randn(3, 2, 5)
    output = layer(input=x)[0]
    assert torch.equal(layer(input=x, hx=None)[0], output)
    same(torch.cat([layer(x[:2])[0], layer(x[2:], hx=layer(x[:2])[1])[0]]), output)


@pytest.mark.parametrize("cls", GATES)
def test_parameters_start_as_torch_starts_them(cls):
    layer = cls(30, 100)
    together = torch.cat([p.detach().flatten() for p in layer.parameters()])
    assert together.abs().max() <= 0.1 and abs(together.std() - 0.1 / 3**0.5) < 1e-3
    assert all(p.unique().numel() > 1 for p in layer.parameters())


@pytest.mark.parametrize("cls", GATES)
def test_no_sequences_and_a_state_that_does_not_fit(cls):
    ours, theirs = cls(5, 7), cls.counterpart(5, 7)
    output, state = ours(torch.zeros(3, 0, 5))
    wanted, final = theirs(torch.zeros(3, 0, 5))
    assert output.shape == wanted.shape and [v.shape for v in parts(state)] == [v.shape for v in parts(final)]
    wrong = tuple(torch.zeros(1, 4, 7) for _ in parts(state))
    for layer in (ours, theirs):  # ours a ValueError that names the state, torch's a RuntimeError
        with pytest.raises((gw.InputError, RuntimeError), match=r"\[1, 4, 7\]"):
            layer(torch.zeros(3, 2, 5), wrong if len(wrong) > 1 else wrong[0])


def test_flatten_parameters_may_be_called():
    assert gw.LSTM(5, 7).flatten_parameters() is None


def test_dropout_acts_between_layers_in_training_only():
    layer, x = gw.LSTM(5, 7, 2, dropout=0.5), torch.randn(3, 2, 5)
    assert not torch.equal(layer(x)[0], layer(x)[0])
    layer.eval()
    assert torch.equal(layer(x)[0], layer(x)[0])


@pytest.mark.parametrize(("cls", "cell"), [(gw.LSTM, "lstm"), (gw.GRU, "gru_reset_after"), (gw.RNN, "rnn")])
def test_the_layers_are_recurrent_over_their_cells(cls, cell):
    layer, same_seed = cls(5, 7), gw.Recurrent(cell, 5, 7, init="torch")
    same_seed.load_state_dict(layer.state_dict())
    x, lengths = torch.randn(4, 3, 5), [4, 0, 2]
    assert torch.equal(layer(x, lengths=lengths)[0], same_seed(x, lengths=lengths)[0])
    assert layer.cell.name == cell
