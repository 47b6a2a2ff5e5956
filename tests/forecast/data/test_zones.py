"""Time zones: what clocks show, days and months of a zone, the hours that clocks are set over."""

from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from gatework import InputError
from gatework.forecast.data.reading import Reading
from gatework.forecast.data.series import read_panel
from gatework.forecast.data.spacing import Spacing
from gatework.forecast.data.zones import named, to_local, to_utc, zone_with

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kolkata", "UTC")
MOMENTS = st.datetimes(pd.Timestamp("1950-01-01").to_pydatetime(), pd.Timestamp("2060-01-01").to_pydatetime())


@given(st.sampled_from(ZONES), MOMENTS)
def test_clocks_show_what_python_says(zone: str, moment: object) -> None:
    time = np.array([moment], "datetime64[s]")
    aware = pd.Timestamp(time[0]).tz_localize("UTC").to_pydatetime().astimezone(ZoneInfo(zone))
    assert to_local(time, zone)[0] == np.datetime64(aware.replace(tzinfo=None), "s")
    assert time[0] in (to_utc(to_local(time, zone), zone)[0], to_utc(to_local(time, zone), zone, second=True)[0])


def test_offsets_are_zones() -> None:
    assert [named(zone) for zone in ("UTC+01:00", "-0330", "+00:00", "pytz.FixedOffset(90)")] == [
        "+01:00",
        "-03:30",
        "UTC",
        "+01:30",
    ]
    assert to_local(np.array(["2024-01-01"], "datetime64[s]"), "-03:30")[0] == np.datetime64("2023-12-31T20:30")
    with pytest.raises(InputError, match="there is no time zone 'Europe/Bärlin': expected one such as"):
        named("Europe/Bärlin")
    with pytest.raises(InputError, match=r"no time zone '\.\./etc'"):
        named("../etc")


FREQS = {
    "D": Spacing("day", zone="Europe/Berlin"),
    "MS": Spacing("month", zone="Europe/Berlin"),
    "ME": Spacing("month", day=31, zone="Europe/Berlin"),
    "W": Spacing("week", zone="Europe/Berlin"),
    "B": Spacing("weekday", zone="Europe/Berlin"),
    "h": Spacing("hour", zone="Europe/Berlin"),
    "15min": Spacing("minute", 15, zone="Europe/Berlin"),
    "24h": Spacing("hour", 24, zone="Europe/Berlin"),
    "QS": Spacing("quarter", zone="Europe/Berlin"),
}


