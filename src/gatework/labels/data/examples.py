"""Labelled sequences as people have them: lines of JSON, an .npz file, lists and arrays."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError, shown
from gatework.files.encoding import decoded
from gatework.files.reading import records_of, sources
from gatework.labels.data.check import check_labels, resolved
from gatework.labels.data.columns import Columns, labels_in_columns, labels_in_sets
from gatework.labels.options import Kind, Level
from gatework.runs.arrays import NPZ, checked_lengths, read_arrays
from gatework.runs.numbers import as_numbers

Form = Literal["numbers", "char", "word", "list"]  # of a sequence: numbers; a text by its characters or words; words

WORD = re.compile(r"\w+|[^\w\s]")
NAMES: dict[Form, str] = {
    "numbers": "numbers",
    "char": "a text read by its characters",
    "word": "a text read by its words",
    "list": "a list of words",
}


@dataclass(frozen=True)
class Examples:
    """N sequences, with labels or without.

    form: what each sequence is: "numbers", an array [T,I]; otherwise T tokens, a text being one by its characters.
    kind: what the labels are: "class", one for a sequence; "number", one for a sequence; "tag", one for each step;
        "set", any number of them for a sequence.
    labels: N values, for tags N lists, for sets N sets, of several targets N tuples; None where there are none.
    at: what errors call the k-th sequence. columns: the names of several targets, or of labels that have a column each.
    """

    sequences: Sequence[Any]
    form: Form
    labels: Sequence[Any] | None
    kind: Kind | None
    at: Callable[[int], str]
    columns: Columns | None = None

    def __len__(self) -> int:
        return len(self.sequences)

    @property
    def several(self) -> bool:
        """Whether a sequence has more than one label, or a set of them."""
        return self.kind == "set" or self.columns is not None

    def take(self, rows: npt.NDArray[np.intp]) -> Examples:
        """The examples of these numbers, in this order; errors call them as before."""
        at = self.at
        return replace(
            self,
            sequences=[self.sequences[row] for row in rows],
            labels=None if self.labels is None else [self.labels[row] for row in rows],
            at=lambda k: at(int(rows[k])),
        )


def read_examples(
    file: str | Path,
    *,
    level: Level = "char",
    kind: Kind | None = None,
    encoding: str | None = None,
    columns: Columns | None = None,
) -> Examples:
    """Reads labelled sequences from a file.

    file: lines of JSON, "-" for standard input, each with "text" (or a list of words) or "sequence" (numbers, or
        vectors of numbers), and "label"; or an .npz with X [N,T,I] or [N,T], y [N], for tags [N,T], of M targets [N,M],
        and where they vary, lengths [N].
    level: what a text is made of. kind: what the labels are; None to take texts (in an .npz also whole numbers) as
        classes, numbers as numbers, lists as tags, and of several targets those that are all 0 or 1 as sets.
    encoding: of the lines, such as latin-1; by default what a byte order mark says, or UTF-8.
    columns: the names of the targets of a model that is to be judged, where it has several.

    Raises InputError, in one line that names the row, for whatever cannot be used.
    """
    if Path(file).suffix.lower() == NPZ:
        return _read_npz(Path(file), kind, columns)
    if Path(file).is_dir():
        raise InputError(f"{file} is a directory: name one file, or - for standard input")
    with sources(file) as files:
        placed = [
            record
            for source in files
            for record in records_of(decoded(source.blocks(), source.name, encoding), source.name, EXPECTED)
        ]
        if not placed:
            raise InputError(f"{files[0].name} is empty: expected lines such as {EXPECTED}")
    rows = [row for _, row in placed]

    def at(k: int) -> str:
        return placed[k][0]

    field = _field(rows, at)
    labels = [row.get("label") for row in rows]
    sequences, form = _sequences([row[field] for row in rows], level, at, field)
    given = None if all(label is None for label in labels) else labels
    return _examples(sequences, form, given, kind, at, columns)


def given_examples(
    X: Any,
    y: Any = None,
    *,
    lengths: Any = None,
    level: Level = "char",
    kind: Kind | None = None,
    columns: Columns | None = None,
) -> Examples:
    """Labelled sequences given as Python objects.

    X: texts; lists of words; arrays [T] or [T,I] of any lengths T; or one array [N,T] or [N,T,I], of whose rows
        the first `lengths` [N] steps count (default all). y: N labels, for tags N lists, or one array [N,T]; of M
        targets an array or table [N,M]; sets. columns: the names of the targets of a model that is to be judged.
    """
    if level not in get_args(Level):
        raise InputError(f"level is {level!r}; expected 'char' or 'word'")

    def at(k: int) -> str:
        return f"X[{k}]"

    y = y if kind == "tag" else _by_name(y)
    X, y = (table.to_numpy() if hasattr(table, "to_numpy") else table for table in (X, y))  # pandas, polars
    if isinstance(X, str | bytes) or not hasattr(X, "__len__"):
        raise InputError(f"X is {shown(X)}; expected several sequences, such as a list of texts or an array [N,T,I]")
    if not len(X):
        raise InputError("X is empty; expected at least one sequence")
    counts = None if lengths is None else checked_lengths(lengths, X)
    rows = list(X) if counts is None else [row[:T] for row, T in zip(X, counts, strict=True)]
    sequences, form = _sequences(rows, level, at)
    if kind != "tag" and isinstance(y, np.ndarray) and y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]  # a table of one column
    labels = None if y is None else [_plain(label) for label in y]
    if labels is not None and len(labels) != len(rows):
        raise InputError(f"y has {len(labels)} labels, X {len(rows)} sequences; expected as many of both")
    if labels is not None and counts is not None and kind == "tag":
        labels = [tags[:T] if isinstance(tags, list) else tags for tags, T in zip(labels, counts, strict=True)]
    return _examples(sequences, form, labels, kind, at, columns)


def _by_name(y: Any) -> Any:
    """A table of several columns with names as a list of rows by these; anything else as it is."""
    names = list(getattr(y, "columns", ()))
    if len(names) < 2 or not all(isinstance(name, str) for name in names):
        return y
    return [dict(zip(names, map(_plain, row), strict=True)) for row in y.to_numpy()]


def _plain(label: Any) -> Any:
    """A label as Python's own values."""
    return label.tolist() if hasattr(label, "tolist") else list(label) if isinstance(label, tuple) else label


