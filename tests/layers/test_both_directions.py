"""Both directions of a layer at once, a thread each, where none is trained: the same numbers as one after the other."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

import gatework as gw
from gatework.core import _native
from gatework.verify.comparison import compare

I, H = 5, 128
LONG, SHORT = 64, 3  # steps: worth waking a thread, and not


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def at_once(monkeypatch) -> list[int]:
    """How many calls the core was given at once, each time."""
    counted: list[int] = []

    def counting(runs: list) -> None:
        counted.append(len(runs))
        together(runs)

    together = _native.run_together
    monkeypatch.setattr(_native, "run_together", counting)
    return counted


def made(cell: str, layers: int = 1) -> tuple[gw.Recurrent, gw.Recurrent]:
    """A layer in both directions, and the same on the reference engine in float64."""
    torch.manual_seed(0)
    layer = gw.Recurrent(cell, I, H, layers, bidirectional=True)
    reference = gw.Recurrent(cell, I, H, layers, bidirectional=True, engine="reference", dtype=torch.float64)
    reference.load_state_dict(layer.state_dict())
    return layer, reference


def flat(returned: tuple[Tensor, tuple[Tensor, ...]]) -> list[Tensor]:
    output, states = returned
    return [output, *states]


@pytest.mark.parametrize("B", [1, 3, 17])
@pytest.mark.parametrize("cell", ["lstm", "gru", "peephole_lstm"])
def test_at_once_they_give_what_the_reference_gives(cell, B, at_once):
    layer, reference = made(cell, layers=2)
    x = torch.randn(LONG, B, I)
    starts = [torch.randn(shape[0], B, shape[1]) for shape in layer.state_shapes.values()]
    with torch.no_grad():
        for state in (None, starts):
            wanted = reference(x.double(), None if state is None else [value.double() for value in state])
            for run in (layer, layer, layer.frozen()):  # the second call is a cached one
                for value, expected in zip(flat(run(x, state)), flat(wanted), strict=True):
                    compare(value, expected, rms=1e-5, peak=1e-4)
    assert at_once == [2] * 12  # two layers, three calls, two starts


@pytest.mark.parametrize("threads", [1, 4])
def test_each_takes_all_threads_where_a_thread_each_would_leave_some(threads, at_once):
    layer, _ = made("lstm")
    torch.set_num_threads(threads)
    with torch.no_grad():
        layer(torch.randn(LONG, 32, I))
    assert at_once == []


def test_sequences_too_short_for_a_second_thread_and_training_go_one_after_the_other(at_once):
    layer, reference = made("lstm")
    with torch.no_grad():
        layer(torch.randn(SHORT, 1, I))
    x = torch.randn(LONG, 1, I)
    layer(x)[0].sum().backward()
    reference(x.double())[0].sum().backward()
    assert at_once == []
    for (name, parameter), expected in zip(layer.named_parameters(), reference.parameters(), strict=True):
        compare(parameter.grad, expected.grad, rms=1e-4, peak=1e-3, what=name)


def test_hooks_of_each_direction_bring_in_its_weights(at_once):
    layer, reference = made("lstm")
    for each in (layer, reference):
        nn.utils.prune.l1_unstructured(each.weights(0, "_reverse"), "U_f", amount=0.5)
    x = torch.randn(LONG, 1, I)
    with torch.no_grad():
        compare(layer(x)[0], reference(x.double())[0], rms=1e-5, peak=1e-4)
    assert at_once == [2]


def test_what_one_direction_refuses_is_refused(at_once):
    layer, _ = made("lstm")
    layer.weights(0, "_reverse").double()
    with torch.no_grad(), pytest.raises(gw.InputError, match="float32"):
        layer(torch.randn(LONG, 1, I))
    assert at_once == []
