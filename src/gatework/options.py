"""Options of a job as the fields of a dataclass: what each is for, what it may be, what a command line calls it."""

import math
import types
from collections.abc import Callable, Iterator
from dataclasses import Field, dataclass, field, fields
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from gatework.errors import InputError

MOST = 2**31 - 1  # of whole numbers where nothing else is said


@dataclass(frozen=True)
class Switch:
    """An option of the command line without a value: it gives a field `value`."""

    name: str
    value: Any
    help: str


@dataclass(frozen=True)
class Option:
    """What is known of a field.

    help: what it is for; "" for one that the command line does not have under a name of its own.
    least, most: the bounds of a number; above: of one that is larger.
    name: on the command line, where that is not the field's; metavar: what stands there for its value.
    off: what the command line writes for None. switches: what else sets it there.
    """

    help: str = ""
    least: float | None = None
    most: float | None = None
    above: float | None = None
    name: str | None = None
    metavar: str | None = None
    off: Any = None
    switches: tuple[Switch, ...] = ()


def option(default: Any, help: str = "", **known: Any) -> Any:
    """A field of an options' dataclass; `known`: the other fields of Option. A default that is a type is called."""
    start: dict[str, Any] = {"default_factory" if isinstance(default, type) else "default": default}
    return field(**start, metadata=known_of(help, **known))


def known_of(help: str, **known: Any) -> dict[str, Option]:
    """The metadata of a field that has no default."""
    return {"option": Option(help, **known)}


def options_of(kind: type) -> Iterator[tuple[Field[Any], Any, Option]]:
    """The fields of an options' dataclass, each with its type and what is known of it."""
    hints = _hints(kind)
    for each in fields(kind):
        yield each, hints[each.name], each.metadata.get("option", Option())


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def check(options: Any, message: Callable[[str, object, str], str] | None = None) -> None:
    """Raises InputError for the first field whose value its type or its bounds exclude.

    Numbers, True and False, and choices are checked. message: what the error says, from the field's name, its value
    and what is expected.
    """
    for each, hint, known in options_of(type(options)):
        value = getattr(options, each.name)
        if (expected := _expected(hint, known, value)) is not None:
            raise InputError((message or _message)(each.name, value, expected))


def _message(name: str, value: object, expected: str) -> str:
    return f"{name} is {value!r}; expected {expected}"


def alternatives(hint: Any) -> tuple[Any, ...]:
    """The types of a union, or the one type."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _expected(hint: Any, known: Option, value: object) -> str | None:
    """What a value should be that is not so; None where it is, or where nothing is known of its type."""
    kinds = alternatives(hint)
    kind = kinds[0]
    if value is None and type(None) in kinds:
        return None
    if get_origin(kind) is Literal:
        choices = get_args(kind)
        return None if value in choices else " or ".join(map(repr, choices))
    if kind is bool:
        return None if isinstance(value, bool) else "True or False"
    if kind is int:
        return _expected_whole(known, value)
    return _expected_real(known, value) if kind is float else None


def _expected_whole(known: Option, value: object) -> str | None:
    least, most = int(known.least or 0), int(known.most or MOST)
    if type(value) is int and least <= value <= most:
        return None
    bound = f"below 2^{most.bit_length()}" if most & (most + 1) == 0 else f"at most {most:,}"
    return f"a whole number of at least {least} (and {bound})"


def _expected_real(known: Option, value: object) -> str | None:
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if known.above is not None:
        return None if number and value > known.above else f"a number above {known.above:g}"  # type: ignore[operator]
    least, most = known.least or 0.0, math.inf if known.most is None else known.most
    if number and least <= value <= most:  # type: ignore[operator]
        return None
    if (least, most) == (0, 1):
        return "a probability between 0 and 1"
    return f"a number of {least:g} or more" if most == math.inf else f"a number from {least:g} to {most:g}"
