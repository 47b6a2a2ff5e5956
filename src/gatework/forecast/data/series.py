"""Tables to panels: rows sorted into series, gaps filled as missing, and everything doubtful said or refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from gatework.errors import InputError
from gatework.forecast.data.dates import Dates
from gatework.forecast.data.frequency import spacing_of, steps_like
from gatework.forecast.data.grid import check_grid
from gatework.forecast.data.panel import Columns, Panel, Series
from gatework.forecast.data.reading import AS_IT_IS, Reading, read_table
from gatework.forecast.data.remarks import empty_ends, missing_times, missing_values, without_values
from gatework.forecast.data.rows import Rows, in_order, read_rows, same_numbers
from gatework.forecast.data.spacing import Spacing, find_spacing, of_clock
from gatework.forecast.data.table import Stamp, Table
from gatework.forecast.data.units import CLOCK, Numbers

__all__ = ["Columns", "Panel", "Series", "Spacing", "read_panel"]

MOST_TEXTS = 100  # that a column of categories may hold
DEFAULTS = Columns()


def read_panel(
    source: Any,
    columns: Columns = DEFAULTS,
    *,
    reading: Reading = AS_IT_IS,
    spacing: Spacing | None = None,
    going_on: bool = False,
) -> Panel:
    """Reads series from the path of a CSV or Parquet file or a spreadsheet, a frame, a series, an array or a dict.

    reading: how to read the table. spacing: that of the times; detected by default.
    going_on: the table goes on where another ended: every row remains, also those after the last value, where y is NaN,
        and y may be missing altogether. Otherwise a series begins with its first value and ends with its last; rows
        after that give the future of the known columns.

    Raises InputError for anything that cannot be used; what can be mended is, and stands in the panel's notes.
    """
    table = read_table(source, reading, target=columns.target, id=columns.id or DEFAULTS.id or "")
    columns, notes = _resolved(table, columns, spacing, going_on)
    names, rows, dates = read_rows(table, columns, reading, spacing, notes)
    rows = in_order(table, columns, names, rows, notes, dates.zone)
    groups = _series_of(rows)
    if spacing is None:
        spacing = _spacing_of_rows(table, columns, groups, reading.freq, dates)
    series, empty = [], list[str]()
    for one in groups:
        name = names[one.series[0]]
        check_grid(table, columns.time, name, one.times, one.row, spacing, reading.freq)
        _check_static(table, columns, name, one)
        if going_on or not np.isnan(one.y).all():
            series.append(_filled(name, one, spacing) if going_on else trimmed(_filled(name, one, spacing)))
        else:
            empty.append(name)
    if not series:
        raise InputError(f"the series {empty[0]!r} has no value of {columns.target}: expected some, or leave it out")
    notes += missing_times(spacing, names, [one.times for one in groups])
    if not going_on:
        notes += missing_values(columns, groups) + empty_ends(columns, spacing, groups)
    notes += without_values(columns, empty, len(groups))
    stamp = table.stamps.get(columns.time or "", Stamp())
    return Panel(tuple(series), spacing, columns, tuple(notes), tuple(empty), stamp.unit)


def _series_of(rows: Rows) -> list[Rows]:
    """Rows in order, those of each series together."""
    edges = [0, *(np.flatnonzero(np.diff(rows.series)) + 1).tolist(), len(rows)]
    return [rows.take(slice(begin, end)) for begin, end in pairwise(edges)]


def _resolved(table: Table, columns: Columns, spacing: Spacing | None, going_on: bool) -> tuple[Columns, list[str]]:
    """The columns as the table has them, and what is worth saying about that."""
    notes = list(table.notes)
    time, id = columns.time, columns.id
    if id == DEFAULTS.id and id not in table.columns and spacing is None:
        id = None
    if columns.target == DEFAULTS.target and columns.target not in table.columns and spacing is None:
        columns = replace(columns, target=_only_numbers(table, replace(columns, id=id)))
        notes.append(f"column {columns.target!r} holds the values")
    if not (going_on and columns.target not in table.columns):
        table.column(columns.target)
    if time == DEFAULTS.time and time not in table.columns and spacing is None:
        time = _only_dates(table, replace(columns, time=None, id=id))
        notes.append(
            f"column {time!r} holds the times" if time else "no column of dates: the rows are counted, in their order"
        )
    for name in (time, id, *columns.known, *columns.past, *columns.static):
        if name is not None:
            table.column(name)
    texts = _texts_among(table, columns, spacing)
    categories = {name: columns.categories.get(name) or _categories_of(table, name) for name in texts}
    return replace(columns, time=time, id=id, categories=categories), notes


def _only_numbers(table: Table, columns: Columns) -> str:
    """The one column of numbers that is nothing else, or the target as it is called by default."""
    others = {columns.time, columns.id, *columns.known, *columns.past, *columns.static}
    left = [name for name in table.columns if name not in others and not table.holds_dates(name)]
    numbers = [name for name in left if not table.holds_texts(name)]
    return numbers[0] if len(numbers) == 1 else columns.target


def _only_dates(table: Table, columns: Columns) -> str | None:
    """The one column of dates that is nothing else; None where there is none, InputError where there are several."""
    others = {columns.target, columns.id, *columns.known, *columns.past, *columns.static}
    dates = [name for name in table.columns if name not in others and table.holds_dates(name)]
    if len(dates) > 1:
        raise InputError(
            f"{table.name} has several columns of dates, {', '.join(map(repr, dates))}: say which is the time"
        )
    return dates[0] if dates else None


def _texts_among(table: Table, columns: Columns, spacing: Spacing | None) -> list[str]:
    """The columns beside the target that hold texts, or did where a run goes on."""
    beside = [*columns.known, *columns.past, *columns.static]
    if spacing is not None:
        return [name for name in beside if name in columns.categories]
    return [name for name in beside if table.holds_texts(name)]


def _categories_of(table: Table, name: str) -> tuple[str, ...]:
    """The texts that a column holds, sorted."""
    texts = sorted(set(table.words(name).texts) - {""})
    if len(texts) > MOST_TEXTS:
        raise InputError(
            f"column {name!r} of {table.name} holds {len(texts):,} different texts, such as {texts[0]!r}: expected "
            f"numbers, or {MOST_TEXTS} categories at most"
        )
    return tuple(texts)


def _spacing_of_rows(table: Table, columns: Columns, groups: list[Rows], freq: str | None, dates: Dates) -> Spacing:
    """The spacing that was named, or that most times have."""
    named = None if freq is None else spacing_of(freq, dates.zone)
    if columns.time is None:
        return Spacing("step") if named is None else steps_like(named)
    times = [one.times for one in groups]
    detected = find_spacing(times, dates.zone, from_clocks=dates.from_clocks)
    if named is not None:
        if times[0].dtype.kind != "M":
            return replace(detected or Spacing("step"), like=named.seasons())
        return of_clock(named, times, from_clocks=dates.from_clocks) if named.unit in CLOCK else named
    if detected is None:
        raise InputError(
            f"{table.name} has one time for each series: expected several, to see how far they are apart, or --freq"
        )
    return detected


def _check_static(table: Table, columns: Columns, name: str, rows: Rows) -> None:
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


def _filled(name: str, rows: Rows, spacing: Spacing) -> Series:
    """A series without gaps: values are NaN at times that have no row."""
    steps = spacing.steps(rows.times[0], rows.times)
    T = int(steps[-1]) + 1

    def spread(values: Numbers) -> Numbers:
        whole = np.full((T, *values.shape[1:]), np.nan)
        whole[steps] = values
        return whole

    if len(rows) == T:
        return Series(name, rows.times, rows.y, rows.known, rows.past, rows.static[0])
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
