"""Text to Program: equations as a paper prints them, read and never evaluated."""

import math
import warnings
from collections.abc import Iterable, Mapping
from functools import lru_cache
from numbers import Real

from gatework.notation.checks import doubt
from gatework.notation.program import Options, Program
from gatework.notation.reader import Reader
from gatework.notation.source import EquationError, EquationWarning, statements
from gatework.notation.stops import on_edges

Pairs = Mapping[str, float] | Iterable[tuple[str, float]]


def parse(
    text: str,
    *,
    output: str = "h",
    constants: Pairs | None = None,
    start: Pairs | None = None,
    dropout: Iterable[str] = (),
    zoneout: Iterable[str] = (),
    taps: Iterable[str] = (),
    retention: Iterable[str] = (),
) -> Program:
    """Compiles equations into a Program; raises EquationError, quoting the line, where they cannot be read.

    `constants` names numbers; `start` says where a state starts if not at 0, -inf included. The rest adds
    inputs for a layer: `dropout` multiplies the named values by an input "dropout g", `zoneout` lets the named
    states move by an input "zoneout h" (1 moves, 0 stands still), `taps` adds an input "tap f", so that the
    gradient of the loss by that input is the gradient by the value. `retention` adds a value "retention(c)" for
    each of the named states: d(new c) / d(old c) along pointwise paths. Warns (EquationWarning) where no path leads
    from x, or from one of the lines, to the output.
    """
    extras = tuple(dropout), tuple(zoneout), tuple(taps), tuple(retention)
    options = Options(output, pairs("constants", constants), pairs("start", start), *extras)
    program = compiled(text, options)
    if complaint := doubt(program):  # out here, since what is cached warns once
        warnings.warn(complaint, EquationWarning, stacklevel=2)
    return program


def pairs(what: str, given: Pairs | None) -> tuple[tuple[str, float], ...]:
    """The given names and numbers as a tuple; raises EquationError for a name given twice, or what is no number."""
    items = tuple(given.items() if isinstance(given, Mapping) else given or ())
    names = [name for name, _ in items]
    for name, value in items:
        if names.count(name) > 1:
            raise EquationError(f"{what}: {name!r} is given {names.count(name)} times; give it once")
        if not isinstance(value, Real) or isinstance(value, bool):
            raise EquationError(f"{what}: {name!r} is {value!r}; expected a number")
    return tuple((name, _number(what, name, value)) for name, value in items)


def _number(what: str, name: str, value: float) -> float:
    """The value as a float, finite but where a state starts."""
    try:
        plain = float(value)
    except OverflowError:
        plain = math.inf
    if math.isnan(plain) or (math.isinf(plain) and what != "start"):
        raise EquationError(f"{what}: {name!r} is {plain}; expected a finite number")
    return plain


@lru_cache(maxsize=256)
def compiled(text: str, options: Options) -> Program:
    try:
        return on_edges(Reader(statements(text), options).program(tuple(text.splitlines())))
    except RecursionError:  # the caller's own stack is nearly full
        raise EquationError("the equations cannot be read here: too little of Python's stack is left") from None


def projected(text: str, output: str = "h") -> str:
    """The same equations with the output projected: `h = o * tanh(c)` becomes `h = P_h @ (o * tanh(c))`."""
    lines, matrix = text.splitlines(), f"P_{output}"
    for line in statements(text):
        for place in line.names():
            if place.id == matrix:
                raise line.error(place, f"{matrix} is the name of the projection; choose another name")
        if line.name == output:
            start = len(line.line.encode()[: line.expression.col_offset].decode())
            lines[line.number - 1] = f"{line.line[:start]}{matrix} @ ({line.line[start:]})"
    return "\n".join(lines)
