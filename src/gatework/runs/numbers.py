"""Sequences of numbers as people have them, as arrays: each error names the row, what it holds, what was expected."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError, shown


def as_numbers(row: Any, at: str) -> npt.NDArray[np.float32]:
    """A sequence of numbers, or of vectors of them, as an array [T,I]; InputError for anything else.

    nan, or None, is a number that is missing.
    """
    row = row.tolist() if isinstance(row, np.ndarray) and row.dtype == object else row
    try:
        array = np.asarray(row)
    except (ValueError, RuntimeError):  # lists of unequal lengths
        array = np.empty(0, object)
    if array.dtype.kind == "O" and (filled := _without_none(row)) != row:
        return as_numbers(filled, at)
    if array.dtype.kind not in "biuf" and array.shape != (0,):
        _blame(row, at)
    if array.ndim not in (1, 2):
        raise InputError(f"{at}: the sequence is {shown(row)}; expected a list of numbers or of vectors of numbers")
    if array.dtype.kind == "O":
        _blame(row, at)
    if not array.size:
        raise InputError(f"{at}: the sequence is empty: leave the row out")
    array = array[:, None] if array.ndim == 1 else array  # [T,I]
    with np.errstate(over="ignore"):
        numbers = array.astype(np.float32)
    infinite = np.isinf(numbers)
    if infinite.any():
        step = int(infinite.any(1).argmax())
        bad = array[step][infinite[step]][0]
        raise InputError(
            f"{at}: step {step} is {bad}; expected finite numbers, or nan where one is missing: mend the value or "
            "leave the row out"
        )
    return numbers


def _without_none(row: Any) -> Any:
    """A list of numbers, or of lists of them, with nan in the place of None."""
    if not isinstance(row, list | tuple):
        return row
    return [math.nan if value is None else _without_none(value) for value in row]


def _blame(row: Any, at: str) -> None:
    """Raises InputError for the first step that is no number, or no vector as wide as the first."""
    if not isinstance(row, list | tuple | np.ndarray):
        raise InputError(f"{at}: the sequence is {shown(row)}; expected a list of numbers or of vectors of numbers")
    width = _width(row[0])
    for step, value in enumerate(row):
        for number in value if isinstance(value, list | tuple | np.ndarray) else [value]:
            if isinstance(number, bool | np.bool_) or not isinstance(number, int | float | np.integer | np.floating):
                raise InputError(f"{at}: step {step} is {shown(value)}; expected {_expected(width)}")
        if _width(value) != width:
            raise InputError(
                f"{at}: step {step} is {_worded(_width(value))}, step 0 is {_worded(width)}; expected one width"
            )
    raise InputError(f"{at}: the sequence is {shown(row)}; expected numbers up to 3.4e38, as float32 holds")


def _expected(width: int | None) -> str:
    return "a number" if width is None else f"a vector of {width} numbers"


def _width(value: Any) -> int | None:
    return len(value) if isinstance(value, list | tuple | np.ndarray) else None


def _worded(width: int | None) -> str:
    return "a number" if width is None else f"a vector of {width}"
