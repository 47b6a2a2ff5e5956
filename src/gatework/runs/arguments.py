"""Arguments as users give them, in the form that a job uses: whole numbers, numbers, names, numpy's among them.

Each raises InputError in one line for anything else.
"""

import json
import math
import operator
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any, SupportsIndex, cast

from gatework.errors import InputError

MOST_LAYERS = 1000  # each is built before a size can be refused


def whole(name: str, value: object, least: int, expected: str = "") -> int:
    """A whole number of at least `least`, of any type that is one; True and False are none."""
    try:
        number = None if isinstance(value, bool) else operator.index(cast(SupportsIndex, value))
    except TypeError:
        number = None
    if number is None or number < least:
        raise InputError(f"{name} is {value!r}; expected {expected or f'a whole number of at least {least}'}")
    return number


def flag(name: str, value: object) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise InputError(f"{name} is {value!r}; expected True or False")
    return value


def real(value: object) -> float | None:
    """A finite number as Python's; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        return None
    return float(value)


def above_zero(name: str, value: object) -> float:
    number = real(value)
    if number is None or number <= 0:
        raise InputError(f"{name} is {value!r}; expected a number above 0")
    return number


def share(name: str, value: object, what: str = "a probability") -> float:
    """A number from 0 to 1."""
    number = real(value)
    if number is None or not 0 <= number <= 1:
        raise InputError(f"{name} is {value!r}; expected {what} between 0 and 1")
    return number


def names(argument: str, value: str | Iterable[str] | None) -> tuple[str, ...]:
    """Names of columns: a single text is one name, None is none."""
    if value is None or isinstance(value, str):
        return () if value is None else (value,)
    listed: tuple[Any, ...] = tuple(value) if isinstance(value, Iterable) else (None,)
    if not all(isinstance(each, str) for each in listed):
        raise InputError(f"{argument} is {value!r}; expected the name of a column, or several")
    return listed


def one_name(argument: str, value: str | None, *, optional: bool = True) -> str | None:
    """The name of one column; None, for without one, where that is possible."""
    if isinstance(value, str) or (value is None and optional):
        return value
    raise InputError(f"{argument} is {value!r}; expected the name of one column{', or None' if optional else ''}")


def check_named(recurrent: Mapping[str, Any] | None) -> None:
    """Raises InputError unless further arguments of gw.Recurrent are JSON by name."""
    try:
        json.dumps(dict(recurrent or {}))
    except (TypeError, ValueError):
        raise InputError(
            f"recurrent is {recurrent!r}; expected arguments of gw.Recurrent by name, such as "
            '{"zoneout": {"h": 0.05}}'
        ) from None


def plain(value: Any) -> Any:
    """One of numpy's values, alone or in an array without axes, as Python's own; anything else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value
