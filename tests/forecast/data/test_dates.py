"""Dates as people write them."""

from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatework.forecast.data.dates import AmbiguousDateError, NoDateError, compact_dates, read_dates, whole_dates

FORMS = {  # that leave no doubt which is the day
    "iso": "%Y-%m-%d %H:%M:%S",
    "parts": "%Y-%m-%dT%H:%M:%S.000",
    "halves": "%Y-%m-%d %I:%M:%S %p",
    "dots": "%d.%m.%Y %H:%M",
    "words": "%d %B %Y %I:%M %p",
    "short": "%b %d, %Y",
}

READ = [
    (["2024-01-31", "2024-02-01"], ["2024-01-31", "2024-02-01"]),
    (["2024-01", "2024-02"], ["2024-01-01", "2024-02-01"]),
    (["2024-01-31 13:00", "2024-01-31 14:00"], ["2024-01-31T13", "2024-01-31T14"]),
    (["2024-01-31T13:00:00Z", "2024-01-31T15:00:00+01:00"], ["2024-01-31T13", "2024-01-31T14"]),
    (["31.1.2024", "1.2.2024"], ["2024-01-31", "2024-02-01"]),
    (["31.01.2024 13:00", "01.02.2024 14:30"], ["2024-01-31T13", "2024-02-01T14:30"]),
    (["1/30/2024", "1/31/2024", "2/1/2024"], ["2024-01-30", "2024-01-31", "2024-02-01"]),
    (["30/1/2024", "31/1/2024", "1/2/2024"], ["2024-01-30", "2024-01-31", "2024-02-01"]),
    (["2024/01/31", "2024/02/01"], ["2024-01-31", "2024-02-01"]),
    (["Jan 2024", "Feb 2024"], ["2024-01-01", "2024-02-01"]),
    (["January 2024", "May 2024"], ["2024-01-01", "2024-05-01"]),
    (["31 Jan 2024", "1 Feb 2024"], ["2024-01-31", "2024-02-01"]),
    (["2024-Q1", "2024Q4"], ["2024-01-01", "2024-10-01"]),
    (["Q1 2024", "Q2 2024"], ["2024-01-01", "2024-04-01"]),
    (["2024-W01", "2024-W02"], ["2024-01-01", "2024-01-08"]),
    (["2024M01", "2024M02"], ["2024-01-01", "2024-02-01"]),
    (["2024-01-31 12:00 AM", "2024-01-31 1:30 PM"], ["2024-01-31T00", "2024-01-31T13:30"]),
    (["1/30/2024 1:05:00 pm", "1/31/2024 12:05:00 a.m."], ["2024-01-30T13:05", "2024-01-31T00:05"]),
    (["31.1.2024 1PM", "1.2.2024 2PM"], ["2024-01-31T13", "2024-02-01T14"]),
    (["31 Jan 2024 13:00", "1 Feb 2024"], ["2024-01-31T13", "2024-02-01"]),
    (["Jan-18", "Feb-18"], ["2018-01-01", "2018-02-01"]),
    (["31-Dec-99", "01-Jan-00"], ["1999-12-31", "2000-01-01"]),
    (["2024-01-31T13:00:00.000", "2024-01-31T14:00:00.000"], ["2024-01-31T13", "2024-01-31T14"]),
    (["2024-01-31 13:00:00.250", "2024-01-31 13:00:00.500"], ["2024-01-31T13:00:00.250", "2024-01-31T13:00:00.500"]),
    (["31.01.2024 13:00:00,5", "31.01.2024 13:00:01"], ["2024-01-31T13:00:00.500", "2024-01-31T13:00:01"]),
    (["2024-01-31 13:00 +0100", "2024-01-31 14:00 +0100"], ["2024-01-31T12", "2024-01-31T13"]),
    (["2024-01-31 13:00 UTC", "2024-01-31 14:00 UTC"], ["2024-01-31T13", "2024-01-31T14"]),
    (["2024-01-31 13:00:00-03:30", "2024-01-31 14:00:00-03:30"], ["2024-01-31T16:30", "2024-01-31T17:30"]),
    (["Wed, 31 Jan 2024", "Thu, 01 Feb 2024"], ["2024-01-31", "2024-02-01"]),
]


@pytest.mark.parametrize(("texts", "meant"), READ, ids=[texts[0] for texts, _ in READ])
def test_dates_are_read(texts: list[str], meant: list[str]) -> None:
    assert (read_dates(texts).times == np.array(meant, "datetime64[ms]")).all()


