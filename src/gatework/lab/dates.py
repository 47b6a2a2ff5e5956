"""Dates as 20 locales write them, by the package Babel, and as ISO 8601 does: "de_DE 4. März 1987" -> "1987-03-04".

The locale stands in front: 3/4/87 is another day in Britain than in the United States. The days are those of a hundred
years, so that two digits name a year. Each is written in one of four lengths, from bare numbers to the day of the week.
"""

import random
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from gatework.lab.bench.rivals import extra
from gatework.lab.parts import Pairs, Parts, add, shares

LOCALES = (
    *("cs_CZ", "da_DK", "de_DE", "el_GR", "en_GB", "en_US", "es_ES", "fi_FI", "fr_FR", "hu_HU"),
    *("it_IT", "ja_JP", "ko_KR", "nl_NL", "pl_PL", "pt_BR", "ro_RO", "ru_RU", "sv_SE", "tr_TR"),
)
FORMATS = ("short", "medium", "long", "full")
FIRST, LAST = date(1950, 1, 1), date(2049, 12, 31)
LONGEST = 33  # symbols of a source that is learnt from
COUNTS = (60_000, 2_000, 10_000)  # sources to learn from, to choose by, to test


def parts(seed: int = 0) -> Parts:
    """Dates whose days are drawn by the seed: no day stands in two parts; what is too long to be learnt is beyond."""
    rng = random.Random(seed)
    days = [FIRST + timedelta(number) for number in range((LAST - FIRST).days + 1)]
    made = [_written(part, count, rng) for part, count in zip(shares(days, rng), COUNTS, strict=True)]
    training, validation, test = (_up_to(LONGEST, each) for each in made)
    beyond = {source: targets for source, targets in made[-1].items() if len(source) > LONGEST}
    return Parts(training, validation, test, beyond)


def _written(days: list[date], count: int, rng: random.Random) -> Pairs:
    """So many times one of the days, in one of the locales and lengths; what is drawn twice is there once."""
    found: Pairs = {}
    write = extra("babel.dates").format_date
    for day, locale, length in _drawn(days, count, rng):
        text = write(day, length, locale=locale)
        add(found, tuple(f"{locale} {text}"), tuple(day.isoformat()))
    return found


def _drawn(days: list[date], count: int, rng: random.Random) -> Iterable[tuple[date, Any, Any]]:
    return ((rng.choice(days), rng.choice(LOCALES), rng.choice(FORMATS)) for _ in range(count))


def _up_to(longest: int, found: Pairs) -> Pairs:
    return {source: targets for source, targets in found.items() if len(source) <= longest}
