"""CSV and Parquet files, spreadsheets, and frames of pandas, polars and pyarrow, to tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from gatework.errors import InputError
from gatework.files.encoding import check_encoding
from gatework.files.parquet import read_parquet
from gatework.files.reading import sources
from gatework.forecast.data.delimited import csv_table
from gatework.forecast.data.excel import sheet_table
from gatework.forecast.data.files import Stored
from gatework.forecast.data.frames import frame_table
from gatework.forecast.data.frequency import spacing_of
from gatework.forecast.data.numerals import Mark
from gatework.forecast.data.table import Table
from gatework.forecast.data.zones import named


@dataclass(frozen=True)
class Reading:
    """How to read a table; every field is a JSON value, None to detect it from the table.

    encoding: of a CSV file's characters, such as latin-1; by default UTF-8, or what its byte order mark says.
    decimal: the mark before decimals, "." or ",". sheet: of a spreadsheet, by name.
    freq: the spacing of times, such as D, MS or 15min. zone: the time zone of times that name none, such as
        Europe/Berlin; times that have one are converted to this one.
    """

    encoding: str | None = None
    decimal: Mark | None = None
    sheet: str | None = None
    freq: str | None = None
    zone: str | None = None

    def __post_init__(self) -> None:
        if self.encoding is not None:
            check_encoding(self.encoding)
        if self.decimal not in (None, ".", ","):
            raise InputError(f'decimal is {self.decimal!r}: expected "." or ",", the mark before decimals')
        if self.freq is not None:
            spacing_of(self.freq)
        if self.zone is not None:
            object.__setattr__(self, "zone", named(self.zone))

    def to_json(self) -> dict[str, Any]:
        """The fields as a dict for json."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Reading:
        """What `to_json` gave."""
        return cls(**values)


AS_IT_IS = Reading()


def read_table(source: Any, reading: Reading = AS_IT_IS, *, target: str = "y", id: str = "unique_id") -> Table:
    """Reads a table: the path of a file, "-" for standard input, or a frame that narwhals knows, or what is like one.

    A file is CSV (a first line of names, fields separated by the one of , ; tab | that this line has most of), as it
    is or packed by gzip or zip, or Parquet, or a spreadsheet. target, id: the columns of a series or an array.
    Raises InputError for what cannot be read, naming the line.
    """
    if isinstance(source, str | Path):
        table = _file_table(source, reading)
    else:
        table = frame_table(source, "the table", target, id)
    if not len(table):
        raise InputError(f"{table.name} has no rows: expected a line of names and a row for each time")
    return replace(table, decimal=reading.decimal)


def _file_table(path: str | Path, reading: Reading) -> Table:
    """Reads a CSV or a Parquet file, or a spreadsheet."""
    if Path(path).is_dir():
        raise InputError(f"{path} is a folder: name one file, CSV or Parquet")
    with sources(path) as (source,):
        stored = Stored(source.path, source.name)
        match stored.kind:
            case "parquet":
                return frame_table(read_parquet(source.path, source.name), source.name)
            case "spreadsheet":
                return sheet_table(source.path, source.name, reading.sheet)
        return csv_table(stored.lines(reading.encoding), source.name)
