"""What a labelled sequence may be: each check names the row, what it holds, and what was expected."""

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError

At = Callable[[int], str]


def shown(value: Any) -> str:
    """A value in an error: as JSON has it, shortened."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    text = " ".join(text.split())
    return text if len(text) <= 40 else f"{text[:37]}..."


# -- sequences of numbers


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


# -- labels


def worded(label: Any) -> str:
    """What a label is."""
    match label:
        case str():
            return "a text"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case list():
            kinds = {worded(tag) for tag in label}
            return f"a list of {kinds.pop()}" if len(kinds) == 1 else "a list of several kinds"
        case None:
            return "missing"
    return f"a {type(label).__name__}"


def resolved(labels: Sequence[Any], kind: str | None, at: At) -> str:
    """The kind that labels are; InputError unless all are alike, and of the kind that was asked for."""
    first = worded(labels[0])
    for k, label in enumerate(labels):
        what = worded(label)
        if what == "missing":
            raise InputError(f"{at(k)} has no label: give every row one, or none")
        if what not in {"a text", "true or false", "a number"} and not what.startswith("a list of "):
            raise InputError(
                f"{at(k)}: the label {shown(label)} is {what}; expected a text, a number, a list, or targets by name"
            )
        if what != first:
            raise InputError(
                f"{at(k)}: the label {shown(label)} is {what}, and that of {at(0)} is {first}; expected one kind"
            )
    default = {"a text": "class", "true or false": "class", "a number": "number"}.get(first, "tag")
    if kind in (None, default) or (kind == "class" and default == "number"):
        return kind or default
    expected = {"class": "one label", "number": "one number", "tag": "a list of labels, one a step,"}[str(kind)]
    raise InputError(f"{at(0)}: the label {shown(labels[0])} is {first}; expected {expected} for each sequence")


def check_labels(labels: Sequence[Any], kind: str, lengths: Sequence[int], at: At, *, asked: bool = True) -> None:
    """Raises InputError for a number that is not finite, and for tags that are not one for each step.

    asked: whether the kind was asked for; if not, the error says how lists are no tags.
    """
    for k, (label, length) in enumerate(zip(labels, lengths, strict=True)):
        if kind == "tag":
            _check_tags(label, length, at(k), "" if asked else ", or --as sets")
        elif isinstance(label, float) and not math.isfinite(label):
            raise InputError(f"{at(k)}: the label is {label}; expected a finite number")


def _check_tags(tags: list[Any], length: int, at: str, remedy: str) -> None:
    if len(tags) != length:
        raise InputError(
            f"{at}: {len(tags)} labels for a sequence of {length} steps; expected one for each step{remedy}"
        )
    if worded(tags) == "a list of several kinds" or isinstance(tags[0], list | float | dict | None):
        wrong = next((tag for tag in tags if not isinstance(tag, str | int)), tags[0])
        raise InputError(
            f"{at}: the labels hold {shown(wrong)}; expected texts or whole numbers, of one kind, one for each step"
        )
