"""Interval arithmetic: the least and the most that come of operands between two numbers each."""

import math

import pytest

from gatework.notation.ranges import ANY, Range, add, divide, increasing, magnitude, multiply, negative, partial_sums

FROM_1_TO_2 = Range(1, 2)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (add(FROM_1_TO_2, Range(-3, 5)), Range(-2, 7)),
        (add(Range(-math.inf, 1), Range(0, math.inf)), ANY),
        (negative(Range(-1, 3, 4)), Range(-3, 1, 4)),
        (multiply(FROM_1_TO_2, Range(-3, 5)), Range(-6, 10)),
        (multiply(Range(0, 1), ANY), Range(-math.inf, math.inf)),
        (divide(FROM_1_TO_2, Range(4, 8)), Range(0.125, 0.5)),
        (divide(FROM_1_TO_2, Range(-8, -4)), Range(-0.5, -0.125)),
        (divide(FROM_1_TO_2, Range(0, 4)), ANY),
        (magnitude(Range(-3, 1, 5)), Range(0, 3, 5)),
        (magnitude(Range(-3, -1)), Range(1, 3)),
        (partial_sums(Range(0, 1, 1)), Range(0, 1)),
        (partial_sums(Range(-1, 1, 2)), Range(-2, 2)),
        (increasing(math.exp)(Range(0, 800)), Range(1, math.inf)),
        (increasing(math.log)(Range(0, 1)), Range(-math.inf, 0)),
    ],
)
def test_what_comes_of_operands_between_two_numbers(found: Range, expected: Range) -> None:
    assert found == expected
