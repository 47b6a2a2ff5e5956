"""Dates in the parts of a study; a small writer of dates stands for Babel here."""

from datetime import date
from types import SimpleNamespace

import pytest

from gatework.lab import dates


def write(day: date, length: str, *, locale: str) -> str:
    """The day in numbers, in the order of the locale, with as many signs behind as the length is long."""
    return f"{day:%m/%d/%Y}" * (locale == "en_US") + f"{day:%d/%m/%Y}" * (locale != "en_US") + "!" * len(length)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dates, "extra", lambda _: SimpleNamespace(format_date=write))
    monkeypatch.setattr(dates, "COUNTS", (400, 100, 100))
    monkeypatch.setattr(dates, "LONGEST", 6 + 10 + len("short"))


def test_no_day_stands_in_two_parts_and_a_date_is_written_as_its_locale_does() -> None:
    parts = dates.parts(seed=1)
    days = [{target for targets in part.values() for target in targets} for part in _all(parts)]
    assert all(one.isdisjoint(other) for k, one in enumerate(days) for other in days[:k])
    for source, [target] in parts.test.items():
        locale, text = "".join(source).split(" ")
        day = date.fromisoformat("".join(target))
        assert dates.FIRST <= day <= dates.LAST
        assert text.startswith(f"{day:%m/%d/%Y}" if locale == "en_US" else f"{day:%d/%m/%Y}")


def test_what_is_longer_than_all_that_is_learnt_from_is_a_part_of_its_own() -> None:
    parts = dates.parts(seed=1)
    assert all(len(source) <= dates.LONGEST for part in _all(parts) for source in part)
    assert parts.beyond and all(len(source) == 6 + 10 + len("medium") for source in parts.beyond)


def test_the_seed_draws_them() -> None:
    assert dates.parts(1) == dates.parts(1) != dates.parts(2)


def test_there_are_twenty_locales() -> None:
    assert len(set(dates.LOCALES)) == 20


def _all(parts: dates.Parts) -> list[dates.Pairs]:
    return [parts.training, parts.validation, parts.test]
