"""A Program made again from its recipe, one line of text."""

import json
from dataclasses import fields
from functools import lru_cache
from typing import Any

from gatework.notation.parse import Pairs, compiled, pairs
from gatework.notation.program import Options, Program
from gatework.notation.source import EquationError, shortened

FIELDS = ("equations", *(field.name for field in fields(Options)))


@lru_cache(maxsize=256)
def read(recipe: str) -> Program:
    """The Program with this recipe; raises EquationError where the text is none. Runs no code."""
    try:
        values = json.loads(recipe)
    except (ValueError, RecursionError) as error:
        raise EquationError(f"expected a Program as JSON, found {shortened(recipe)!r}: {error}") from None
    if not isinstance(values, dict) or set(values) != set(FIELDS):
        raise EquationError(f"expected a Program as JSON with {', '.join(FIELDS)}, found {shortened(recipe)!r}")
    options = Options(
        _text("output", values["output"]),
        _numbers("constants", values["constants"]),
        _numbers("start", values["start"]),
        *(_names(kind, values[kind]) for kind in ("dropout", "zoneout", "taps", "retention")),
    )
    return compiled(_text("equations", values["equations"]), options)


def _text(what: str, value: Any) -> str:
    if not isinstance(value, str):
        raise EquationError(f"{what}: expected text, found {value!r}")
    return value


def _names(what: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise EquationError(f"{what}: expected a list of names, found {value!r}")
    return tuple(_text(what, name) for name in value)


def _numbers(what: str, value: Any) -> tuple[tuple[str, float], ...]:
    if not isinstance(value, list) or any(not isinstance(pair, list) or len(pair) != 2 for pair in value):
        raise EquationError(f"{what}: expected a list of names with numbers, found {value!r}")
    checked: Pairs = [(_text(what, name), number) for name, number in value]
    return pairs(what, checked)
