"""A table: columns of texts, numbers and dates, and what they mean where they are used."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gatework.data.dates import EXPECTED, AmbiguousDateError, Dates, NoDateError, compact_dates, read_dates
from gatework.data.spacing import Numbers, Times
from gatework.errors import InputError

Column = npt.NDArray[Any]  # float64, int64, datetime64[us], or objects: texts, None where missing
MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "nat"})
BOOLEANS = {"true": "1", "false": "0"}
DECIMAL_COMMA = re.compile(r"-?\d+,\d+")
THOUSANDS = re.compile(r"-?[1-9]\d{0,2}(,\d{3})+(\.\d+)?")


@dataclass(frozen=True)
class Table:
    """Columns of equal length by name. name: what messages call the table; lines: where its rows stand in the file."""

    name: str
    columns: dict[str, Column]
    lines: tuple[int, ...] | None = None

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def place(self, row: int) -> str:
        """Where a row is, in words: its line in the file, or its number, from 0 as in a frame."""
        return f"row {row} (from 0)" if self.lines is None else f"line {self.lines[row]}"

    def column(self, name: str) -> Column:
        """A column by name; InputError naming those there are."""
        if name not in self.columns:
            there = ", ".join(map(repr, self.columns))
            raise InputError(f"{self.name} has no column {name!r}: the columns there are {there}")
        return self.columns[name]

    def numbers(self, name: str) -> Numbers:
        """A column as numbers, NaN where missing; InputError at the first text or infinite value."""
        column = self.column(name)
        if column.dtype.kind == "M":
            raise InputError(f"column {name!r} of {self.name} holds dates: expected numbers")
        values = column.astype(np.float64) if column.dtype.kind != "O" else self._parsed(name, column)
        if (infinite := np.flatnonzero(np.isinf(values))).size:
            raise InputError(
                f"{self.name}, {self.place(infinite[0])}: {name} is infinite: expected finite numbers, nothing where "
                "one is missing"
            )
        return values

    def _parsed(self, name: str, column: Column) -> Numbers:
        try:
            return column.astype(np.float64)
        except (ValueError, TypeError):
            texts = plain(column)
        try:
            return np.array(texts, np.float64)
        except ValueError:
            row = next(row for row, text in enumerate(texts) if not is_number(text))
        comma = " (is its comma a decimal point, or thousands? write it without)" if "," in texts[row] else ""
        raise InputError(
            f"{self.name}, {self.place(row)}: {name} is {column[row]!r}{comma}: expected a number, nothing where "
            "one is missing"
        )

    def texts(self, name: str) -> list[str]:
        """A column as texts, "" where missing; whole numbers without a decimal point."""
        column = self.column(name)
        if column.dtype.kind == "O":
            return ["" if text is None else text.strip() for text in column]
        if column.dtype.kind == "f":
            return ["" if np.isnan(number) else f"{number:.15g}" for number in column]
        return [str(value) for value in column.astype(column.dtype if column.dtype.kind == "i" else "datetime64[s]")]

    def holds_texts(self, name: str) -> bool:
        """Whether a column holds texts rather than numbers, of which a few may be misspelt."""
        column = self.column(name)
        if column.dtype.kind != "O":
            return False
        given = [text for text in plain(column) if text != "nan"]
        return sum(map(is_number, given)) * 2 <= len(given) and bool(given)

    def holds_dates(self, name: str) -> bool:
        """Whether a column holds dates."""
        column = self.column(name)
        if column.dtype.kind != "O":
            return column.dtype.kind == "M"
        try:
            return self.holds_texts(name) and bool(len(read_dates(self.texts(name)).times))
        except (NoDateError, AmbiguousDateError):
            return False

    def times(self, name: str, dated: bool = False) -> Dates:
        """A column as dates or whole numbers; InputError at the first that is neither, or is missing.

        dated: that these are dates is known, should they be written as whole numbers.
        """
        column = self.column(name)
        empty = np.isnat(column) if column.dtype.kind == "M" else [not text for text in self.texts(name)]
        if (missing := np.flatnonzero(empty)).size:
            raise InputError(f"{self.name}, {self.place(missing[0])}: {name} is missing: expected a time in every row")
        if column.dtype.kind == "M":
            return self._whole_seconds(name, column)
        whole = self._whole(name, column)
        if whole is None:
            return self._dates(name)
        return compact_dates(whole, dated) or Dates(whole)

    def _whole_seconds(self, name: str, column: Column) -> Dates:
        times = column.astype("datetime64[s]")
        if (finer := np.flatnonzero(times != column)).size:
            raise InputError(
                f"{self.name}, {self.place(finer[0])}: {name} is {column[finer[0]]}: expected whole seconds; for times "
                "closer than that number the rows 0, 1, 2, ..."
            )
        return Dates(times)

    def _whole(self, name: str, column: Column) -> Times | None:
        """A column as whole numbers; None where it is none of numbers."""
        if column.dtype.kind != "f":
            with suppress(ValueError, OverflowError):
                return column.astype(np.int64)
        try:
            numbers = column.astype(np.float64)
        except ValueError:
            return None
        if (broken := np.flatnonzero(np.isinf(numbers) | (numbers != np.floor(numbers)))).size:
            raise InputError(f"{self.name}, {self.place(broken[0])}: {name} is {column[broken[0]]}: {EXPECTED}")
        return numbers.astype(np.int64)

    def _dates(self, name: str) -> Dates:
        texts = self.texts(name)
        try:
            return read_dates(texts)
        except AmbiguousDateError:
            raise InputError(
                f"{self.name}, {self.place(0)}: {name} is {texts[0]!r}, which day and month may be either way round: "
                "write dates as 2024-01-31"
            ) from None
        except NoDateError as error:
            numbers = [is_number(text) for text in texts]  # where some are, it is the others that are wrong
            row = numbers.index(False) if any(numbers) and error.like is None else error.index
            remedy = EXPECTED if error.like is None else f"expected a date like {error.like!r}"
            raise InputError(f"{self.name}, {self.place(row)}: {name} is {texts[row]!r}: {remedy}") from None


def is_missing(text: str | None) -> bool:
    """Whether a field holds nothing, as it is or as programs write it: NA, NaN, null, ..."""
    return text is None or text.strip().lower() in MISSING


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def plain(column: Column) -> list[str]:
    """Texts as Python writes numbers: "nan" where missing, true and false as 1 and 0, and without the commas of 12,5
    and 1,234,567 where all that have one leave no doubt of what it means."""
    texts = ["nan" if is_missing(text) else BOOLEANS.get(text.strip().lower(), text.strip()) for text in column]
    commas = [text for text in texts if "," in text]
    if not commas:
        return texts
    if all(map(DECIMAL_COMMA.fullmatch, commas)) and not all(map(THOUSANDS.fullmatch, commas)):
        return [text.replace(",", ".") for text in texts]
    if all(map(THOUSANDS.fullmatch, commas)) and not all(map(DECIMAL_COMMA.fullmatch, commas)):
        return [text.replace(",", "") for text in texts]
    return texts
