"""Frames of pandas, polars and pyarrow, series, arrays and dicts to tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt

from gatework.errors import InputError
from gatework.forecast.data.table import Stamp, Table
from gatework.forecast.data.texts import Column, objects
from gatework.forecast.data.zones import named

EXPECTED = (
    "expected a path, or a frame of pandas, polars or pyarrow, one of their series, an array of one series [T] or of k "
    "[T,k], a dict of columns, or a list of dicts"
)


def frame_table(source: Any, name: str, target: str = "y", id: str = "unique_id") -> Table:
    """The columns of a frame of pandas, polars, pyarrow or anything else that narwhals knows, or of what is like one.

    target: the name of the values in a series and an array, which have none. id: that of the series in an array of
    several, which are called by their number, from 1.
    """
    if isinstance(source, np.ndarray):
        return Table(name, _array_columns(source, target, id))
    if isinstance(source, Mapping):
        return Table(name, {str(key): _given_column(values, str(key)) for key, values in source.items()})
    if isinstance(source, Sequence) and source and all(isinstance(row, Mapping) for row in source):
        keys = dict.fromkeys(key for row in source for key in row)
        return Table(name, {str(key): _given_column([row.get(key) for row in source], str(key)) for key in keys})
    try:
        native = nw.from_native(source, allow_series=True)
    except TypeError:
        raise InputError(f"a table is {type(source).__name__}: {EXPECTED}") from None
    if isinstance(native, nw.LazyFrame):
        native = native.collect()
    frame = native.alias(target).to_frame() if isinstance(native, nw.Series) else native
    columns = {str(key): _numpy_column(frame[key]) for key in frame.columns}
    stamps = {str(key): stamp for key in frame.columns if (stamp := _stamp_of(frame[key].dtype))}
    index: Any = nw.maybe_get_index(native)  # pandas keeps the dates of a series there
    of_index = str(getattr(index, "name", None) or "ds")
    if index is not None and of_index not in columns and _holds_times(index):
        made = nw.from_native(index.to_series(), series_only=True)
        columns[of_index] = _numpy_column(made)
        if stamp := _stamp_of(made.dtype):
            stamps[of_index] = stamp
    return Table(name, columns, stamps=stamps)


def _holds_times(index: Any) -> bool:
    """Whether an index of pandas holds dates or periods."""
    return str(index.dtype).startswith(("datetime64", "period"))


def _array_columns(values: npt.NDArray[Any], target: str, id: str) -> dict[str, Column]:
    """An array [T] of one series, or [T,k] of k side by side, as columns."""
    if values.dtype.kind not in "biuf" or values.ndim not in (1, 2):
        raise InputError(f"a table is an array of {values.dtype}, {list(values.shape)}: expected numbers [T] or [T,k]")
    if values.ndim == 1:
        return {target: np.asarray(values, np.float64)}
    T, k = values.shape
    names = np.repeat(np.arange(1, k + 1), T)
    return {id: names, target: np.asarray(values.T.reshape(-1), np.float64)}


def _given_column(values: Any, name: str) -> Column:
    """A column of a dict: a list, an array or a series."""
    with suppress(TypeError):
        return _numpy_column(nw.from_native(values, series_only=True))
    array = np.asarray(values)
    if array.ndim != 1:
        raise InputError(f"column {name!r} of the table is {type(values).__name__}: expected a list of values")
    if array.dtype.kind in "biuf":
        return array.astype(np.int64 if array.dtype.kind in "iu" else np.float64)
    if array.dtype.kind == "M":
        return array.astype("datetime64[us]")
    return _of_objects(list(values))


def _of_objects(values: Sequence[Any]) -> Column:
    """Python's own values: as numbers where all are such, or missing; otherwise as texts."""
    there = [value for value in values if value is not None]
    if there and all(isinstance(value, int | float | np.number | Decimal) for value in there):
        return np.array([np.nan if value is None else float(value) for value in values], np.float64)
    return objects([None if value is None or value != value else str(value) for value in values])  # noqa: PLR0124


def _numpy_column(series: nw.Series[Any]) -> Column:
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


def _stamp_of(dtype: Any) -> Stamp | None:
    """How a column holds dates; None for columns of other things."""
    if isinstance(dtype, nw.Datetime):
        return Stamp(dtype.time_unit, None if dtype.time_zone is None else named(dtype.time_zone))
    return Stamp("date") if dtype == nw.Date else None
