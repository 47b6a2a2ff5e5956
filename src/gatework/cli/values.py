"""What the options of a command mean: cells, numbers by name, and those that a run was started with."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import typer

from gatework.cells import Cell, find_cell
from gatework.errors import InputError
from gatework.files.reading import whole
from gatework.notation import EquationError
from gatework.runs.parts import check_splits

MOST_EQUATIONS = 1 << 20  # bytes


def is_jsonl(path: str) -> bool:
    """Whether a file is taken to be documents, a line of JSON each."""
    return path.lower().endswith(".jsonl")


def chosen_cell(name: str, equations: Path | None, constant: Iterable[str] | None) -> Cell:
    """The cell by name or of a file of equations, with the constants that were given."""
    constants = by_name("--constant", constant)
    if equations is not None:
        return own_cell(equations, constants)
    cell = find_cell(name)
    return replace(cell, constants={**cell.constants, **constants}) if constants else cell


def starts(given: list[str] | None) -> str | dict[str, str] | None:
    """How weights start: one rule for all, or rules by name or pattern, as in ["g_*=1"]."""
    if not given:
        return None
    if len(given) == 1 and "=" not in given[0]:
        return given[0]
    if missing := [item for item in given if "=" not in item]:
        raise InputError(f"--init {missing[0]}: expected one rule, or name=rule each time, such as g_*=1")
    return {name.strip(): rule.strip() for name, _, rule in (item.partition("=") for item in given)}


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


def by_name(option: str, given: Iterable[str] | None) -> dict[str, float]:
    """["g=0.1"] as {"g": 0.1}."""
    found: dict[str, float] = {}
    for item in given or ():
        name, _, number = item.partition("=")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            raise InputError(f"{option} {item}: expected name=number, such as h=0.05") from None
    return found


def numbers(option: str, given: str) -> list[float]:
    """ "80,95" as numbers."""
    try:
        return [float(number) for number in given.split(",")]
    except ValueError:
        raise InputError(f"{option} {given}: expected percents such as 80,95") from None


def split(given: Iterable[str] | None) -> list[str]:
    """["a,b", "c"] as ["a", "b", "c"]."""
    return [name.strip() for item in given or () for name in item.split(",")]


def shares(given: str) -> tuple[float, float, float]:
    """ "0.9,0.05,0.05" as numbers."""
    try:
        return check_splits([float(share) for share in given.split(",")])
    except ValueError:
        raise InputError(
            f"--splits {given}: expected three shares, for training, validation and test, that add up to 1, the first "
            "above 0, such as 0.9,0.05,0.05"
        ) from None


def named(context: typer.Context) -> dict[str, Any]:
    """The options that were given, not defaulted, as values to compare."""
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in context.params.items()
        if (source := context.get_parameter_source(name)) is not None and source.name == "COMMANDLINE"
    }
    for name in ("recurrent_dropout", "zoneout", "constant"):
        if name in given:
            given[name] = by_name(f"--{name.replace('_', '-')}", given[name])
    if "equations" in given:
        given["equations"] = own_cell(Path(given["equations"]), given.get("constant", {}))  # text in older Typer
    if "init" in given:
        given["init"] = starts(given["init"])
    if "splits" in given:
        given["splits"] = shares(given["splits"])
    return given
