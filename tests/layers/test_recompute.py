"""recompute=True: the same numbers, with nothing kept for the backward pass but the states."""

import pytest
import torch
from torch import Tensor, nn

import gatework as gw
from gatework.engines.native import backward
from numerics import all_same, gradients, randomise, weighed

T, B = 11, 3
ENGINES = {"native": torch.float32, "reference": torch.float64}
BOTH = pytest.mark.parametrize("engine", ENGINES)
MASKS = {"dropout": 0.3, "recurrent_dropout": {"g": 0.2}, "zoneout": {"h": 0.1, "c": 0.1}}


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Has the backward pass take few steps at once, also of sequences as short as these."""
    monkeypatch.setattr(backward, "ENOUGH", 1)


def pair(kind: type[nn.Module], *args, engine: str = "native", **options) -> tuple[nn.Module, nn.Module]:
    """A layer that keeps what it needs, and one with the same weights that redoes it."""
    options |= {"engine": engine, "dtype": ENGINES[engine]}
    keeping = randomise(kind(*args, **options))
    redoing = kind(*args, recompute=True, **options)
    redoing.load_state_dict(keeping.state_dict())
    return keeping, redoing


def answers(layer: nn.Module, x: Tensor, **options) -> dict[str, Tensor]:
    """Output, states, and all gradients of a loss on them, with the same masks every time."""
    torch.manual_seed(1)
    output, state = layer(x, **options)
    values = (output, *((state,) if isinstance(state, Tensor) else state))
    return dict(enumerate(values)) | gradients(layer, weighed(*values), x)


def draw(engine: str, I: int = 4) -> Tensor:
    return torch.randn(T, B, I, dtype=ENGINES[engine], requires_grad=True)


@BOTH
@pytest.mark.parametrize("cell", ["lstm", "gru", "slstm", "layer_norm_lstm", "lstm_1997", "projected_lstm", "mingru"])
def test_every_kind_of_cell_has_the_same_gradients(cell, engine):
    proj = {"proj_size": 2} if cell == "projected_lstm" else {}
    keeping, redoing = pair(gw.Recurrent, cell, 4, 5, 2, bidirectional=True, engine=engine, **proj)
    x = draw(engine)
    all_same(answers(redoing, x), answers(keeping, x))


@BOTH
@pytest.mark.parametrize("resets", [False, True])
@pytest.mark.parametrize("lengths", [None, [T, 4, 0]])
def test_so_it_is_with_lengths_resets_and_masks(lengths, resets, engine):
    keeping, redoing = pair(
        gw.Recurrent, "lstm", 4, 5, 2, bidirectional=True, initial="learned", engine=engine, **MASKS
    )
    x, again = draw(engine), torch.rand(T, B) < 0.4 if resets else None
    all_same(answers(redoing, x, lengths=lengths, resets=again), answers(keeping, x, lengths=lengths, resets=again))


@BOTH
def test_so_it_is_where_the_output_is_no_state(engine):
    keeping, redoing = pair(
        gw.Recurrent, gw.Cell("y", "h = tanh(W @ x + U @ h)\ny = relu(h)", output="y"), 4, 5, engine=engine
    )
    x = draw(engine)
    all_same(answers(redoing, x), answers(keeping, x))


@BOTH
def test_values_and_their_gradients_are_recorded_the_same(engine):
    recorded = []
    x = draw(engine)
    for layer in pair(gw.GRU, 4, 5, engine=engine):
        with gw.record(layer, "z", "h", gradients=True) as trace:
            weighed(layer(x)[0]).backward()
        recorded.append(dict(trace) | {f"by {name}": value for name, value in trace.gradients.items()})
    all_same(recorded[1], recorded[0])


@BOTH
@pytest.mark.parametrize("steps", [1, 2])
def test_short_sequences_have_the_same_gradients(steps, engine):
    keeping, redoing = pair(gw.LSTM, 4, 5, engine=engine)
    x = draw(engine).detach()[:steps].requires_grad_()
    all_same(answers(redoing, x), answers(keeping, x))


def test_steps_that_fit_into_one_piece_give_the_same_numbers_to_the_last_bit(monkeypatch):
    monkeypatch.setattr(backward, "ENOUGH", 10**6)
    keeping, redoing = pair(gw.LSTM, 4, 5)
    x = torch.randn(T, 8, 4, requires_grad=True)
    found, expected = answers(redoing, x), answers(keeping, x)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def kept(layer: nn.Module, x: Tensor) -> int:
    """Bytes that autograd holds between the passes, beside the input and the parameters."""
    held: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = layer(x)[0]
    given = {tensor.untyped_storage().data_ptr() for tensor in (x, *layer.parameters())}
    assert output.requires_grad
    return sum(size for address, size in held.items() if address not in given)


def test_the_native_engine_keeps_the_states_alone():
    keeping, redoing = pair(gw.LSTM, 4, 64)
    x = torch.randn(100, 8, 4, requires_grad=True)
    states, start = 2 * 101 * 8 * 64 * 4, 2 * 8 * 64 * 4
    assert states <= kept(redoing, x) <= states + 2 * start
    assert kept(keeping, x) > 3 * states


def test_the_reference_engine_keeps_the_states_between_pieces():
    keeping, redoing = pair(gw.LSTM, 4, 64, engine="reference")
    x = torch.randn(100, 8, 4, dtype=torch.float64, requires_grad=True)
    assert kept(redoing, x) < kept(keeping, x) / 10


def test_repr_says_that_it_recomputes():
    assert "recompute=True" in repr(gw.LSTM(4, 5, recompute=True)) and "recompute" not in repr(gw.LSTM(4, 5))
    with pytest.raises(gw.InputError, match=r"^recompute is 1; expected True or False$"):
        gw.LSTM(4, 5, recompute=1)
