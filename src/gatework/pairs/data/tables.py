"""Rows of a source and a target out of files: tables of columns, lines of JSON, arrays."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from gatework.errors import InputError, shown
from gatework.files.encoding import decoded
from gatework.files.parquet import is_parquet, read_parquet
from gatework.files.reading import lines_of, records_of, refuse_array, sources
from gatework.runs.arrays import NPZ, checked_lengths, read_arrays

SOURCE, TARGET = "source", "target"  # the columns where none are named
EXPECTED = '{"source": "...", "target": "..."}'
DELIMITERS = ",;\t|"
QUOTED = re.compile('"[^"]*"')  # within which delimiters are characters
JSON, TSV, CSV = (".jsonl", ".json", ".ndjson"), (".tsv",), (".csv",)


class Row(NamedTuple):
    """A source and its target, or targets, as they stand in row `at`; None for no target."""

    at: str
    source: Any
    target: Any = None


@dataclass(frozen=True)
class Columns:
    """The names of the two columns; None for "source" and "target", or for the two columns of a table without names."""

    source: str | None = None
    target: str | None = None

    @property
    def wanted(self) -> tuple[str, str]:
        return self.source or SOURCE, self.target or TARGET

    @property
    def named(self) -> bool:
        """Whether the user has named one."""
        return self.source is not None or self.target is not None


UNNAMED = Columns()


@dataclass(frozen=True)
class Rows:
    """The rows of a file, read as they are needed; source_at, target_at: what errors call the two cells of a row.

    unnamed: the first source, and target where there are any, of a table whose columns nothing names, or names.
    """

    rows: Iterable[Row]
    source_at: Callable[[str], str]
    target_at: Callable[[str], str]
    unnamed: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)


def _in_columns(rows: Iterable[Row], source: str, target: str) -> Rows:
    return Rows(rows, lambda at: f"{at}, column {source}", lambda at: f"{at}, column {target}")


@contextmanager
def read_rows(
    file: str | Path, columns: Columns, encoding: str | None = None, *, targets: bool = True
) -> Iterator[Rows]:
    """The rows of a file, "-" for standard input; targets: whether each must have one. See `read_examples`."""
    if Path(file).is_dir():
        raise InputError(f"{file} is a directory: name one file, or - for standard input")
    with sources(file) as (source,):
        suffix = Path(source.name).suffix.lower()
        if suffix == NPZ:
            yield _npz_rows(source.path, source.name, targets)
        elif is_parquet(source.path, source.name):
            yield _parquet_rows(source.path, source.name, columns, targets)
        else:
            texts = decoded(source.blocks(), source.name, encoding)
            first = next(texts, "")
            yield _text_rows(first, chain([first], texts), source.name, suffix, columns, targets)


def _text_rows(first: str, texts: Iterator[str], name: str, suffix: str, columns: Columns, targets: bool) -> Rows:
    """The rows of a text whose first characters are `first`: lines of JSON, a table, or sources alone, one a line."""
    if not first.strip():
        raise _empty(name, targets)
    table = suffix in (*TSV, *CSV)
    if suffix in JSON or (targets and not table):
        refuse_array(first, name, (SOURCE, TARGET) if suffix in JSON else ())
    if suffix in JSON or (not table and first.lstrip().startswith("{")):
        records = records_of(texts, name, EXPECTED)
        return _in_columns(_of_records(records, columns.wanted, targets), *columns.wanted)
    lines = lines_of(texts, name)
    if not targets and not table and not columns.named:
        whole = ((number, line.rstrip("\r")) for number, line in enumerate(lines, 1))
        return Rows((Row(f"{name}, line {number:,}", line) for number, line in whole if line), str, str)
    head = next(line for line in first.split("\n") if line.strip())
    tabbed = suffix in TSV or (suffix not in CSV and "\t" in head)
    rows = _tabbed(lines, name) if tabbed else _delimited(lines, head, name)
    first_row = next(rows, None)
    if first_row is None:
        raise _empty(name, targets)
    return _of_table(_Table(first_row, rows, tabbed), columns, targets)


def _empty(name: str, targets: bool) -> InputError:
    return InputError(f"{name} is empty: expected a source{' and a target' * targets} in each line")


# -- tables

Placed = tuple[str, list[str]]  # a row and its place


def _tabbed(lines: Iterable[str], name: str) -> Iterator[Placed]:
    """The fields between tabs, as they are: quotes are characters as others."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield f"{name}, line {number:,}", line.rstrip("\r").split("\t")


def _delimited(lines: Iterable[str], head: str, name: str) -> Iterator[Placed]:
    """The fields of CSV, between the one of , ; tab | that the first line has most of outside quotes."""
    delimiter = max(DELIMITERS, key=QUOTED.sub("", head).count)
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if any(row):
                yield f"{name}, line {reader.line_num:,}", row
    except csv.Error as error:
        raise InputError(f"{name}, line {reader.line_num:,} is no CSV: {error}") from None


