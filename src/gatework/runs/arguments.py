"""Arguments as users give them, in the form that a job uses: whole numbers, numbers, names, numpy's among them.

Each raises InputError in one line for anything else.
"""

import math
import operator
from collections.abc import Iterable
from numbers import Real
from typing import Any, SupportsIndex, cast

from gatework.errors import InputError

MOST_LAYERS = 1000  # each is built before a size can be refused


def whole(name: str, given: object, least: int, expected: str = "") -> int:
    """A whole number of at least `least`, of any type that is one; True and False are none."""
    try:
        number = None if isinstance(given, bool) else operator.index(cast(SupportsIndex, given))
    except TypeError:
        number = None
    if number is None or number < least:
        raise InputError(f"{name} is {given!r}; expected {expected or f'a whole number of at least {least}'}")
    return number


def real(given: object) -> float | None:
    """A finite number as Python's; None for anything else."""
    if isinstance(given, bool) or not isinstance(given, Real) or not math.isfinite(given):
        return None
    return float(given)


def above_zero(name: str, given: object) -> float:
    number = real(given)
    if number is None or number <= 0:
        raise InputError(f"{name} is {given!r}; expected a number above 0")
    return number


def share(name: str, given: object, what: str = "a probability") -> float:
    """A number from 0 to 1."""
    number = real(given)
    if number is None or not 0 <= number <= 1:
        raise InputError(f"{name} is {given!r}; expected {what} between 0 and 1")
    return number


def names(argument: str, given: str | Iterable[str] | None) -> tuple[str, ...]:
    """Names of columns: a single text is one name, None is none."""
    if given is None or isinstance(given, str):
        return () if given is None else (given,)
    result: tuple[Any, ...] = tuple(given) if isinstance(given, Iterable) else (None,)
    if not all(isinstance(each, str) for each in result):
        raise InputError(f"{argument} is {given!r}; expected the name of a column, or several")
    return result


def one_name(argument: str, given: str | None, *, optional: bool = True) -> str | None:
    """The name of one column; None, for without one, where that is possible."""
    if isinstance(given, str) or (given is None and optional):
        return given
    raise InputError(f"{argument} is {given!r}; expected the name of one column{', or None' if optional else ''}")
