"""CSV and Parquet files, and frames of pandas, polars and pyarrow, to tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import narwhals as nw
import numpy as np

from gatework.data.reading import blamed, sources
from gatework.data.table import Column, Table
from gatework.errors import InputError

DELIMITERS = ",;\t|"
PARQUET = b"PAR1"
BACKENDS: tuple[Literal["polars", "pyarrow", "pandas"], ...] = ("polars", "pyarrow", "pandas")


def read_table(source: Any) -> Table:
    """Reads a table: the path of a CSV or Parquet file, "-" for standard input, or a frame that narwhals knows.

    CSV: UTF-8, a first line of names, fields separated by the one of , ; tab | that this line has most of.
    Raises InputError for what cannot be read, naming the line.
    """
    table = file_table(source) if isinstance(source, str | Path) else frame_table(source, "the table")
    if not len(table):
        raise InputError(f"{table.name} has no rows: expected a line of names and a row for each time")
    return table


def file_table(path: str | Path) -> Table:
    """Reads a CSV or a Parquet file."""
    if Path(path).is_dir():
        raise InputError(f"{path} is a folder: name one file, CSV or Parquet")
    with sources(path) as (source,):
        with blamed("read", source.name):
            data = source.path.read_bytes()
        if data.startswith(PARQUET) or source.path.suffix == ".parquet":
            return frame_table(read_parquet(source.path, source.name), source.name)
        if data.startswith(b"PK"):
            raise InputError(f"{source.name} is a spreadsheet or an archive: save it as CSV first")
        try:
            return csv_table(data.decode("utf-8-sig"), source.name)
        except UnicodeDecodeError as error:
            shown = data[error.start : error.end].hex(" ")
            raise InputError(
                f"{source.name} is not UTF-8: bytes {shown} at offset {error.start}: save it as CSV in UTF-8, or as "
                "Parquet"
            ) from None


def read_parquet(path: Path, name: str) -> nw.DataFrame[Any]:
    """Reads a Parquet file by what is installed."""
    backend = next((backend for backend in BACKENDS if find_spec(backend)), None)
    if backend is None:
        raise InputError(f"{name}: reading Parquet needs polars: pip install 'gatework[parquet]', or save it as CSV")
    try:
        return nw.read_parquet(str(path), backend=backend)
    except (OSError, MemoryError):
        raise
    except BaseException as error:  # polars' own errors are of the core, some of them panics
        if isinstance(error, KeyboardInterrupt):
            raise
        raise InputError(f"{name} is a damaged Parquet file: {' '.join(str(error).split())[:200]}") from error


def csv_table(text: str, name: str) -> Table:
    """The columns of a CSV text, all as texts: what they mean is decided where they are used."""
    header = text.lstrip().partition("\n")[0]
    delimiter = max(DELIMITERS, key=header.count)
    lines: list[int] = []
    rows: list[list[str]] = []
    with damage_named(name):
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        names = [field.strip() for field in next(filter(any, reader), [])]
        for row in reader:
            if any(row):
                check_width(name, reader.line_num, row, names)
                rows.append(row)
                lines.append(reader.line_num)
    check_names(name, names)
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return Table(name, {key: objects(fields) for key, fields in zip(names, columns, strict=True)}, tuple(lines))


@contextmanager
def damage_named(name: str) -> Iterator[None]:
    try:
        yield
    except csv.Error as error:
        raise InputError(f"{name} is no CSV file: {error}") from None


def check_width(name: str, line: int, row: Sequence[str], names: Sequence[str]) -> None:
    """Raises InputError unless a row has a field for each name."""
    if len(row) != len(names):
        raise InputError(
            f"{name}, line {line}: {len(row)} fields where the first line names {len(names)}: expected as many"
        )


def check_names(table: str, names: Sequence[str]) -> None:
    """Raises InputError for columns without a name, or of the same name."""
    if not any(names):
        raise InputError(f"{table} is empty: expected a line of names and a row for each time")
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"{table} has two columns {twice[0]!r}: give each a name of its own")


def frame_table(source: Any, name: str) -> Table:
    """The columns of a frame of pandas, polars, pyarrow or anything else that narwhals knows."""
    try:
        frame = nw.from_native(source)
    except TypeError:
        raise InputError(
            f"a table is {type(source).__name__}: expected a path, or a frame of pandas, polars or pyarrow"
        ) from None
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    if not isinstance(frame, nw.DataFrame):
        raise InputError(f"a table is {type(source).__name__}: expected a frame with columns")
    columns = {str(key): numpy_column(frame[key]) for key in frame.columns}
    index: Any = nw.maybe_get_index(frame)  # pandas keeps the dates of a series there
    if getattr(index, "dtype", np.dtype(object)).kind == "M" and (index.name or "ds") not in columns:
        columns[str(index.name or "ds")] = index.to_numpy().astype("datetime64[us]")
    return Table(name, columns)


def numpy_column(series: nw.Series[Any]) -> Column:
    """A column as float64, int64, datetime64[us] or objects."""
    dtype = series.dtype
    if dtype.is_integer() and not series.is_null().any():
        return np.asarray(series.cast(nw.Int64).to_numpy(), np.int64)
    if dtype.is_numeric() or dtype == nw.Boolean:
        return np.asarray(series.cast(nw.Float64).to_numpy(), np.float64)
    if isinstance(dtype, nw.Datetime) and dtype.time_zone is not None:
        series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    if isinstance(dtype, nw.Datetime | nw.Date):
        return np.asarray(series.cast(nw.Datetime("us")).to_numpy(), "datetime64[us]")
    missing = series.is_null().to_list()
    return objects([None if gone else str(value) for gone, value in zip(missing, series.to_list(), strict=True)])


def objects(values: Sequence[str | None]) -> Column:
    """Texts as an array of objects."""
    column = np.empty(len(values), object)
    column[:] = values
    return column
