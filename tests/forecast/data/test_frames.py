"""What is like a table: series, arrays, dicts; and spacings by name."""

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal

from gatework import InputError
from gatework.forecast.data.frequency import spacing_of
from gatework.forecast.data.reading import Reading
from gatework.forecast.data.series import Columns, Spacing, read_panel

MONTHS = [datetime(2024, month, 1) for month in (1, 2, 3)]
ONE: dict[str, Any] = {
    "a series of pandas": pd.Series([1, 2, 3], pd.DatetimeIndex(MONTHS), name="sales"),
    "a series of periods": pd.Series([1, 2, 3], pd.period_range("2024-01", periods=3, freq="M")),
    "a dict of lists": {"ds": MONTHS, "y": [1, 2, 3]},
    "a dict of texts and an array": {"ds": ["2024-01", "2024-02", "2024-03"], "y": np.array([1, 2, 3])},
    "a dict of series": {"ds": pd.Series(MONTHS), "y": pl.Series([1, 2, 3])},
    "a list of dicts": [{"ds": month, "y": value} for value, month in enumerate(MONTHS, 1)],
}
COUNTED: dict[str, Any] = {
    "an array": np.array([1, 2, 3]),
    "a series of polars": pl.Series("sales", [1, 2, 3]),
    "a series of pandas, counted": pd.Series([1, 2, 3]),
    "a dict": {"y": [1, 2, 3.0]},
    "a list of rows": [{"y": 1}, {"y": 2}, {"y": 3}],
}


@pytest.mark.parametrize("kind", ONE)
def test_what_is_like_a_table_is_read_as_one(kind: str) -> None:
    (series,) = read_panel(ONE[kind]).series
    assert_array_equal(series.y, [1, 2, 3])
    assert_array_equal(series.times, np.array(MONTHS, "datetime64[s]"))


@pytest.mark.parametrize("kind", COUNTED)
def test_without_times_rows_are_counted_and_freq_tells_their_season(kind: str) -> None:
    panel = read_panel(COUNTED[kind], Columns(target="y"))
    assert panel.spacing == Spacing("step")
    assert_array_equal(panel.series[0].y, [1, 2, 3])
    assert panel.spacing.seasons() == ()
    assert read_panel(COUNTED[kind], reading=Reading(freq="MS")).spacing.seasons() == (12,)


@pytest.mark.parametrize("numbers", [[20240101, 20240201, 20240301], [1704067200, 1706745600, 1709251200]])
def test_a_column_of_numbers_that_are_dates_is_the_time(numbers: list[int]) -> None:
    panel = read_panel({"when": numbers, "y": [1, 2, 3]})
    assert (panel.columns.time, panel.spacing.unit) == ("when", "month")


def test_a_series_is_the_target_whatever_its_name() -> None:
    assert read_panel(ONE["a series of pandas"], Columns(target="visitors")).series[0].id == "visitors"


def test_an_array_of_several_series() -> None:
    panel = read_panel(np.arange(6.0).reshape(3, 2))
    assert [each.id for each in panel.series] == ["1", "2"]
    assert_array_equal(panel.series[1].y, [1, 3, 5])


def test_missing_values_of_rows_are_missing() -> None:
    panel = read_panel([{"ds": 1, "y": 1}, {"ds": 2}, {"ds": 3, "y": None}, {"ds": 4, "y": 5.5}])
    assert_array_equal(panel.series[0].y, [1, np.nan, np.nan, 5.5])


def test_columns_of_several_dimensions_are_refused() -> None:
    with pytest.raises(InputError, match="column 'y' of the table is ndarray: expected a list of values"):
        read_panel({"y": np.zeros((2, 2))})


FREQS = {
    "D": Spacing("day"),
    "15min": Spacing("minute", 15),
    "2 h": Spacing("hour", 2),
    "B": Spacing("weekday"),
    "W-SUN": Spacing("week"),
    "MS": Spacing("month"),
    "YS": Spacing("year"),
    "1mo": Spacing("month"),
    "15m": Spacing("minute", 15),
    "100ms": Spacing("millisecond", 100),
    "monthly": Spacing("month"),
    "week": Spacing("week"),
    **{name: Spacing("month", day=31) for name in ("M", "ME")},
    **{name: Spacing("quarter") for name in ("q", "QS")},
    **{name: Spacing("quarter", day=31) for name in ("Q", "QE")},
    **{name: Spacing("year") for name in ("y", "AS")},
    **{name: Spacing("year", day=31) for name in ("Y", "YE", "A")},
}


@pytest.mark.parametrize("freq", FREQS)
def test_spacings_by_name(freq: str) -> None:
    assert spacing_of(freq) == FREQS[freq]


@pytest.mark.parametrize("freq", ["", "fortnight", "0D", "-1D", "D D", 5])
def test_names_of_no_spacing(freq: Any) -> None:
    with pytest.raises(InputError, match=r"freq is .*: expected a spacing such as D, B, W"):
        Reading(freq=freq)


def test_freq_names_the_spacing_where_times_do_not_show_it() -> None:
    with pytest.raises(InputError, match="expected several, to see how far they are apart, or --freq"):
        read_panel({"ds": ["2024-01-31"], "y": [1]})
    assert read_panel({"ds": ["2024-01-31"], "y": [1]}, reading=Reading(freq="ME")).spacing == Spacing("month", day=31)
    sparse = {"ds": ["2024-01-01", "2024-01-03", "2024-01-05", "2024-01-08"], "y": [1, 2, 3, 4]}
    assert len(read_panel(sparse, reading=Reading(freq="D")).series[0]) == 8
    with pytest.raises(InputError, match="where --freq W says that times are weekly: expected one spacing"):
        read_panel(sparse, reading=Reading(freq="W"))
