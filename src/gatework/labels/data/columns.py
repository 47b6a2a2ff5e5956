"""Labels of several targets, or in sets, as people have them: objects, rows of a table, lists of names, "a|b"."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gatework.errors import InputError, shown
from gatework.labels.data.check import At, worded
from gatework.labels.options import Kind

Name = str | int
Columns = tuple[Name, ...]
Row = tuple[Any, ...]
SEPARATOR = "|"  # between the labels of a set that is one text


@dataclass(frozen=True)
class Labels:
    """Labels of several targets, N tuples, or in sets, N sets of names, and the names of their columns, if any."""

    labels: list[Any]
    kind: Kind
    columns: Columns | None = None


def labels_in_columns(labels: Sequence[Any], kind: Kind | None, known: Columns | None, at: At) -> Labels | None:
    """Labels that are objects with the same names, or, where `kind` makes them no tags, lists of one length.

    known: the targets of a model that is to be judged, and names of lists; without them classes that are all 0 or 1 are
    sets. None for other labels; InputError, naming the row, for what is neither.
    """
    rows = _rows_of_objects(labels, at) if isinstance(labels[0], dict) and labels[0] else _rows_of_lists(labels, kind)
    if rows is None:
        return None
    count = len(rows[0])
    names: Columns = tuple(labels[0]) if isinstance(labels[0], dict) else tuple(range(count))
    if isinstance(labels[0], list) and known is not None and len(known) == count:
        names = known
    kind = _kind_of(names, rows, kind, at, settled=known is not None)
    if kind == "set":
        sets = [frozenset(name for name, there in zip(names, row, strict=True) if there) for row in rows]
        return Labels(sets, kind, names)
    return Labels(rows, kind, tuple(map(str, names)))


def _rows_of_objects(labels: Sequence[Any], at: At) -> list[Row]:
    first = labels[0]
    for k, label in enumerate(labels):
        if not isinstance(label, dict) or label.keys() != first.keys():
            raise InputError(
                f"{at(k)}: the label is {shown(label)}, and that of {at(0)} {shown(first)}; expected the same targets "
                "in every row"
            )
    return [tuple(label[name] for name in first) for label in labels]


def _rows_of_lists(labels: Sequence[Any], kind: Kind | None) -> list[Row] | None:
    first = labels[0]
    if not isinstance(first, list) or len(first) < 2 or kind not in ("class", "number", "set"):
        return None
    if kind == "set" and not all(map(_flag, first)):
        return None
    whole = all(isinstance(label, list) and len(label) == len(first) for label in labels)
    return [tuple(label) for label in labels] if whole else None


def _kind_of(names: Columns, rows: Sequence[Row], kind: Kind | None, at: At, *, settled: bool) -> Kind:
    """What the labels in columns are: numbers, classes, or, unless it is settled, sets where each is 0 or 1."""
    if kind == "tag":
        raise InputError(f"{at(0)}: the label is {shown(rows[0])}; expected a list of labels, one a step")
    for k, row in enumerate(rows):
        for name, value, first in zip(names, row, rows[0], strict=True):
            if (expected := _expected(value, first, kind)) is not None:
                raise InputError(f"{at(k)}: the target {shown(name)} is {shown(value)}; expected {expected}")
    if kind == "number" or (kind == "class" and settled):
        return kind
    if all(_flag(value) for row in rows for value in row):
        return "set"
    if kind == "set":
        raise InputError(f"{at(0)}: the targets are {shown(rows[0])}; expected 1 or 0 for each label of a set")
    numbers = [worded(value) == "a number" for value in rows[0]]
    if kind is None and any(numbers) and not all(numbers):
        raise InputError(
            f"{at(0)}: the targets are {shown(dict(zip(names, rows[0], strict=True)))}, numbers and others; expected "
            "one kind: train a run for each, or --as classes"
        )
    return "number" if kind is None and all(numbers) else "class"


def _expected(value: Any, first: Any, kind: Kind | None) -> str | None:
    """What one of the targets should be, where it is not that; first: what it is in the first row."""
    kinds = ("a number",) if kind == "number" else ("a number", "a text", "true or false")
    if isinstance(value, float) and not math.isfinite(value):
        return "a finite number"
    if worded(first) not in kinds:
        return " or ".join(kinds)
    return None if worded(value) == worded(first) else f"{worded(first)}, as in the first row"


def _flag(value: Any) -> bool:
    return isinstance(value, bool | int | float) and value in (0, 1)


def labels_in_sets(labels: Sequence[Any], kind: Kind | None, at: At) -> Labels | None:
    """Labels that are sets: texts of names with | between them, or several names; None where they are none."""
    if kind != "set" and (kind in ("number", "tag") or not isinstance(labels[0], set | frozenset)):
        return None
    sets = [frozenset(_names(label, at(k))) for k, label in enumerate(labels)]
    numbers = {k: {worded(name) == "a number" for name in names} for k, names in enumerate(sets) if names}
    first = next(iter(numbers.values()), set())
    for k, kinds in numbers.items():
        if len(kinds) > 1 or kinds != first:
            raise InputError(
                f"{at(k)}: the labels are {shown(sorted(sets[k], key=str))}; expected all texts, or all whole numbers"
            )
    return Labels(sets, "set")


def _names(label: Any, at: str) -> list[Name]:
    if isinstance(label, str):
        return [name.strip() for name in label.split(SEPARATOR) if name.strip()]
    several = isinstance(label, list | set | frozenset)
    if several and all(isinstance(name, str | int) and not isinstance(name, bool) for name in label):
        return list(label)
    raise InputError(f'{at}: the label is {shown(label)}; expected a set of labels: a list of texts, or "a|b"')
