"""What the words of a command line mean, and how values are written there."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from gatework.cells import Cell, find_cell
from gatework.errors import InputError
from gatework.files.reading import whole
from gatework.forecast.options import Columns, Season
from gatework.notation import EquationError
from gatework.runs.parts import Splits, check_splits

MOST_EQUATIONS = 1 << 20  # bytes


def chosen_cell(name: str, equations: Path | None, constant: Iterable[str] | None) -> Cell:
    """The cell by name or of a file of equations, with the constants that were given."""
    constants = by_name("--constant", constant)
    if equations is not None:
        return own_cell(equations, constants)
    cell = find_cell(name)
    return replace(cell, constants={**cell.constants, **constants}) if constants else cell


def rules(option: str, items: list[str] | None) -> str | dict[str, str] | None:
    """How weights start: one rule for all, or rules by name or pattern, as in ["g_*=1"]."""
    if not items:
        return None
    if len(items) == 1 and "=" not in items[0]:
        return items[0]
    if missing := [item for item in items if "=" not in item]:
        raise InputError(f"{option} {missing[0]}: expected one rule, or name=rule each time, such as g_*=1")
    return {name.strip(): rule.strip() for name, _, rule in (item.partition("=") for item in items)}


def own_cell(path: Path, constants: Mapping[str, float] = MappingProxyType({})) -> Cell:
    """The cell whose equations stand in a file, named after it."""
    data = whole(path, MOST_EQUATIONS)
    name = re.sub(r"\W+", "_", path.stem)
    try:
        return Cell(name if name.isidentifier() else f"cell_{name}", data.decode(), constants=constants)
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 at byte {error.start}: expected equations as text") from error
    except EquationError as error:
        raise InputError(f"{path}, {error}") from error


def by_name(option: str, items: Iterable[str] | None) -> dict[str, float]:
    """["g=0.1"] as {"g": 0.1}."""
    numbers_by_name: dict[str, float] = {}
    for item in items or ():
        name, _, number = item.partition("=")
        try:
            numbers_by_name[name.strip()] = float(number)
        except ValueError:
            raise InputError(f"{option} {item}: expected name=number, such as h=0.05") from None
    return numbers_by_name


def numbers(option: str, text: str) -> list[float]:
    """ "80,95" as numbers."""
    try:
        return [float(number) for number in text.split(",")]
    except ValueError:
        raise InputError(f"{option} {text}: expected percents such as 80,95") from None


def _season(option: str, text: str) -> Season:
    """ "auto", a number of steps, or several: "24,168"."""
    if text == "auto":
        return "auto"
    try:
        each = [int(length) for length in text.split(",")]
    except ValueError:
        raise InputError(
            f"{option} {text}: expected its length in steps, 1 for none, several such as 24,168, or auto"
        ) from None
    return each[0] if len(each) == 1 else each


def split(items: Iterable[str] | None) -> list[str]:
    """["a,b", "c"] as ["a", "b", "c"]."""
    return [name.strip() for item in items or () for name in item.split(",")]


def shares(option: str, text: str) -> Splits:
    """ "0.9,0.05,0.05" as numbers."""
    try:
        return check_splits([float(share) for share in text.split(",")])
    except ValueError:
        raise InputError(
            f"{option} {text}: expected three shares, for training, validation and test, that add up to 1, the first "
            "above 0, such as 0.9,0.05,0.05"
        ) from None


def shown(value: object) -> str:
    """The value of an option as the command line has it."""
    match value:
        case Cell():
            return repr(value.equations)
        case tuple():
            return " ".join(map(str, value)) or "none"
        case dict():
            return " ".join(f"{name}={number}" for name, number in value.items()) or "none"
    return "none" if value is None else str(value)


class Spelling(NamedTuple):
    """How the command line has values of a type: the type there, how it is read, and how a default is written."""

    kind: Any
    read: Callable[[str, Any], Any]  # from the option's name and what was given for it
    write: Callable[[Any], Any]


def _nothing(_: Any) -> None:
    """What a list of options is by default."""


SPELLINGS: dict[Any, Spelling] = {
    tuple[str, ...]: Spelling(list[str] | None, lambda _, raw: tuple(raw or ()), _nothing),
    dict[str, float]: Spelling(list[str] | None, by_name, _nothing),
    str | dict[str, str] | None: Spelling(list[str] | None, rules, _nothing),
    Columns: Spelling(list[str] | None, lambda _, raw: tuple(split(raw)), _nothing),
    Season: Spelling(str, _season, str),
    Splits: Spelling(str, shares, lambda splits: ",".join(f"{share:g}" for share in splits)),
}
