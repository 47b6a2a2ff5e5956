"""Edits between two sequences: how many turn one into the other, and which (Levenshtein 1966)."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int32]
Sequences = Sequence[Sequence[Hashable]]

MOST = 1 << 24  # numbers of a table, in bytes four times as much, that are made at a time


@dataclass(frozen=True)
class Edit:
    """One symbol of the hypothesis put in the place of one of the reference.

    None in the hypothesis: the symbol is left out; None in the reference: it is put in; two alike: it is kept.
    """

    hypothesis: Hashable | None
    reference: Hashable | None

    @property
    def kept(self) -> bool:
        return self.hypothesis == self.reference


def distances(hypotheses: Sequences, references: Sequences) -> npt.NDArray[np.int64]:
    """The fewest edits between each hypothesis and its reference, [N]."""
    numbers: dict[Hashable, int] = {}
    made = np.zeros(len(hypotheses), np.int64)
    for rows, table in _tables(hypotheses, references, numbers, keep=False):
        made[rows] = table
    return made


def edits(hypothesis: Sequence[Hashable], reference: Sequence[Hashable]) -> list[Edit]:
    """The fewest edits, in order; among equals those that put one symbol in the place of another."""
    return all_edits([hypothesis], [reference])[0]


def all_edits(hypotheses: Sequences, references: Sequences) -> list[list[Edit]]:
    """The same for each of N hypotheses and its reference."""
    made: list[list[Edit]] = [[]] * len(hypotheses)
    for rows, tables in _tables(hypotheses, references, {}, keep=True):
        for row, table in zip(rows.tolist(), tables.transpose(1, 0, 2), strict=True):
            made[row] = _traced(table, hypotheses[row], references[row])
    return made


def _tables(
    hypotheses: Sequences, references: Sequences, numbers: dict[Hashable, int], *, keep: bool
) -> Iterator[tuple[npt.NDArray[np.intp], Any]]:
    """Groups of rows of like sizes, with their distances [n], or to keep all tables [A+1,n,B+1]."""
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses and {len(references)} references; expected as many of both")
    sizes = np.array([[len(a), len(b)] for a, b in zip(hypotheses, references, strict=True)]).reshape(-1, 2)
    order = np.lexsort(sizes.T)
    for rows in _groups(order, sizes, deep=keep):
        a, b = (_numbered([texts[row] for row in rows], numbers) for texts in (hypotheses, references))
        yield rows, _table(a, b) if keep else _last(a, b, sizes[rows])


def _groups(order: npt.NDArray[np.intp], sizes: npt.NDArray[np.int64], *, deep: bool) -> Iterator[npt.NDArray[np.intp]]:
    """The rows in an order in which like sizes stand together, cut so that a table stays small."""
    cost = (sizes[order] + 1).prod(1) if deep else sizes[order].sum(1) + 1
    begin, largest = 0, 0
    for end, each in enumerate(cost.tolist()):
        largest = max(largest, each)
        if end > begin and largest * (end + 1 - begin) > MOST:
            yield order[begin:end]
            begin, largest = end, each
    if begin < len(order):
        yield order[begin:]


def _numbered(texts: Sequences, numbers: dict[Hashable, int]) -> Numbers:
    """The symbols as numbers [n,longest], -1 past an end."""
    lengths = np.array([len(text) for text in texts])
    made = np.full((len(texts), int(lengths.max(initial=0))), -1, np.int32)
    flat = [numbers.setdefault(symbol, len(numbers)) for symbol in chain.from_iterable(texts)]
    made[np.arange(made.shape[1]) < lengths[:, None]] = flat
    return made


def _rows(a: Numbers, b: Numbers) -> Iterator[Numbers]:
    """The rows [n,B+1] of the tables of distances between the beginnings of a [n,A] and those of b [n,B]."""
    columns = np.arange(b.shape[1] + 1, dtype=np.int32)
    row = np.broadcast_to(columns, (len(a), len(columns)))
    yield row
    for symbol in a.T:
        best = row + 1  # the symbol put in
        np.minimum(best[:, 1:], row[:, :-1] + (symbol[:, None] != b), out=best[:, 1:])
        row = np.minimum.accumulate(best - columns, 1) + columns  # symbols left out
        yield row


def _table(a: Numbers, b: Numbers) -> Numbers:
    return np.stack(list(_rows(a, b)))


def _last(a: Numbers, b: Numbers, sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The distance of the whole sequences, [n]."""
    made = np.zeros(len(a), np.int64)
    for step, row in enumerate(_rows(a, b)):
        ended = sizes[:, 0] == step
        made[ended] = row[ended, sizes[ended, 1]]
    return made


def _traced(table: Numbers, hypothesis: Sequence[Hashable], reference: Sequence[Hashable]) -> list[Edit]:
    """The edits that lead through a table [A+1,B+1] to the distance of the whole sequences."""
    made, i, j = [], len(hypothesis), len(reference)
    while i or j:
        here = table[i, j]
        if i and j and here == table[i - 1, j - 1] + (hypothesis[i - 1] != reference[j - 1]):
            i, j = i - 1, j - 1
            made.append(Edit(hypothesis[i], reference[j]))
        elif j and here == table[i, j - 1] + 1:
            j -= 1
            made.append(Edit(None, reference[j]))
        else:
            i -= 1
            made.append(Edit(hypothesis[i], None))
    return made[::-1]
