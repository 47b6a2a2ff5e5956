"""Units of time: how long they are, where in the calendar a time stands, and what data of them repeats after."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[Any]  # datetime64[s], datetime64[ms] where they are milliseconds apart, or int64
Whole = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]

MILLISECONDS = {"millisecond": 1, "second": 1000, "minute": 60_000, "hour": 3_600_000}
MILLISECONDS |= {"day": 86_400_000, "week": 604_800_000}
MONTHS = {"month": 1, "quarter": 3, "year": 12}
UNITS = ("step", *MILLISECONDS, "weekday", *MONTHS)
ADVERBS = {"day": "daily", "year": "yearly"} | {unit: f"{unit}ly" for unit in ("hour", "week", "month", "quarter")}
CLOCK = ("millisecond", "second", "minute", "hour")  # these pass evenly whatever clocks are set to
YEAR = 31_557_600  # seconds, 365.25 days
CYCLES = {"hour": 3600, "day": 86_400, "week": 604_800, "month": YEAR // 12, "year": YEAR}  # seconds
WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WORKING = "1111100"  # the days of a week, from Monday, that count
# Lengths that data so often repeats after, in units; a multiple of a unit has those that it divides.
SEASONS = {
    "second": (60, 3600),
    "minute": (60, 1440, 10_080),
    "hour": (24, 168),
    "day": (7, 365),
    "week": (52,),
    "month": (12,),
    "quarter": (4,),
}


def moment(times: Any) -> Any:
    """Times as they are, or in seconds where they are coarser."""
    moments = np.asarray(times, "datetime64")
    return moments if moments.dtype == np.dtype("datetime64[ms]") else moments.astype("datetime64[s]")


def elapsed(unit: str, many: Any) -> Any:
    """So many units of time, none of which depends on a calendar."""
    if unit == "millisecond":
        return np.asarray(many).astype("timedelta64[ms]")
    return (np.asarray(many) * (MILLISECONDS[unit] // 1000)).astype("timedelta64[s]")


def week_in_words(week: str) -> str:
    """Monday to Friday, Sunday to Thursday, or Monday, Wednesday, Friday."""
    count = week.count("1")
    for first in range(7):
        if (week + week)[first : first + count] == "1" * count:
            return f"{WEEK[first]} to {WEEK[(first + count - 1) % 7]}"
    return ", ".join(name for name, there in zip(WEEK, week, strict=True) if there == "1")


def phase(times: Times, cycle: str) -> Numbers:
    """The share of the hour, day, week, month or year that has gone at each time: [T] in [0,1)."""
    moments = np.asarray(times, "datetime64[s]")
    if cycle in ("hour", "day", "week"):
        monday = np.datetime64("1970-01-05", "s")
        since = (moments - monday).astype(np.int64)
        return since % CYCLES[cycle] / CYCLES[cycle]
    unit = cycle[0].upper()
    begun = moments.astype(f"datetime64[{unit}]")
    end = (begun + 1).astype("datetime64[s]")
    start = begun.astype("datetime64[s]")
    return np.asarray((moments - start) / (end - start), np.float64)


def day_of_month(dates: Any) -> Any:
    """The day of the month, from 1."""
    days = np.asarray(dates, "datetime64[D]")
    return (days - days.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64) + 1


def days_in_month(months: Any) -> Any:
    """How many days each month has."""
    begun = np.asarray(months, "datetime64[M]")
    return ((begun + 1).astype("datetime64[D]") - begun.astype("datetime64[D]")).astype(np.int64)
