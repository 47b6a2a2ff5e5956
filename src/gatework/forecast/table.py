"""Tables in and out of a Forecaster: new rows joined to those it knows, forecasts as a frame."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any, cast

import narwhals as nw
import numpy as np
from narwhals import Implementation

from gatework.errors import InputError
from gatework.forecast.base import Numbers
from gatework.forecast.data.panel import Panel, Series
from gatework.forecast.data.reading import AS_IT_IS, Reading
from gatework.forecast.data.series import read_panel, trimmed
from gatework.forecast.data.table import Stamp
from gatework.forecast.prediction import Forecast

KINDS = ("pandas", "polars", "pyarrow")  # in the order of preference where no frame was given


def kind_of(df: Any) -> str | None:
    """Which library's frame or series this is, None for anything else."""
    frame = nw.from_native(df, pass_through=True, allow_series=True)
    return str(frame.implementation) if isinstance(frame, nw.DataFrame | nw.LazyFrame | nw.Series) else None


def installed_kind() -> str:
    """The library whose frames are returned where none was given."""
    installed = [kind for kind in KINDS if find_spec(kind)]
    if not installed:
        raise InputError(f"a table needs one of {', '.join(KINDS)}: pip install pandas, or take forecasts() instead")
    return installed[0]


def table(forecasts: Sequence[Forecast], panel: Panel, levels: Sequence[float], kind: str | None) -> Any:
    """One row for each series and step: id, time, "forecast", and "lo-80", "hi-80" for each level.

    Dates are as in the frame that the panel came from, of the same unit and time zone.
    """
    columns, stamp = panel.columns, Stamp(panel.unit, panel.spacing.zone)
    data: dict[str, Any] = {
        columns.id or "unique_id": np.repeat([each.id for each in forecasts], len(forecasts[0].times)),
        columns.time or "ds": np.concatenate([each.times for each in forecasts]),
        "forecast": np.concatenate([each.median for each in forecasts]),
    }
    for level in levels:
        bands = [each.band(level) for each in forecasts]
        data[f"lo-{level:g}"] = np.concatenate([low for low, _ in bands])
        data[f"hi-{level:g}"] = np.concatenate([high for _, high in bands])
    return frame(data, kind or installed_kind(), stamp)


def frame(data: dict[str, Any], kind: str, stamp: Stamp | None = None) -> Any:
    """Columns as a frame of one of KINDS; stamp: how it holds dates, which are in UTC where that has a zone."""
    backend: Any = Implementation.from_string(kind)
    columns = {name: _as_column(values) for name, values in data.items()}
    made = nw.from_dict(columns, backend=backend)
    dates = [name for name, values in data.items() if values.dtype.kind == "M"]
    if stamp is not None:
        made = made.with_columns(_stamped(nw.col(name), stamp, kind) for name in dates)
    return made.to_native()


def _stamped(dates: nw.Expr, stamp: Stamp, kind: str) -> nw.Expr:
    """Dates in UTC in the unit and the time zone of a stamp; those of a day alone where the frame can hold them so."""
    if stamp.unit == "date":
        return dates if kind == "pandas" else dates.cast(nw.Date)
    dates = dates.cast(nw.Datetime(cast(Any, stamp.unit)))
    if stamp.zone is None:
        return dates
    return dates.dt.replace_time_zone("UTC").dt.convert_time_zone(_zone_in(stamp.zone, kind))


def _zone_in(zone: str, kind: str) -> str:
    """The name that a library gives a zone, where it is an offset such as +01:00; polars knows whole hours alone."""
    if ":" not in zone:
        return zone
    if kind == "polars":
        hours = int(zone[:3])
        return f"Etc/GMT{-hours:+d}" if zone.endswith(":00") else "UTC"
    return f"UTC{zone}" if kind == "pandas" else zone


def _as_column(values: Any) -> Any:
    """Texts as a list, dates in a unit that every library has."""
    if values.dtype.kind == "U":
        return values.tolist()
    return values.astype("datetime64[us]") if values.dtype.kind == "M" else values


