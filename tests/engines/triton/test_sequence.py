"""A whole sequence in one kernel: interpreted, it computes what the reference engine computes in float64."""

from dataclasses import replace

import pytest
import torch
from kernel_toys import ENDS, EXTRAS, PLAIN, check

from gatework.cells import cells
from gatework.engines.triton import passes, scan
from gatework.engines.triton.modes import mode
from gatework.errors import InputError
from gatework.lowering.call import tensor_spec
from gatework.verify.problems import Case

triton = pytest.importorskip("triton")
pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")


@pytest.fixture(autouse=True)
def whole(monkeypatch):
    """Triton interprets, and no pass runs step by step."""
    monkeypatch.setattr(triton.knobs.runtime, "interpret", True)
    monkeypatch.delenv("GATEWORK_TRITON_MODE", raising=False)
    monkeypatch.delattr(passes.Pass, "run")


@pytest.mark.parametrize("cell", cells.values(), ids=cells)
def test_every_cell(cell):
    check(cell, PLAIN)


@pytest.mark.parametrize("cell", cells.values(), ids=cells)
def test_every_cell_in_reverse_with_lengths_and_resets_and_saved_values_computed_again(cell):
    check(cell, ENDS, reverse=True, recompute=True)


@pytest.mark.parametrize("cell", cells.values(), ids=cells)
def test_every_cell_with_masks_taps_and_all_recorded(cell, monkeypatch):
    monkeypatch.setenv("GATEWORK_TRITON_MODE", "S")  # what is recorded may take more tiles than S runs by itself
    check(cell, EXTRAS)


DIFFERENT = ("lstm", "gru", "layer_norm_lstm", "projected_lstm")


@pytest.mark.parametrize("cell", DIFFERENT)
def test_lengths_and_resets_in_the_order_of_time(cell):
    check(cells[cell], replace(ENDS, T=4))


@pytest.mark.parametrize("reverse", [False, True])
def test_gradients_are_gathered_piece_by_piece(reverse, monkeypatch):
    monkeypatch.setattr(scan, "LARGE", 1000)  # one step or two at once
    check(cells["gru"], replace(ENDS, T=5), reverse=reverse)


def test_more_sequences_than_a_program_takes():
    check(cells["lstm"], Case(2, 17, 17, 17, 3, lengths=True, resets=True))


@pytest.mark.parametrize("T", [0, 1])
def test_sequences_of_one_step_and_of_none(T):
    check(cells["lstm"], replace(PLAIN, T=T))


@pytest.mark.parametrize("equations", [
    "a = tanh(W @ x + U @ h)\nh = s\ns = a * h",  # a state that takes the old value of another
    "h = tanh(W @ x + 0 * h)",  # nothing of the old state comes through
    "m = P @ tanh(W @ x + U @ h)\nh = Q @ m",  # a product of a product
    "h = tanh(W @ (x * sigmoid(x)) + U @ h)",  # a product of no input that needs no state
], ids=str)  # fmt: skip
def test_equations_of_a_users_own(equations):
    check(replace(cells["rnn"], equations=equations), replace(PLAIN, lengths=True))


def kernels(name, element):
    """Those of a cell's forward and backward pass."""
    program = cells[name].program
    asked = tuple(tensor_spec(program).shapes)
    return scan.forward_step(program, True, (), element).whole, scan.backward_step(program, asked, element).whole


@pytest.mark.parametrize("element", ["float32", "bfloat16"])
def test_what_a_step_stores_is_none_of_what_it_reads_later(element):
    for kernel in (kernel for name in cells for kernel in kernels(name, element)):
        read, written = ([key for key, _ in places] for places in (kernel.reads, kernel.writes))
        assert not {*read} & {*written} and len({*kernel.writes}) == len(kernel.writes)


def modes(name, units, dtype=torch.float32):
    """The modes of a cell's forward and backward pass."""
    sizes = cells[name].program.bind(5, units)
    return [mode(kernel, sizes, dtype) for kernel in kernels(name, str(dtype).removeprefix("torch."))]


def test_a_whole_sequence_is_one_kernel_where_registers_hold_what_it_keeps():
    assert [modes("lstm", units) for units in (1, 32, 33)] == [["S", "S"], ["S", "S"], ["G", "G"]]
    assert [modes("lstm", units, torch.bfloat16) for units in (128, 129)] == [["S", "S"], ["G", "G"]]


def test_cells_of_many_matrices_or_values_have_fewer_units_in_one_kernel():
    assert [modes("nested_lstm", units) for units in (16, 17)] == [["S", "S"], ["G", "G"]]
    assert [modes("layer_norm_lstm", units) for units in (16, 17)] == [["S", "S"], ["G", "G"]]
    assert [modes("layer_norm_lstm", units, torch.bfloat16) for units in (1, 16)] == [["G", "G"], ["G", "G"]]


def test_the_environment_asks_for_a_mode(monkeypatch):
    monkeypatch.setenv("GATEWORK_TRITON_MODE", "S")
    assert [modes("nested_lstm", units) for units in (32, 33)] == [["S", "S"], ["G", "G"]]
    monkeypatch.setenv("GATEWORK_TRITON_MODE", "G")
    assert modes("rnn", 5) == ["G", "G"]
    monkeypatch.setenv("GATEWORK_TRITON_MODE", "P")
    with pytest.raises(InputError, match="GATEWORK_TRITON_MODE='P'; expected S or G"):
        modes("rnn", 5)
