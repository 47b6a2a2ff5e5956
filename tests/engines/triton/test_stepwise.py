"""Step by step: what the kernels compute in the interpreter is what the reference engine computes in float64."""

from dataclasses import replace

import pytest
import torch
from kernel_toys import ENDS, EXTRAS, PLAIN, check

from gatework.cells import cells
from gatework.engines import reference
from gatework.engines.native.call import Call
from gatework.engines.triton import passes, run_untried, scan
from gatework.engines.triton.modes import VARIABLE
from gatework.lowering.call import Options
from gatework.verify.problems import Case, answer, draw
from numerics import all_same, same

pytest.importorskip("triton")
# Lanes past the last unit hold zeros, which numpy divides by one another.
pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")


@pytest.fixture(autouse=True)
def stepwise_mode(monkeypatch):
    """No pass runs in one kernel."""
    monkeypatch.setenv("GATEWORK_TRITON_MODE", "G")


@pytest.mark.parametrize("cell", cells.values(), ids=cells)
def test_every_cell(cell):
    check(cell, PLAIN)


@pytest.mark.parametrize("cell", cells.values(), ids=cells)
def test_every_cell_in_reverse_with_lengths_and_resets_and_saved_values_computed_again(cell):
    check(cell, ENDS, reverse=True, recompute=True)


@pytest.mark.parametrize("cell", cells.values(), ids=cells)
def test_every_cell_with_masks_taps_and_all_recorded(cell):
    check(cell, EXTRAS)


DIFFERENT = ("lstm", "gru", "layer_norm_lstm", "projected_lstm")


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("cell", DIFFERENT)
def test_lengths_and_resets_in_the_order_of_time(cell, recompute):
    check(cells[cell], replace(ENDS, T=4), recompute=recompute)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("case", [replace(ENDS, T=5), replace(EXTRAS, T=5)], ids=str)
@pytest.mark.parametrize("cell", DIFFERENT)
def test_gradients_are_gathered_piece_by_piece_where_memory_is_bounded(cell, case, reverse, monkeypatch):
    monkeypatch.setattr(scan, "LARGE", 1000)  # one step or two at once
    check(cells[cell], case, reverse=reverse)


@pytest.mark.parametrize("units", [1, 4, 9])
@pytest.mark.parametrize("cell", DIFFERENT)
def test_rows_and_units_are_split_over_programs(cell, units, monkeypatch):
    monkeypatch.setattr(passes, "TILE", 16)
    monkeypatch.setattr(passes, "WIDE", 4)
    check(cells[cell], Case(2, 6, units, units, 3))


@pytest.mark.parametrize("T", [0, 1])
def test_sequences_of_one_step_and_of_none(T):
    check(cells["lstm"], replace(PLAIN, T=T))


@pytest.mark.parametrize("equations", [
    "s = 0.5 * s + h\nh = tanh(W @ x + U @ h + s)",  # a state that no product reads
    "h = tanh(W @ x + 0 * h)",  # nothing of the old state comes through
    "m = P @ tanh(W @ x + U @ h)\nh = Q @ m",  # a product of a product
    "h = tanh(U @ (V @ h) + V @ h + W @ x)",  # a matrix that is read twice
    "h = tanh(W @ (x * sigmoid(x)) + U @ h)",  # a product that needs no state, of no input
    "h = x * tanh(W @ x + U @ h)",  # an input that products read, and more
], ids=str)  # fmt: skip
def test_equations_of_a_users_own(equations):
    check(replace(cells["rnn"], equations=equations), replace(PLAIN, lengths=True))


def call_of(cell, case=PLAIN, **options):
    """A call of random numbers, and its problem."""
    problem = draw(cell, case).to(torch.float32)
    tensors = [problem.x, *problem.state, *problem.start, *problem.params.values()]
    return Call(Options(problem.program, **options), tensors), problem


OLD_READ_LATE = replace(
    cells["rnn"], equations="d = c\nc = tanh(W @ x + U @ h)\nh = tanh(V @ c + d)"
)  # the old c, after the stage that stores the new one


@pytest.mark.parametrize("cell", [cells["lstm"], cells["gru"], OLD_READ_LATE], ids=["lstm", "gru", "old read late"])
def test_inference_saves_nothing(cell):
    call, problem = call_of(cell)
    result = scan.forward(call)
    expected = reference.run(reference.Arguments(problem.program, problem.params, problem.x, problem.state))
    assert result.saved == []
    all_same((result.output, *result.finals), (expected[0], *expected[1]))


def test_no_result_shares_memory_with_another():
    call, _ = call_of(cells["lstm"], record=("h", "c"), train=True)
    result = scan.forward(call)
    made = [result.output, *result.finals, *result.recorded, *result.saved]
    assert len({value.untyped_storage().data_ptr() for value in (*made, *call.tensors)}) == len(made) + len(
        call.tensors
    )


def test_gradients_that_nobody_wants_are_none():
    call, _ = call_of(cells["lstm"], train=True)
    tensors, result = call.tensors, scan.forward(call)
    wanted = [index % 2 == 1 for index in range(len(tensors))]
    made = scan.backward(call, result.saved, [torch.ones_like(result.output), None, None], wanted)
    everything = scan.backward(call, result.saved, [torch.ones_like(result.output), None, None], [True] * len(wanted))
    for gradient, wants, whole, tensor in zip(made, wanted, everything, tensors, strict=True):
        assert (gradient is not None) == wants
        assert whole.shape == tensor.shape
        if wants:
            same(gradient, whole)


def test_a_graph_is_of_the_mode_that_it_was_recorded_in(monkeypatch):
    call, _ = call_of(cells["lstm"])
    kinds = set()
    for asked in ("G", "S", None):
        monkeypatch.setenv(VARIABLE, asked) if asked else monkeypatch.delenv(VARIABLE)
        kinds.add(scan._kind(call))
    assert len(kinds) == 3


def test_products_in_float32_stay_there_under_autocast():
    call, _ = call_of(cells["lstm"], train=True)
    result, ones = scan.forward(call), torch.ones(3, 3, 5)
    gradients = scan.backward(call, result.saved, [ones, None, None], [True] * len(call.tensors))
    with torch.autocast("cpu", torch.bfloat16):
        again = scan.forward(call)
        gradients_again = scan.backward(call, again.saved, [ones, None, None], [True] * len(call.tensors))
    assert torch.equal(again.output, result.output)
    assert all(map(torch.equal, gradients_again, gradients))


def test_bfloat16():
    problem = draw(cells["lstm"], PLAIN, torch.bfloat16)
    all_same(answer(run_untried, problem.to(torch.bfloat16)), answer(reference.run, problem))


def test_products_in_bfloat16_are_summed_up_in_float32():
    a, b = torch.randn(3, 500).bfloat16(), torch.randn(500, 4).bfloat16()
    product = passes.multiplied(a, b)
    assert product.dtype == torch.float32
    same(product, a.double() @ b.double())