def going_on(df: Any, panel: Panel, reading: Reading = AS_IT_IS) -> Panel:
    """Reads rows that come after those of a panel; InputError for series that it has not."""
    new = read_panel(df, panel.columns, reading=reading, spacing=panel.spacing, going_on=True)
    known = {each.id for each in panel.series} | set(panel.empty)
    if unknown := [each.id for each in new.series if each.id not in known]:
        few = ", ".join(repr(each.id) for each in panel.series[:3]) + (", ..." if len(panel) > 3 else "")
        raise InputError(
            f"the series {unknown[0]!r} was not among the {len(panel):,} that were learned ({few}): train with its "
            "history, or leave its rows out"
        )
    return new if panel.columns.time is not None else _counted_on(new, panel)


def _counted_on(new: Panel, panel: Panel) -> Panel:
    """Rows without times, counted on from those before: all of them are new."""
    last = {each.id: each.times[-1] for each in panel.series}
    return replace(new, series=tuple(replace(each, times=each.times + last.get(each.id, 0)) for each in new.series))


def merged(panel: Panel, new: Panel) -> Panel:
    """A panel with the rows that come after it; rows at times that it has already change nothing.

    A series that had no value is there from its first one on.
    """
    rows = {each.id: each for each in new.series}
    begun = [trimmed(rows[name]) for name in panel.empty if name in rows and not np.isnan(rows[name].y).all()]
    return replace(
        panel,
        series=(*(_joined(each, rows.get(each.id), panel) for each in panel.series), *begun),
        notes=(*panel.notes, *new.notes, *_revised(panel, rows)),
        empty=tuple(name for name in panel.empty if name not in {each.id for each in begun}),
    )


def _revised(panel: Panel, rows: Mapping[str, Series]) -> list[str]:
    """What to say about values that were learned, and now come with another value."""
    changed, first = 0, ""
    for old in panel.series:
        new = rows.get(old.id)
        if new is None:
            continue
        places = panel.spacing.steps(old.times[0], new.times)
        known = (places >= 0) & (places < len(old)) & ~np.isnan(new.y)
        other = np.flatnonzero(known)[
            ~np.isclose(new.y[known], old.y[places[known]], rtol=1e-9, atol=0, equal_nan=False)
        ]
        if other.size and not first:
            of = f" of {old.id!r}" if len(panel) > 1 else ""
            first = f"{panel.spacing.show(new.times[other[0]])}{of}"
        changed += int(other.size)
    if not changed:
        return []
    are = "1 value that was learned is" if changed == 1 else f"{changed:,} values that were learned are"
    return [f"{are} given anew with another value, first {first}: it changes nothing; train again to learn from it"]


def _joined(old: Series, new: Series | None, panel: Panel) -> Series:
    """One series and what comes after it; times between that have no row are missing values."""
    if new is None:
        return old
    T = len(old)
    places = panel.spacing.steps(old.times[0], new.times)
    if not panel.spacing.on_grid(old.times[0], new.times).all():
        raise InputError(
            f"the new times of the series {old.id!r} do not follow {panel.spacing.show(old.times[-1])}, where times "
            f"are {panel.spacing}: expected {panel.spacing.show(panel.spacing.after(old.times[-1], 1)[0])}, and so on"
        )
    there = places[(places >= T) & ~np.isnan(new.y)]
    end = int(there.max()) + 1 if there.size else T  # one past the last value
    total = max(end, len(old.known), int(places.max()) + 1)

    def spread(before: Numbers, after: Numbers) -> Numbers:
        whole = np.full((total, *before.shape[1:]), np.nan)
        whole[: len(before)] = before
        whole[places[places >= T]] = after[places >= T]
        return whole

    return replace(
        old,
        times=panel.spacing.at(old.times[0], np.arange(end)),
        y=spread(old.y, new.y)[:end],
        known=spread(old.known, new.known),
        past=spread(old.past, new.past)[:end],
    )
