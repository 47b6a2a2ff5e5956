"""Columns of texts in arrays: UTF-8 side by side, the distinct texts apart from where they stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[Any]  # bytes of UTF-8, "" where nothing is; or objects, None where nothing is
Whole = npt.NDArray[np.int64]

BLOCK = 1 << 18  # rows looked at together
WASTE = 8  # times the texts' own bytes that an array of the longest one's width may take


@dataclass(frozen=True)
class Words:
    """The texts of a column: the distinct ones, stripped, in the order of their first rows, and which each row has [n].

    "" stands for a text that is missing.
    """

    texts: list[str]
    of: Whole

    def __len__(self) -> int:
        return len(self.of)

    def rows(self) -> list[str]:
        """The text of each row."""
        return [self.texts[index] for index in self.of.tolist()]

    def at(self, row: int) -> str:
        """The text of a row."""
        return self.texts[int(self.of[row])]

    def first(self, text: str) -> int | None:
        """The first row that has a text."""
        return int((self.of == self.texts.index(text)).argmax()) if text in self.texts else None


def packed(fields: Sequence[str]) -> Column:
    """Texts as an array of bytes, or of objects where a few are far longer than most."""
    longest = max(map(len, fields), default=0)
    if longest * len(fields) > WASTE * (sum(map(len, fields)) + len(fields)):
        return objects(fields)
    try:
        return np.array(fields, "S")
    except UnicodeEncodeError:
        return np.array([field.encode() for field in fields], "S")


def joined(parts: list[Column]) -> Column:
    """Arrays of texts one after another; each is let go of as it is copied."""
    if not parts:
        return np.empty(0, "S1")
    width, size = max(part.dtype.itemsize for part in parts), sum(part.nbytes + len(part) for part in parts)
    rows = sum(map(len, parts))
    wide = any(part.dtype.kind == "O" for part in parts) or width * rows > WASTE * size
    whole = np.empty(rows, object if wide else f"S{max(1, width)}")
    begin = 0
    parts.reverse()
    while parts:
        part = parts.pop()
        whole[begin : begin + len(part)] = decoded(part) if wide else part
        begin += len(part)
    return whole


def objects(values: Sequence[str | None]) -> Column:
    """Texts as an array of objects."""
    column = np.empty(len(values), object)
    column[:] = values
    return column


def decoded(column: Column) -> list[str | None]:
    """The texts of an array as Python's own."""
    return [text.decode() if isinstance(text, bytes) else text for text in column.tolist()]


def words(column: Column) -> Words:
    """The distinct texts of a column, and where they stand."""
    if column.dtype.kind == "S":
        unique, of = distinct(column)
        texts = [text.decode().strip() for text in unique.tolist()]
    else:
        texts, of = _numbered(["" if text is None else text.strip() for text in column])
    if len(set(texts)) == len(texts):
        return Words(texts, of)
    stripped, again = _numbered(texts)
    return Words(stripped, again[of])


def distinct(column: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], Whole]:
    """The distinct values of an array in the order of their first rows, and the number of each row's [n]."""
    begun = np.flatnonzero(np.concatenate([[True], column[1:] != column[:-1]])[: len(column)])
    if len(begun) * 2 < len(column):  # the same value many times on end: each run counts as one
        values, of = distinct(column[begun])
        return values, np.repeat(of, np.diff(begun, append=len(column)))
    unique, first, of = np.unique(column, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return unique[order], place[of]


def _numbered(texts: Sequence[str]) -> tuple[list[str], Whole]:
    """The distinct ones of some texts, and the number of each."""
    places: dict[str, int] = {}
    of = np.array([places.setdefault(text, len(places)) for text in texts], np.int64)
    return list(places), of


def blocks(column: Column) -> Iterator[Column]:
    """A column in pieces of a size that is soon looked at."""
    for begin in range(0, len(column), BLOCK):
        yield column[begin : begin + BLOCK]


def letters(column: Column) -> npt.NDArray[np.uint8]:
    """The bytes [n,width] of an array of bytes, 0 after the end of each text."""
    return np.ascontiguousarray(column).view(np.uint8).reshape(len(column), column.dtype.itemsize)
