"""How the times of series follow one another: what comes next, seasons, and where in the calendar a time stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError

Times = npt.NDArray[Any]  # datetime64[s] or int64
Whole = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]

SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
MONTHS = {"month": 1, "quarter": 3, "year": 12}
UNITS = ("step", *SECONDS, "weekday", *MONTHS)
ADVERBS = {"day": "daily", "weekday": "Monday to Friday", "year": "yearly"} | {
    unit: f"{unit}ly" for unit in ("hour", "week", "month", "quarter")
}
CLOCK = ("second", "minute", "hour")
YEAR = 31_557_600  # seconds, 365.25 days
CYCLES = {"hour": 3600, "day": 86_400, "week": 604_800, "month": YEAR // 12, "year": YEAR}  # seconds
# Lengths that data so often repeats after, in units; a multiple of a unit has those that it divides.
SEASONS = {
    "second": (60, 3600),
    "minute": (60, 1440, 10_080),
    "hour": (24, 168),
    "day": (7, 365),
    "weekday": (5, 260),
    "week": (52,),
    "month": (12,),
    "quarter": (4,),
}


@dataclass(frozen=True)
class Spacing:
    """Times that stand `many` units apart.

    unit: "step" (whole numbers), "second", "minute", "hour", "day", "weekday" (Monday to Friday), "week", "month",
        "quarter" or "year".
    day: for months and more, the day of the month, 31 standing for the last; 0 for that of the time counted from.
    """

    unit: str
    many: int = 1
    day: int = 0

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise InputError(f"unknown unit of time {self.unit!r}: choose among {', '.join(UNITS)}")
        if self.many < 1 or not 0 <= self.day <= 31:
            raise InputError(f"times cannot be {self.many} units apart on day {self.day} of a month")

    def __str__(self) -> str:
        if self.unit == "step":
            return "counted in steps" if self.many == 1 else f"counted in steps of {self.many:,}"
        if self.many == 1 and self.unit in ADVERBS:
            return ADVERBS[self.unit]
        return f"every {self.unit}" if self.many == 1 else f"every {self.many:,} {self.unit}s"

    def at(self, first: Any, steps: npt.ArrayLike) -> Times:
        """The times so many steps from `first`, back where they are negative: [n]."""
        moved = np.asarray(steps, np.int64) * self.many
        if self.unit == "step":
            return np.asarray(int(first) + moved, np.int64)
        start = np.datetime64(first, "s")
        if self.unit in SECONDS:
            return start + (moved * SECONDS[self.unit]).astype("timedelta64[s]")
        date = start.astype("datetime64[D]")
        if self.unit == "weekday":
            return np.asarray(np.busday_offset(date, moved, roll="forward") + (start - date))
        month = date.astype("datetime64[M]") + (moved * MONTHS[self.unit]).astype("timedelta64[M]")
        day = np.minimum(self.day or day_of_month(date), days_in_month(month))
        return np.asarray(month.astype("datetime64[D]") + (day - 1).astype("timedelta64[D]") + (start - date))

    def after(self, last: Any, steps: int) -> Times:
        """The next `steps` times after `last`: [steps]."""
        return self.at(last, np.arange(1, steps + 1))

    def steps(self, first: Any, times: Times) -> Whole:
        """How many whole steps each time comes after `first`, rounded down: [n]; see `on_grid`."""
        if self.unit == "step":
            return np.asarray((np.asarray(times, np.int64) - int(first)) // self.many)
        start, ends = np.datetime64(first, "s"), np.asarray(times, "datetime64[s]")
        if self.unit in SECONDS:
            return np.asarray((ends - start).astype(np.int64) // (self.many * SECONDS[self.unit]))
        if self.unit == "weekday":
            return np.asarray(np.busday_count(start.astype("datetime64[D]"), ends.astype("datetime64[D]")) // self.many)
        months = (ends.astype("datetime64[M]") - start.astype("datetime64[M]")).astype(np.int64)
        return np.asarray(months // (self.many * MONTHS[self.unit]))

    def on_grid(self, first: Any, times: Times) -> npt.NDArray[np.bool_]:
        """Whether each time is a whole number of steps from `first`: [n]."""
        return np.asarray(self.at(first, self.steps(first, times)) == times)

    def show(self, time: Any) -> str:
        """A time in words, no finer than need be: 1960-12, 2024-01-31, 2024-01-31 13:00."""
        if self.unit == "step":
            return str(int(time))
        moment = np.datetime64(time, "s")
        date, month = moment.astype("datetime64[D]"), moment.astype("datetime64[M]")
        if moment != date or self.unit in CLOCK:
            return str(moment).replace("T", " ")[: 19 if self.unit == "second" else 16]
        return str(month) if self.unit in MONTHS and date == month else str(date)

    def seasons(self) -> tuple[int, ...]:
        """The lengths, in steps, that data of this spacing often repeats after; none for plain steps and years."""
        lengths = SEASONS.get(self.unit, ())
        return tuple(length // self.many for length in lengths if length % self.many == 0 and length > self.many)

    def calendar(self, times: Times) -> tuple[tuple[str, ...], Numbers]:
        """What the dates tell, known for any date: names, and features [T,F] in [-1,1].

        A sine and a cosine for the place in each cycle of which a step is at most half: the hour, the day, the week,
        the month, the year. None for plain steps.
        """
        cycles = [cycle for cycle, seconds in CYCLES.items() if self._seconds() * 2 <= seconds]
        names = tuple(f"{wave}({cycle})" for cycle in cycles for wave in ("sin", "cos"))
        angles = [2 * np.pi * phase(times, cycle) for cycle in cycles]
        waves = [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
        return names, np.stack(waves, 1) if waves else np.zeros((len(times), 0))

    def _seconds(self) -> float:
        if self.unit == "step":
            return float("inf")
        unit = SECONDS.get(self.unit) or (86_400 if self.unit == "weekday" else MONTHS[self.unit] * YEAR // 12)
        return self.many * unit


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


def find_spacing(series: Sequence[Times]) -> Spacing | None:
    """The spacing of times that increase, one array per series: the most common one; None without two times."""
    several = [times for times in series if len(times) > 1]
    if not several:
        return None
    gaps = np.concatenate([np.diff(times) for times in several])
    if gaps.dtype.kind != "m":
        return Spacing("step", most_common(gaps))
    return months_apart(several) or seconds_apart(several, most_common(gaps.astype(np.int64)))


def months_apart(series: Sequence[Times]) -> Spacing | None:
    """The spacing of times on the same day of their months; None for others."""
    days: set[int] = set()
    for times in series:
        dates = times.astype("datetime64[D]")
        day = day_of_month(dates).max()
        clock = times - dates
        if (day_of_month(dates) != np.minimum(day, days_in_month(dates))).any() or (clock != clock[0]).any():
            return None
        days.add(31 if (day_of_month(dates) == days_in_month(dates)).all() else int(day))
    many = most_common(np.concatenate([np.diff(times.astype("datetime64[M]")) for times in series]).astype(np.int64))
    if many < 1:
        return None
    unit = next(unit for unit in ("year", "quarter", "month") if many % MONTHS[unit] == 0)
    day = days.pop() if len(days) == 1 else 0
    return Spacing(unit, many // MONTHS[unit], day if day > 28 else 0)


def seconds_apart(series: Sequence[Times], gap: int) -> Spacing:
    """The spacing of times so many seconds apart; Monday to Friday where every weekend is left out."""
    if gap == SECONDS["day"] and leaves_weekends_out(np.concatenate(series)):
        return Spacing("weekday")
    unit = next(unit for unit in reversed(SECONDS) if gap % SECONDS[unit] == 0)
    return Spacing(unit, gap // SECONDS[unit])


def leaves_weekends_out(times: Times) -> bool:
    """Whether all days are Monday to Friday, over a weekend at least."""
    days = times.astype("datetime64[D]")
    weeks = (days + 3).astype("datetime64[W]")  # numpy's weeks begin on Thursday
    return bool(np.is_busday(days).all()) and len(np.unique(weeks)) > 1


def most_common(gaps: npt.NDArray[Any]) -> int:
    """The most common of whole numbers, the least where several are."""
    values, counts = np.unique(gaps, return_counts=True)
    return int(values[counts.argmax()])
