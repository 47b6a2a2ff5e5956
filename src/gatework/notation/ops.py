"""The one table of operations: for each what it computes, and how every target spells it.

A derivative is written in the notation itself, one expression per argument, of `g` (the gradient that
arrives), `y` (the result) and the arguments `a` and `b`; empty where no gradient passes. Nobody writes
a cell's backward pass: it is assembled from this column. The native core knows an operation by its name
(`native/operations.h`); all else reads this table: engines, gates, diagram, page, exporters.
"""

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from itertools import accumulate
from typing import Any

from gatework.notation.ranges import (
    ANY,
    Range,
    add,
    always,
    divide,
    increasing,
    magnitude,
    multiply,
    negative,
    partial_sums,
    span,
)

NORM_EPSILON = 1e-5


@dataclass(frozen=True)
class Op:
    """One operation: `value` acts on numbers, for a row function on the list of all H units of one sample.

    torch: in Python, of the tensors a and b, `torch` and `F`. javascript: of numbers a and b; for a row function of the
    array a, where ROWS has the other row functions; a body in braces returns. onnx: of tensors a and b, where a
    capital begins an operator of ONNX, with attributes by name, and a small letter another row of this table.
    In all three EPSILON is that of normalisation. triton: of tiles {a} and {b}, a row of which is a sample; {inside}
    says which numbers count, {units} how many those are; what begins with _ is in `engines.triton.source.pointwise`.
    range: from the ranges of the arguments to that of the result. latex, label: how people read it, in a formula and
    in a diagram. saved: a backward pass reads the saved result instead of computing it again. linear: f(-a) = -f(a).
    """

    name: str
    arity: int
    value: Callable[..., Any]
    derivative: tuple[str, ...]
    torch: str
    javascript: str
    onnx: str
    _: KW_ONLY
    triton: str = ""
    range: Callable[..., Range] = lambda *_: ANY
    latex: str = ""
    label: str = ""
    infix: str = ""
    strength: int = 9  # of binding, for brackets: sums 1, matrix products 2, products 3, minus 4, names and calls 9
    row: bool = False
    linear: bool = False
    saved: bool = False
    meaning: str = ""  # in words, of what only derivatives need and no text may say

    def in_latex(self, *args: str) -> str:
        """The operation as a formula, brackets around a fraction as tall as it."""
        form = self.latex or rf"\mathrm{{{{{self.name}}}}}" + ("({a})" if self.arity == 1 else "({a}, {b})")
        if any(r"\frac" in arg for arg in args):
            form = form.replace("(", r"\left(").replace(")", r"\right)")
        return form.format(**dict(zip("ab", args, strict=False)))

    @property
    def shown(self) -> str:
        return self.label or self.name

    @property
    def is_function(self) -> bool:
        """Whether a text may call it by its name."""
        return not self.infix and not self.meaning


def _sigmoid(a: float) -> float:
    return 1 / (1 + math.exp(-a)) if a >= 0 else math.exp(a) / (1 + math.exp(a))


def _softplus(a: float) -> float:
    return max(a, 0.0) + math.log1p(math.exp(-abs(a)))


def _sign(a: float) -> float:
    return float((a > 0) - (a < 0))


def _rstd(row: list[float]) -> list[float]:
    centre = sum(row) / len(row)
    variance = sum((a - centre) ** 2 for a in row) / len(row)
    return [1 / math.sqrt(variance + NORM_EPSILON)] * len(row)


def _norm(row: list[float]) -> list[float]:
    centre = sum(row) / len(row)
    return [(a - centre) * scale for a, scale in zip(row, _rstd(row), strict=True)]


def _softmax(row: list[float]) -> list[float]:
    powers = [math.exp(a - max(row)) for a in row]
    return [power / sum(powers) for power in powers]