def _examples(
    sequences: list[Any],
    form: Form,
    labels: list[Any] | None,
    kind: Kind | None,
    at: Callable[[int], str],
    known: Columns | None = None,
) -> Examples:
    """Examples with checked labels; known: the names of the targets of a model that is to be judged."""
    if labels is None:
        return Examples(sequences, form, None, kind, at)
    found = labels_in_columns(labels, kind, known, at) or labels_in_sets(labels, kind, at)
    if found is not None:
        return Examples(sequences, form, found.labels, found.kind, at, found.columns)
    resolved_kind = cast(Kind, resolved(labels, kind, at))
    check_labels(labels, resolved_kind, [len(sequence) for sequence in sequences], at, asked=kind is not None)
    return Examples(sequences, form, labels, resolved_kind, at)


def _sequences(
    rows: list[Any], level: Level, at: Callable[[int], str], field: str | None = None
) -> tuple[list[Any], Form]:
    """The sequences in the form that the first has, which all must have."""
    first = rows[0]
    words = _are_words(first) and field != "sequence"
    form: Form = level if isinstance(first, str) else "list" if words else "numbers"
    if field == "text" and form == "numbers":
        raise InputError(f'{at(0)}: "text" is {shown(first)}; expected a text or a list of words')
    made = [_sequence(row, form, at(k)) for k, row in enumerate(rows)]
    if form == "numbers":
        for k, sequence in enumerate(made):
            if sequence.shape[1] != made[0].shape[1]:
                raise InputError(
                    f"{at(k)}: vectors of {sequence.shape[1]} numbers, and {at(0)} has vectors of {made[0].shape[1]}; "
                    "expected one width in all rows"
                )
    return made, form