LENGTHS = {"15min": 6000, "h": 1500, "QS": 40}  # over a change of the clocks, and not past 2037, where pandas has none


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
@pytest.mark.parametrize("freq", FREQS)
def test_times_of_a_zone_follow_its_clocks_and_calendar(freq: str, make: type) -> None:
    index = pd.date_range("2024-02-01", periods=LENGTHS.get(freq, 120), freq=freq, tz="Europe/Berlin")
    panel = read_panel(make({"ds": index[:-9], "y": np.arange(len(index) - 9.0)}))
    assert panel.spacing == FREQS[freq]
    assert panel.notes == ()
    ahead = panel.spacing.after(panel.series[0].times[-1], 9)
    assert_array_equal(ahead, index[-9:].tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[s]"))


CLOCKS = {"passing": "the time that passes", "first": "clocks, at the first of two", "second": "at the second"}


def by_clock(start: str, periods: int, hours: int, kind: str, zone: str = "Europe/Berlin") -> pd.DatetimeIndex:
    """Times every so many hours: that pass, or as clocks of a zone show them, which are set an hour forward or back."""
    if kind == "passing":
        return pd.date_range(start, periods=periods, freq=f"{hours}h", tz=zone)
    shown = pd.date_range(start, periods=periods, freq=f"{hours}h")
    ambiguous = np.full(len(shown), kind == "first")
    return shown.tz_localize(zone, ambiguous=ambiguous, nonexistent="shift_forward")


@pytest.mark.parametrize("kind", CLOCKS)
@pytest.mark.parametrize("hours", [2, 3, 4, 6, 8, 12])
@pytest.mark.parametrize("start", ["2024-03-20", "2024-03-20 01:00", "2024-10-17", "2024-10-17 02:00"])
def test_hours_are_of_the_clock_or_pass_as_the_times_show(start: str, hours: int, kind: str) -> None:
    index = by_clock(start, 480 // hours, hours, kind)
    panel = read_panel(pd.DataFrame({"ds": index[:-9], "y": np.arange(len(index) - 9.0)}))
    assert panel.spacing == Spacing("hour", hours, zone="Europe/Berlin", by_clock=kind != "passing")
    assert (panel.notes, len(panel.series[0])) == ((), len(index) - 9)
    ahead = panel.spacing.after(panel.series[0].times[-1], 9)
    assert_array_equal(ahead, index[-9:].tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[s]"))


@pytest.mark.parametrize("freq", [None, "6h", "360min"])
def test_times_without_a_zone_of_their_own_are_of_the_clock(freq: str | None) -> None:
    index = pd.date_range("2024-01-01", periods=400, freq="6h")
    frame = pd.DataFrame({"ds": index.astype(str), "y": np.arange(400.0)})
    for rows in (frame, frame[:100]):  # over a change of the clock, and before it
        panel = read_panel(rows, reading=Reading(freq=freq, zone="Europe/Berlin"))
        assert panel.notes == ()
        after = panel.spacing.after(panel.series[0].times[-1], 300)
        assert {panel.spacing.show(time)[11:16] for time in after} == {"00:00", "06:00", "12:00", "18:00"}


def test_hours_of_the_clock_with_gaps_are_missing_at_the_times_that_clocks_show() -> None:
    index = by_clock("2024-03-20", 80, 6, "first").delete([41, 60])
    panel = read_panel(pd.DataFrame({"ds": index, "y": np.arange(78.0)}))
    assert panel.notes == ("2 times are missing, first 2024-03-30 06:00+01:00: counted as missing values",)
    assert np.flatnonzero(np.isnan(panel.series[0].y)).tolist() == [41, 60]


def test_hours_that_are_neither_of_the_clock_nor_pass_evenly_are_refused() -> None:
    index = by_clock("2024-03-20", 80, 6, "first").to_series().reset_index(drop=True)
    index[50] += pd.Timedelta(hours=1)
    with pytest.raises(InputError, match=r"row 50 .* where most times are every 6 hours of the clock: expected one"):
        read_panel(pd.DataFrame({"ds": index, "y": np.arange(80.0)}))


def test_an_hour_shown_twice_is_not_two_steps_of_two_hours() -> None:
    index = by_clock("2024-10-20", 120, 2, "first")
    index = index.append(pd.DatetimeIndex(["2024-10-27 01:00"], tz="UTC").tz_convert("Europe/Berlin")).sort_values()
    with pytest.raises(InputError, match=r"is 2024-10-27 02:00\+01:00 after 2024-10-27 02:00\+02:00"):
        read_panel(pd.DataFrame({"ds": index, "y": np.arange(121.0)}))


def test_a_day_whose_midnight_no_clock_shows_is_a_day() -> None:
    spacing = Spacing("day", zone="America/Sao_Paulo")  # clocks went from 23:59 to 1:00 on 2018-11-04
    first = np.datetime64("2018-11-01T03:00", "s")
    times = spacing.at(first, np.arange(6))
    assert [spacing.show(time) for time in times] == [f"2018-11-0{day}" for day in (1, 2, 3)] + [
        "2018-11-04 01:00-02:00",
        "2018-11-05",
        "2018-11-06",
    ]
    assert_array_equal(spacing.steps(first, times), np.arange(6))


def hours(*clock: str) -> pl.DataFrame:
    return pl.DataFrame({"ds": list(clock), "y": np.arange(len(clock), dtype=float)})


def test_the_hour_that_clocks_show_twice_and_the_one_they_skip() -> None:
    autumn = [f"2024-10-27 {clock}" for clock in ("00:00", "01:00", "02:00", "02:00", "03:00", "04:00")]
    with pytest.raises(InputError, match="name their zone: --zone Europe/Berlin"):
        read_panel(hours(*autumn))
    panel = read_panel(hours(*autumn), reading=Reading(zone="Europe/Berlin"))
    assert (panel.notes, panel.spacing) == ((), Spacing("hour", zone="Europe/Berlin"))
    assert [panel.spacing.show(time)[11:] for time in panel.series[0].times[1:4]] == [
        "01:00+02:00",
        "02:00+02:00",
        "02:00+01:00",
    ]
    spring = [f"2024-03-31 {clock}" for clock in ("00:00", "01:00", "03:00", "04:00")]
    assert len(read_panel(hours(*spring)).series[0]) == 5  # a gap where no zone is known
    assert len(read_panel(hours(*spring), reading=Reading(zone="Europe/Berlin")).series[0]) == 4


def test_offsets_in_texts_say_the_zone(tmp_path: Path) -> None:
    index = pd.date_range("2024-03-01", periods=60, freq="D", tz="Europe/Berlin")
    frame = pl.DataFrame({"ds": [time.isoformat() for time in index], "y": np.arange(60.0)})
    panel = read_panel(frame)
    assert panel.spacing == Spacing("day", zone="Europe/Berlin")
    assert panel.notes == (
        "the offsets of the times from UTC are taken as those of Europe/Berlin: --zone names another",
    )
    assert read_panel(frame, reading=Reading(zone="Europe/Rome")).spacing.zone == "Europe/Rome"


def test_what_zone_offsets_are_of() -> None:
    times = np.array(["2024-01-01", "2024-07-01"], "datetime64[s]")
    assert zone_with(times, np.array([3600, 3600])) == "+01:00"
    assert zone_with(times, np.array([0, 0])) == "UTC"
    assert zone_with(times, np.array([-18_000, -14_400])) == "America/New_York"
    assert zone_with(times, np.array([60, 120])) is None


def test_calendars_are_those_of_the_clocks() -> None:
    midnight = np.array(["2024-07-01T22:00"], "datetime64[s]")
    names, features = Spacing("hour", zone="Europe/Berlin").calendar(midnight)
    assert dict(zip(names, features[0], strict=True))["cos(day)"] == 1
