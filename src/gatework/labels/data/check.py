"""What labels may be: each check names the row, what it holds, and what was expected."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from gatework.errors import InputError, shown

At = Callable[[int], str]


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