def test_day_and_month_are_told_apart_by_what_follows_evenly() -> None:
    months = [f"{month}/1/{year}" for year in (2023, 2024) for month in range(1, 13)]
    read = read_dates(months)
    assert (read.times == np.arange("2023-01", "2025-01", dtype="datetime64[M]").astype("datetime64[s]")).all()
    assert "month first" in read.note
    turned = read_dates([f"1/{month}/{year}" for year in (2023, 2024) for month in range(1, 13)])
    assert (turned.times == read.times).all()
    assert "day first" in turned.note


def test_dates_that_may_be_either_way_round_are_refused() -> None:
    with pytest.raises(AmbiguousDateError):
        read_dates(["1/2/2024", "1/3/2024", "1/4/2024"])


def test_the_text_that_is_no_date_is_named() -> None:
    with pytest.raises(NoDateError) as found:
        read_dates(["2024-01", "2024-13", "2024-02"])
    assert (found.value.index, found.value.like) == (1, "2024-01")
    with pytest.raises(NoDateError) as found:
        read_dates(["soon", "later"])
    assert (found.value.index, found.value.like) == (0, None)


@pytest.mark.parametrize("text", ["2024-01-31 13:00:00.0005", "2024-02-30", "31.1.24", "99"])
def test_what_is_no_date_of_a_series(text: str) -> None:
    with pytest.raises(NoDateError):
        read_dates([text])


def test_whole_numbers_are_dates_where_they_are_written_so() -> None:
    months = compact_dates(np.array([202311, 202312, 202401]))
    assert months is not None
    assert (months.times == np.array(["2023-11", "2023-12", "2024-01"], "datetime64[s]")).all()
    assert "202311" in months.note
    days = compact_dates(np.array([20240131, 20240201]))
    assert days is not None
    assert (days.times == np.array(["2024-01-31", "2024-02-01"], "datetime64[s]")).all()


@pytest.mark.parametrize("numbers", [[1, 2, 3], [1949, 1950], list(range(200001, 200012)), [0, 3600, 7200]])
def test_other_whole_numbers_only_count(numbers: list[int]) -> None:
    assert compact_dates(np.array(numbers)) is None


def test_a_single_number_is_a_date_where_one_is_expected() -> None:
    assert compact_dates(np.array([202401])) is None
    expected = compact_dates(np.array([202401]), expected=True)
    assert expected is not None
    assert expected.times[0] == np.datetime64("2024-01")


EPOCHS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}


@pytest.mark.parametrize("unit", EPOCHS)
def test_numbers_that_count_from_1970_are_dates(unit: str) -> None:
    found = whole_dates((1_706_659_200 + 3600 * np.arange(3)) * EPOCHS[unit])
    assert (found.times == np.datetime64("2024-01-31T00", "s") + 3600 * np.arange(3)).all()
    assert (found.zone, found.note.endswith(f"are read as {unit} since 1970")) == ("UTC", True)


def test_milliseconds_in_nanoseconds_are_kept() -> None:
    found = whole_dates((1_706_659_200_000 + np.arange(5)) * 10**6)
    assert (found.times == np.datetime64("2024-01-31T00", "ms") + np.arange(5)).all()


def test_whole_numbers_that_count_stay_where_they_are_known_to() -> None:
    numbers = 1_706_659_200 + np.arange(3)
    assert (whole_dates(numbers, dated=False).times == numbers).all()


def test_hours_in_one_number() -> None:
    found = whole_dates(np.array([2024013123, 2024020100]))
    assert (found.times == np.array(["2024-01-31T23", "2024-02-01T00"], "datetime64[s]")).all()


def test_a_year_of_two_digits_is_told() -> None:
    assert read_dates(["Jan-18", "Feb-18"]).note == "dates such as Jan-18 are read as 2018-01-01"


@given(st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2199, 1, 1)), min_size=1), st.sampled_from(sorted(FORMS)))
def test_dates_written_in_a_form_are_read_back(dates: list[datetime], form: str) -> None:
    written = [date.strftime(FORMS[form]) for date in dates]
    meant = [datetime.strptime(text, FORMS[form]) for text in written]
    assert (read_dates(written).times == np.array(meant, "datetime64[ms]")).all()


@pytest.mark.parametrize(
    "texts",
    [["2024-01-31 13:00 PM"], ["2024-01-31 0:30 AM"], ["2024-01-31 25:00"], ["2024-01-01T00:00Z", "2024-01-02T00:00"]],
)
def test_clocks_that_are_none(texts: list[str]) -> None:
    with pytest.raises(NoDateError):
        read_dates(texts)
