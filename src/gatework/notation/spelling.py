"""How names and expressions are written: as text in the notation, and as LaTeX."""

import re
from dataclasses import replace
from itertools import groupby

from gatework.notation.expression import Expr
from gatework.notation.ops import OPS

GREEK_NAMES = (  # those that LaTeX has a letter for
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi "
    "omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
)
GREEK = dict(zip("αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ", GREEK_NAMES.split(), strict=True))
SUM, MATMUL, SIGN, WHOLE = OPS["add"].strength, 2, OPS["neg"].strength, OPS["tanh"].strength  # how much binds what


# -- names: a Name is an expression that knows its own two spellings


def value(name: str) -> Expr:
    """A value of this step: c, c_t."""
    return Expr("name", text=name, latex=latex_name(name, "t"))


def previous(name: str, *, bare: bool = False) -> Expr:
    """A state's value from the step before: prev(c), or c where that means the same; c_{t-1}."""
    return Expr("name", text=name if bare else f"prev({name})", latex=latex_name(name, "t-1"))


def fixed(name: str, *, scalar: bool = False) -> Expr:
    """What no step changes: a parameter, a constant."""
    return Expr("name", text=name, latex=latex_name(name), scalar=scalar)


def transposed(name: str) -> Expr:
    return Expr("name", text=f"{name}.T", latex=rf"{latex_name(name)}^{{\top}}")


def given(name: str) -> Expr:
    """An input: x, or a mask or tap such as "dropout g"."""
    what, _, of = name.partition(" ")
    if not of:
        return value(name)
    return Expr("name", text=f"{what}({of})", latex=rf"\mathrm{{{what}}}_{{{latex_name(of)},t}}")


def latex_name(name: str, time: str = "") -> str:
    r"""`W_f` as W_{f}, `c` at t as c_t, `i2` at t as i_{2,t}, `zeta` as \zeta, `dt` as \mathrm{dt}."""
    stem, *parts = [part for part in name.split("_") if part]
    digits = re.search(r"(?<=\D)\d+$", stem)
    if digits:
        stem, parts = stem[: digits.start()], [digits[0], *parts]
    below = [*map(_latex_word, parts), *([time] if time else [])]
    if not below:
        return _latex_word(stem)
    return f"{_latex_word(stem)}_t" if below == ["t"] else f"{_latex_word(stem)}_{{{','.join(below)}}}"


def _latex_word(word: str) -> str:
    """Greek names as the letter, one letter in italics, more of them upright."""
    letters = word.rstrip("0123456789")
    digits, letter = word[len(letters) :], GREEK.get(letters, letters)
    if letter in GREEK.values():
        return f"\\{letter} {digits}".rstrip()
    return word if len(letters) <= 1 else rf"\mathrm{{{word}}}"


# -- text


def text(expr: Expr) -> str:
    """The expression in the notation, with the brackets it needs, and those around a product by @ among * and /."""
    match expr:
        case Expr(op="name"):
            return expr.text
        case Expr(op="number"):
            return plain(expr.value)
        case Expr(op="transpose", args=(a,)):
            return f"{enclosed(a, WHOLE)}.T"
        case Expr(op="neg", args=(a,)):
            return f"-{enclosed(a, SIGN + 1)}"
        case Expr(op="matmul", args=(a, b)):
            return f"{enclosed(a, WHOLE)} @ {enclosed(b, WHOLE)}"
        case Expr(op="total", args=args):
            return _signed([(negative, enclosed(term, MATMUL)) for negative, term in map(unsigned, args)])
    op = OPS[expr.op]
    if not op.infix:
        return f"{op.name}({', '.join(map(text, expr.args))})"
    left, right = expr.args
    least = WHOLE if unsigned(right)[0] else op.strength + 1  # a - (-b)
    return f"{enclosed(left, op.strength)} {op.infix} {enclosed(right, least)}"


def enclosed(expr: Expr, strength: int) -> str:
    """An operand, in brackets where it binds less than `strength`."""
    return text(expr) if _binding(expr) >= strength else f"({text(expr)})"


