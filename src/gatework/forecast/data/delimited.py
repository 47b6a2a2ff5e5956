"""CSV texts to tables, row after row into arrays."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

import numpy as np

from gatework.errors import InputError
from gatework.forecast.data.numerals import is_number
from gatework.forecast.data.table import Table
from gatework.forecast.data.texts import Column, joined, packed

DELIMITERS = ",;\t|"
SEPARATOR = re.compile(r'"?sep=(.)"?', re.IGNORECASE)  # a first line that spreadsheets write and read
QUOTED = re.compile(r'"[^"]*"')
COMMENT = "#"
CHUNK = 1 << 16  # rows read as Python's own lists


@dataclass(frozen=True)
class _Beginning:
    """What stands before the rows: the first line that is no comment, how many come before it, the last comment."""

    first: str
    before: int
    comment: str
    delimiter: str

    def commented_names(self, row: Sequence[str]) -> list[str]:
        """The names where it is the comment that holds them, as the first row with its numbers shows; or none."""
        names = next(csv.reader([self.comment.lstrip("# ")], delimiter=self.delimiter), [])
        if len(row) > 1 and len(names) == len(row) and any(map(is_number, row)):
            return [name.strip() for name in names]
        return []


class _Gathered:
    """The rows read so far: of each column arrays of texts, and the line that each row ends on."""

    def __init__(self, width: int) -> None:
        self.parts: list[list[Column]] = [[] for _ in range(width)]
        self.places = [np.empty(0, np.uint32)]
        self.comments = 0

    def read(self, rows: Iterable[tuple[int, list[str]]], name: str) -> None:
        """Reads all rows, each with its line; raises InputError unless each has a field for each name."""
        width = len(self.parts)
        fields: list[list[str]] = []
        lines: list[int] = []
        for line, row in rows:
            if row[0].startswith(COMMENT) and (row[0].startswith("# ") or len(row) != width or width == 1):
                self.comments += 1
                continue
            if len(row) != width:
                raise InputError(
                    f"{name}, line {line}: {len(row)} fields where the first line names {width}: expected as many"
                )
            fields.append(row)
            lines.append(line)
            if len(fields) == CHUNK:
                self.pack(fields, lines)
        self.pack(fields, lines)

    def pack(self, fields: list[list[str]], lines: list[int]) -> None:
        """Moves rows, and the lines that they stand on, into arrays."""
        for parts, column in zip(self.parts, zip(*fields, strict=True), strict=False):
            parts.append(packed(column))
        self.places.append(np.array(lines, np.uint32))
        fields.clear()
        lines.clear()


def csv_table(lines: Iterable[str], name: str) -> Table:
    """The columns of a CSV text, all as texts: what they mean is decided where they are used.

    Before the line of names there may be one that says sep=; and comments, which begin with #.
    """
    rest = iter(lines)
    begun = _beginning(rest)
    reader = csv.reader(chain([begun.first], rest), delimiter=begun.delimiter, strict=True)
    rows: Iterator[tuple[int, list[str]]] = ((reader.line_num + begun.before, row) for row in reader if any(row))
    with _damage_named(name):
        line, first = next(rows, (0, []))
        names = begun.commented_names(first)
        if names:
            rows = chain([(line, first)], rows)
        names = names or [field.strip() for field in first]
        check_names(name, names)
        gathered = _Gathered(len(names))
        gathered.read(rows, name)
    said = f"{gathered.comments:,} {'line is a comment' if gathered.comments == 1 else 'lines are comments'}: left out"
    return Table(
        name,
        {key: joined(parts) for key, parts in zip(names, gathered.parts, strict=True)},
        np.concatenate(gathered.places),
        points=begun.delimiter == ",",
        notes=(said,) if gathered.comments else (),
    )


def _beginning(lines: Iterator[str]) -> _Beginning:
    """Reads up to the line of names."""
    before, delimiter, comment, line = 0, "", "", ""
    for line in lines:
        if before == 0 and (said := SEPARATOR.fullmatch(line.rstrip("\r\n"))):
            delimiter = said[1]
        elif line.startswith(COMMENT):
            comment = line
        elif line.strip():
            break
        before += 1
    else:
        line = ""
    bare = QUOTED.sub("", line)
    return _Beginning(line, before, comment, delimiter or max(DELIMITERS, key=bare.count))


@contextmanager
def _damage_named(name: str) -> Iterator[None]:
    """Turns what a CSV text may be damaged by into an InputError that names the file."""
    try:
        yield
    except csv.Error as error:
        raise InputError(f"{name} is no CSV file: {error}") from None


def check_names(table: str, names: Sequence[str]) -> None:
    """Raises InputError for columns without a name, or of the same name."""
    if not any(names):
        raise InputError(f"{table} is empty: expected a line of names and a row for each time")
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"{table} has two columns {twice[0]!r}: give each a name of its own")
