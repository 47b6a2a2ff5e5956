"""The reference engine, the specification: differentiable as it says, open to torch.func, true to its contract."""

import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from gatework.cells import Cell, cells
from gatework.engines import Arguments
from gatework.engines.reference import run
from gatework.notation import parse
from gatework.verify.problems import Case, Problem, draw
from numerics import all_same, random, same, weighed

EVERY = pytest.mark.parametrize("cell", cells.values(), ids=lambda cell: cell.name)
SMALL = Case(T=2, B=1, I=1, H=3, R=2)
# One of each kind: one stage, two stages, a projection, row functions, max and an infinite start, kinks.
KINDS = [cells[n] for n in ("lstm", "gru", "projected_lstm", "layer_norm_lstm", "on_lstm", "slstm", "rnn_relu")]
SOME = pytest.mark.parametrize("cell", KINDS, ids=lambda cell: cell.name)


def function_of(problem: Problem):
    """The run as a function of all that it is differentiable in, and the values of these."""
    names, states = list(problem.leaves()), problem.program.states

    def function(*values: Tensor) -> tuple[Tensor, ...]:
        given = dict(zip(names, values, strict=True))
        output, final, recorded = run(
            Arguments(
                problem.program,
                {name: given[name] for name in problem.params},
                given["x"],
                tuple(given[f"state {s.name}"] for s in states),
                start=tuple(given.get(f"start {s.name}", v) for s, v in zip(states, problem.start, strict=True)),
                lengths=problem.lengths,
                resets=problem.resets,
                inputs={name: given[name] for name in problem.inputs},
                record=problem.record,
            )
        )
        return (output, *final, *recorded.values())

    return function, tuple(value.clone().requires_grad_() for value in problem.leaves().values())


# -- gradients


@EVERY
def test_gradients_are_those_of_finite_differences(cell: Cell):
    """In x, the state and every parameter, of output and final state."""
    assert gradcheck(*function_of(draw(cell, SMALL)))


@SOME
@pytest.mark.parametrize("feature", ["lengths", "resets", "extras"])
def test_gradients_are_those_of_finite_differences_with(cell: Cell, feature: str):
    """In the start, masks and taps too, of every recorded value."""
    case = Case(T=3, B=2, I=1, H=2, R=1, **{feature: True})
    assert gradcheck(*function_of(draw(cell, case)), fast_mode=True)


@SOME
def test_gradients_of_gradients_are_those_of_finite_differences(cell: Cell):
    assert gradgradcheck(*function_of(draw(cell, SMALL)), fast_mode=True)


def test_gradients_do_not_cross_a_reset_or_an_infinite_start():
    problem = draw(cells["slstm"], Case(T=3, B=2, I=2, H=3, R=3, resets=True))
    problem.resets[:] = torch.tensor([False, True, False])[:, None]
    function, leaves = function_of(problem)
    x, *states = leaves[:5]
    output = function(*leaves)[0]
    early = torch.autograd.grad(output[1:].sum(), (x, *states), retain_graph=True)
    assert not early[0][:1].any() and not any(gradient.any() for gradient in early[1:])
    assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(output.sum(), leaves))


# -- torch.func


@SOME
def test_vmap_over_sequences_is_the_batch(cell: Cell):
    function, (x, *rest) = function_of(draw(cell, Case(T=4, B=5, I=3, H=4, R=2)))
    states = len(cell.program.states)

    def single(x: Tensor, *values: Tensor) -> Tensor:
        return function(x[:, None], *(s[None] for s in values[:states]), *values[states:])[0][:, 0]

    mapped = torch.vmap(single, (1, *[0] * states, *[None] * (len(rest) - states)), 1)(x, *rest)
    same(mapped, function(x, *rest)[0])


@SOME
def test_vmap_over_parameters_runs_an_ensemble(cell: Cell):
    problem = draw(cell, SMALL)
    function, (x, *rest) = function_of(problem)
    ensemble = [torch.stack([value, 2 * value, -value]) for value in rest]
    outputs = torch.vmap(function, (None, *[0] * len(rest)))(x, *ensemble)[0]
    for member, output in enumerate(outputs):
        same(output, function(x, *(values[member] for values in ensemble))[0], f"member {member}")


@SOME
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")  # torch's own, inside jvp
def test_forward_mode_agrees_with_reverse_mode(cell: Cell):
    """<J u, v> = <u, J' v> in random directions."""
    function, leaves = function_of(draw(cell, Case(T=3, B=2, I=3, H=4, R=2)))
    leaves = tuple(value.detach() for value in leaves)
    tangents = tuple(random(*value.shape) for value in leaves)
    outputs, pushed = torch.func.jvp(function, leaves, tangents)
    cotangents = tuple(random(*value.shape) for value in outputs)
    pulled = torch.func.vjp(function, *leaves)[1](cotangents)
    forward = sum((a * b).sum() for a, b in zip(pushed, cotangents, strict=True))
    backward = sum((a * b).sum() for a, b in zip(pulled, tangents, strict=True))
    same(forward, backward)


