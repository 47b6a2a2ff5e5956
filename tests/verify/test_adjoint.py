"""The derived backward Program, executed by itself, gives autograd's gradients; and would be caught if it did not."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatework.cells import Cell, cells
from gatework.engines.reference import run
from gatework.notation.adjoint import adjoint
from gatework.notation.ops import OPS
from gatework.verify.adjoint import gradients
from gatework.verify.check import adjoint_result, solved
from gatework.verify.comparison import compare
from gatework.verify.problems import Case, answer, derived, draw

# Each operation somewhere in a cell, its arguments where its value and derivative are tame.
USES = {
    "add": "a + b",
    "sub": "a - b",
    "mul": "a * b",
    "div": "a / (1.5 + sigmoid(b))",
    "neg": "b * -a",
    "relu": "relu(a)",
    "abs": "abs(a)",
    "max": "max(a, b)",
    "min": "min(a, b)",
    "sigmoid": "sigmoid(a)",
    "tanh": "a + b",  # in the line of h
    "exp": "exp(0.3 * a)",
    "log": "log(1.5 + a * a)",
    "sqrt": "sqrt(1.5 + a * a)",
    "softplus": "softplus(a)",
    "logsigmoid": "logsigmoid(a)",
    "norm": "norm(a)",
    "softmax": "softmax(a)",
    "cumsum": "cumsum(a)",
    "stop_gradient": "a * stop_gradient(b)",
}


def using(expression: str) -> Cell:
    return Cell("one_of", f"a = W @ x + U @ h\nb = V @ x + c * h\ny = {expression}\nh = tanh(y)")


def judge(cell: Cell):
    def expected(case: Case, dtype: torch.dtype):
        return solved(cell, case, dtype)

    return adjoint_result(cell, expected)


@pytest.fixture
def fresh_derivations() -> Iterator[None]:
    """Derivations made within the test are forgotten after it, and those made before are not used in it."""
    adjoint.cache_clear()
    yield
    adjoint.cache_clear()


@pytest.mark.parametrize("cell", cells.values(), ids=lambda cell: cell.name)
def test_every_cell_has_the_gradients_of_autograd(cell: Cell):
    assert judge(cell).message == ""


def test_every_operation_is_used_here():
    assert USES.keys() == {name for name, op in OPS.items() if not op.meaning}


@pytest.mark.parametrize("name", USES)
@pytest.mark.filterwarnings("ignore:.* does not depend on")
def test_every_operation_has_the_gradient_of_autograd(name):
    assert judge(using(USES[name])).message == ""


@pytest.mark.parametrize(
    ("name", "argument"), [(n, k) for n in USES for k, derivative in enumerate(OPS[n].derivative) if derivative]
)
@pytest.mark.filterwarnings("ignore:.* does not depend on")
def test_a_derivative_off_by_a_millionth_is_found(name, argument, monkeypatch, fresh_derivations):
    derivatives = list(OPS[name].derivative)
    derivatives[argument] = f"1.000001 * ({derivatives[argument]})"
    monkeypatch.setitem(OPS, name, replace(OPS[name], derivative=tuple(derivatives)))
    result = judge(using(USES[name]))
    assert not result.passed and 1e-9 < result.errors.rms < 1e-3


def test_the_tutorials_mistake_is_found(monkeypatch, fresh_derivations):
    """The derivative of tanh at the input and forget gates."""
    monkeypatch.setitem(OPS, "sigmoid", replace(OPS["sigmoid"], derivative=OPS["tanh"].derivative))
    assert not judge(cells["lstm"]).passed


def test_a_forgotten_path_is_found(monkeypatch, fresh_derivations):
    """Both arguments of a product must get their gradient."""
    monkeypatch.setitem(OPS, "mul", replace(OPS["mul"], derivative=("g * b", "0 * g")))
    assert not judge(cells["lstm"]).passed


@pytest.mark.parametrize("cell", cells.values(), ids=lambda cell: cell.name)
@pytest.mark.parametrize("case", [Case(1, 1, 2, 3, 2), Case(3, 2, 1, 1, 1)], ids=str)
def test_one_step_and_one_unit(cell, case):
    problem = draw(cell, case)
    expected = answer(run, problem)
    floor = 0.1 * max(float(value.abs().max()) for value in expected.values())  # gradients of one unit may cancel
    for name, found in derived(problem).items():
        compare(found, expected[name], rms=3e-14, peak=1e-13, floor=floor, what=name)


@pytest.mark.filterwarnings("ignore:.* does not depend on")
def test_gradients_are_given_for_parameters_and_states_that_nothing_reads():
    cell = Cell("idle", "d = 0.5 * d + W @ x\nh = tanh(V @ x + U @ h)")
    problem = draw(cell, Case(3, 2, 3, 4, 4))
    zeros = tuple(torch.zeros_like(weights) for weights in problem.state_weights)
    found = gradients(problem.program, problem.params, problem.x, problem.state, problem.output_weights, zeros)
    assert not found.params["W"].any() and not found.state[1].any() and found.params["V"].any()


# -- cells that nobody wrote


@st.composite
def texts(pick) -> str:
    """Lines that read one another at will, also before they are assigned, which makes states of them."""
    names = [f"v{k}" for k in range(pick(st.integers(1, 5)))]
    operands = st.sampled_from([*names, "h", "p", "q", "(W @ x)", *(f"(M @ {name})" for name in (*names, "h"))])
    lines = []
    for name in names:
        a, b, use = pick(operands), pick(operands), pick(st.sampled_from(list(USES.values())))
        use = re.sub(r"\b[ab]\b", "{\\g<0>}", use).format(a=a, b=b)
        lines.append(f"{name} = tanh({use})")
    return "\n".join([*lines, f"h = tanh(V @ x + U @ h + {' + '.join(names)})"])


@given(texts())
def test_cells_that_nobody_wrote_have_the_gradients_of_autograd(text):
    problem = draw(Cell("random", text), Case(3, 2, 3, 4, 4))
    expected = answer(run, problem)
    floor = max(float(value.abs().max()) for value in expected.values())
    for name, found in derived(problem).items():  # norm of a nearly even row magnifies rounding
        compare(found, expected[name], rms=1e-9, peak=1e-8, floor=1e-3 * floor, what=name)
