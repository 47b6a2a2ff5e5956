"""Cells of thousands of lines: every engine runs them, and what is worked out of them grows as they do."""

import cProfile
import pstats
from collections.abc import Callable

import pytest
import torch

import gatework as gw
from gatework.lowering.call import tensor_spec
from gatework.lowering.plans import backward_plan, forward_plan
from gatework.notation import parse
from numerics import all_same, gradients, random, same, weighed


def chain(n: int) -> str:
    """As many stages as lines: each product waits for the one before."""
    lines = [f"a{i} = tanh(W{i} @ a{i - 1} + b{i})" for i in range(1, n)]
    return "\n".join(["a0 = W0 @ x + U @ h", *lines, f"h = a{n - 1}"])


def pointwise(n: int) -> str:
    """All in one block of the plan."""
    lines = [f"a{i} = tanh(p{i} * a{i - 1} + b{i})" for i in range(1, n)]
    return "\n".join(["a0 = W0 @ x + U @ h", *lines, f"h = a{n - 1}"])


def wide(n: int) -> str:
    """All products at once, each in registers of its own, and a sum of all through named parts."""
    lines = [f"a{i} = tanh(W{i} @ x + U{i} @ h + b{i})" for i in range(n)]
    return "\n".join([*lines, "t0 = a0", *(f"t{i} = t{i - 1} + a{i}" for i in range(1, n)), f"h = t{n - 1} / {n}"])


def states(n: int) -> str:
    """A state for each line."""
    lines = [f"s{i} = tanh(W{i} @ x + U{i} @ s{i})" for i in range(n)]
    return "\n".join([*lines, "t0 = s0", *(f"t{i} = t{i - 1} + p{i} * s{i}" for i in range(1, n)), f"h = t{n - 1}"])


def one_sum(n: int) -> str:
    """A sum of so many products in one lane of registers: no line holds more than a few, and nobody reads between."""
    lines = [f"t{i} = t{i - 1} + W{i} @ x" for i in range(1, n)]
    return "\n".join(["t0 = U @ h", *lines, f"h = tanh(t{n - 1})"])


each_kind = pytest.mark.parametrize("text", [chain, pointwise, wide, states, one_sum], ids=lambda text: text.__name__)


@each_kind
def test_thousands_of_lines_run_forwards_and_backwards(text: Callable[[int], str]):
    n = 2100 if text in (chain, pointwise) else 700
    layer = gw.Recurrent(text(n), 2, 3, init="torch")
    reference = gw.Recurrent(text(n), 2, 3, init="torch", engine="reference")
    reference.load_state_dict(layer.state_dict())
    x = random(2, 2, 2, dtype=torch.float32, requires_grad=True)
    assert "native" in repr(layer)
    found, expected = layer(x), reference(x)
    same(found[0], expected[0])
    all_same(gradients(layer, weighed(found[0]), x), gradients(reference, weighed(expected[0]), x))


@each_kind
def test_planning_takes_calls_in_proportion_to_the_lines(text: Callable[[int], str]):
    few, many = (calls(planned, text(n)) for n in (300, 900))
    assert many < 3.3 * few


def planned(text: str) -> None:
    program = parse(text, output="h")
    forward_plan(program, True, True, True, ())
    backward_plan(program, tuple(tensor_spec(program).shapes))


def calls(function: Callable[[str], None], text: str) -> int:
    """How many calls a function makes, those of Python's own functions among them."""
    with cProfile.Profile() as profile:
        function(text)
    return pstats.Stats(profile).total_calls
