"""Dates as people write them, and whole numbers that are dates."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from gatework.forecast.data.spacing import find_spacing
from gatework.forecast.data.texts import BLOCK, Column, blocks, letters, packed, words
from gatework.forecast.data.units import Times, Whole
from gatework.forecast.data.zones import zone_with

EXPECTED = (
    "expected dates such as 2024-01-31, 2024-01, 2024-01-31 13:00, 31.1.2024, 2024-Q1 or Jan 2024, or whole numbers"
)
DATES = ("%d.%m.%Y", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y.%m.%d", "%Y-%m-%d")
MONTHS = ("%Y-%m", "%Y/%m", "%m/%Y", "%m.%Y", "%b %Y", "%B %Y", "%Y %b", "%b-%Y", "%Ym%m", "%YM%m")
DAYS = ("%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%d. %B %Y", "%a, %d %b %Y", "%A, %B %d, %Y")
SHORT = ("%b-%y", "%b %y", "%b/%y", "%b'%y", "%d-%b-%y", "%d %b %y")  # of the year two digits, beside a month's name
FORMATS = (*DATES, *MONTHS, *DAYS, *SHORT)
QUARTER = re.compile(r"(?:(\d{4})[ -]?Q([1-4])|Q([1-4])[ -]?(\d{4}))", re.IGNORECASE)
CLOCK = re.compile(
    r"(?P<date>.*?\S)(?:T|,? +)(?P<hour>\d{1,2})(?::(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<part>\d{1,9}))?)?"
    r"|(?= ?[ap]\.? ?m)) ?(?P<half>[ap]\.? ?m\.?)? ?(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?",
    re.IGNORECASE,
)
ISO = re.compile(  # that numpy reads at once
    rb"\d{4}-\d\d(?:-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?P<zone>Z|[+-]\d\d:\d\d)?)?)?"
)
COMPACT = (
    (8, "%Y%m%d", "YYYYMMDD"),
    (6, "%Y%m", "YYYYMM"),
    (10, "%Y%m%d%H", "YYYYMMDDHH"),
    (12, "%Y%m%d%H%M", "YYYYMMDDHHMM"),
    (14, "%Y%m%d%H%M%S", "YYYYMMDDHHMMSS"),
)
EPOCHS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}  # a second has of each
SINCE = (10**9, 41 * 10**8)  # seconds since 1970 that are taken for times: of the years 2001 to 2099
TRIED, LOOKED_AT = 20, 1000  # texts that show which formats to try on all, and which of these most are in
SIGNS = np.frombuffer(b"+-", np.uint8)

Reader = Callable[[str], datetime]


class NoDateError(ValueError):
    """The text at `index` is no date; `like` is one that is, if any."""

    def __init__(self, index: int, like: str | None) -> None:
        super().__init__(index)
        self.index, self.like = index, like


class AmbiguousDateError(ValueError):
    """Dates that may be read as day/month or as month/day."""


@dataclass(frozen=True)
class Dates:
    """Dates read: times [n], in UTC where there is a zone; note: how a doubt was settled.

    zone: the time zone whose clocks the texts were read from, "UTC" for numbers of seconds; None where they say none.
    from_clocks: the times had no zone of their own, and were read as what clocks of this one show.
    """

    times: Times
    note: str = ""
    zone: str | None = None
    from_clocks: bool = False


@dataclass(frozen=True)
class _Moments:
    """Times [n], in UTC where they have offsets from it [n], in seconds."""

    times: Times
    offsets: Whole | None = None

    def take(self, rows: Whole) -> _Moments:
        return _Moments(self.times[rows], None if self.offsets is None else self.offsets[rows])

    def dates(self, note: str = "") -> Dates:
        """With the zone that the offsets are of."""
        times = coarsest(self.times)
        if self.offsets is None:
            return Dates(times, note)
        zone = zone_with(times, self.offsets)
        if zone is None:
            return Dates(times, "the offsets of the times from UTC are of no time zone: they are read in UTC", "UTC")
        if "/" in zone:
            note = f"the offsets of the times from UTC are taken as those of {zone}: --zone names another"
        return Dates(times, note, zone)


def read_dates(texts: Sequence[str] | Column) -> Dates:
    """The dates that texts stand for, all in one format.

    Where day and month may be either way round, the one counts in which the dates follow one another evenly.
    Raises NoDateError, AmbiguousDateError.
    """
    column = texts if isinstance(texts, np.ndarray) else packed(texts)
    at_once = _iso_moments(column) if column.dtype.kind == "S" and len(column) else None
    if at_once is not None:
        return at_once.dates()
    entries = words(column)
    likely = _readers(entries.texts[:: max(1, len(entries.texts) // TRIED)])
    read = {
        name: moments for name, reader in likely.items() if (moments := _read_all(reader, entries.texts)) is not None
    }
    if not read:
        raise _first_failure(likely, entries.rows())
    name, moments = next(iter(read.items()))
    if len(read) == 1 or all((other.times == moments.times).all() for other in read.values()):
        return moments.take(entries.of).dates(_year_note(name, entries.texts[0], moments.times[0]))
    even = {form: other for form, other in read.items() if _evenly(other.times)}
    if len(even) != 1:
        raise AmbiguousDateError
    name, moments = next(iter(even.items()))
    order = "day first" if name.startswith("%d") else "month first"
    return moments.take(entries.of).dates(
        f"dates such as {entries.texts[0]} are read {order}: so they are evenly spaced"
    )


def _year_note(name: str, text: str, time: np.datetime64) -> str:
    """What to say of a year of two digits."""
    return f"dates such as {text} are read as {str(time)[:10]}" if "%y" in name else ""


def _readers(texts: Iterable[str]) -> dict[str, Reader]:
    """The formats that any of some texts is in, and what reads them."""
    tried: dict[str, Reader] = {"iso": _iso, "quarter": _quarter}
    tried |= {format: partial(_parsed, format=format) for format in FORMATS}
    return {name: reader for name, reader in tried.items() if any(_reads(reader, text) for text in texts)}


def _parsed(text: str, format: str) -> datetime:
    """A date in a format of strptime, and after it the time of day, if any: 13:00, 1:00 PM, 13:00:00.250 +01:00."""
    match = CLOCK.fullmatch(text)
    if not match:
        return _parsed_day(text, format)
    hour, half = int(match["hour"]), (match["half"] or "")[:1].lower()
    if half and not 1 <= hour <= 12:
        raise ValueError(text)
    hour = hour % 12 + 12 * (half == "p") if half else hour
    part = int((match["part"] or "0").ljust(6, "0")[:6])
    day = _parsed_day(match["date"], format)
    moment = day.replace(
        hour=hour, minute=int(match["minute"] or 0), second=int(match["second"] or 0), microsecond=part
    )
    return moment.replace(tzinfo=_offset(match["zone"])) if match["zone"] else moment


@lru_cache(maxsize=1 << 14)
def _parsed_day(text: str, format: str) -> datetime:
    return datetime.strptime(text, format)


def _offset(text: str) -> timezone:
    """Z, UTC, +01, +0100 or +01:00."""
    if text.upper() in ("Z", "UTC", "GMT"):
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-ahead if text[0] == "-" else ahead)


def _reads(reader: Reader, text: str) -> bool:
    """Whether a reader can make a date of a text."""
    try:
        reader(text)
    except ValueError:
        return False
    return True


def _read_all(reader: Reader, texts: Sequence[str]) -> _Moments | None:
    """The dates in one format; None where one of them is not, or only some have an offset from UTC."""
    parts = []
    try:
        for begin in range(0, len(texts), BLOCK):
            parts.append(_moments([reader(text) for text in texts[begin : begin + BLOCK]]))
    except ValueError:
        return None
    if len({part.offsets is None for part in parts}) != 1:
        return None
    times = np.concatenate([part.times for part in parts])
    offsets = [part.offsets for part in parts if part.offsets is not None]
    return _Moments(times, np.concatenate(offsets) if offsets else None)


def _moments(dates: Sequence[datetime]) -> _Moments:
    """Python's dates in arrays; ValueError for parts of a millisecond, and where only some have an offset."""
    if any(date.microsecond % 1000 for date in dates):
        raise ValueError("parts of a millisecond")
    offsets = [date.utcoffset() for date in dates]
    if all(each is None for each in offsets):
        return _Moments(np.array(dates, "datetime64[ms]"))
    ahead = np.array([int(each.total_seconds()) for each in offsets if each is not None], np.int64)
    if len(ahead) < len(dates):
        raise ValueError("an offset in some")
    bare = np.array([date.replace(tzinfo=None) for date in dates], "datetime64[ms]")
    return _Moments(bare - ahead.astype("timedelta64[s]"), ahead)