def _are_words(row: Any) -> bool:
    return isinstance(row, list | tuple | np.ndarray) and len(row) > 0 and all(isinstance(word, str) for word in row)


def _sequence(row: Any, form: Form, at: str) -> Any:
    """One sequence of this form, of a step at least."""
    if form == "numbers":
        return as_numbers(row, at)
    if form == "list":
        if not _are_words(row):
            what = "is empty" if isinstance(row, list) and not row else f"is {shown(row)}"
            raise InputError(f"{at}: the text {what}; expected a list of words, as in the first row")
        return list(row)
    if not isinstance(row, str):
        raise InputError(f"{at}: the text is {shown(row)}; expected a text, as in the first row")
    tokens: Sequence[str] = row if form == "char" else WORD.findall(row)
    if not tokens:
        raise InputError(f"{at}: the text is empty: leave the row out")
    return tokens


# -- lines of JSON

EXPECTED = '{"text": "...", "label": "..."} or {"sequence": [1, 2, 3], "label": "..."}'


def _field(rows: list[dict[str, Any]], at: Callable[[int], str]) -> str:
    """Whether the rows have "text" or "sequence"; all must have the same."""
    fields = [name for name in ("text", "sequence") if name in rows[0]]
    if len(fields) != 1:
        has = ", ".join(map(json.dumps, rows[0])) or "nothing"
        raise InputError(f'{at(0)} has {has}; expected "text" or "sequence", and "label"')
    for k, row in enumerate(rows):
        if fields[0] not in row:
            raise InputError(f'{at(k)} has no "{fields[0]}", which {at(0)} has: give every row one')
    return fields[0]


# -- arrays


def _read_npz(path: Path, kind: Kind | None, columns: Columns | None = None) -> Examples:
    arrays = read_arrays(path, str(path), "X [N,T,I] and y")
    X, y = arrays.X, arrays.y
    if y is not None and kind is None:
        tagged = y.ndim > 1 and y.shape[1:2] == X.shape[1:2]
        kind = "tag" if tagged else "number" if y.dtype.kind == "f" else "class"
    try:
        examples = given_examples(X, y, lengths=arrays.lengths, kind=kind, columns=columns)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return replace(examples, at=lambda k: f"{path}: X[{k}]")


# -- parts


def split(examples: Examples, shares: Sequence[float], seed: int = 0) -> list[npt.NDArray[np.intp]]:
    """Cuts the numbers of examples into random parts with such shares, each class into the same shares.

    The first part, for training, has at least one of each class.
    """
    rng = np.random.default_rng(seed)
    N = len(examples)
    strata: list[npt.NDArray[np.intp]] = [np.arange(N)]
    if examples.kind == "class" and not examples.several:
        assert examples.labels is not None
        _, group = np.unique(np.asarray(examples.labels), return_inverse=True)
        strata = [np.flatnonzero(group == k) for k in range(group.max() + 1)]
    parts: list[list[npt.NDArray[np.intp]]] = [[] for _ in shares]
    carried = np.zeros(len(shares))  # what rounding owes each part, settled with the classes that follow
    for stratum in strata:
        wanted = np.asarray(shares) * len(stratum) + carried
        ends = np.rint(np.cumsum(wanted)).clip(0, len(stratum)).astype(int)
        ends[0], ends[-1] = max(1, ends[0]), len(stratum)
        ends = np.maximum.accumulate(ends)
        carried = wanted - np.diff(ends, prepend=0)
        shuffled = rng.permutation(stratum)
        for part, (begin, end) in zip(parts, pairwise([0, *ends]), strict=True):
            part.append(shuffled[begin:end])
    return [np.sort(np.concatenate(part)) for part in parts]
