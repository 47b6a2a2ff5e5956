"""Tables: what a CSV file, a Parquet file or a frame holds, and what is refused with its place."""

import datetime
import io
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal

from gatework import InputError
from gatework.forecast.data.reading import read_table
from gatework.forecast.data.table import Table


def csv(folder: Path, text: str | bytes, name: str = "sales.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"], ids=["comma", "semicolon", "tab", "bar"])
def test_csv_with_any_delimiter(tmp_path: Path, delimiter: str) -> None:
    rows = [["ds", "a b", "y"], ["2024-01", "x, y; z", "1.5"], ["2024-02", "", "-2e3"]]
    text = "\r\n".join(delimiter.join(f'"{field}"' for field in row) for row in rows) + "\r\n\r\n"
    table = read_table(csv(tmp_path, "\ufeff" + text))
    assert list(table.columns) == ["ds", "a b", "y"]
    assert len(table) == 2
    assert_array_equal(table.numbers("y"), [1.5, -2000])
    assert table.texts("a b") == ["x, y; z", ""]
    assert table.place(1) == "line 3"


def test_a_place_is_the_line_in_the_file(tmp_path: Path) -> None:
    table = read_table(csv(tmp_path, 'name,y\n"two\nlines",1\n\nb,2\n'))
    assert [table.place(row) for row in range(2)] == ["line 3", "line 5"]


def test_blank_lines_are_skipped(tmp_path: Path) -> None:
    table = read_table(csv(tmp_path, "\n;;\nds;y\n1;2\n;\n3;4\n"))
    assert_array_equal(table.numbers("y"), [2, 4])
    assert table.place(0) == "line 4"


def test_standard_input_is_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"y\n1\n2\n")))
    assert_array_equal(read_table("-").numbers("y"), [1, 2])


FRAME = {
    "id": ["a", "b", None],
    "when": [datetime.datetime(2024, 1, day) for day in (1, 2, 3)],
    "day": [datetime.date(2024, 1, day) for day in (1, 2, 3)],
    "whole": [1, 2, 3],
    "real": [1.5, None, 2.5],
    "flag": [True, False, True],
}


@pytest.mark.parametrize(
    "make", [pd.DataFrame, pl.DataFrame, pl.LazyFrame, pa.table], ids=["pandas", "polars", "lazy", "pyarrow"]
)
def test_frames_of_every_kind(make: type) -> None:
    table = read_table(make(FRAME))
    assert table.texts("id") == ["a", "b", ""]
    assert_array_equal(table.numbers("whole"), [1, 2, 3])
    assert_array_equal(table.numbers("real"), [1.5, np.nan, 2.5])
    assert_array_equal(table.numbers("flag"), [1, 0, 1])
    days = np.array(["2024-01-01", "2024-01-02", "2024-01-03"], "datetime64[s]")
    assert_array_equal(table.times("when").times, days)
    assert_array_equal(table.times("day").times, days)
    assert table.place(1) == "row 1 (from 0)"


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_parquet_is_read_as_the_frame_it_was(make: type, tmp_path: Path) -> None:
    frame = make(FRAME)
    path = tmp_path / "sales.parquet"
    frame.to_parquet(path) if make is pd.DataFrame else frame.write_parquet(path)
    table = read_table(path)
    assert list(table.columns) == list(FRAME)
    assert_array_equal(table.numbers("real"), [1.5, np.nan, 2.5])
    assert table.times("day").times[2] == np.datetime64("2024-01-03")


def test_the_dates_that_pandas_keeps_in_the_index_are_a_column() -> None:
    index = pd.date_range("2024-01-01", periods=3, freq="MS")
    assert read_table(pd.DataFrame({"y": [1, 2, 3]}, index)).times("ds").times[2] == np.datetime64("2024-03-01")
    assert "month" in read_table(pd.DataFrame({"y": [1, 2, 3]}, index.rename("month"))).columns


def test_periods_of_pandas_are_dates() -> None:
    frame = pd.DataFrame({"ds": pd.period_range("2024-01", periods=3, freq="M"), "y": [1, 2, 3]})
    assert read_table(frame).times("ds").times[2] == np.datetime64("2024-03-01")


def test_times_with_a_zone_are_read_in_utc() -> None:
    index = pd.date_range("2024-01-01", periods=2, freq="h", tz="Europe/Paris")
    assert read_table(pd.DataFrame({"ds": index})).times("ds").times[0] == np.datetime64("2023-12-31T23:00")


@pytest.mark.parametrize("missing", ["", " ", "NA", "n/a", "NaN", "null", "None"])
def test_what_stands_for_a_missing_number(missing: str, tmp_path: Path) -> None:
    assert_array_equal(read_table(csv(tmp_path, f"y,x\n1,0\n{missing},0\n")).numbers("y"), [1, np.nan])


@pytest.mark.parametrize(
    ("fields", "numbers"),
    [
        (["12,5", "1,25", "7"], [12.5, 1.25, 7]),
        (["1,234", "0,5"], [1.234, 0.5]),
        (["1,234,567", "1,234"], [1234567, 1234]),
        (["1,234.5", "1,234"], [1234.5, 1234]),
        (["true", "FALSE"], [1, 0]),
    ],
    ids=lambda values: str(values[0]),
)
def test_numbers_as_people_write_them(fields: list[str], numbers: list[float], tmp_path: Path) -> None:
    text = "y;x\n" + "".join(f"{field};0\n" for field in fields)
    assert_array_equal(read_table(csv(tmp_path, text)).numbers("y"), numbers)


def told(table: Table, column: str) -> str:
    with pytest.raises(InputError) as error:
        table.numbers(column)
    return str(error.value)


