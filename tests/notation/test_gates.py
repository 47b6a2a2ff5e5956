"""A gate is what lies between 0 and 1 by the way it is computed."""

import pytest

from gatework.notation import parse
from gatework.notation.gates import gates


@pytest.mark.parametrize(
    ("equation", "found"),
    [
        ("a = 1 - f", ["f", "a"]),
        ("a = f * f", ["f", "a"]),
        ("a = stop_gradient(f)", ["f", "a"]),
        ("a = cumsum(softmax(W_a @ x))", ["f", "a"]),
        ("a = 2 - f", ["f"]),
        ("a = f * tanh(W_a @ x)", ["f"]),
        ("a = f + f", ["f"]),
    ],
)
def test_what_is_made_of_gates_may_be_one(equation: str, found: list[str]) -> None:
    program = parse(f"f = sigmoid(W @ x + U @ h + b)\n{equation}\nh = a * prev(h) + f * tanh(V @ x)")
    assert gates(program) == found
