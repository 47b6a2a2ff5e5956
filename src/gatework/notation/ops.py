"""The one table of operations: for each its arity, value, derivative and spelling.

A derivative is written in the notation itself, one expression per argument, of `g` (the gradient that
arrives), `y` (the result) and the arguments `a` and `b`; empty where no gradient passes. Nobody writes
a cell's backward pass: it is assembled from this column. Which results a backward pass keeps instead of redoing
them is the last column.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

NORM_EPSILON = 1e-5


@dataclass(frozen=True)
class Op:
    """One operation: `value` acts on numbers, for a row function on the list of all H units of one sample."""

    name: str
    arity: int
    value: Callable[..., Any]
    derivative: tuple[str, ...]
    latex: str
    infix: str = ""
    strength: int = 9  # of binding, for brackets: sums 1, matrix products 2, products 3, minus 4, names and calls 9
    row: bool = False
    public: bool = True
    kept: bool = False


def sigmoid(a: float) -> float:
    return 1 / (1 + math.exp(-a)) if a >= 0 else math.exp(a) / (1 + math.exp(a))


def softplus(a: float) -> float:
    return max(a, 0.0) + math.log1p(math.exp(-abs(a)))


def sign(a: float) -> float:
    return float((a > 0) - (a < 0))


def rstd(row: list[float]) -> list[float]:
    centre = sum(row) / len(row)
    variance = sum((a - centre) ** 2 for a in row) / len(row)
    return [1 / math.sqrt(variance + NORM_EPSILON)] * len(row)


def norm(row: list[float]) -> list[float]:
    centre = sum(row) / len(row)
    return [(a - centre) * scale for a, scale in zip(row, rstd(row), strict=True)]


def softmax(row: list[float]) -> list[float]:
    powers = [math.exp(a - max(row)) for a in row]
    return [power / sum(powers) for power in powers]


TABLE = (
    # arithmetic: cheap enough to be redone
    Op("add", 2, lambda a, b: a + b, ("g", "g"), r"{a} + {b}", infix="+", strength=1),
    Op("sub", 2, lambda a, b: a - b, ("g", "-g"), r"{a} - {b}", infix="-", strength=1),
    Op("mul", 2, lambda a, b: a * b, ("g * b", "g * a"), r"{a} \odot {b}", infix="*", strength=3),
    Op("div", 2, lambda a, b: a / b, ("g / b", "-g * y / b"), r"\frac{{{a}}}{{{b}}}", infix="/", strength=3),
    Op("neg", 1, lambda a: -a, ("-g",), r"-{a}", infix="-", strength=4),
    Op("relu", 1, lambda a: max(a, 0.0), ("g * sign(y)",), r"\mathrm{{relu}}({a})"),
    Op("abs", 1, abs, ("g * sign(a)",), r"\left|{a}\right|"),
    Op("max", 2, max, ("0.5 * g * (1 + sign(a - b))", "0.5 * g * (1 - sign(a - b))"), r"\max({a}, {b})"),
    Op("min", 2, min, ("0.5 * g * (1 - sign(a - b))", "0.5 * g * (1 + sign(a - b))"), r"\min({a}, {b})"),
    Op("stop_gradient", 1, lambda a: a, ("",), r"\mathrm{{sg}}({a})"),
    # transcendental: the result is kept, and the derivative written by it where that is cheaper
    Op("sigmoid", 1, sigmoid, ("g * y * (1 - y)",), r"\sigma({a})", kept=True),
    Op("tanh", 1, math.tanh, ("g * (1 - y * y)",), r"\tanh({a})", kept=True),
    Op("exp", 1, math.exp, ("g * y",), r"\exp({a})", kept=True),
    Op("log", 1, math.log, ("g / a",), r"\log({a})", kept=True),
    Op("sqrt", 1, math.sqrt, ("0.5 * g / y",), r"\sqrt{{{a}}}", kept=True),
    Op("softplus", 1, softplus, ("g * sigmoid(a)",), r"\mathrm{{softplus}}({a})", kept=True),
    Op("logsigmoid", 1, lambda a: -softplus(-a), ("g * sigmoid(-a)",), r"\log\sigma({a})", kept=True),
    # over a whole row: all units of one sample
    Op("norm", 1, norm, ("rstd(a) * (g - mean(g) - y * mean(g * y))",), r"\mathrm{{norm}}({a})", row=True, kept=True),
    Op("softmax", 1, softmax, ("y * (g - sum(g * y))",), r"\mathrm{{softmax}}({a})", row=True, kept=True),
    Op(
        "cumsum", 1, lambda row: list(accumulate(row)), ("cumsum_back(g)",),
        r"\mathrm{{cumsum}}({a})", row=True, kept=True,
    ),
    # what only derivatives need
    Op("sign", 1, sign, ("0 * g",), r"\mathrm{{sign}}({a})", public=False),
    Op("sum", 1, lambda row: [sum(row)] * len(row), ("sum(g)",), r"\mathrm{{sum}}({a})", row=True, public=False),
    Op(
        "mean", 1, lambda row: [sum(row) / len(row)] * len(row), ("mean(g)",),
        r"\mathrm{{mean}}({a})", row=True, public=False,
    ),
    Op("rstd", 1, rstd, ("-mean(g) * y * y * norm(a)",), r"\mathrm{{rstd}}({a})", row=True, public=False, kept=True),
    Op(
        "cumsum_back", 1, lambda row: list(accumulate(row[::-1]))[::-1], ("cumsum(g)",),
        r"\mathrm{{cumsum}}_{{\leftarrow}}({a})", row=True, public=False,
    ),
)  # fmt: skip

OPS = {op.name: op for op in TABLE}
FUNCTIONS = {op.name: op for op in TABLE if op.public and not op.infix}
