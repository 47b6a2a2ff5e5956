"""Torch's spelling of each operation is the operation of the table; and whole steps, number by number."""

import pytest
import torch

from gatework.cells import Cell, cells
from gatework.engines import Arguments, reference
from gatework.engines.evaluate import in_torch
from gatework.notation import Program, parse
from gatework.notation.ops import OPS
from gatework.verify.problems import Case, draw
from numerics import same

DOMAIN = {"log": (0.1, 3.0), "sqrt": (0.1, 3.0), "exp": (-3.0, 3.0)}  # elsewhere -40 to 40


@pytest.mark.parametrize("name", OPS)
def test_the_spelling_computes_the_value_of_the_table(name):
    op, (low, high) = OPS[name], DOMAIN.get(name, (-40.0, 40.0))
    rows = [(low + (high - low) * torch.rand(7, dtype=torch.float64)).tolist() for _ in range(op.arity)]
    wanted = op.value(*rows) if op.row else [op.value(*units) for units in zip(*rows, strict=True)]
    found = in_torch(OPS[name])(*(torch.tensor(row, dtype=torch.float64) for row in rows))
    same(found, torch.tensor(wanted, dtype=torch.float64), name)


@pytest.mark.parametrize("name", ["max", "min"])
@pytest.mark.parametrize("place", [0, 1])
def test_a_number_may_stand_on_either_side(name, place):
    values = torch.tensor([-1.0, 0.2, 3.0])
    arguments = [values, 0.5] if place == 0 else [0.5, values]
    assert torch.equal(
        in_torch(OPS[name])(*arguments), torch.tensor([OPS[name].value(v, 0.5) for v in values.tolist()])
    )


@pytest.mark.parametrize("name", ["softplus", "logsigmoid", "sigmoid", "tanh", "softmax"])
@pytest.mark.parametrize("size", [1e3, -1e3])
def test_large_arguments_do_not_overflow(name, size):
    argument = torch.tensor([size, 0.0], requires_grad=True)
    value = in_torch(OPS[name])(argument)
    assert value.isfinite().all() and torch.autograd.grad(value.sum(), argument)[0].isfinite().all()


def test_no_gradient_passes_through_a_sum_that_stops_it():
    """Sums are put in another order before they run, terms that need no state first: not across such an edge."""
    program = parse("h = tanh(W @ x + stop_gradient(U @ h + V @ x) + p * stop_gradient(h))")
    params = {p.name: torch.randn([2] * len(p.shape), requires_grad=True) for p in program.parameters}
    output, _, _ = reference.run(Arguments(program, params, torch.randn(3, 1, 2), (torch.randn(1, 2),)))
    found = torch.autograd.grad(output.sum(), list(params.values()), allow_unused=True, materialize_grads=True)
    reached = {name for name, gradient in zip(params, found, strict=True) if gradient.any()}
    assert reached == {"W", "p"}


def step_by_number(program: Program, params: dict, x: list[float], state: dict[str, list[float]]) -> list:
    """One step for one sample in plain Python: node after node, by the table of operations."""
    values: list = []
    for node in program.nodes:
        arguments = [values[arg] for arg in node.args]
        match node.op:
            case "input":
                value = x
            case "state":
                value = state[node.name]
            case "vector":
                value = params[node.name]
            case "number":
                value = node.value
            case "product":
                value = [sum(w * a for w, a in zip(row, arguments[0], strict=True)) for row in params[node.name]]
            case op if OPS[op].row:
                value = OPS[op].value(*arguments)
            case op:
                units = max(len(a) for a in arguments if isinstance(a, list))
                spread = [a if isinstance(a, list) else [a] * units for a in arguments]
                value = [OPS[op].value(*each) for each in zip(*spread, strict=True)]
        values.append(value)
    return values


@pytest.mark.parametrize("cell", cells.values(), ids=lambda cell: cell.name)
def test_a_run_is_the_equations_number_by_number(cell: Cell):
    program, problem = cell.program, draw(cell, Case(3, 2, 4, 5, 3))
    output, final, _ = reference.run(Arguments(program, problem.params, problem.x, problem.state))
    params = {name: value.tolist() for name, value in problem.params.items()}
    for sample in range(2):
        state = {s.name: value[sample].tolist() for s, value in zip(program.states, problem.state, strict=True)}
        for t in range(3):
            values = step_by_number(program, params, problem.x[t, sample].tolist(), state)
            state = {s.name: values[s.node] for s in program.states}
            same(
                output[t, sample],
                torch.tensor(values[program.names[program.output]], dtype=torch.float64),
                f"output {t}",
            )
        for s, value in zip(program.states, final, strict=True):
            same(value[sample], torch.tensor(state[s.name], dtype=torch.float64), s.name)
