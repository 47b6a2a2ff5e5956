"""Between which numbers a value lies: interval arithmetic, of which the table of operations is made."""

import math
from collections.abc import Callable
from typing import NamedTuple


class Range(NamedTuple):
    """The least and the most that a unit can be, and the most that the sizes of all units of a sample add up to."""

    low: float = -math.inf
    high: float = math.inf
    total: float = math.inf

    def lies_within(self, low: float, high: float) -> bool:
        return self.low >= low - 1e-9 and self.high <= high + 1e-9


ANY = Range()


def span(*values: float) -> Range:
    """The range from the least to the most of these, ANY where one is no number (inf - inf)."""
    return ANY if any(map(math.isnan, values)) else Range(min(values), max(values))


def always(low: float, high: float, total: float = math.inf) -> Callable[[Range], Range]:
    """The range of a function whose results lie there whatever it is applied to."""
    return lambda _: Range(low, high, total)


def increasing(function: Callable[[float], float]) -> Callable[[Range], Range]:
    """The range of a function that grows with its argument."""

    def at(a: float) -> float:
        try:
            return function(a)
        except (ValueError, OverflowError):  # log(0), exp(800)
            return math.copysign(math.inf, a) if a else -math.inf

    return lambda a: span(at(a.low), at(a.high))


def add(a: Range, b: Range) -> Range:
    return span(a.low + b.low, a.high + b.high)


def negative(a: Range) -> Range:
    return Range(-a.high, -a.low, a.total)


def multiply(a: Range, b: Range) -> Range:
    return span(*(p * q if p and q else 0.0 for p in a[:2] for q in b[:2]))


def divide(a: Range, b: Range) -> Range:
    return ANY if b.low <= 0 <= b.high else multiply(a, Range(1 / b.high, 1 / b.low))


def magnitude(a: Range) -> Range:
    least = 0.0 if a.low <= 0 <= a.high else min(abs(a.low), abs(a.high))
    return Range(least, max(abs(a.low), abs(a.high)), a.total)


def partial_sums(a: Range) -> Range:
    """What some units of a sample add up to."""
    return Range(0.0 if a.low >= 0 else -a.total, a.total)
