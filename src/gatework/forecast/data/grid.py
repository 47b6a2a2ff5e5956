"""Whether times keep their spacing: gaps are named, a second spacing is refused."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError
from gatework.forecast.data.spacing import Spacing, fits
from gatework.forecast.data.table import Table
from gatework.forecast.data.units import Times, Whole

MOST_MISSING = 20  # times that may be missing for each that is there
LEAST_RUN = 4  # gaps in a row, and
LEAST_SHARE = 0.2  # that share of a series, that make a second spacing


def check_grid(
    table: Table, column: str | None, name: str, times: Times, rows: Whole, spacing: Spacing, freq: str | None = None
) -> None:
    """Raises InputError where the times of a series do not keep the spacing, but for single gaps.

    times [n] increase; rows [n]: where they stand in the table. freq: what the spacing was named, if it was.
    """
    off = np.flatnonzero(~fits(spacing, times))
    if off.size:
        raise InputError(_two_spacings(table, column, times, rows, spacing, int(off[0]), freq))
    gaps = np.diff(spacing.steps(times[0], times))
    if gaps.sum() > MOST_MISSING * len(times) + 1000:
        at = int(gaps.argmax())
        raise InputError(
            f"{table.name}, {table.place(rows[at + 1])}: {column} goes from {spacing.show(times[at])} to "
            f"{spacing.show(times[at + 1])} in the series {name!r}, where times are {spacing}: {gaps[at] - 1:,} would "
            "be missing; is the date right?"
        )
    begin = _second_spacing(gaps)
    if begin is not None:
        raise InputError(_two_spacings(table, column, times, rows, spacing, begin + 1, freq))


def _two_spacings(
    table: Table, column: str | None, times: Times, rows: Whole, spacing: Spacing, at: int, freq: str | None
) -> str:
    """What is wrong where the time at an index does not follow the one before."""
    most = "most times are" if freq is None else f"--freq {freq} says that times are"
    return (
        f"{table.name}, {table.place(rows[at])}: {column} is {spacing.show(times[at])} after "
        f"{spacing.show(times[at - 1])}, where {most} {spacing}: expected one spacing; give each its own "
        "table, or a row for every time"
    )


def _second_spacing(gaps: npt.NDArray[np.int64]) -> int | None:
    """Where a second spacing begins; None where there is none.

    It is a run of gaps (> 1 step), no shorter than 4 and a fifth of the series, that are all the same, or large.
    """
    least = max(LEAST_RUN, LEAST_SHARE * len(gaps))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], gaps > 1, [False]]).astype(np.int8)))
    for begin, end in edges.reshape(-1, 2):
        run = gaps[begin:end]
        if len(run) >= least and (run.min() == run.max() or run.mean() > 5):
            return int(begin)
    return None
