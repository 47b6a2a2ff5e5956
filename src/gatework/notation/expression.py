"""Expressions for people: trees over names, and the form one would give them by hand."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

from gatework.notation.ops import OPS


@dataclass(frozen=True)
class Expr:
    """A tree: `op` is an operation of the table, "matmul", "transpose", "total", "number" or "name".

    A total is the sum of any number of arguments, spelled with a minus before those that are negative. A name
    carries its two spellings; `scalar` marks the name of a plain number.
    """

    op: str
    args: tuple["Expr", ...] = ()
    value: float = 0.0
    text: str = ""
    latex: str = ""
    scalar: bool = False


def number(value: float) -> Expr:
    return Expr("number", value=value)


def tidy(expr: Expr, *, backwards: bool = False) -> Expr:
    """The same value with fewer brackets: sums and products flat, signs in front, what all terms share drawn out.

    `backwards` turns the order of a sum round.
    """
    parts = _terms(expr)[:: -1 if backwards else 1]
    return _product(_factored(parts)) if len(parts) == 1 or any(_common(parts)) else _total(parts)


@dataclass(frozen=True)
class Term:
    """A product of factors over a product of divisors, times a plain number."""

    coefficient: float = 1.0
    over: tuple[Expr, ...] = ()
    under: tuple[Expr, ...] = ()

    def __mul__(self, other: "Term") -> "Term":
        return Term(self.coefficient * other.coefficient, self.over + other.over, self.under + other.under)

    def __neg__(self) -> "Term":
        return replace(self, coefficient=-self.coefficient)

    def __abs__(self) -> "Term":
        return replace(self, coefficient=abs(self.coefficient))

    @property
    def sign(self) -> float:
        return math.copysign(1.0, self.coefficient)

    def inverse(self) -> "Term":
        """1 / self; a number stays a divisor, since x / 3 reads better than 0.333 * x."""
        size = abs(self.coefficient)
        return Term(self.sign, self.under, (*([] if size == 1 else [number(size)]), *self.over))


def _terms(expr: Expr) -> list[Term]:
    """The expression as a sum of products."""
    terms: list[Term] = []
    waiting = [(expr, False)]
    while waiting:  # no recursion: a gradient may have hundreds of terms
        part, negative = waiting.pop()
        match part:
            case Expr(op="add" | "total", args=args):
                waiting.extend((arg, negative) for arg in reversed(args))
            case Expr(op="sub", args=(a, b)):
                waiting.extend([(b, not negative), (a, negative)])
            case Expr(op="neg", args=(a,)):
                waiting.append((a, not negative))
            case _:
                terms.append(-_term(part) if negative else _term(part))
    return _collected(terms)


def _collected(parts: list[Term]) -> list[Term]:
    """Like terms as one, a + a as 2 * a; but a - a stays, since 0 would not say how many units it has."""
    coefficients: dict[tuple[tuple[Expr, ...], tuple[Expr, ...]], float] = {}
    for part in parts:
        key = part.over, part.under
        coefficients[key] = coefficients.get(key, 0.0) + part.coefficient
    return (
        [Term(coefficient, *key) for key, coefficient in coefficients.items()] if all(coefficients.values()) else parts
    )


def _term(expr: Expr) -> Term:
    """The expression as one product; a sum is a factor of it."""
    match expr:
        case Expr(op="number", value=value):
            return Term(value)
        case Expr(op="mul", args=(a, b)):
            return _term(a) * _term(b)
        case Expr(op="div", args=(a, b)):
            return _term(a) * _term(b).inverse()
        case Expr(op="add" | "sub" | "neg" | "total"):
            return _factored(_terms(expr))
        case Expr(op="matmul", args=(a, b)):
            left, right = _term(a), _term(b)
            return Term(left.sign * right.sign, (Expr("matmul", (_product(abs(left)), _product(abs(right)))),))
    parts = [_term(arg) for arg in expr.args]
    if expr.op in OPS and OPS[expr.op].linear and parts[0].sign < 0:
        return -Term(over=(replace(expr, args=(_product(abs(parts[0])),)),))
    return Term(over=(replace(expr, args=tuple(map(_product, parts))),))


def _factored(parts: Sequence[Term]) -> Term:
    """A sum as one product: what all its terms share, times the sum of what is left of them."""
    if len(parts) == 1:
        return parts[0]
    over, under = _common(parts)
    rest = [Term(part.coefficient, _without(part.over, over), _without(part.under, under)) for part in parts]
    sign = max(part.sign for part in parts)
    return Term(sign, (*over, _total([part if sign > 0 else -part for part in rest])), under)


def _common(parts: Sequence[Term]) -> tuple[tuple[Expr, ...], tuple[Expr, ...]]:
    """The factors and the divisors that every one of several terms has."""
    if len(parts) < 2:
        return (), ()
    return _shared([part.over for part in parts]), _shared([part.under for part in parts])


def _shared(groups: Sequence[tuple[Expr, ...]]) -> tuple[Expr, ...]:
    """What every group has, as often as every group has it."""
    counts = [Counter(group) for group in groups]
    return tuple(expr for expr in counts[0] for _ in range(min(count[expr] for count in counts)))


def _without(factors: tuple[Expr, ...], removed: tuple[Expr, ...]) -> tuple[Expr, ...]:
    left = list(factors)
    for factor in removed:
        left.remove(factor)
    return tuple(left)


def _total(parts: Sequence[Term]) -> Expr:
    """The sum of the terms as a tree, with one that is positive in front where there is one."""
    if not parts:
        return number(0.0)
    first = next((index for index, part in enumerate(parts) if part.sign > 0), 0)
    ordered = [parts[first], *parts[:first], *parts[first + 1 :]]
    return Expr("total", tuple(map(_product, ordered)))


def _product(part: Term) -> Expr:
    """The term as a tree, a number in front."""
    size, over = abs(part.coefficient), sorted(part.over, key=lambda factor: not factor.scalar)
    first, *others = over if size == 1 and over else [number(size), *over]
    if part.sign < 0:
        first = number(-first.value) if first.op == "number" else Expr("neg", (first,))
    result = reduce(lambda a, b: Expr("mul", (a, b)), others, first)
    if part.under:
        result = Expr("div", (result, reduce(lambda a, b: Expr("mul", (a, b)), part.under)))
    return result
