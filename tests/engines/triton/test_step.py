"""A step's products and kernels: as few as the equations allow, in an order in which all is made before it is read."""

import pytest

from gatework.cells import cells
from gatework.engines.triton.scan import backward_step, forward_step
from gatework.lowering.call import tensor_spec
from gatework.lowering.keys import Key, Role
from gatework.notation import parse

GIVEN = {Role.INPUT, Role.START, Role.START_GRADIENT, Role.VECTOR, Role.AHEAD, Role.SAVED, Role.OUTPUT_GRADIENT}
CARRIED = {(Role.STATE, 0), (Role.STATE_GRADIENT, 1)}


def forward(program, train=True):
    return forward_step(program, train, (), "float32").step


def backward(program):
    spec = tensor_spec(program).shapes
    wanted = (Role.INPUT, Role.MATRIX, Role.VECTOR)
    return backward_step(program, tuple(key for key in spec if key.role in wanted), "float32").step


def shape(step):
    """Of each stage: how many matrices each product has, and how many kernels there are."""
    return [([len(product.matrices) for product in products], len(kernels)) for products, kernels in step.stages]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("lstm", [([4], 1)]),
        ("gru", [([2], 1), ([1], 1)]),
        ("gru_reset_after", [([3], 1)]),
        ("indrnn", [([], 1)]),
        ("layer_norm_lstm", [([4], 1)]),  # row functions open no stage of their own
        ("rhn_3", [([2], 1), ([2], 1), ([2], 1)]),
    ],
)
def test_the_products_of_one_value_are_one_and_a_kernel_does_all_that_lies_between_products(cell, expected):
    assert shape(forward(cells[cell].program)) == expected


def test_backwards_the_products_of_one_sum_are_one():
    assert shape(backward(cells["lstm"].program)) == [([], 1), ([4], 1)]
    assert shape(backward(cells["gru"].program)) == [([], 1), ([1], 1), ([2], 1)]


def test_a_kernel_of_row_functions_has_whole_rows_and_no_other_has():
    assert not any(kernel.whole for _, kernels in forward(cells["lstm"].program).stages for kernel in kernels)
    for step in (forward(cells["layer_norm_lstm"].program), backward(cells["layer_norm_lstm"].program)):
        assert any(kernel.whole for _, kernels in step.stages for kernel in kernels)


@pytest.mark.parametrize("cell", cells)
@pytest.mark.parametrize("make", [forward, backward])
def test_all_that_is_read_was_given_carried_or_made_before(cell, make):
    made = set()
    for products, kernels in make(cells[cell].program).stages:
        for product in products:
            for key in product.operands:
                assert key in made or key.role in (Role.INPUT, Role.VECTOR, Role.STATE)
        made |= {key for product in products for key in product.results}
        for kernel in kernels:
            for key, offset in kernel.reads:
                assert key in made or key.role in GIVEN or (key.role, offset) in CARRIED
            made |= {key for key, _ in kernel.writes}


@pytest.mark.parametrize("cell", cells)
@pytest.mark.parametrize("make", [forward, backward])
def test_nothing_is_written_that_nobody_reads(cell, make):
    step = make(cells[cell].program)
    read = {key for products, _ in step.stages for product in products for key in product.operands}
    read |= {key for _, kernels in step.stages for kernel in kernels for key, _ in kernel.reads}
    between = [key for _, kernels in step.stages for k in kernels for key, _ in k.writes if key.role is Role.BETWEEN]
    assert read.issuperset(between)
    assert len(between) == len(set(between))
    assert {buffer.key for buffer in step.between} == set(between)


@pytest.mark.parametrize("cell", cells)
def test_a_value_is_loaded_and_stored_once_in_a_kernel(cell):
    for step in (forward(cells[cell].program), backward(cells[cell].program)):
        for _, kernels in step.stages:
            for kernel in kernels:
                assert len(set(kernel.reads)) == len(kernel.reads)
                assert len(set(kernel.writes)) == len(kernel.writes)
                assert kernel.text.count("tl.load(r") - kernel.text.count("tl.load(resets") == len(kernel.reads)
                assert kernel.text.count("tl.store(") == len(kernel.writes)


def test_a_stage_has_a_kernel_for_each_size_of_its_values():
    step = forward(cells["projected_lstm"].program)
    assert [[kernel.size for kernel in kernels] for _, kernels in step.stages] == [["H"], ["R"]]


def test_a_step_of_a_text_of_many_lines_is_made():
    lines = ["a0 = tanh(W @ x + U @ h)", *(f"a{n} = a{n - 1} + tanh(a{n - 1})" for n in range(1, 1200)), "h = a1199"]
    assert shape(forward(parse("\n".join(lines)))) == [([1], 1)]


def test_a_value_that_a_later_stage_reads_is_handed_over():
    program = parse("f = sigmoid(W_f @ x + U_f @ h)\nn = tanh(W_n @ x + U_n @ (f * h))\nh = f * n")
    step = forward(program, train=False)
    gate = Key(Role.BETWEEN, program.names["f"])
    assert gate in {key for key, _ in step.stages[0][1][0].writes}
    assert gate in {key for key, _ in step.stages[1][1][0].reads}
