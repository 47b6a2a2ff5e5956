"""Dates as people write them, and whole numbers that are dates."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import numpy as np

from gatework.data.spacing import Times, find_spacing

EXPECTED = (
    "expected dates such as 2024-01-31, 2024-01, 2024-01-31 13:00, 31.1.2024, 2024-Q1 or Jan 2024, or whole numbers"
)
DATES = ("%d.%m.%Y", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y.%m.%d")
CLOCKS = ("", " %H:%M", " %H:%M:%S")
MONTHS = ("%Y-%m", "%Y/%m", "%m/%Y", "%m.%Y", "%b %Y", "%B %Y", "%Y %b", "%b-%Y", "%Ym%m", "%YM%m")
DAYS = ("%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%d. %B %Y")
FORMATS = (*(date + clock for date in DATES for clock in CLOCKS), *MONTHS, *DAYS)
QUARTER = re.compile(r"(?:(\d{4})[ -]?Q([1-4])|Q([1-4])[ -]?(\d{4}))", re.IGNORECASE)
TRIED = 20  # texts that show which formats to try on all

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
    """Dates read: times [n] in seconds, in UTC where the text has a time zone; note: how a doubt was settled."""

    times: Times
    note: str = ""


def read_dates(texts: Sequence[str]) -> Dates:
    """The dates that texts stand for, all in one format.

    Where day and month may be either way round, the one counts in which the dates follow one another evenly.
    Raises NoDateError, AmbiguousDateError.
    """
    unique, where = np.unique(np.asarray(texts, object), return_inverse=True)
    words = [str(text).strip() for text in unique]
    likely = readers(words[:: max(1, len(words) // TRIED)])
    read = {name: times for name, reader in likely.items() if (times := read_all(reader, words)) is not None}
    if not read:
        raise first_failure(likely, [str(text).strip() for text in texts])
    name, times = next(iter(read.items()))
    if len(read) == 1 or all((other == times).all() for other in read.values()):
        return Dates(times[where])
    even = {form: times for form, times in read.items() if evenly(times)}
    if len(even) != 1:
        raise AmbiguousDateError
    name, times = next(iter(even.items()))
    order = "day first" if name.startswith("%d") else "month first"
    return Dates(times[where], f"dates such as {words[0]} are read {order}: so they are evenly spaced")


def readers(texts: Iterable[str]) -> dict[str, Reader]:
    """The formats that any of some texts is in, and what reads them."""
    tried: dict[str, Reader] = {"iso": iso, "quarter": quarter}
    tried |= {format: partial(parsed, format=format) for format in FORMATS}
    return {name: reader for name, reader in tried.items() if any(reads(reader, text) for text in texts)}


def parsed(text: str, format: str) -> datetime:
    """A date in a format of strptime."""
    return datetime.strptime(text, format)


def reads(reader: Reader, text: str) -> bool:
    """Whether a reader can make a date of a text."""
    try:
        reader(text)
    except ValueError:
        return False
    return True


def read_all(reader: Reader, texts: Iterable[str]) -> Times | None:
    """The dates in one format; None where one of them is not."""
    try:
        return np.array([reader(text) for text in texts], "datetime64[s]")
    except ValueError:
        return None


def first_failure(likely: dict[str, Reader], texts: Sequence[str]) -> NoDateError:
    """The first text that is not in the format that most are in."""
    good = {name: [reads(reader, text) for text in texts] for name, reader in likely.items()}
    best = max(good.values(), key=sum, default=[])
    return NoDateError(best.index(False), texts[best.index(True)]) if any(best) else NoDateError(0, None)


def iso(text: str) -> datetime:
    """A date of ISO 8601; ValueError for parts of a second, which a series of seconds has not."""
    if text.isdigit():
        raise ValueError(text)  # whole numbers are told apart elsewhere
    date = datetime.fromisoformat(text)
    if date.microsecond:
        raise ValueError(text)
    return date if date.tzinfo is None else date.astimezone(UTC).replace(tzinfo=None)


def quarter(text: str) -> datetime:
    """The first day of 2024-Q1, 2024Q1 or Q1 2024."""
    found = QUARTER.fullmatch(text)
    if found is None:
        raise ValueError(text)
    year, number = found[1] or found[4], found[2] or found[3]
    return datetime(int(year), 3 * int(number) - 2, 1)


def compact_dates(numbers: Times, expected: bool = False) -> Dates | None:
    """Whole numbers as dates where they are written as 20240131 or 202401; None where they only count.

    expected: that they are dates is known; without it, 202401 is a month only where as a number it follows unevenly.
    """
    unique, where = np.unique(numbers, return_inverse=True)
    texts = [str(number) for number in unique]
    for digits, format, form in ((8, "%Y%m%d", "YYYYMMDD"), (6, "%Y%m", "YYYYMM")):
        if any(len(text) != digits or not "1700" < text < "2200" for text in texts):
            continue
        times = read_all(partial(parsed, format=format), texts)
        if times is not None and (expected or digits == 8 or (len(unique) > 1 and not evenly(unique))):
            return Dates(times[where], f"times such as {texts[0]} are read as dates, {form}")
    return None


def evenly(times: Times) -> bool:
    """Whether times, once sorted, follow one another without a gap."""
    ordered = np.unique(times)
    spacing = find_spacing([ordered])
    return spacing is not None and bool((spacing.at(ordered[0], np.arange(len(ordered))) == ordered).all())
