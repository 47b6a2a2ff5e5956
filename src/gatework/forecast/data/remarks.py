"""What is said of a table that was mended while it was read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gatework.forecast.data.panel import Columns
from gatework.forecast.data.rows import Rows
from gatework.forecast.data.spacing import Spacing
from gatework.forecast.data.units import Times

NAMED = 3  # series that a note lists


def missing_times(spacing: Spacing, names: Sequence[str], series: Sequence[Times]) -> list[str]:
    """What to say about times that have no row."""
    missing, first, holed = 0, "", 0
    for name, times in zip(names, series, strict=True):
        steps = spacing.steps(times[0], times)
        gone = int(steps[-1]) + 1 - len(steps)
        if not gone:
            continue
        if not first:
            at = spacing.at(times[0], steps[int((np.diff(steps) > 1).argmax())] + 1)
            first = f"{spacing.show(at)}{f' of {name!r}' if len(names) > 1 else ''}"
        missing, holed = missing + gone, holed + 1
    if not missing:
        return []
    where = f" in {holed:,} of {len(names):,} series" if len(names) > 1 else ""
    be = "time is" if missing == 1 else "times are"
    return [f"{missing:,} {be} missing{where}, first {first}: counted as missing values"]


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


def empty_ends(columns: Columns, spacing: Spacing, rows: list[Rows]) -> list[str]:
    """What to say about rows after the last value of their series, and before the first, that have none."""
    with_values = [one for one in rows if not np.isnan(one.y).all()]
    there = [np.flatnonzero(~np.isnan(one.y)) for one in with_values]
    before = sum(int(places[0]) for places in there)
    after = [
        (len(one) - 1 - int(places[-1]), one.times[places[-1]]) for one, places in zip(with_values, there, strict=True)
    ]
    notes = []
    if before:
        notes.append(f"{_rows_are(before)} without {columns.target} before the first value: left out")
    if total := sum(count for count, _ in after):
        last = max(time for count, time in after if count)
        what = "they give the future of the known columns" if columns.known else "left out"
        begins = f"the forecast begins after {spacing.show(last)}"
        notes.append(f"{_rows_are(total)} without {columns.target} after the last value: {what}; {begins}")
    return notes


def _rows_are(count: int) -> str:
    return f"{count:,} {'row is' if count == 1 else 'rows are'}"