def test_gradients_for_each_sequence_come_from_vmap_of_grad():
    problem = draw(cells["lstm"], Case(T=4, B=3, I=2, H=3, R=3))
    params, h, c = problem.params, *problem.state

    def loss(params: dict[str, Tensor], x: Tensor, h: Tensor, c: Tensor) -> Tensor:
        return run(Arguments(problem.program, params, x[:, None], (h[None], c[None])))[0].square().sum()

    each = torch.vmap(torch.func.grad(loss), (None, 1, 0, 0))(params, problem.x, h, c)
    for sample in range(3):
        alone = torch.func.grad(loss)(params, problem.x[:, sample], h[sample], c[sample])
        all_same({name: values[sample] for name, values in each.items()}, alone)


# -- the contract


@EVERY
@pytest.mark.parametrize("case", [Case(0, 3, 2, 4, 2), Case(1, 3, 2, 4, 2), Case(2, 0, 2, 4, 2), Case(3, 1, 1, 1, 1)])
def test_shapes_at_the_edges(cell: Cell, case: Case):
    """No step, one step, no sequence, one unit; everything recorded."""
    program, problem = cell.program, draw(cell, case)
    output, final, recorded = run(
        Arguments(program, problem.params, problem.x, problem.state, record=tuple(program.names))
    )
    sizes = program.bind(problem.x.shape[-1], case.H, case.R if "R" in program.sizes else 0)
    assert output.shape == (case.T, case.B, sizes[program.output_size]) and output.dtype == torch.float64
    assert [value.shape for value in final] == [value.shape for value in problem.state]
    assert {n: v.shape for n, v in recorded.items()} == {
        name: (case.T, case.B, sizes[program.nodes[index].size]) for name, index in program.named
    }


def test_no_steps_leave_the_state_as_it_was():
    problem = draw(cells["lstm"], Case(0, 2, 3, 4, 4))
    final = run(Arguments(problem.program, problem.params, problem.x, problem.state))[1]
    assert all(new is old for new, old in zip(final, problem.state, strict=True))


def test_values_of_every_size_are_recorded_without_steps():
    program = parse("a = W @ x + U @ h\nh = P @ tanh(a)")
    problem = draw(Cell("bottle", str(program)), Case(0, 2, 3, 5, 4))
    recorded = run(Arguments(program, problem.params, problem.x, problem.state, record=("a", "h")))[2]
    assert recorded["a"].shape == (0, 2, 5) and recorded["h"].shape == (0, 2, 4)


@EVERY
def test_two_runs_with_the_state_carried_are_one(cell: Cell):
    problem = draw(cell, Case(7, 3, 4, 5, 2))
    output, final, _ = run(Arguments(problem.program, problem.params, problem.x, problem.state))
    first, state, _ = run(Arguments(problem.program, problem.params, problem.x[:3], problem.state))
    second, state, _ = run(Arguments(problem.program, problem.params, problem.x[3:], state))
    same(torch.cat([first, second]), output)
    all_same(state, final)


@EVERY
def test_what_lies_past_a_length_is_never_seen(cell: Cell):
    problem = draw(cell, Case(5, 4, 3, 4, 2, lengths=True))
    alive = torch.arange(5)[:, None] < problem.lengths
    leaves = [problem.x, *problem.state, *problem.params.values()]
    found = []
    for padding in (0.0, math.nan):
        x = torch.where(alive[:, :, None], problem.x, padding).requires_grad_()
        given = [x, *(value.clone().requires_grad_() for value in leaves[1:])]
        states = len(problem.state)
        params = dict(zip(problem.params, given[states + 1 :], strict=True))
        output, final, _ = run(
            Arguments(problem.program, params, x, tuple(given[1 : states + 1]), lengths=problem.lengths)
        )
        assert not output[~alive].any()
        found.append([output, *final, *torch.autograd.grad(weighed(output, *final), given)])
        assert not found[-1][1 + states][~alive].any()  # the gradient by x
    all_same(found[1], found[0])


def test_a_reset_past_a_length_changes_nothing():
    problem = draw(cells["lstm"], Case(4, 2, 3, 4, 4))
    rest = {"start": problem.start, "lengths": torch.tensor([2, 4])}
    resets = torch.zeros(4, 2, dtype=torch.bool)
    output, final, _ = run(Arguments(problem.program, problem.params, problem.x, problem.state, **rest, resets=resets))
    resets[2:, 0] = True
    again, state, _ = run(Arguments(problem.program, problem.params, problem.x, problem.state, **rest, resets=resets))
    all_same((again, *state), (output, *final))


def test_recorded_values_can_be_followed_by_autograd():
    problem = draw(cells["lstm"], SMALL)
    x = problem.x.requires_grad_()
    recorded = run(Arguments(problem.program, problem.params, x, problem.state, record=("f",)))[2]
    assert torch.autograd.grad(recorded["f"].sum(), x)[0].any()


def test_a_value_that_no_step_changes_is_recorded_for_all():
    program = parse("k = sigmoid(a)\nh = k * h + W @ x")
    recorded = run(
        Arguments(program, {"a": random(4), "W": random(4, 3)}, random(5, 2, 3), (random(2, 4),), record=("k",))
    )[2]
    assert recorded["k"].shape == (5, 2, 4) and recorded["k"].unique().numel() == 4