def unsigned(term: Expr) -> tuple[bool, Expr]:
    """Whether a term of a total starts with a minus, and what follows it."""
    match term:
        case Expr(op="neg", args=(a,)):
            return True, a
        case Expr(op="number", value=value) if value < 0:
            return True, replace(term, value=-value)
        case Expr(op="mul" | "div", args=(first, *others)):
            negative, left = unsigned(first)
            return negative, replace(term, args=(left, *others))
    return False, term


def _signed(terms: list[tuple[bool, str]]) -> str:
    """a + b - c"""
    (negative, first), *others = terms
    return "-" * negative + first + "".join(f" {'-' if negative else '+'} {term}" for negative, term in others)


def _binding(expr: Expr) -> int:
    if expr.op in {"matmul", "total"}:
        return MATMUL if expr.op == "matmul" else SUM
    if expr.op == "number":
        return SIGN if expr.value < 0 else WHOLE
    return OPS[expr.op].strength if expr.op in OPS else WHOLE


def plain(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e16 else repr(value)


# -- LaTeX


def latex(expr: Expr) -> str:
    """The expression in LaTeX: pointwise products as a circled dot, division as a fraction."""
    match expr:
        case Expr(op="name"):
            return expr.latex
        case Expr(op="number"):
            mantissa, _, exponent = plain(expr.value).partition("e")
            power = f"10^{{{int(exponent or 0)}}}"
            return mantissa if not exponent else power if mantissa == "1" else rf"{mantissa} \cdot {power}"
        case Expr(op="transpose", args=(a,)):
            return rf"{bracketed(a, WHOLE)}^{{\top}}"
        case Expr(op="neg", args=(a,)):
            return f"-{bracketed(a, WHOLE if unsigned(a)[0] else MATMUL)}"
        case Expr(op="matmul", args=(a, b)):
            return f"{bracketed(a, WHOLE)} {bracketed(b, WHOLE)}"
        case Expr(op="total", args=args):
            return _signed([(negative, bracketed(term, MATMUL)) for negative, term in map(unsigned, args)])
        case Expr(op="mul"):
            return _pointwise(_factors(expr))
        case Expr(op="div", args=(a, b)) if unsigned(a)[0]:
            return f"-{latex(replace(expr, args=(unsigned(a)[1], b)))}"
        case Expr(op="add" | "sub", args=(a, b)):
            least = WHOLE if unsigned(b)[0] else MATMUL if expr.op == "sub" else SUM
            return f"{latex(a)} {OPS[expr.op].infix} {bracketed(b, least)}"
    return OPS[expr.op].in_latex(*map(latex, expr.args))


def bracketed(expr: Expr, strength: int) -> str:
    """An operand, in brackets where it binds less than `strength`; a fraction needs none."""
    spelled = latex(expr)
    if _binding(expr) >= strength or (expr.op == "div" and not spelled.startswith("-")):
        return spelled
    return rf"\left({spelled}\right)" if r"\frac" in spelled else f"({spelled})"


def _factors(expr: Expr) -> list[Expr]:
    return [*_factors(expr.args[0]), *_factors(expr.args[1])] if expr.op == "mul" else [expr]


def _pointwise(parts: list[Expr]) -> str:
    """A product: plain numbers first, a factor that stands several times in a row as its power."""
    sign = "-" if parts[0].op == "neg" else ""
    parts = [parts[0].args[0], *parts[1:]] if sign else parts
    scalars = [bracketed(part, SIGN) for part in parts if _is_scalar(part)]
    powers = []
    for spelled, run in groupby(bracketed(part, WHOLE) for part in parts if not _is_scalar(part)):
        times = len(list(run))
        powers.append(spelled if times == 1 else f"{{{spelled}}}^{{{times}}}")
    return sign + r" \, ".join([*scalars, *([r" \odot ".join(powers)] if powers else [])])


def _is_scalar(expr: Expr) -> bool:
    return expr.scalar or expr.op == "number"
