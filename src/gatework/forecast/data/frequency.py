"""Spacings by the names that pandas and polars give them."""

from __future__ import annotations

import re

from gatework.errors import InputError
from gatework.forecast.data.spacing import Spacing
from gatework.forecast.data.units import UNITS

FREQ = re.compile(r"(\d*) ?([A-Za-z]+)(?:-([A-Za-z]+))?")
NAMES = {
    "ms": ("millisecond", 0),
    "L": ("millisecond", 0),
    "s": ("second", 0),
    "S": ("second", 0),
    "m": ("minute", 0),
    "min": ("minute", 0),
    "T": ("minute", 0),
    "h": ("hour", 0),
    "H": ("hour", 0),
    "d": ("day", 0),
    "D": ("day", 0),
    "B": ("weekday", 0),
    "w": ("week", 0),
    "W": ("week", 0),
    "mo": ("month", 0),
    "MS": ("month", 1),
    "M": ("month", 31),
    "ME": ("month", 31),
    "q": ("quarter", 0),
    "QS": ("quarter", 1),
    "Q": ("quarter", 31),
    "QE": ("quarter", 31),
    "y": ("year", 0),
    "YS": ("year", 1),
    "AS": ("year", 1),
    "Y": ("year", 31),
    "YE": ("year", 31),
    "A": ("year", 31),
} | {unit: (unit, 0) for unit in UNITS}
WORDS = {
    "hourly": "hour",
    "daily": "day",
    "weekly": "week",
    "monthly": "month",
    "quarterly": "quarter",
    "yearly": "year",
}


def spacing_of(freq: str, zone: str | None = None) -> Spacing:
    """The spacing that a name stands for: D, MS, 15min, W-SUN, 1mo, month or monthly; InputError for others."""
    match = FREQ.fullmatch(freq.strip()) if isinstance(freq, str) else None
    name = WORDS.get(match[2].lower(), match[2]) if match else ""
    if not match or name not in NAMES or int(match[1] or 1) < 1:
        raise InputError(
            f"freq is {freq!r}: expected a spacing such as D, B, W, MS, ME, QS, YS, h, 15min, s, or 1mo (as in pandas "
            "or polars)"
        )
    unit, day = NAMES[name]
    return Spacing(unit, int(match[1] or 1), day if day > 28 else 0, zone)


def steps_like(spacing: Spacing) -> Spacing:
    """Steps without dates, whose seasons are those of a spacing."""
    return Spacing("step", like=spacing.seasons())