def test_a_text_where_numbers_belong_is_named_with_its_line(tmp_path: Path) -> None:
    table = read_table(csv(tmp_path, "ds,y\n2024-01,1\n2024-02,many\n"))
    assert "sales.csv, line 3: y is 'many': expected a number" in told(table, "y")
    frame = read_table(pd.DataFrame({"y": [1, "many"]}))
    assert "the table, row 1 (from 0): y is 'many'" in told(frame, "y")


def test_a_comma_that_means_two_things_is_refused(tmp_path: Path) -> None:
    assert "line 2: y is '1,234' (is its comma a decimal point" in told(
        read_table(csv(tmp_path, "y;x\n1,234;1\n")), "y"
    )


def test_infinite_numbers_are_refused(tmp_path: Path) -> None:
    assert "line 3: y is infinite" in told(read_table(csv(tmp_path, "y,x\n1,1\n-inf,1\n")), "y")
    assert "row 1 (from 0): y is infinite" in told(read_table(pl.DataFrame({"y": [1.0, np.inf]})), "y")


def test_dates_are_no_numbers() -> None:
    assert "'ds' of the table holds dates" in told(read_table(pl.DataFrame({"ds": FRAME["day"]})), "ds")


TIMES = {
    "2024-01\n2024-13\n": "line 3: ds is '2024-13': expected a date like '2024-01'",
    "soon\nlater\n": "line 2: ds is 'soon': expected dates such as 2024-01-31",
    "1.5\n2.5\n": "line 2: ds is 1.5: expected dates such as",
    "2024-01\nNA\n": "line 3: ds is 'NA': expected a date like",
    "1\n-\n": "line 3: ds is '-': expected",
    "1\ninf\n": "line 3: ds is inf: expected dates such as",
    '2024-01\n""\n': "line 3: ds is missing: expected a time in every row",
    "1/2/2024\n1/3/2024\n": "line 2: ds is '1/2/2024', which day and month may be either way round",
}


@pytest.mark.parametrize("text", TIMES, ids=range(len(TIMES)))
def test_times_that_cannot_be_read(text: str, tmp_path: Path) -> None:
    table = read_table(csv(tmp_path, "ds,y\n" + text.replace("\n", ",0\n")))
    with pytest.raises(InputError) as error:
        table.times("ds")
    assert TIMES[text] in str(error.value)


def test_whole_numbers_are_times_to_the_last_digit(tmp_path: Path) -> None:
    numbers = [2**62 + 1, 2**62 + 2]
    for table in (
        csv(tmp_path, "ds,y\n" + "".join(f"{number},0\n" for number in numbers)),
        pl.DataFrame({"ds": numbers}),
    ):
        assert read_table(table).times("ds").times.tolist() == numbers
    assert read_table(csv(tmp_path, "ds,y\n1700.0,1\n1701.0,1\n")).times("ds").times.tolist() == [1700, 1701]


def test_times_finer_than_milliseconds_are_refused() -> None:
    frame = pl.DataFrame({"ds": [datetime.datetime(2024, 1, 1), datetime.datetime(2024, 1, 1, microsecond=5)]})
    with pytest.raises(InputError, match=r"row 1 .*: ds is 2024-01-01T00:00:00.000005: expected whole milliseconds"):
        read_table(frame).times("ds")


FILES = {
    b"": "sales.csv is empty",
    b"\n\n": "sales.csv is empty",
    b"ds,y\n": "sales.csv has no rows",
    b"ds,y\n1,2,3\n": "sales.csv, line 2: 3 fields where the first line names 2",
    b"ds,y\n1,2\n3\n": "sales.csv, line 3: 1 fields where the first line names 2",
    b"y,y\n1,2\n": "sales.csv has two columns 'y'",
    b'ds,y\n"1,2\n': "sales.csv is no CSV file: unexpected end of data",
    b"ds,y\n1,gr\xfc\xdfe\n": "sales.csv is not UTF-8: bytes fc at offset 9",
    b"PK\x03\x04...": "sales.csv is damaged, or locked: File is not a zip file",
    b"PAR1nonsense": "sales.csv is a damaged Parquet file",
}


@pytest.mark.parametrize("data", FILES, ids=range(len(FILES)))
def test_files_that_are_no_table(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        read_table(csv(tmp_path, data))
    assert FILES[data] in str(error.value)
    assert "\n" not in str(error.value)


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder: name one file"):
        read_table(tmp_path)
    with pytest.raises(InputError, match=r"none\.csv does not exist"):
        read_table(tmp_path / "none.csv")


def test_what_is_no_table() -> None:
    with pytest.raises(InputError, match="a table is list: expected a path, or a frame of pandas, polars or pyarrow"):
        read_table([1, 2, 3])
    with pytest.raises(InputError, match="a table is int: expected a path"):
        read_table(3)
    with pytest.raises(InputError, match=r"a table is an array of float64, \[2, 2, 2\]: expected numbers"):
        read_table(np.zeros((2, 2, 2)))


def test_what_is_called_parquet_and_is_none_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "sales.parquet").write_text("ds,y\n2024-01,3\n")
    with pytest.raises(InputError, match=r"sales\.parquet is a damaged Parquet file"):
        read_table(tmp_path / "sales.parquet")


def test_parquet_without_a_reader_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("gatework.files.parquet.find_spec", {}.get)
    with pytest.raises(InputError, match=r"pip install 'gatework\[parquet\]'"):
        read_table(csv(tmp_path, b"PAR1"))


def test_a_column_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no column 'sales': the columns there are 'ds', 'y'"):
        read_table(csv(tmp_path, "ds,y\n1,2\n")).column("sales")
