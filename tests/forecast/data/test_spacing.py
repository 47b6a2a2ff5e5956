"""The spacing of times: found, continued, and what it says about seasons and the calendar."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gatework import InputError
from gatework.forecast.data.spacing import Spacing, find_spacing


def dates(*texts: str) -> np.ndarray:
    return np.array(texts, "datetime64[s]")


def days(first: str, count: int) -> np.ndarray:
    return (np.datetime64(first) + np.arange(count)).astype("datetime64[s]")


WEEKDAYS = days("2024-01-01", 60)[np.is_busday(days("2024-01-01", 60).astype("datetime64[D]"))]
WEEK_OF = {
    week: days("2024-01-01", 60)[np.is_busday(days("2024-01-01", 60).astype("datetime64[D]"), weekmask=week)]
    for week in ("1111110", "1111001", "1010100")
}
FOUND = {
    "monthly": (dates("2024-01", "2024-02", "2024-03"), Spacing("month"), dates("2024-04", "2024-05")),
    "with a gap": (dates("2024-01", "2024-02", "2024-03", "2024-07"), Spacing("month"), dates("2024-08", "2024-09")),
    "month ends": (dates("2024-01-31", "2024-02-29"), Spacing("month", 1, 31), dates("2024-03-31", "2024-04-30")),
    "mid-month": (dates("2024-01-15", "2024-02-15"), Spacing("month"), dates("2024-03-15", "2024-04-15")),
    "the 30th": (dates("2024-01-30", "2024-02-29", "2024-03-30"), Spacing("month", 1, 30), dates("2024-04-30")),
    "quarterly": (dates("2024-01", "2024-04", "2024-07"), Spacing("quarter"), dates("2024-10", "2025-01")),
    "half-years": (dates("2024-01", "2024-07", "2025-01"), Spacing("quarter", 2), dates("2025-07", "2026-01")),
    "yearly": (dates("2023-12-31", "2024-12-31"), Spacing("year", 1, 31), dates("2025-12-31")),
    "weekly": (dates("2024-01-01", "2024-01-08", "2024-01-15"), Spacing("week"), dates("2024-01-22")),
    "four weeks": (dates("2024-01-01", "2024-01-29"), Spacing("week", 4), dates("2024-02-26")),
    "daily": (days("2024-02-20", 9), Spacing("day"), dates("2024-02-29", "2024-03-01")),
    "working days": (WEEKDAYS, Spacing("weekday"), dates("2024-03-01", "2024-03-04")),
    "Monday to Saturday": (WEEK_OF["1111110"], Spacing("weekday", week="1111110"), dates("2024-03-01", "2024-03-02")),
    "Sunday to Thursday": (WEEK_OF["1111001"], Spacing("weekday", week="1111001"), dates("2024-03-03", "2024-03-04")),
    "three days a week": (WEEK_OF["1010100"], Spacing("weekday", week="1010100"), dates("2024-03-01", "2024-03-04")),
    "milliseconds": (
        np.array(["2024-01-01T22:00:00.000", "2024-01-01T22:00:00.250"], "datetime64[ms]"),
        Spacing("millisecond", 250),
        np.array(["2024-01-01T22:00:00.500"], "datetime64[ms]"),
    ),
    "hourly": (dates("2024-01-01T22", "2024-01-01T23"), Spacing("hour"), dates("2024-01-02T00")),
    "15 minutes": (dates("2024-01-01T22:00", "2024-01-01T22:15"), Spacing("minute", 15), dates("2024-01-01T22:30")),
    "seconds": (
        dates("2024-01-01T22:00:00", "2024-01-01T22:00:07"),
        Spacing("second", 7),
        dates("2024-01-01T22:00:14"),
    ),
    "counted": (np.array([3, 4, 5, 9]), Spacing("step"), np.array([10, 11])),
    "tens": (np.array([10, 20, 30]), Spacing("step", 10), np.array([40, 50])),
}


@pytest.mark.parametrize("name", FOUND)
def test_the_spacing_of_times_is_found_and_continued(name: str) -> None:
    times, spacing, next_ones = FOUND[name]
    assert find_spacing([times]) == spacing
    assert (spacing.after(times[-1], len(next_ones)) == next_ones).all()


@pytest.mark.parametrize("name", FOUND)
def test_steps_and_times_are_each_others_inverse(name: str) -> None:
    times, spacing, _ = FOUND[name]
    steps = np.arange(-5, 40)
    assert (spacing.steps(times[0], spacing.at(times[0], steps)) == steps).all()
    assert spacing.on_grid(times[0], times).all()


def test_one_time_has_no_spacing() -> None:
    assert find_spacing([dates("2024-01"), dates("2024-01")]) is None


def test_the_most_common_spacing_of_all_series_counts() -> None:
    assert find_spacing([dates("2024-01", "2024-04"), dates("2024-01", "2024-02", "2024-03")]) == Spacing("month")


def test_times_between_are_not_on_the_grid() -> None:
    times = dates("2024-01-01", "2024-01-15", "2024-02-01")
    assert Spacing("month").on_grid(times[0], times).tolist() == [True, False, True]
    assert Spacing("day", 7).on_grid(times[0], times).tolist() == [True, True, False]
    assert Spacing("step", 2).on_grid(1, np.array([1, 2, 3])).tolist() == [True, False, True]
    assert Spacing("weekday").on_grid(times[0], dates("2024-01-05", "2024-01-06")).tolist() == [True, False]


@pytest.mark.parametrize(
    ("spacing", "seasons"),
    [
        (Spacing("month"), (12,)),
        (Spacing("month", 2), (6,)),
        (Spacing("month", 12), ()),
        (Spacing("quarter"), (4,)),
        (Spacing("week"), (52,)),
        (Spacing("day"), (7, 365)),
        (Spacing("weekday"), (5, 260)),
        (Spacing("weekday", week="1111110"), (6, 312)),
        (Spacing("hour"), (24, 168)),
        (Spacing("minute", 15), (4, 96, 672)),
        (Spacing("minute", 7), (1440,)),  # of an hour, a day and a week only the week is whole steps
        (Spacing("year"), ()),
        (Spacing("step"), ()),
    ],
    ids=str,
)
def test_the_seasons_of_a_spacing(spacing: Spacing, seasons: tuple[int, ...]) -> None:
    assert spacing.seasons() == seasons


def test_the_calendar_tells_the_place_in_every_cycle_longer_than_two_steps() -> None:
    names, features = Spacing("month").calendar(dates("2023-01", "2023-07"))
    assert names == ("sin(year)", "cos(year)")
    assert_allclose(features, [[0, 1], [0, -1]], atol=0.03)
    names, features = Spacing("hour").calendar(dates("2024-01-01T00", "2024-01-01T06", "2024-01-04T12"))
    assert names[:4] == ("sin(day)", "cos(day)", "sin(week)", "cos(week)")
    assert_allclose(features[:, :2], [[0, 1], [1, 0], [0, -1]], atol=1e-9)
    assert_allclose(features[[0, 2], 2:4], [[0, 1], [0, -1]], atol=1e-9)  # Thursday noon is half a week after Monday
    assert (np.abs(features) <= 1).all()


def test_steps_have_no_calendar() -> None:
    names, features = Spacing("step").calendar(np.arange(5))
    assert names == ()
    assert features.shape == (5, 0)


@pytest.mark.parametrize(
    ("spacing", "time", "shown"),
    [
        (Spacing("month"), "2024-03-01", "2024-03"),
        (Spacing("month", day=31), "2024-03-31", "2024-03-31"),
        (Spacing("day"), "2024-03-01", "2024-03-01"),
        (Spacing("day"), "2024-03-01T05", "2024-03-01 05:00"),
        (Spacing("hour"), "2024-03-01T05", "2024-03-01 05:00"),
        (Spacing("hour"), "2024-03-01T00", "2024-03-01 00:00"),
        (Spacing("second"), "2024-03-01T05:00:07", "2024-03-01 05:00:07"),
    ],
    ids=str,
)
def test_times_are_shown_no_finer_than_need_be(spacing: Spacing, time: str, shown: str) -> None:
    assert spacing.show(np.datetime64(time, "s")) == shown


def test_spacings_in_words() -> None:
    words = [str(Spacing(unit)) for unit in ("month", "day", "weekday", "year", "minute", "step")]
    assert words == ["monthly", "daily", "Monday to Friday", "yearly", "every minute", "counted in steps"]
    weeks = [str(Spacing("weekday", week=week)) for week in ("1111110", "1111001", "1010100")]
    assert weeks == ["Monday to Saturday", "Sunday to Thursday", "Monday, Wednesday, Friday"]
    assert str(Spacing("minute", 15)) == "every 15 minutes"


def test_a_spacing_of_another_unit_is_refused() -> None:
    with pytest.raises(InputError, match=r"unknown unit of time 'fortnight': choose among step"):
        Spacing("fortnight")
    with pytest.raises(InputError, match="0 units"):
        Spacing("day", 0)
