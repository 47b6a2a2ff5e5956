"""Spreadsheets to tables: the first sheet with rows, or one by name."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from datetime import date, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from gatework.errors import InputError
from gatework.forecast.data.delimited import check_names
from gatework.forecast.data.files import RATIO, UNPACKED
from gatework.forecast.data.table import Stamp, Table
from gatework.forecast.data.texts import Column, objects
from gatework.forecast.data.units import Times

Cell = Any  # what calamine gives: str, int, float, bool, date, datetime, time or timedelta; "" for nothing


def sheet_table(path: Path, name: str, sheet: str | None = None) -> Table:
    """The columns of a sheet of an .xlsx, .xlsb, .xls or .ods file; the first row of several cells has the names.

    sheet: its name; by default the first that holds more than one row. Raises InputError for what cannot be read.
    """
    if not find_spec("python_calamine"):
        raise InputError(
            f"{name}: reading spreadsheets needs calamine: pip install 'gatework[excel]', or save it as CSV"
        )
    _check_size(path, name)
    calamine: Any = import_module("python_calamine")
    try:
        with calamine.CalamineWorkbook.from_path(path) as book:
            names = book.sheet_names
            if sheet is not None and sheet not in names:
                raise InputError(f"{name} has no sheet {sheet!r}: the sheets there are {', '.join(map(repr, names))}")
            sheets = [(each, book.get_sheet_by_name(each)) for each in ([sheet] if sheet else names)]
            full = [(each, rows) for each, read in sheets if (rows := read.to_python(skip_empty_area=False))]
    except calamine.CalamineError as error:
        raise InputError(f"{name} is a damaged or locked spreadsheet: {' '.join(str(error).split())[:200]}") from error
    if not full:
        raise InputError(f"{name} is empty: expected a line of names and a row for each time")
    used, rows = next((each for each in full if len(_filled(each[1])) > 1), full[0])
    said = f"the sheet {used!r} is read, of {len(names):,}: --sheet names another"
    return _rows_table(rows, name, (said,) if len(full) > 1 else ())


def _filled(rows: Sequence[Sequence[Cell]]) -> list[tuple[int, Sequence[Cell]]]:
    """The rows that hold anything, numbered from 1; those before the first of several cells are titles, left out."""
    nonempty = [(number, row) for number, row in enumerate(rows, 1) if any(cell != "" for cell in row)]
    wide = [place for place, (_, row) in enumerate(nonempty) if sum(cell != "" for cell in row) > 1]
    return nonempty[wide[0] :] if wide else nonempty


def _check_size(path: Path, name: str) -> None:
    """Raises InputError where a spreadsheet says that it holds far more than its own size."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        total = sum(member.file_size for member in archive.infolist())
    if total > max(UNPACKED, RATIO * path.stat().st_size):
        raise InputError(f"{name} holds {total:,} bytes, more than {RATIO} times its size: save it as CSV first")


def _rows_table(rows: Sequence[Sequence[Cell]], name: str, notes: tuple[str, ...]) -> Table:
    """Rows of cells as columns; those without a name that hold nothing are left out, and rows of nothing."""
    nonempty = _filled(rows)
    if not nonempty:
        raise InputError(f"{name} is empty: expected a line of names and a row for each time")
    _, header = nonempty.pop(0)
    columns = list(zip(*(row for _, row in nonempty), strict=True)) or [()] * len(header)
    named = {
        place: _text(cell)
        for place, cell in enumerate(header)
        if cell != "" or any(value != "" for value in columns[place])
    }
    check_names(name, list(named.values()))
    read = {key: _cells(columns[place]) for place, key in named.items()}
    stamps = {key: Stamp() for key, column in read.items() if column.dtype.kind == "M"}
    return Table(name, read, [number for number, _ in nonempty], counts="row", points=False, stamps=stamps, notes=notes)


def _cells(values: Sequence[Cell]) -> Column:
    """A column of cells: numbers, dates, or texts where they are mixed."""
    there = [value for value in values if value != ""]
    if there and all(isinstance(value, int | float) for value in there):
        return np.array([np.nan if value == "" else value for value in values], np.float64)
    if there and all(isinstance(value, date) for value in there):
        return _snapped(np.array([None if value == "" else value for value in values], "datetime64[us]"))
    return objects([None if value == "" else _text(value) for value in values])


def _snapped(times: Times) -> Times:
    """Times to the second where they all but hit it: a spreadsheet has them as parts of a day."""
    nearest = (times + np.timedelta64(500, "ms")).astype("datetime64[s]")
    return np.where(np.abs(times - nearest) <= np.timedelta64(2, "ms"), nearest.astype(times.dtype), times)


def _text(value: Cell) -> str:
    """A cell as text; whole numbers without a decimal point."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat(" ") if isinstance(value, datetime) else str(value).strip()
