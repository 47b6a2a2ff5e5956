"""How the times of series follow one another: detection, what comes next, seasons, and the place in the calendar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError
from gatework.forecast.data.units import (
    ADVERBS,
    CLOCK,
    CYCLES,
    MILLISECONDS,
    MONTHS,
    SEASONS,
    UNITS,
    WORKING,
    YEAR,
    Numbers,
    Times,
    Whole,
    day_of_month,
    days_in_month,
    elapsed,
    moment,
    phase,
    week_in_words,
)
from gatework.forecast.data.zones import offset_of, to_local, to_utc


@dataclass(frozen=True)
class Spacing:
    """Times that stand `many` units apart.

    unit: "step" (whole numbers), "millisecond", "second", "minute", "hour", "day", "weekday" (of a working week),
        "week", "month", "quarter" or "year".
    day: for months and more, the day of the month, 31 standing for the last; 0 for that of the time counted from.
    zone: the time zone whose clocks and calendar count, the times being in UTC; None where the times are those.
    by_clock: units of the clock are counted by what clocks of the zone show, also where these are set forward or back;
        otherwise by the time that passes.
    week: the days from Monday on that a working week has, 1 or 0 each.
    like: for steps, the seasons that are usual for what they stand for.
    """

    unit: str
    many: int = 1
    day: int = 0
    zone: str | None = None
    week: str = WORKING
    like: Sequence[int] = ()
    by_clock: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "like", tuple(self.like))
        if self.unit not in UNITS:
            raise InputError(f"unknown unit of time {self.unit!r}: choose among {', '.join(UNITS)}")
        if self.many < 1 or not 0 <= self.day <= 31:
            raise InputError(f"times cannot be {self.many} units apart on day {self.day} of a month")

    def __str__(self) -> str:
        if self.unit == "step":
            return "counted in steps" if self.many == 1 else f"counted in steps of {self.many:,}"
        if self.unit == "weekday" and self.many == 1:
            return week_in_words(self.week)
        if self.many == 1 and self.unit in ADVERBS:
            return ADVERBS[self.unit]
        every = f"every {self.unit}" if self.many == 1 else f"every {self.many:,} {self.unit}s"
        return f"{every} of the clock" if self.by_clock else every

    @property
    def _passes_evenly(self) -> bool:
        return self.unit in CLOCK and not self.by_clock

    def at(self, first: Any, steps: npt.ArrayLike) -> Times:
        """The times so many steps from `first`, back where they are negative: [n]."""
        moved = np.asarray(steps, np.int64) * self.many
        if self.unit == "step":
            return np.asarray(int(first) + moved, np.int64)
        if self._passes_evenly:
            return np.asarray(moment(first) + elapsed(self.unit, moved))
        return to_utc(self._dated(self.local(moment(first)), moved), self.zone)

    def _dated(self, start: Any, moved: Whole) -> Times:
        """So many days, weeks or months from what clock and calendar show."""
        if self.unit in MILLISECONDS:
            return np.asarray(start + elapsed(self.unit, moved))
        date = start.astype("datetime64[D]")
        if self.unit == "weekday":
            return np.asarray(np.busday_offset(date, moved, roll="forward", weekmask=self.week) + (start - date))
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
        start, ends = moment(first), moment(times)
        if not self._passes_evenly:
            start, ends = self.local(start), self.local(ends)
        if self.unit in MILLISECONDS:
            return np.asarray((ends - start) // elapsed(self.unit, self.many))
        if self.unit == "weekday":
            first_day, days = start.astype("datetime64[D]"), ends.astype("datetime64[D]")
            return np.asarray(np.busday_count(first_day, days, weekmask=self.week) // self.many)
        months = (ends.astype("datetime64[M]") - start.astype("datetime64[M]")).astype(np.int64)
        return np.asarray(months // (self.many * MONTHS[self.unit]))

    def on_grid(self, first: Any, times: Times) -> npt.NDArray[np.bool_]:
        """Whether each time is a whole number of steps from `first`: [n]."""
        expected = self.at(first, self.steps(first, times))
        if self.by_clock:  # of two moments at which clocks show the same, either one
            expected, times = self.local(expected), self.local(times)
        return np.asarray(expected == times)

    def local(self, times: Times) -> Times:
        """What clocks of the zone show at times."""
        return times if self.unit == "step" else to_local(times, self.zone)

    def show(self, time: Any) -> str:
        """A time in words, no finer than need be: 1960-12, 2024-01-31, 2024-01-31 13:00, 2024-10-27 02:00+01:00."""
        if self.unit == "step":
            return str(int(time))
        clock = self.local(moment(time))
        date, month = clock.astype("datetime64[D]"), clock.astype("datetime64[M]")
        if clock == date and self.unit not in CLOCK:
            return str(month) if self.unit in MONTHS and date == month else str(date)
        digits = {"millisecond": 23, "second": 19}.get(self.unit, 16)
        shown = str(clock.astype("datetime64[ms]")).replace("T", " ")[:digits]
        return shown if self.zone is None else shown + offset_of(time, self.zone)

    def seasons(self) -> tuple[int, ...]:
        """The lengths, in steps, that data of this spacing often repeats after; none for plain steps and years."""
        days = self.week.count("1")
        lengths = (days, 52 * days) if self.unit == "weekday" else SEASONS.get(self.unit, ())
        usual = (length // self.many for length in lengths if length % self.many == 0 and length > self.many)
        return (*self.like, *usual)

    def calendar(self, times: Times) -> tuple[tuple[str, ...], Numbers]:
        """What the dates tell, known for any date: names, and features [T,F] in [-1,1].

        A sine and a cosine for the place in each cycle of which a step is at most half: the hour, the day, the week,
        the month, the year. None for plain steps.
        """
        cycles = [cycle for cycle, seconds in CYCLES.items() if self._seconds() * 2 <= seconds]
        names = tuple(f"{wave}({cycle})" for cycle in cycles for wave in ("sin", "cos"))
        clock = self.local(times)
        angles = [2 * np.pi * phase(clock, cycle) for cycle in cycles]
        waves = [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
        return names, np.stack(waves, 1) if waves else np.zeros((len(times), 0))

    def _seconds(self) -> float:
        if self.unit == "step":
            return float("inf")
        if self.unit in MONTHS:
            return self.many * MONTHS[self.unit] * YEAR / 12
        return self.many * MILLISECONDS["day" if self.unit == "weekday" else self.unit] / 1000


LOOKED_AT = 100  # times that soon show that they are not months apart
LEAST_WEEKS, FILLED = 3, 0.8  # that show a working week, and the share of its days that must be there
DAY = MILLISECONDS["day"]
LONGEST_CHANGE = MILLISECONDS["hour"]  # by which clocks are set; steps of the clock are longer


def find_spacing(series: Sequence[Times], zone: str | None = None, *, from_clocks: bool = False) -> Spacing | None:
    """The spacing of times that increase, one array per series: the most common one; None without two times.

    zone: the time zone whose clocks and calendar count, times being in UTC. from_clocks: they were read from its
    clocks, which counts where hours of the clock and hours that pass fit alike.
    """
    several = [times for times in series if len(times) > 1]
    if not several:
        return None
    if several[0].dtype.kind != "M":
        return Spacing("step", _most_common(np.concatenate([np.diff(times) for times in several])))
    local = [to_local(times, zone) for times in several]
    gap = _most_common(_gaps(local))
    spacing = replace(_months_apart(local) or _days_apart(local, gap) or _clock_apart(gap), zone=zone)
    if zone is None:
        return spacing
    if spacing.unit in CLOCK:
        return of_clock(spacing, several, from_clocks=from_clocks)
    return _fitting_most(
        [spacing, replace(_clock_apart(_most_common(_gaps(several)), longest="hour"), zone=zone)], several
    )


def of_clock(spacing: Spacing, series: Sequence[Times], *, from_clocks: bool) -> Spacing:
    """A spacing of seconds to hours, by the time that passes or by the clock: as most times of some series are."""
    if spacing.zone is None or spacing.many * MILLISECONDS[spacing.unit] <= LONGEST_CHANGE:
        return spacing
    by_clock = replace(spacing, by_clock=True)
    return _fitting_most([by_clock, spacing] if from_clocks else [spacing, by_clock], series)


def _fitting_most(spacings: Sequence[Spacing], series: Sequence[Times]) -> Spacing:
    """The spacing that most times have, the first of those that fit alike."""
    return max(spacings, key=lambda spacing: sum(int(fits(spacing, times).sum()) for times in series))


def fits(spacing: Spacing, times: Times) -> npt.NDArray[np.bool_]:
    """Whether each time of a series is on the grid of a spacing, at a later step than the one before: [n]."""
    steps = spacing.steps(times[0], times)
    return spacing.on_grid(times[0], times) & (np.diff(steps, prepend=steps[0] - 1) > 0)


def _gaps(series: Sequence[Times]) -> Whole:
    """How many milliseconds pass from each time to the next."""
    return np.concatenate([np.diff(times).astype("timedelta64[ms]").astype(np.int64) for times in series])


def _months_apart(series: Sequence[Times]) -> Spacing | None:
    """The spacing of times on the same day of their months; None for others."""
    if any(_last_day(times[:LOOKED_AT]) is None for times in series):
        return None
    days = {_last_day(times) for times in series}
    if None in days:
        return None
    many = _most_common(np.concatenate([np.diff(times.astype("datetime64[M]")) for times in series]).astype(np.int64))
    if many < 1:
        return None
    unit = next(unit for unit in ("year", "quarter", "month") if many % MONTHS[unit] == 0)
    day = (days.pop() or 0) if len(days) == 1 else 0
    return Spacing(unit, many // MONTHS[unit], day if day > 28 else 0)


def _last_day(times: Times) -> int | None:
    """The day of the month that times are all on, 31 for the last; None where they are on several."""
    dates = times.astype("datetime64[D]")
    on, most, clock = day_of_month(dates), days_in_month(dates), times - dates
    if (on != np.minimum(on.max(), most)).any() or (clock != clock[0]).any():
        return None
    return 31 if (on == most).all() else int(on.max())


def _days_apart(series: Sequence[Times], gap: int) -> Spacing | None:
    """The spacing of times whole days apart: of a working week, where some days of the week are always left out."""
    if gap % DAY:
        return None
    week = _working_week(np.concatenate(series), gap // DAY)
    if week is not None:
        return Spacing("weekday", week=week)
    return Spacing("week", gap // DAY // 7) if gap % (7 * DAY) == 0 else Spacing("day", gap // DAY)


def _working_week(times: Times, gap: int) -> str | None:
    """The days of the week that some times are on, where others are left out all the time; None for no such week."""
    days = np.unique(times.astype("datetime64[D]"))
    weekday = (days.astype(np.int64) + 3) % 7  # 1970 began on a Thursday
    there = "".join("1" if day in weekday else "0" for day in range(7))
    weeks = len(np.unique((days.astype(np.int64) + 3) // 7))
    if weeks > LEAST_WEEKS and 2 <= there.count("1") <= 6:
        expected = np.busday_count(days[0], days[-1] + 1, weekmask=there)
        if len(days) >= FILLED * expected:
            return there
    return WORKING if gap == 1 and weeks > 1 and there[5:] == "00" else None


def _clock_apart(gap: int, longest: str = "week") -> Spacing:
    """The spacing of times so many milliseconds apart, in units no longer than one."""
    units = list(MILLISECONDS)
    unit = next(unit for unit in reversed(units[: units.index(longest) + 1]) if gap % MILLISECONDS[unit] == 0)
    return Spacing(unit, gap // MILLISECONDS[unit])


def _most_common(gaps: npt.NDArray[Any]) -> int:
    """The most common of whole numbers, the least where several are."""
    values, counts = np.unique(gaps, return_counts=True)
    return int(values[counts.argmax()])