@dataclass(frozen=True)
class _Table:
    """The rows of a table, the first of which may be names; tabbed: whether its fields stand between tabs."""

    first: Placed
    rest: Iterator[Placed]
    tabbed: bool

    def picked(self, places: Sequence[int], width: int, *, named: bool) -> Iterator[Row]:
        """The fields at some places, of rows that must all be so wide; named: whether the first row is names."""
        for at, row in self.rest if named else chain([self.first], self.rest):
            if len(row) != width:
                raise InputError(f"{at} has {self._worded(row)}; expected {self._expected(row, width, named)}")
            yield Row(at, *(row[place] for place in places))

    def _worded(self, row: list[str]) -> str:
        return f"1 column, {shown(row[0])}" if len(row) == 1 else f"{len(row)} columns, {shown(row)}"

    def _expected(self, row: list[str], width: int, named: bool) -> str:
        if named or width != 2:
            return f"{width}, as in the first row"
        between = " with a tab between them" if self.tabbed else ""
        names = ", or a line of names and --source NAME --target NAME" if len(row) > width else ""
        return f"a source and a target{between}{names}"


def _of_table(table: _Table, columns: Columns, targets: bool) -> Rows:
    """The chosen columns of a table with or without a line of names."""
    at, first = table.first
    names = [name.strip() for name in first]
    wanted = columns.wanted[: 1 + targets]
    if columns.named or all(name in [each.lower() for each in names] for name in wanted):
        places = [_place(name, names, at, exact=columns.named) for name in wanted]
        return _in_columns(table.picked(places, len(names), named=True), names[places[0]], names[places[-1]])
    rows = table.picked(range(len(wanted)), 2 if targets else len(first), named=False)
    unnamed = tuple(names[: len(wanted)]) if len(names) <= 2 else ()
    return replace(_in_columns(rows, "1", "2"), unnamed=unnamed)


def _place(name: str, names: list[str], at: str, *, exact: bool) -> int:
    """Where a column stands."""
    known = names if exact else [each.lower() for each in names]
    if known.count(name) != 1:
        there = ", ".join(map(shown, names))
        what = "no column" if name not in known else "more than one column"
        raise InputError(f"{at} has {what} {name!r}; it has {there}: choose among these (--source, --target)")
    return known.index(name)


# -- lines of JSON, Parquet


def _of_records(records: Iterable[tuple[str, dict[str, Any]]], wanted: tuple[str, str], targets: bool) -> Iterator[Row]:
    for at, record in records:
        for name in wanted[: 1 + targets]:
            if name in record and record[name] is None:
                raise InputError(f"{at}: {name} is null; expected a value: leave the row out")
            if name not in record:
                has = ", ".join(map(shown, record)) or "nothing"
                raise InputError(f"{at} has no {shown(name)}; it has {has}: expected {EXPECTED}")
        yield Row(at, *(record[name] for name in wanted[: 1 + targets]))


def _parquet_rows(path: Path, name: str, columns: Columns, targets: bool) -> Rows:
    wanted = columns.wanted[: 1 + targets]
    frame = read_parquet(path, name)
    for column in wanted:
        _place(column, frame.columns, name, exact=True)
    records = (
        (f"{name}, row {number:,}", dict(zip(wanted, row, strict=True)))
        for number, row in enumerate(frame.select(wanted).iter_rows(), 1)
    )
    return _in_columns(_of_records(records, columns.wanted, targets), *columns.wanted)


# -- arrays


def _npz_rows(path: Path, name: str, targets: bool) -> Rows:
    """X [N,S,I] or [N,S] of numbers, and where they vary lengths [N]; y [N] of texts, or [N,K] of several."""
    needed = ("X", "y") if targets else ("X",)
    arrays = read_arrays(path, name, "X [N,S,I], y [N] of texts and, where they vary, lengths [N]", needed)
    X, y = arrays.X, arrays.y
    if y is not None and (y.dtype.kind != "U" or y.ndim not in (1, 2) or len(y) != len(X)):
        raise InputError(f"{name}: y is {y.dtype} {list(y.shape)}; expected texts [{len(X)}], or several a source")
    try:
        lengths = [X.shape[1]] * len(X) if arrays.lengths is None else checked_lengths(arrays.lengths, X)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    texts = [None] * len(X) if y is None else [_without_empty(each) for each in y.tolist()]
    rows = (Row(f"{name}: X[{k}]", X[k, : lengths[k]], texts[k]) for k in range(len(X)))
    return Rows(rows, str, lambda at: at.replace(": X[", ": y["))


def _without_empty(texts: str | list[str]) -> str | list[str]:
    """Several targets, less the empty ones that fill the array up."""
    return texts if isinstance(texts, str) else [text for text in texts if text]
