"""The rows of a table: the series that each belongs to, its time, its values; put in order, each time once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError
from gatework.forecast.data.dates import Dates
from gatework.forecast.data.panel import Columns
from gatework.forecast.data.reading import Reading
from gatework.forecast.data.spacing import Spacing
from gatework.forecast.data.table import Table
from gatework.forecast.data.texts import Words
from gatework.forecast.data.units import Numbers, Times
from gatework.forecast.data.zones import disambiguated

KINDS = ("known", "past", "static")


@dataclass(frozen=True)
class Rows:
    """The rows of a table: the series that each belongs to, its time, its values, and where it stands in the table."""

    series: npt.NDArray[np.int64]
    times: Times
    y: Numbers
    known: Numbers
    past: Numbers
    static: Numbers
    row: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.row)

    def take(self, which: npt.NDArray[Any] | slice) -> Rows:
        """Some rows, by index."""
        return Rows(**{name: values[which] for name, values in vars(self).items()})

    def values(self) -> Numbers:
        """All numbers of each row: [n, 1 + K + P + S]."""
        return np.concatenate([self.y[:, None], self.known, self.past, self.static], 1)


def read_rows(
    table: Table, columns: Columns, reading: Reading, spacing: Spacing | None, notes: list[str]
) -> tuple[list[str], Rows, Dates]:
    """The rows in the order of the table, the names of the series in the order of their appearance, and the dates."""
    n = len(table)
    ids = Words([columns.target], np.zeros(n, np.int64)) if columns.id is None else table.words(columns.id)
    if (row := ids.first("")) is not None:
        raise InputError(f"{table.name}, {table.place(row)}: {columns.id} is missing: expected the name of a series")
    dates = Dates(_counted(ids.of)) if columns.time is None else _read_times(table, columns.time, reading, spacing, ids)
    notes += [dates.note] if dates.note else []
    y = table.numbers(columns.target, notes) if columns.target in table.columns else np.full(n, np.nan)
    known, past, static = (_features(table, columns, getattr(columns, kind), notes) for kind in KINDS)
    return ids.texts, Rows(ids.of, dates.times, y, known, past, static, np.arange(n)), dates


def _read_times(table: Table, name: str, reading: Reading, spacing: Spacing | None, ids: Words) -> Dates:
    """The times of the rows, in UTC where they are of a zone: their own, the one given, or that of the rows before."""
    dates = table.times(name, dated=None if spacing is None else spacing.unit != "step")
    dated = dates.times.dtype.kind == "M"
    if spacing is not None and (spacing.unit == "step") == dated:
        there, here = ("whole numbers", "dates") if spacing.unit == "step" else ("dates", "whole numbers")
        raise InputError(f"the times of {table.name} are {here}, where those before were {there}")
    zone = spacing.zone if spacing is not None else reading.zone
    if spacing is not None and dates.zone and not zone and dates.zone != "UTC":
        raise InputError(
            f"the times of {table.name} are of the zone {dates.zone}, where those before had none: give them without"
        )
    if zone is None or not dated:
        return dates
    if dates.zone:
        return replace(dates, zone=zone)
    return Dates(disambiguated(ids.of, dates.times, zone), dates.note, zone, from_clocks=True)


def _counted(series: npt.NDArray[np.int64]) -> Times:
    """The rows of each series counted from 1: [n]."""
    order = np.argsort(series, kind="stable")
    begin = np.flatnonzero(np.diff(series[order], prepend=-1))
    numbers = np.empty(len(series), np.int64)
    numbers[order] = np.arange(len(series)) - np.repeat(begin, np.diff([*begin, len(series)])) + 1
    return numbers


def _features(table: Table, columns: Columns, names: tuple[str, ...], notes: list[str]) -> Numbers:
    """Columns as numbers [n,K]: texts as one number for each category, 0 or 1; all 0 where the text is missing."""
    parts = [np.zeros((len(table), 0))]
    for name in names:
        categories = columns.categories.get(name)
        if categories is None:
            parts.append(table.numbers(name, notes)[:, None])
            continue
        entries = table.words(name)
        if new := sorted(set(entries.texts) - {"", *categories}):
            notes.append(f"{name} {new[0]!r} was not there in training, and counts as none")
        parts.append(
            np.array([[text == each for each in categories] for text in entries.texts], np.float64)[entries.of]
        )
    return np.concatenate(parts, 1, dtype=np.float64)


def in_order(table: Table, columns: Columns, names: list[str], rows: Rows, notes: list[str], zone: str | None) -> Rows:
    """The rows series by series and time after time, each time once; says so where they were not."""
    if (np.diff(rows.series) < 0).any():
        rows = rows.take(np.argsort(rows.series, kind="stable"))
    back = np.flatnonzero((np.diff(rows.series) == 0) & (rows.times[1:] < rows.times[:-1])) + 1
    if back.size:
        notes.append(
            f"the rows were not in the order of time, first at {table.place(rows.row[back[0]])}: they were sorted"
        )
        rows = rows.take(np.lexsort((rows.times, rows.series)))
    again = np.flatnonzero((np.diff(rows.series) == 0) & (rows.times[1:] == rows.times[:-1])) + 1
    if not again.size:
        return rows
    if (other := again[~same_numbers(rows.take(again).values(), rows.take(again - 1).values())]).size:
        raise InputError(_doubled(table, columns, names, rows, int(other[0]), zone))
    notes.append(
        f"{again.size:,} {'row is' if again.size == 1 else 'rows are'} given twice, first at "
        f"{table.place(rows.row[again[0]])}: counted once"
    )
    return rows.take(np.setdiff1d(np.arange(len(rows)), again))


def same_numbers(a: Numbers, b: Numbers) -> npt.NDArray[np.bool_]:
    """Whether rows of numbers [n,C] are the same, a missing number being like another."""
    return np.asarray(((a == b) | (np.isnan(a) & np.isnan(b))).all(1))


def _doubled(table: Table, columns: Columns, names: list[str], rows: Rows, at: int, zone: str | None) -> str:
    """What is wrong where a time comes twice with different values."""
    now, before = (table.place(rows.row[index]) for index in (at, at - 1))
    dated = rows.times.dtype.kind == "M"
    shown = Spacing("day", zone=zone).show(rows.times[at]) if dated else str(rows.times[at])
    of = "" if columns.id is None else f" of {names[rows.series[at]]!r}"
    others = [name for name in table.columns if name not in {columns.target, columns.time, columns.id}]
    remedy = "keep one of them"
    if columns.id is None and others:
        remedy += f", or name the column that tells series apart: there are also {', '.join(map(repr, others))}"
    if dated and zone is None and rows.times[at] != rows.times[at].astype("datetime64[D]"):
        remedy += "; should clocks have been set back then, name their zone: --zone Europe/Berlin"
    return f"{table.name}, {now}: the time {shown}{of} is there already, with other values, at {before}: {remedy}"
