"""A table: columns of texts, numbers and dates, and what they mean where they are used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError
from gatework.forecast.data.dates import (
    EXPECTED,
    AmbiguousDateError,
    Dates,
    NoDateError,
    coarsest,
    epoch_dates,
    read_dates,
    whole_dates,
)
from gatework.forecast.data.numerals import (
    Mark,
    Numbers,
    NumeralError,
    is_missing,
    is_number,
    plain_numbers,
    read_numerals,
)
from gatework.forecast.data.texts import Column, Words, distinct, letters, words

__all__ = ["Column", "Stamp", "Table"]

FINEST = "datetime64[ms]"  # the unit of times: closer ones count as equal


@dataclass(frozen=True)
class Stamp:
    """How a frame holds dates: unit "s", "ms", "us", "ns" or "date"; the time zone that its clocks are of, if any."""

    unit: str = "us"
    zone: str | None = None


@dataclass(frozen=True)
class Table:
    """Columns of equal length by name.

    columns: float64, int64, datetime64[us] (in UTC where they have a zone), or texts as `texts.Texts` has them.
    name: what messages call the table; lines: where its rows stand in the file, which `counts` calls lines, or rows.
    decimal: the mark before decimals in texts, None to see in each column; points: a lone point is such a mark.
    stamps: how the frame that was given holds its dates. notes: what was left out while reading, in words.
    """

    name: str
    columns: dict[str, Column]
    lines: Sequence[int] | npt.NDArray[np.int64] | None = None
    counts: str = "line"
    decimal: Mark | None = None
    points: bool = True
    stamps: Mapping[str, Stamp] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def place(self, row: int) -> str:
        """Where a row is, in words: its line in the file, or its number, from 0 as in a frame."""
        return f"row {row} (from 0)" if self.lines is None else f"{self.counts} {self.lines[row]}"

    def column(self, name: str) -> Column:
        """A column by name; InputError naming those there are."""
        if name not in self.columns:
            there = ", ".join(map(repr, self.columns))
            raise InputError(f"{self.name} has no column {name!r}: the columns there are {there}")
        return self.columns[name]

    def numbers(self, name: str, notes: list[str] | None = None) -> Numbers:
        """A column as numbers, NaN where missing; InputError at the first text or infinite value.

        notes: where what is worth saying about that is added.
        """
        column = self.column(name)
        if column.dtype.kind == "M":
            raise InputError(f"column {name!r} of {self.name} holds dates: expected numbers")
        values = self._parsed(name, column, notes) if column.dtype.kind in "OS" else column.astype(np.float64)
        if (infinite := np.flatnonzero(np.isinf(values))).size:
            raise InputError(
                f"{self.name}, {self.place(infinite[0])}: {name} is infinite: expected finite numbers, nothing where "
                "one is missing"
            )
        return values

    def _parsed(self, name: str, column: Column, notes: list[str] | None) -> Numbers:
        values = plain_numbers(column, self.points, self.decimal)
        if values is not None:
            return values
        entries = words(column)
        try:
            read = read_numerals(entries.texts, self.decimal, self.points)
        except NumeralError as error:
            row, why = entries.first(error.text) or 0, f" ({error.why})" if error.why else ""
            raise InputError(
                f"{self.name}, {self.place(row)}: {name} is {error.text!r}{why}: expected a number, nothing where one "
                "is missing"
            ) from None
        if notes is not None and read.note:
            notes.append(f"{name}: {read.note}")
        return read.values[entries.of]

    def words(self, name: str) -> Words:
        """A column as texts, "" where missing; whole numbers without a decimal point."""
        column = self.column(name)
        if column.dtype.kind in "OS":
            return words(column)
        values, of = distinct(column)
        if column.dtype.kind == "f":
            texts = ["" if np.isnan(number) else f"{number:.15g}" for number in values]
        else:
            values = values.astype("datetime64[s]") if column.dtype.kind == "M" else values
            texts = [str(value) for value in values]
        return Words(texts, of)

    def texts(self, name: str) -> list[str]:
        """As `words`, the text of each row."""
        return self.words(name).rows()

    def holds_texts(self, name: str) -> bool:
        """Whether a column holds texts rather than numbers, of which a few may be misspelt."""
        if self.column(name).dtype.kind not in "OS":
            return False
        entries = self.words(name)
        counts = np.bincount(entries.of, minlength=len(entries.texts))
        counted = [
            (is_number(text), count) for text, count in zip(entries.texts, counts, strict=True) if not is_missing(text)
        ]
        return bool(counted) and sum(count for number, count in counted if number) * 2 <= sum(
            count for _, count in counted
        )

    def holds_dates(self, name: str) -> bool:
        """Whether a column holds dates, whole numbers that are written as such among them."""
        column = self.column(name)
        if column.dtype.kind == "M":
            return True
        if not self.holds_texts(name):
            return self._holds_dated_numbers(name, column)
        try:
            return bool(len(read_dates(column).times))
        except (NoDateError, AmbiguousDateError):
            return False

    def _holds_dated_numbers(self, name: str, column: Column) -> bool:
        if self._first_missing(name, column) is not None:
            return False
        numbers = _whole(column)
        return numbers is not None and numbers.dtype.kind == "i" and whole_dates(numbers).times.dtype.kind == "M"

    def times(self, name: str, dated: bool | None = None) -> Dates:
        """A column as dates or whole numbers; InputError at the first that is neither, or is missing.

        dated: whether whole numbers are dates, such as 202401, or only count; None to see.
        """
        column = self.column(name)
        if (row := self._first_missing(name, column)) is not None:
            raise InputError(f"{self.name}, {self.place(row)}: {name} is missing: expected a time in every row")
        if column.dtype.kind == "M":
            return self._stamped(name, column)
        numbers = _whole(column)
        if numbers is None:
            return self._dates(name, column)
        if numbers.dtype.kind == "i":
            return whole_dates(numbers, dated)
        if dated is not False and (dates := epoch_dates(numbers)) is not None:
            return dates
        row = int((np.isinf(numbers) | (numbers != np.floor(numbers))).argmax())
        raise InputError(f"{self.name}, {self.place(row)}: {name} is {numbers[row]}: {EXPECTED}")

    def _first_missing(self, name: str, column: Column) -> int | None:
        if column.dtype.kind in "OS":
            blank = column.dtype.kind == "O" or (letters(column)[:, 0] <= ord(" ")).any()
            return self.words(name).first("") if blank else None
        empty = np.isnat(column) if column.dtype.kind == "M" else np.isnan(column)
        return int(empty.argmax()) if empty.any() else None

    def _stamped(self, name: str, column: Column) -> Dates:
        times = column.astype(FINEST)
        if (finer := np.flatnonzero(times != column)).size:
            raise InputError(
                f"{self.name}, {self.place(finer[0])}: {name} is {column[finer[0]]}: expected whole milliseconds; for "
                "times closer than that number the rows 0, 1, 2, ..."
            )
        return Dates(coarsest(times), zone=self.stamps[name].zone if name in self.stamps else None)

    def _dates(self, name: str, column: Column) -> Dates:
        try:
            return read_dates(column)
        except AmbiguousDateError:
            first = self.words(name).at(0)
            raise InputError(
                f"{self.name}, {self.place(0)}: {name} is {first!r}, which day and month may be either way round: "
                "write dates as 2024-01-31"
            ) from None
        except NoDateError as error:
            texts = self.texts(name)
            numbers = [is_number(text) for text in texts]  # where some are, it is the others that are wrong
            row = numbers.index(False) if any(numbers) and error.like is None else error.index
            remedy = EXPECTED if error.like is None else f"expected a date like {error.like!r}"
            raise InputError(f"{self.name}, {self.place(row)}: {name} is {texts[row]!r}: {remedy}") from None


def _whole(column: Column) -> npt.NDArray[Any] | None:
    """A column as whole numbers, int64; as float64 where some are none; None where they are no numbers."""
    if column.dtype.kind != "f":
        with suppress(ValueError, OverflowError, TypeError):
            return column.astype(np.int64)
    try:
        numbers = column.astype(np.float64)
    except (ValueError, TypeError):
        return None
    return numbers if (np.isinf(numbers) | (numbers != np.floor(numbers))).any() else numbers.astype(np.int64)