def coarsest(times: Times) -> Times:
    """Times in whole seconds where they are such, in milliseconds otherwise."""
    whole = times.astype("datetime64[s]")
    return whole if (whole == times).all() else times.astype("datetime64[ms]")


def _first_failure(likely: dict[str, Reader], texts: Sequence[str]) -> NoDateError:
    """The first text outside the format of the majority."""
    some = texts[:: max(1, len(texts) // LOOKED_AT)]
    good = {name: sum(_reads(reader, text) for text in some) for name, reader in likely.items()}
    best = max(good, key=lambda name: good[name], default=None)
    if best is None:
        return NoDateError(0, None)
    like = next(text for text in some if _reads(likely[best], text))
    return NoDateError(next((row for row, text in enumerate(texts) if not _reads(likely[best], text)), 0), like)


def _iso(text: str) -> datetime:
    """A date of ISO 8601."""
    if text.isdigit():
        raise ValueError(text)  # whole numbers are read by whole_dates
    return datetime.fromisoformat(text)


def _iso_moments(column: Column) -> _Moments | None:
    """Dates of ISO 8601 that are all written with as many digits, read at once; None for others."""
    match = ISO.fullmatch(column[0])
    width = column.dtype.itemsize
    if not match or len(column[0]) != width:
        return None
    like, k = letters(column[:1])[0], width - len(match["zone"] or b"")
    digit = _is_digit(like)
    times, offsets = [], []
    for block in blocks(column):
        rows = letters(block)
        same = rows == like
        same[:, k : k + 1] |= np.isin(rows[:, k : k + 1], SIGNS) & (width > k + 1)
        if not (_is_digit(rows) == digit).all() or not (digit | same).all():
            return None
        try:
            times.append(np.ascontiguousarray(rows[:, :k]).view(f"S{k}").ravel().astype("datetime64[ms]"))
        except ValueError:
            return None
        offsets.append(_offsets_of(rows[:, k:]))
    whole, ahead = np.concatenate(times), np.concatenate(offsets)
    return _Moments(whole - ahead.astype("timedelta64[s]"), ahead) if k < width else _Moments(whole)


def _is_digit(bytes: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    return (bytes >= ord("0")) & (bytes <= ord("9"))


def _offsets_of(bytes: npt.NDArray[np.uint8]) -> Whole:
    """Offsets such as +01:00, a row each [n,6], in seconds; 0 for Z [n,1]."""
    if bytes.shape[1] < 6:
        return np.zeros(len(bytes), np.int64)
    tens = bytes[:, [1, 2, 4, 5]].astype(np.int64) - ord("0")
    return np.asarray(np.where(bytes[:, 0] == ord("-"), -1, 1) * (tens @ np.array([36_000, 3600, 600, 60])))


def _quarter(text: str) -> datetime:
    """The first day of 2024-Q1, 2024Q1 or Q1 2024."""
    match = QUARTER.fullmatch(text)
    if match is None:
        raise ValueError(text)
    year, number = match[1] or match[4], match[2] or match[3]
    return datetime(int(year), 3 * int(number) - 2, 1)


def whole_dates(numbers: Whole, dated: bool | None = None) -> Dates:
    """Whole numbers as dates where they are written so, 20240131 or 1706659200, or as they are where they only count.

    dated: whether they are dates; None to see.
    """
    dates = None if dated is False else compact_dates(numbers, bool(dated)) or epoch_dates(numbers)
    return dates or Dates(numbers)


def compact_dates(numbers: Times, expected: bool = False) -> Dates | None:
    """Whole numbers as dates where they are written as 20240131 or 202401; None where they only count.

    expected: that they are dates is known; without it, 202401 is a month only where as a number it follows unevenly.
    """
    unique, where = np.unique(numbers, return_inverse=True)
    if not len(unique) or not (unique[0] > 0 and len(str(unique[0])) == len(str(unique[-1]))):
        return None
    for digits, format, form in COMPACT:
        if len(str(unique[0])) != digits or not str(unique[0]) > "1700" or not str(unique[-1]) < "2200":
            continue
        texts = [str(number) for number in unique.tolist()]
        moments = _read_all(partial(_parsed_day, format=format), texts)
        if moments is not None and (expected or digits != 6 or (len(unique) > 1 and not _evenly(unique))):
            return Dates(coarsest(moments.times)[where], f"times such as {texts[0]} are read as dates, {form}")
    return None


def epoch_dates(numbers: npt.NDArray[Any]) -> Dates | None:
    """Numbers as dates where they are so large that they count seconds, or parts of them, since 1970; or None."""
    if not len(numbers):
        return None
    low, high = numbers.min(), numbers.max()
    for unit, many in EPOCHS.items():
        if SINCE[0] * many <= low and high < SINCE[1] * many:
            note = f"times such as {numbers[0]} are read as {unit} since 1970"
            scaled = np.round(numbers * 1000) if many == 1 else numbers // (many // 1000)
            times = scaled.astype(np.int64).astype("datetime64[ms]")
            exact = many <= 1000 or (numbers % (many // 1000) == 0).all()
            return Dates(coarsest(times), note, "UTC") if exact else None
    return None


def _evenly(times: Times) -> bool:
    """Whether times, once sorted, follow one another without a gap."""
    ordered = np.unique(times)
    spacing = find_spacing([ordered])
    return spacing is not None and bool((spacing.at(ordered[0], np.arange(len(ordered))) == ordered).all())
