"""Tables to panels: rows sorted into series, gaps filled as missing, and everything doubtful said or refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gatework.data.grid import check_grid, missing_times
from gatework.data.panel import Columns, Panel, Series
from gatework.data.spacing import Numbers, Spacing, Times, find_spacing
from gatework.data.table import Table
from gatework.data.table_reading import read_table
from gatework.errors import InputError

__all__ = ["Columns", "Panel", "Series", "Spacing", "read_panel"]

MOST_TEXTS = 100  # that a column of categories may hold
NAMED = 3  # series that a note lists
KINDS = ("known", "past", "static")
DEFAULTS = Columns()


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

    def take(self, which: npt.NDArray[Any]) -> Rows:
        """Some rows, by index or mask."""
        return Rows(**{name: values[which] for name, values in vars(self).items()})

    def values(self) -> Numbers:
        """All numbers of each row: [n, 1 + K + P + S]."""
        return np.concatenate([self.y[:, None], self.known, self.past, self.static], 1)


def read_panel(
    source: Any, columns: Columns = DEFAULTS, *, spacing: Spacing | None = None, going_on: bool = False
) -> Panel:
    """Reads series from the path of a CSV or Parquet file, or from a frame of pandas, polars or pyarrow.

    spacing: that of the times; found where it is not given.
    going_on: the table goes on where another ended: every row is kept, also those after the last value, where y is NaN,
        and y may be missing altogether. Otherwise a series begins with its first value and ends with its last; rows
        after that give the future of the known columns.

    Raises InputError for anything that cannot be used; what can be mended is, and stands in the panel's notes.
    """
    table = read_table(source)
    columns, notes = resolved(table, columns, spacing, going_on)
    names, rows = read_rows(table, columns, spacing, notes)
    rows = in_order(table, columns, names, rows, notes)
    groups = np.split(np.arange(len(rows)), np.flatnonzero(np.diff(rows.series)) + 1)
    if spacing is None:
        spacing = found_spacing(table, columns, rows, groups)
    series, empty = [], list[str]()
    for group in groups:
        one = rows.take(group)
        name = names[one.series[0]]
        check_grid(table, columns.time, name, one.times, one.row, spacing)
        check_static(table, columns, name, one)
        if going_on or not np.isnan(one.y).all():
            series.append(filled(name, one, spacing) if going_on else trimmed(filled(name, one, spacing)))
        else:
            empty.append(name)
    if not series:
        raise InputError(f"the series {empty[0]!r} has no value of {columns.target}: expected some, or leave it out")
    notes += missing_times(spacing, names, [rows.times[group] for group in groups])
    notes += [] if going_on else missing_values(columns, [rows.take(group) for group in groups])
    notes += without_values(columns, empty, len(groups))
    return Panel(tuple(series), spacing, columns, tuple(notes), tuple(empty))


def resolved(table: Table, columns: Columns, spacing: Spacing | None, going_on: bool) -> tuple[Columns, list[str]]:
    """The columns as the table has them, and what is worth saying about that."""
    notes: list[str] = []
    if not (going_on and columns.target not in table.columns):
        table.column(columns.target)
    time, id = columns.time, columns.id
    if id == DEFAULTS.id and id not in table.columns and spacing is None:
        id = None
    if time == DEFAULTS.time and time not in table.columns and spacing is None:
        time = only_dates(table, replace(columns, time=None, id=id))
        notes.append(
            f"column {time!r} holds the times" if time else "no column of dates: the rows are counted, in their order"
        )
    for name in (time, id, *columns.known, *columns.past, *columns.static):
        if name is not None:
            table.column(name)
    texts = texts_among(table, columns, spacing)
    categories = {name: columns.categories.get(name) or found_texts(table, name) for name in texts}
    return replace(columns, time=time, id=id, categories=categories), notes


def only_dates(table: Table, columns: Columns) -> str | None:
    """The one column of dates that is nothing else; None where there is none, InputError where there are several."""
    others = {columns.target, columns.id, *columns.known, *columns.past, *columns.static}
    dates = [name for name in table.columns if name not in others and table.holds_dates(name)]
    if len(dates) > 1:
        raise InputError(
            f"{table.name} has several columns of dates, {', '.join(map(repr, dates))}: say which is the time"
        )
    return dates[0] if dates else None


def texts_among(table: Table, columns: Columns, spacing: Spacing | None) -> list[str]:
    """The columns beside the target that hold texts, or did where a run goes on."""
    beside = [*columns.known, *columns.past, *columns.static]
    if spacing is not None:
        return [name for name in beside if name in columns.categories]
    return [name for name in beside if table.holds_texts(name)]


def found_texts(table: Table, name: str) -> tuple[str, ...]:
    """The texts that a column holds, sorted."""
    texts = sorted(set(table.texts(name)) - {""})
    if len(texts) > MOST_TEXTS:
        raise InputError(
            f"column {name!r} of {table.name} holds {len(texts):,} different texts, such as {texts[0]!r}: expected "
            f"numbers, or {MOST_TEXTS} categories at most"
        )
    return tuple(texts)


def read_rows(table: Table, columns: Columns, spacing: Spacing | None, notes: list[str]) -> tuple[list[str], Rows]:
    """The rows in the order of the table, and the names of the series in the order of their appearance."""
    ids = [columns.target] * len(table) if columns.id is None else table.texts(columns.id)
    if "" in ids:
        raise InputError(
            f"{table.name}, {table.place(ids.index(''))}: {columns.id} is missing: expected the name of a series"
        )
    names = list(dict.fromkeys(ids))
    place = {name: index for index, name in enumerate(names)}
    series = np.array([place[name] for name in ids], np.int64)
    if columns.time is None:
        times: Times = counted(series)
    else:
        dates = table.times(columns.time, dated=spacing is not None and spacing.unit != "step")
        times = dates.times
        notes += [dates.note] if dates.note else []
    if spacing is not None and (spacing.unit == "step") != (times.dtype.kind == "i"):
        there, here = ("whole numbers", "dates") if spacing.unit == "step" else ("dates", "whole numbers")
        raise InputError(f"the times of {table.name} are {here}, where those before were {there}")
    y = table.numbers(columns.target) if columns.target in table.columns else np.full(len(table), np.nan)
    known, past, static = (features(table, columns, getattr(columns, kind), notes) for kind in KINDS)
    return names, Rows(series, times, y, known, past, static, np.arange(len(table)))


def counted(series: npt.NDArray[np.int64]) -> Times:
    """The rows of each series counted from 1: [n]."""
    order = np.argsort(series, kind="stable")
    begin = np.flatnonzero(np.diff(series[order], prepend=-1))
    numbers = np.empty(len(series), np.int64)
    numbers[order] = np.arange(len(series)) - np.repeat(begin, np.diff([*begin, len(series)])) + 1
    return numbers


def features(table: Table, columns: Columns, names: tuple[str, ...], notes: list[str]) -> Numbers:
    """Columns as numbers [n,K]: texts as one number for each category, 0 or 1; all 0 where the text is missing."""
    parts = [np.zeros((len(table), 0))]
    for name in names:
        categories = columns.categories.get(name)
        if categories is None:
            parts.append(table.numbers(name)[:, None])
            continue
        texts = table.texts(name)
        if new := sorted(set(texts) - {"", *categories}):
            notes.append(f"{name} {new[0]!r} was not there in training, and counts as none")
        parts.append(np.array(texts, object)[:, None] == np.array(categories, object)[None])
    return np.concatenate(parts, 1, dtype=np.float64)


def in_order(table: Table, columns: Columns, names: list[str], rows: Rows, notes: list[str]) -> Rows:
    """The rows series by series and time after time, each time once; says so where they were not."""
    order = np.lexsort((rows.times, rows.series))
    by_series = rows.take(np.argsort(rows.series, kind="stable"))
    same = np.diff(by_series.series) == 0
    back = np.flatnonzero(same & (by_series.times[1:] < by_series.times[:-1])) + 1
    if back.size:
        notes.append(
            f"the rows were not in the order of time, first at {table.place(by_series.row[back[0]])}: they were sorted"
        )
    rows = rows.take(order)
    again = np.flatnonzero((np.diff(rows.series) == 0) & (rows.times[1:] == rows.times[:-1])) + 1
    if not again.size:
        return rows
    values = rows.values()
    if (other := again[~same_numbers(values[again], values[again - 1])]).size:
        raise InputError(doubled(table, columns, names, rows, int(other[0])))
    notes.append(
        f"{again.size:,} {'row is' if again.size == 1 else 'rows are'} given twice, first at "
        f"{table.place(rows.row[again[0]])}: counted once"
    )
    return rows.take(np.setdiff1d(np.arange(len(rows)), again))


def same_numbers(a: Numbers, b: Numbers) -> npt.NDArray[np.bool_]:
    """Whether rows of numbers [n,C] are the same, a missing number being like another."""
    return np.asarray(((a == b) | (np.isnan(a) & np.isnan(b))).all(1))


def doubled(table: Table, columns: Columns, names: list[str], rows: Rows, at: int) -> str:
    """What is wrong where a time comes twice with different values."""
    now, before = (table.place(rows.row[index]) for index in (at, at - 1))
    shown = Spacing("day" if rows.times.dtype.kind == "M" else "step").show(rows.times[at])
    of = "" if columns.id is None else f" of {names[rows.series[at]]!r}"
    others = [name for name in table.columns if name not in {columns.target, columns.time, columns.id}]
    remedy = "keep one of them"
    if columns.id is None and others:
        remedy += f", or name the column that tells series apart: there are also {', '.join(map(repr, others))}"
    return f"{table.name}, {now}: the time {shown}{of} is there already, with other values, at {before}: {remedy}"


def found_spacing(table: Table, columns: Columns, rows: Rows, groups: list[npt.NDArray[Any]]) -> Spacing:
    """The spacing that most times have."""
    if columns.time is None:
        return Spacing("step")
    spacing = find_spacing([rows.times[group] for group in groups])
    if spacing is None:
        raise InputError(f"{table.name} has one time for each series: expected several, to see how far they are apart")
    return spacing


def check_static(table: Table, columns: Columns, name: str, rows: Rows) -> None:
    """Raises InputError where a column that is fixed for each series changes within one."""
    changed = ~same_numbers(rows.static[1:], rows.static[:-1])
    if changed.any():
        at = int(changed.argmax())
        first = ~(
            (rows.static[at + 1] == rows.static[at]) | (np.isnan(rows.static[at + 1]) & np.isnan(rows.static[at]))
        )
        feature = columns.features("static")[int(first.argmax())].partition("=")[0]
        raise InputError(
            f"{table.name}, {table.place(rows.row[at + 1])}: {feature} changes within the series {name!r}: expected "
            "one value for each series; a column that changes is known in the future, or past"
        )


def filled(name: str, rows: Rows, spacing: Spacing) -> Series:
    """A series without gaps: values are NaN at times that have no row."""
    steps = spacing.steps(rows.times[0], rows.times)
    T = int(steps[-1]) + 1

    def spread(values: Numbers) -> Numbers:
        whole = np.full((T, *values.shape[1:]), np.nan)
        whole[steps] = values
        return whole

    times = spacing.at(rows.times[0], np.arange(T))
    return Series(name, times, spread(rows.y), spread(rows.known), spread(rows.past), rows.static[0])


def trimmed(series: Series) -> Series:
    """The series from its first value, of which it must have one, to its last, with the future of its known columns."""
    there = np.flatnonzero(~np.isnan(series.y))
    first, end = int(there[0]), int(there[-1]) + 1
    part = slice(first, end)
    return replace(
        series, times=series.times[part], y=series.y[part], known=series.known[first:], past=series.past[part]
    )


def missing_values(columns: Columns, rows: list[Rows]) -> list[str]:
    """What to say about rows between the first and the last value of their series that have none."""
    there = [places for one in rows if (places := np.flatnonzero(~np.isnan(one.y))).size]
    total = sum(int(places[-1] - places[0]) + 1 for places in there)
    missing = total - sum(map(len, there))
    if not missing:
        return []
    return [f"{missing:,} of {total:,} values of {columns.target} are missing: they are left out, not invented"]


def without_values(columns: Columns, empty: list[str], total: int) -> list[str]:
    """What to say about series that have rows, and no value."""
    if not empty:
        return []
    some = ", ".join(map(repr, empty[:NAMED])) + (", ..." if len(empty) > NAMED else "")
    have = "has" if len(empty) == 1 else "have"
    which = f"{len(empty):,} of {total:,} series ({some})"
    return [f"{which} {have} no value of {columns.target}: not forecast until one comes"]
