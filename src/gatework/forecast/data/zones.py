"""Time zones: moments in UTC to what clocks show there, and back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError

Times = npt.NDArray[Any]  # datetime64[s] or datetime64[ms]
Whole = npt.NDArray[np.int64]

OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d\d):?(\d\d)")
OF_A_FILE, OF_MINUTES = re.compile(r"tzfile\('.*zoneinfo/(.+)'\)"), re.compile(r"pytz\.FixedOffset\((-?\d+)\)")
KNOWN = (datetime(1900, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))  # changes of clocks are looked for between
STEP = timedelta(days=3)  # no zone changed its clocks twice within so few
LIKELY = (  # of zones whose clocks agree, the one whose name most people know
    *(f"Europe/{city}" for city in ("Berlin", "London", "Athens", "Moscow", "Istanbul", "Chisinau")),
    *(f"America/{city}" for city in ("New_York", "Chicago", "Denver", "Los_Angeles", "Halifax", "St_Johns")),
    *(f"America/{city}" for city in ("Sao_Paulo", "Santiago", "Mexico_City", "Havana", "Asuncion", "Anchorage")),
    *(f"Australia/{city}" for city in ("Sydney", "Adelaide", "Perth", "Lord_Howe")),
    *(f"Pacific/{city}" for city in ("Auckland", "Chatham", "Apia", "Fiji", "Norfolk", "Easter")),
    *(f"Asia/{city}" for city in ("Jerusalem", "Beirut", "Tehran", "Amman", "Damascus", "Gaza")),
    *(f"Africa/{city}" for city in ("Cairo", "Casablanca", "Windhoek")),
)


def named(zone: str) -> str:
    """The name of a time zone as IANA has it, or an offset such as +01:00; InputError where there is none such."""
    zone = zone if isinstance(zone, str) else str(zone)
    if match := OF_A_FILE.fullmatch(zone):
        zone = match[1]
    if match := OF_MINUTES.fullmatch(zone):
        return _offset_name(60 * int(match[1]))
    if match := OFFSET.fullmatch(zone):
        return _offset_name((-1 if match[1] == "-" else 1) * (3600 * int(match[2]) + 60 * int(match[3])))
    try:
        return ZoneInfo(zone).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(
            f"there is no time zone {zone!r}: expected one such as Europe/Berlin, UTC or +01:00 (pip install tzdata, "
            "where this machine knows none)"
        ) from None


def _offset_name(seconds: int) -> str:
    """An offset from UTC as +01:00."""
    return "UTC" if seconds == 0 else _written(seconds)


def _written(seconds: int) -> str:
    sign, minutes = "-" if seconds < 0 else "+", abs(seconds) // 60
    return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"


def _rules(zone: str) -> tzinfo:
    """What Python knows of a zone."""
    match = OFFSET.fullmatch(zone)
    if not match:
        return ZoneInfo(zone)
    ahead = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return timezone(-ahead if match[1] == "-" else ahead)


@lru_cache(maxsize=64)
def _changes(zone: str) -> tuple[Whole, Whole]:
    """The moments [C], in seconds since 1970, at which clocks are set, and how far they are ahead of UTC [C+1]."""
    of = _rules(zone)
    moments = [moment for moment, _ in _changes_of(of)]
    ahead = [_ahead_of_utc(of, KNOWN[0]), *(offset for _, offset in _changes_of(of))]
    return np.array(moments, np.int64), np.array(ahead, np.int64)


def _changes_of(of: tzinfo) -> Iterator[tuple[int, int]]:
    """Each change: its moment, and how far clocks are ahead from then on."""
    if isinstance(of, timezone):
        return
    moment, last = KNOWN
    now = _ahead_of_utc(of, moment)
    while moment < last:
        later = moment + STEP
        then = _ahead_of_utc(of, later)
        if then != now:
            yield _bisected(of, moment, later), then
        moment, now = later, then


def _bisected(of: tzinfo, begin: datetime, end: datetime) -> int:
    """The second between two moments at which clocks were set."""
    before = _ahead_of_utc(of, begin)
    while end - begin > timedelta(seconds=1):
        middle = begin + timedelta(seconds=(end - begin) // timedelta(seconds=2))
        begin, end = (middle, end) if _ahead_of_utc(of, middle) == before else (begin, middle)
    return int(end.timestamp())


def _ahead_of_utc(of: tzinfo, moment: datetime) -> int:
    offset = moment.astimezone(of).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


def _ahead(times: Times, zone: str) -> Whole:
    """How far clocks are ahead of UTC at moments in UTC, in seconds: [n]."""
    moments, offsets = _changes(zone)
    return np.asarray(offsets[np.searchsorted(moments, _seconds(times), "right")])


def offset_of(time: Any, zone: str) -> str:
    """How far clocks are ahead of UTC at a moment in UTC, as +01:00."""
    return _written(int(_ahead(np.asarray(time).reshape(1), zone)[0]))


def to_local(times: Times, zone: str | None) -> Times:
    """What clocks show at moments in UTC: [n]; the same times where there is no zone."""
    return times if zone is None else np.asarray(times + _ahead(times, zone).astype("timedelta64[s]"))


def to_utc(times: Times, zone: str | None, second: bool = False) -> Times:
    """The moments at which clocks show some times: [n].

    second: of the two moments at which they show a time that they were set back to, the later one. A time that they
    were set past counts from before that.
    """
    if zone is None:
        return times
    moments, offsets = _changes(zone)
    edges = moments + (np.minimum if second else np.maximum)(offsets[:-1], offsets[1:])
    shown = offsets[np.searchsorted(edges, _seconds(times), "right")]
    return np.asarray(times - shown.astype("timedelta64[s]"))


def disambiguated(series: Whole, times: Times, zone: str) -> Times:
    """The moments of local times, row after row: one shown twice is the earlier where a series has it first."""
    first, second = to_utc(times, zone), to_utc(times, zone, second=True)
    twice = np.flatnonzero(second > first)
    order = twice[np.lexsort((twice, times[twice], series[twice]))]
    again = (np.diff(series[order]) == 0) & (times[order][1:] == times[order][:-1])
    first[order[1:][again]] = second[order[1:][again]]
    return first


def _seconds(times: Times) -> Whole:
    """Whole seconds since 1970, rounded down."""
    return times.astype("datetime64[s]").astype(np.int64)


def zone_with(times: Times, offsets: Whole) -> str | None:
    """A zone whose clocks were ahead of UTC by some offsets at some moments; None where there is none."""
    if (offsets == offsets[0]).all():
        return _offset_name(int(offsets[0]))
    order = np.argsort(times, kind="stable")
    changed = np.flatnonzero(np.diff(offsets[order]))
    shown = order[np.unique([0, *changed, *(changed + 1), len(order) - 1])]
    moments = [datetime.fromtimestamp(moment, UTC) for moment in _seconds(times[shown]).tolist()]
    known = available_timezones()
    for zone in dict.fromkeys([*(zone for zone in LIKELY if zone in known), *sorted(known)]):
        of = ZoneInfo(zone)
        if all(_ahead_of_utc(of, moment) == offset for moment, offset in zip(moments, offsets[shown], strict=True)):
            return zone
    return None
