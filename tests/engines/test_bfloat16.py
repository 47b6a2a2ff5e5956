"""bfloat16 on the native engine: rounded to nearest where values are stored, float32 where they accumulate."""

import numpy as np
import pytest
import torch
from core_toys import run_plan
from torch import Tensor

import gatework as gw
from gatework.cells import Cell, cells
from gatework.core import _native
from gatework.engines import Arguments, native, reference
from gatework.errors import InputError
from gatework.lowering.blocks import lower
from gatework.lowering.keys import Key, Role
from gatework.lowering.plan import Buffer, NativePlan, Store
from gatework.notation import Node
from gatework.verify.check import BOUNDS, compared, floors
from gatework.verify.problems import Case, answer, draw

HALF = torch.bfloat16
CASES = (
    Case(3, 2, 513, 5, 1),  # odd, and beyond what is multiplied in one go
    Case(3, 7, 5, 33, 17),
    Case(2, 50, 3, 21, 4),  # more rows than a tile has
    Case(5, 4, 6, 9, 3, lengths=True, resets=True),
)
on_each = pytest.mark.parametrize("isa", _native.isas())


# -- one number

ENDS = np.array([0, 2**31, 0x7F7FFFFF, 0x7F800000, 0xFF800000, 0x7F800001, 0xFFFFFFFF], dtype=np.uint32)


def copied(source: Tensor, element: str, dtype: torch.dtype) -> Tensor:
    """A series [1,B,H] copied by the core to a series of another kind."""
    nodes = [Node("input", name="x", size="H")]
    kind = str(source.dtype).removeprefix("torch.")
    x, y = Key(Role.INPUT, "x"), Key(Role.OUTPUT)
    buffers = [Buffer(x, "series", "H", "H", False, kind), Buffer(y, "series", "H", "H", True, element)]
    plan = lower(nodes, {0: ((x, 0),)}, {0: [Store(y)]}, buffers, backwards=False)
    result = torch.empty(source.shape, dtype=dtype)
    run(plan, source, result)
    return result


def run(plan: NativePlan, *series: Tensor) -> None:
    """Runs a plan of one step on contiguous series [1,B,H]."""
    _, B, H = series[0].shape
    buffers = [(s.data_ptr(), 0, H, 1, s.numel()) for s in series]
    run_plan(_native.Plan(list(plan.stream)), [0, H, 0], 1, B, buffers)


def numbers() -> Tensor:
    """Numbers of all magnitudes [1,B,37], and the ties between bfloat16s; denormals, infinities and NaNs too."""
    strided = np.arange(0, 2**32, 40_503, dtype=np.uint32)
    ties = np.arange(0x8000, 2**32, 0x10000, dtype=np.uint64).astype(np.uint32)
    bits = np.concatenate([strided, ties, ties - 1, ties + 1, ENDS])
    return torch.from_numpy(np.resize(bits, (1, -(-len(bits) // 37), 37)).view(np.float32))


@on_each
def test_a_number_is_rounded_to_the_nearest_and_to_even_at_a_tie(isa, monkeypatch):
    monkeypatch.setenv("GATEWORK_ISA", isa)
    source = numbers()
    found, expected = copied(source, "bfloat16", HALF), source.to(HALF)
    number = ~source.isnan()
    assert torch.equal(found.view(torch.int16)[number], expected.view(torch.int16)[number])
    assert found[~number].isnan().all() and (~number).any() and source.isinf().any()


@on_each
def test_a_bfloat16_is_read_as_it_is(isa, monkeypatch):
    monkeypatch.setenv("GATEWORK_ISA", isa)
    source = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(HALF)[: 37 * 1771].view(1, 1771, 37)
    found = copied(source, "float32", torch.float32)
    np.testing.assert_array_equal(found.numpy(), source.float().numpy())


# -- products


@on_each
@pytest.mark.parametrize("name", ["lstm", "gru", "layer_norm_lstm", "projected_lstm"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_products_of_any_size_are_those_of_the_rounded_numbers(isa, name, case, monkeypatch):
    monkeypatch.setenv("GATEWORK_ISA", isa)
    right(native.run, cells[name], case)


def right(run, cell: Cell, case: Case) -> None:
    problem = draw(cell, case, HALF)
    expected, found = answer(reference.run, problem), answer(run, problem.to(HALF))
    for what, least in floors(expected).items():
        assert found[what].dtype == HALF
        compared(found[what], expected[what], f"{what}, {case}", BOUNDS[HALF], least)


# -- long-term memory

SUM = Cell("sum", "c = c + x\nh = tanh(U @ h) + c")


def test_small_steps_of_a_long_term_memory_are_not_lost():
    step = 2.0**-10  # half a unit of a bfloat16 near 1 is 2^-8
    x = torch.full((1000, 3, 5), step, dtype=HALF)
    state = {"c": torch.ones(3, 5, dtype=HALF), "h": torch.zeros(3, 5, dtype=HALF)}
    states = tuple(state[carried.name] for carried in SUM.program.states)
    params = {"U": torch.zeros(5, 5, dtype=HALF)}
    output, final, _ = native.run(Arguments(SUM.program, params, x, states))
    for value in (output[-1], *final):
        assert value.dtype == HALF
        assert torch.equal(value, torch.full((3, 5), 1 + 1000 * step).to(HALF))


def test_gradients_add_up_over_many_steps():
    cell = Cell("leak", "h = h + b * x")
    x = torch.ones(1000, 1, 4, dtype=HALF)
    b = torch.zeros(4, dtype=HALF, requires_grad=True)
    first = torch.zeros(1, 4, dtype=HALF, requires_grad=True)
    output, _, _ = native.run(Arguments(cell.program, {"b": b}, x, (first,)))
    (output.sum() * 2.0**-9).backward()
    assert torch.equal(first.grad, torch.full((1, 4), 1000 * 2.0**-9).to(HALF))
    assert torch.equal(b.grad, torch.full((4,), 500500 * 2.0**-9).to(HALF))


# -- calls


@pytest.mark.parametrize("name", ["lstm", "gru", "layer_norm_lstm", "slstm", "mingru"])
def test_training_computes_what_inference_does(name):
    problem = draw(cells[name], CASES[1], HALF).to(HALF)
    params = {key: value.requires_grad_() for key, value in problem.params.items()}
    with torch.no_grad():
        expected = native.run(Arguments(problem.program, params, problem.x, problem.state))
    found = native.run(Arguments(problem.program, params, problem.x, problem.state))
    assert torch.equal(found[0], expected[0])
    assert all(torch.equal(a, b) for a, b in zip(found[1], expected[1], strict=True))


def test_a_layer_in_bfloat16_takes_and_gives_it():
    layer = gw.LSTM(6, 10, num_layers=2, bidirectional=True, dtype=HALF)
    output, (h, c) = layer(torch.randn(7, 3, 6, dtype=HALF))
    assert {output.dtype, h.dtype, c.dtype} == {HALF}
    output.sum().backward()
    assert {parameter.grad.dtype for parameter in layer.parameters()} == {HALF}


@pytest.mark.parametrize("wrong", ["x", "state", "params"])
def test_numbers_of_two_dtypes_are_refused(wrong):
    problem = draw(cells["rnn"], CASES[1], HALF).to(HALF)
    params = {key: value.float() if wrong == "params" else value for key, value in problem.params.items()}
    x = problem.x.float() if wrong == "x" else problem.x
    state = tuple(value.float() if wrong == "state" else value for value in problem.state)
    with pytest.raises(InputError, match=r"engine='native' takes one dtype, not \w+ and \w+: .*\.to\("):
        native.run(Arguments(problem.program, params, x, state))
