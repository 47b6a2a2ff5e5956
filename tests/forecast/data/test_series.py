"""Panels: rows become series; what is doubtful is said, what is ambiguous refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal

from gatework import InputError
from gatework.forecast.data.series import Columns, Panel, Spacing, read_panel

AIR = Path(__file__).parents[3] / "examples" / "air_passengers.csv"
NAN = np.nan


def table(text: str, folder: Path) -> Path:
    """A CSV file of the lines of a text."""
    path = folder / "sales.csv"
    path.write_text("\n".join(line.strip() for line in text.strip().splitlines()) + "\n")
    return path


def months(count: int, first: str = "2020-01") -> list[str]:
    return [str(month) for month in np.datetime64(first) + np.arange(count)]


def monthly(**columns: Any) -> pl.DataFrame:
    count = len(next(iter(columns.values())))
    return pl.DataFrame({"ds": months(count), **columns})


def test_the_air_passengers_of_the_examples() -> None:
    panel = read_panel(AIR)
    (series,) = panel.series
    assert panel.spacing == Spacing("month")
    assert panel.notes == ()
    assert panel.columns == Columns(id=None)
    assert (series.id, len(series), series.y[0], series.y[-1], series.y.sum()) == ("y", 144, 112, 432, 40363)
    assert (series.times[0], series.times[-1]) == (np.datetime64("1949-01"), np.datetime64("1960-12"))
    assert series.known.shape == (144, 0)
    assert series.past.shape == (144, 0)
    assert series.static.shape == (0,)
    assert panel.describe() == "1 series of 144 values, monthly, 1949-01 to 1960-12"


def test_many_series_keep_the_order_of_their_appearance(tmp_path: Path) -> None:
    text = "unique_id,ds,y\n" + "".join(f"{id},{ds},{i}\n" for i, ds in enumerate(months(5)) for id in ("b", "a", "10"))
    panel = read_panel(table(text + "a,2020-06,5\n", tmp_path))
    assert [each.id for each in panel.series] == ["b", "a", "10"]
    assert [len(each) for each in panel.series] == [5, 6, 5]
    assert_array_equal(panel.series[1].y, np.arange(6))
    assert panel.notes == ()
    assert panel.describe() == "3 series of 5 to 6 values, monthly, 2020-01 to 2020-06"


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_frames_give_what_files_do(make: Any) -> None:
    frame = make({"unique_id": ["a"] * 3, "ds": pd.date_range("2020-01-01", periods=3), "y": [1, 2, 3]})
    panel = read_panel(frame)
    assert panel.spacing == Spacing("day")
    assert_array_equal(panel.series[0].y, [1, 2, 3])


def test_a_table_without_times_counts_its_rows() -> None:
    panel = read_panel(pl.DataFrame({"unique_id": list("abab"), "y": [1, 2, 3, 4]}))
    assert panel.spacing == Spacing("step")
    assert panel.columns.time is None
    assert_array_equal(panel.series[1].times, [1, 2])
    assert_array_equal(panel.series[1].y, [2, 4])
    assert panel.notes == ("no column of dates: the rows are counted, in their order",)


def test_the_one_column_of_dates_is_the_time(tmp_path: Path) -> None:
    panel = read_panel(table("month,sales\n2020-01,1\n2020-02,2", tmp_path), Columns(target="sales"))
    assert panel.columns.time == "month"
    assert panel.notes == ("column 'month' holds the times",)
    assert panel.series[0].id == "sales"
    with pytest.raises(InputError, match="several columns of dates, 'from', 'to': say which is the time"):
        read_panel(table("from,to,y\n2020-01,2020-02,1\n2020-02,2020-03,1", tmp_path))


def test_gaps_are_named_and_filled_as_missing(tmp_path: Path) -> None:
    panel = read_panel(table("ds,y\n2020-01,1\n2020-02,2\n2020-03,\n2020-05,5\n2020-06,6", tmp_path))
    assert_array_equal(panel.series[0].y, [1, 2, NAN, NAN, 5, 6])
    assert panel.series[0].times[3] == np.datetime64("2020-04")
    assert panel.notes == (
        "1 time is missing, first 2020-04: counted as missing values",
        "1 of 5 values of y are missing: they are left out, not invented",
    )


def test_gaps_of_many_series_are_told_together() -> None:
    frame = pl.DataFrame(
        {"unique_id": list("aaabbbcc"), "ds": [1, 2, 3, 1, 2, 5, 1, 3], "y": np.arange(8.0)},
    )
    notes = read_panel(frame).notes
    assert notes[0] == "3 times are missing in 2 of 3 series, first 3 of 'b': counted as missing values"


def test_unsorted_rows_are_sorted_and_said(tmp_path: Path) -> None:
    panel = read_panel(table("ds,y\n2020-03,3\n2020-01,1\n2020-02,2", tmp_path))
    assert_array_equal(panel.series[0].y, [1, 2, 3])
    assert panel.notes == ("the rows were not in the order of time, first at line 3: they were sorted",)


def test_rows_given_twice_count_once(tmp_path: Path) -> None:
    panel = read_panel(table("ds,y\n2020-01,1\n2020-02,2\n2020-02,2\n2020-03,3", tmp_path))
    assert_array_equal(panel.series[0].y, [1, 2, 3])
    assert panel.notes == ("1 row is given twice, first at line 4: counted once",)


def test_a_series_without_any_value_is_named_and_left_out() -> None:
    frame = pl.DataFrame({"unique_id": list("aabbcc"), "ds": [1, 2] * 3, "y": [1.0, 2, NAN, NAN, 5, 6]})
    panel = read_panel(frame)
    assert [each.id for each in panel.series] == ["a", "c"]
    assert panel.empty == ("b",)
    assert panel.notes == ("1 of 3 series ('b') has no value of y: not forecast until one comes",)


def test_a_series_ends_with_its_last_value() -> None:
    panel = read_panel(monthly(y=[NAN, 1, NAN, 3, NAN, NAN], price=[9, 1, 2, 3, 4, 5]), Columns(known=("price",)))
    (series,) = panel.series
    assert_array_equal(series.y, [1, NAN, 3])
    assert series.times[0] == np.datetime64("2020-02")
    assert_array_equal(series.known[:, 0], [1, 2, 3, 4, 5])


def test_columns_of_every_kind() -> None:
    frame = pl.DataFrame(
        {
            "unique_id": list("aaabbb"),
            "ds": months(3) * 2,
            "y": np.arange(6.0),
            "price": [1, 2, 3, 4, 5, 6],
            "holiday": [None, "Easter", "Christmas", None, None, "Easter"],
            "visits": [1.0, None, 3, 4, 5, 6],
            "region": list("nnnsss"),
            "size": [7, 7, 7, 8, 8, 8],
        }
    )
    columns = Columns(known=("price", "holiday"), past=("visits",), static=("region", "size"))
    panel = read_panel(frame, columns)
    a, b = panel.series
    assert panel.columns.categories == {"holiday": ("Christmas", "Easter"), "region": ("n", "s")}
    assert panel.columns.features("known") == ("price", "holiday=Christmas", "holiday=Easter")
    assert_array_equal(a.known, [[1, 0, 0], [2, 0, 1], [3, 1, 0]])
    assert_array_equal(a.past[:, 0], [1, NAN, 3])
    assert_array_equal(a.static, [1, 0, 7])
    assert_array_equal(b.static, [0, 1, 8])
    assert Columns.from_json(panel.columns.to_json()) == panel.columns


def go_on(source: Any, panel: Panel) -> Panel:
    return read_panel(source, panel.columns, spacing=panel.spacing, going_on=True)


def test_a_run_goes_on_with_rows_of_any_number() -> None:
    begun = read_panel(monthly(y=[1.0, 2, 3], price=[1, 2, 3]), Columns(known=("price",)))
    assert begun.columns.id is None
    one = go_on(pl.DataFrame({"ds": ["2020-04"], "y": [4], "price": [4]}), begun)
    assert_array_equal(one.series[0].y, [4])
    future = go_on(pl.DataFrame({"ds": ["2020-04", "2020-05"], "price": [4, 5]}), begun)
    assert_array_equal(future.series[0].y, [NAN, NAN])
    assert_array_equal(future.series[0].known[:, 0], [4, 5])
    both = go_on(pl.DataFrame({"ds": ["2020-04", "2020-06"], "y": [4.0, None], "price": [4, 6]}), begun)
    assert_array_equal(both.series[0].y, [4, NAN, NAN])
    assert_array_equal(both.series[0].known[:, 0], [4, NAN, 6])


def test_a_run_that_goes_on_knows_its_columns_and_times() -> None:
    begun = read_panel(monthly(y=[1.0, 2, 3], holiday=["a", "", "b"]), Columns(known=("holiday",)))
    with pytest.raises(InputError, match=r"has no column 'holiday': the columns there are 'ds', 'y'"):
        go_on(pl.DataFrame({"ds": ["2020-04"], "y": [4]}), begun)
    with pytest.raises(InputError, match="has no column 'ds'"):
        go_on(pl.DataFrame({"y": [4], "holiday": ["a"]}), begun)
    with pytest.raises(InputError, match="the times of the table are whole numbers, where those before were dates"):
        go_on(pl.DataFrame({"ds": [4], "y": [4], "holiday": ["a"]}), begun)
    with pytest.raises(InputError, match="are of the zone \\+02:00, where those before had none: give them without"):
        go_on(pl.DataFrame({"ds": ["2020-04-01T00:00+02:00"], "y": [4], "holiday": ["a"]}), begun)
    new = go_on(pl.DataFrame({"ds": [202004], "y": [4], "holiday": ["c"]}), begun)
    assert_array_equal(new.series[0].known, [[0, 0]])
    assert new.series[0].times[0] == np.datetime64("2020-04")
    assert new.notes[-1] == "holiday 'c' was not there in training, and counts as none"


@pytest.mark.parametrize("columns", [Columns(), Columns(time="month"), Columns(past=("price",))])
def test_the_only_column_of_numbers_is_the_target(columns):
    price = [3, 4] if columns.past else ["low", "high"]
    panel = read_panel({"month": ["2020-01", "2020-02"], "price": price, "sales": [1.0, 2.0]}, columns)
    assert panel.columns.target == "sales"
    assert "column 'sales' holds the values" in panel.notes
    assert_array_equal(panel.series[0].y, [1, 2])


BAD = {
    "no target": ("ds,a,b\n2020-01,1,2", Columns(), "has no column 'y': the columns there are 'ds', 'a', 'b'"),
    "no numbers": ("ds,sales\n2020-01,x", Columns(), "has no column 'y': the columns there are 'ds', 'sales'"),
    "no named target": ("ds,sales\n2020-01,1", Columns(target="z"), "has no column 'z'"),
    "no time": ("ds,y\n2020-01,1", Columns(time="month"), "has no column 'month': the columns there are 'ds', 'y'"),
    "no id": ("ds,y\n2020-01,1", Columns(id="shop"), "has no column 'shop'"),
    "no known": ("ds,y\n2020-01,1", Columns(known=("price",)), "has no column 'price'"),
    "text": ("ds,y\n2020-01,1\n2020-02,n.b.", Columns(), "line 3: y is 'n.b.': expected a number"),
    "typo in a known column": (
        "ds,y,p\n1,1,1\n2,2,2\n3,3,3x",
        Columns(known=("p",)),
        "line 4: p is '3x': expected a number",
    ),
    "infinite": ("ds,y\n2020-01,1\n2020-02,inf", Columns(), "line 3: y is infinite"),
    "no date": ("ds,y\n2020-01,1\n2020-00,1", Columns(), "line 3: ds is '2020-00': expected a date like '2020-01'"),
    "doubled": (
        "ds,y\n2020-01,1\n2020-02,2\n2020-01,3",
        Columns(),
        "line 4: the time 2020-01-01 is there already, with other values, at line 2: keep one of them",
    ),
    "series not told apart": (
        "ds,y,shop\n2020-01,1,a\n2020-01,2,b",
        Columns(),
        "or name the column that tells series apart: there are also 'shop'",
    ),
    "doubled in a series": (
        "unique_id,ds,y\na,2020-01,1\nb,2020-01,1\na,2020-01,3",
        Columns(),
        "line 4: the time 2020-01-01 of 'a' is there already",
    ),
    "no name": ("unique_id,ds,y\na,2020-01,1\n,2020-01,1", Columns(), "line 3: unique_id is missing"),
    "one time": ("ds,y\n2020-01,1", Columns(), "one time for each series: expected several"),
    "no value": ("unique_id,ds,y\na,1,\na,2,\nb,1,\nb,2,", Columns(), "the series 'a' has no value of y"),
    "static changes": (
        "unique_id,ds,y,size\na,1,1,7\na,2,2,8",
        Columns(static=("size",)),
        "line 3: size changes within the series 'a': expected one value for each series",
    ),
    "odd day": (
        "ds,y\n2020-01-01,1\n2020-01-02,1\n2020-01-03,1\n2020-01-03 12:00,1",
        Columns(),
        "line 5: ds is 2020-01-03 12:00 after 2020-01-03, where most times are daily: expected one spacing",
    ),
    "wrong year": (
        "ds,y\n2020-01-01,1\n2020-01-02,1\n2202-01-03,1",
        Columns(),
        "line 4: ds goes from 2020-01-02 to 2202-01-03 in the series 'y', where times are daily: 66,474 would be",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_tables_are_refused_with_their_place(case: str, tmp_path: Path) -> None:
    text, columns, said = BAD[case]
    with pytest.raises(InputError) as error:
        read_panel(table(text, tmp_path), columns)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def spaced(*dates: list[Any]) -> pl.DataFrame:
    times = np.concatenate([np.array(part, "datetime64[us]") for part in dates])
    return pl.DataFrame({"ds": times, "y": np.arange(len(times), dtype=float)})


DAYS = np.datetime64("2020-01-01") + np.arange(30)


@pytest.mark.parametrize(
    "frame",
    [
        spaced(DAYS, DAYS[-1] + 7 * np.arange(1, 12)),
        spaced(DAYS, DAYS[-1] + 2 * np.arange(1, 12)),
        spaced(["2019-01", "2019-02", "2019-03", "2019-04", "2019-05", "2019-06"], DAYS[:20]),
    ],
    ids=["days then weeks", "days then every second", "months then days"],
)
def test_two_spacings_are_refused(frame: pl.DataFrame) -> None:
    with pytest.raises(InputError, match="where most times are daily: expected one spacing"):
        read_panel(frame)


def test_a_series_of_another_spacing_is_refused() -> None:
    daily = spaced(DAYS).with_columns(unique_id=pl.lit("daily"))
    weekly = spaced(DAYS[0] + 7 * np.arange(8)).with_columns(unique_id=pl.lit("weekly"))
    with pytest.raises(InputError, match=r"row 31 .* where most times are daily: expected one spacing"):
        read_panel(pl.concat([daily, weekly]))


def test_single_days_that_are_missing_are_no_second_spacing() -> None:
    kept = np.random.default_rng(0).random(30) < 0.6
    panel = read_panel(spaced(DAYS[kept | (np.arange(30) % 29 == 0)]))
    assert panel.spacing == Spacing("day")
    assert len(panel.series[0]) == 30


def test_a_column_of_too_many_texts_is_refused() -> None:
    frame = monthly(y=np.arange(300.0), note=[f"note {i}" for i in range(300)])
    with pytest.raises(InputError, match="holds 300 different texts, such as 'note 0': expected numbers, or 100"):
        read_panel(frame, Columns(known=("note",)))


def test_a_column_is_one_thing_only() -> None:
    with pytest.raises(InputError, match="the column 'y' is given twice"):
        Columns(known=("y",))
    with pytest.raises(InputError, match="the column 'price' is given twice"):
        replace(Columns(known=("price",)), past=("price",))


def test_thousands_of_series_keep_their_values() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(2000, 20))
    frame = pl.DataFrame(
        {"unique_id": np.repeat(np.arange(2000), 20), "ds": np.tile(np.arange(20), 2000), "y": values.ravel()}
    )
    shuffled = frame.sample(fraction=1, shuffle=True, seed=2)
    panel = read_panel(shuffled)
    assert len(panel) == 2000
    assert_array_equal(np.stack([each.y for each in sorted(panel.series, key=lambda each: int(each.id))]), values)


def test_rows_before_the_first_value_are_left_out_with_a_note() -> None:
    panel = read_panel(pl.DataFrame({"ds": [1, 2, 3, 4, 5], "y": [None, None, 3.0, 4.0, 5.0]}))
    assert panel.series[0].times.tolist() == [3, 4, 5]
    assert panel.notes == ("2 rows are without y before the first value: left out",)