# fmt: off
TABLE = (
    # arithmetic: cheap enough to be computed again
    Op("add", 2, lambda a, b: a + b, ("g", "g"), "a + b", "a + b", "Add(a, b)",
       triton="{a} + {b}",
       range=add, latex="{a} + {b}", infix="+", strength=1),
    Op("sub", 2, lambda a, b: a - b, ("g", "-g"), "a - b", "a - b", "Sub(a, b)",
       triton="{a} - {b}",
       range=lambda a, b: add(a, negative(b)), latex="{a} - {b}", infix="-", strength=1),
    Op("mul", 2, lambda a, b: a * b, ("g * b", "g * a"), "a * b", "a * b", "Mul(a, b)",
       triton="{a} * {b}",
       range=multiply, latex=r"{a} \odot {b}", infix="*", strength=3),
    Op("div", 2, lambda a, b: a / b, ("g / b", "-g * y / b"), "a / b", "a / b", "Div(a, b)",
       triton="{a} / {b}",
       range=divide, latex=r"\frac{{{a}}}{{{b}}}", infix="/", strength=3),
    Op("neg", 1, lambda a: -a, ("-g",), "-a", "-a", "Neg(a)",
       triton="-{a}",
       range=negative, latex="-{a}", infix="-", strength=4),
    Op("relu", 1, lambda a: max(a, 0.0), ("g * sign(y)",), "torch.relu(a)", "Math.max(a, 0)", "Relu(a)",
       triton="tl.maximum({a}, 0.0)",
       range=increasing(lambda a: max(a, 0.0))),
    Op("abs", 1, abs, ("g * sign(a)",), "torch.abs(a)", "Math.abs(a)", "Abs(a)",
       triton="tl.abs({a})",
       range=magnitude, latex=r"\left|{a}\right|"),
    Op("max", 2, max, ("0.5 * g * (1 + sign(a - b))", "0.5 * g * (1 - sign(a - b))"),
       "torch.maximum(a, b)", "Math.max(a, b)", "Max(a, b)",
       triton="tl.maximum({a}, {b})",
       range=lambda a, b: Range(max(a.low, b.low), max(a.high, b.high)), latex=r"\max({a}, {b})"),
    Op("min", 2, min, ("0.5 * g * (1 - sign(a - b))", "0.5 * g * (1 + sign(a - b))"),
       "torch.minimum(a, b)", "Math.min(a, b)", "Min(a, b)",
       triton="tl.minimum({a}, {b})",
       range=lambda a, b: Range(min(a.low, b.low), min(a.high, b.high)), latex=r"\min({a}, {b})"),
    # transcendental: the result is saved, and the derivative written by it where that is cheaper
    Op("sigmoid", 1, _sigmoid, ("g * y * (1 - y)",), "torch.sigmoid(a)", "1 / (1 + Math.exp(-a))", "Sigmoid(a)",
       triton="_sigmoid({a})",
       range=always(0, 1), latex=r"\sigma({a})", label="σ", saved=True),
    Op("tanh", 1, math.tanh, ("g * (1 - y * y)",), "torch.tanh(a)", "Math.tanh(a)", "Tanh(a)",
       triton="_tanh({a})",
       range=always(-1, 1), latex=r"\tanh({a})", saved=True),
    Op("exp", 1, math.exp, ("g * y",), "torch.exp(a)", "Math.exp(a)", "Exp(a)",
       triton="tl.exp({a})",
       range=increasing(math.exp), latex=r"\exp({a})", saved=True),
    Op("log", 1, math.log, ("g / a",), "torch.log(a)", "Math.log(a)", "Log(a)",
       triton="tl.log({a})",
       range=increasing(math.log), latex=r"\log({a})", saved=True),
    Op("sqrt", 1, math.sqrt, ("0.5 * g / y",), "torch.sqrt(a)", "Math.sqrt(a)", "Sqrt(a)",
       triton="tl.sqrt({a})",
       range=increasing(lambda a: math.sqrt(max(a, 0.0))), latex=r"\sqrt{{{a}}}", saved=True),
    Op("softplus", 1, _softplus, ("g * sigmoid(a)",),
       "-F.logsigmoid(-a)", "Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a)))", "Softplus(a)",
       triton="tl.maximum({a}, 0.0) + _log1p(tl.exp(-tl.abs({a})))",
       range=increasing(_softplus), saved=True),
    Op("logsigmoid", 1, lambda a: -_softplus(-a), ("g * sigmoid(-a)",),
       "F.logsigmoid(a)", "Math.min(a, 0) - Math.log1p(Math.exp(-Math.abs(a)))", "Neg(Softplus(Neg(a)))",
       triton="tl.minimum({a}, 0.0) - _log1p(tl.exp(-tl.abs({a})))",
       range=increasing(lambda a: -_softplus(-a)), latex=r"\log\sigma({a})", label="log σ", saved=True),
    # over a whole row: all units of one sample
    Op("norm", 1, _norm, ("rstd(a) * (g - mean(g) - y * mean(g * y))",),
       "F.layer_norm(a, a.shape[-1:], eps=EPSILON)",
       "{ const centre = ROWS.mean(a), scale = ROWS.rstd(a); return a.map((v) => (v - centre) * scale); }",
       "Mul(Sub(a, mean(a)), rstd(a))", triton="({a} - _mean({a}, {inside}, {units})) * _rstd({a}, {inside}, {units})",
       row=True, saved=True),
    Op("softmax", 1, _softmax, ("y * (g - sum(g * y))",), "torch.softmax(a, -1)",
       "{ const most = Math.max(...a), powers = a.map((v) => Math.exp(v - most)), all = ROWS.sum(powers);"
       " return powers.map((v) => v / all); }",
       "Softmax(a, axis=-1)", triton="_softmax({a}, {inside})",
       range=always(0, 1, total=1), row=True, saved=True),
    Op("cumsum", 1, lambda row: list(accumulate(row)), ("cumsum_back(g)",), "torch.cumsum(a, -1)",
       "{ let all = 0; return a.map((v) => (all += v)); }", "CumSum(a, -1)",
       triton="tl.cumsum(tl.where({inside}, {a}, 0.0), 1)",
       range=partial_sums, row=True, linear=True, saved=True),
    # said of an argument: no gradient passes through it; no node of a Program, see `stops`
    Op("stop_gradient", 1, lambda a: a, ("",), "a.detach()", "a", "Identity(a)",
       range=lambda a: a, latex=r"\mathrm{{sg}}({a})", label="sg"),
    # what only derivatives need
    Op("sign", 1, _sign, ("0 * g",), "torch.sign(a)", "Math.sign(a)", "Sign(a)",
       triton="({a} > 0).to(tl.float32) - ({a} < 0).to(tl.float32)",
       range=always(-1, 1), meaning="1, 0 or -1"),
    Op("sum", 1, lambda row: [sum(row)] * len(row), ("sum(g)",), "a.sum(-1, keepdim=True).expand_as(a)",
       "a.reduce((all, v) => all + v, 0)", "ReduceSum(a, [-1])",
       triton="_sum({a}, {inside})",
       range=partial_sums, row=True, linear=True, meaning="the sum over all units, in every place"),
    Op("mean", 1, lambda row: [sum(row) / len(row)] * len(row), ("mean(g)",), "a.mean(-1, keepdim=True).expand_as(a)",
       "ROWS.sum(a) / a.length", "ReduceMean(a, [-1])",
       triton="_mean({a}, {inside}, {units})",
       range=lambda a: span(a.low, a.high), row=True, linear=True, meaning="the mean over all units, in every place"),
    Op("rstd", 1, _rstd, ("-mean(g) * y * y * norm(a)",),
       "(a.var(-1, correction=0, keepdim=True) + EPSILON).rsqrt().expand_as(a)",
       "{ const centre = ROWS.mean(a), squares = a.map((v) => (v - centre) ** 2);"
       " return 1 / Math.sqrt(ROWS.mean(squares) + EPSILON); }",
       "Reciprocal(Sqrt(Add(mean(Mul(Sub(a, mean(a)), Sub(a, mean(a)))), EPSILON)))",
       triton="_rstd({a}, {inside}, {units})",
       range=always(0, NORM_EPSILON**-0.5), row=True, saved=True,
       meaning="1 / the standard deviation over all units, in every place"),
    Op("cumsum_back", 1, lambda row: list(accumulate(row[::-1]))[::-1], ("cumsum(g)",),
       "a.flip(-1).cumsum(-1).flip(-1)",
       "{ let all = 0; return a.reduceRight((sums, v, i) => { sums[i] = all += v; return sums; }, a.slice()); }",
       "CumSum(a, -1, reverse=1)", triton="tl.cumsum(tl.where({inside}, {a}, 0.0), 1, reverse=True)",
       range=partial_sums, latex=r"\mathrm{{cumsum}}_{{\leftarrow}}({a})", row=True,
       linear=True, meaning="the cumulative sum from the last unit to the first"),
)
# fmt: on

OPS = {op.name: op for op in TABLE}


def functions() -> dict[str, Op]:
    """What a text may call by its name."""
    return {name: op for name, op in OPS.items() if op.is_function}
