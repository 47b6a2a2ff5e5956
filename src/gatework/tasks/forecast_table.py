"""Tables in and out of a Forecaster: new rows joined to those it knows, forecasts as a frame."""

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import narwhals as nw
import numpy as np
from narwhals import Implementation

from gatework.data.panel import Columns, Panel, Series
from gatework.data.series import read_panel, trimmed
from gatework.errors import InputError
from gatework.tasks.forecast_base import Numbers
from gatework.tasks.forecast_use import Forecast

KINDS = ("pandas", "polars", "pyarrow")  # in the order of preference where no frame was given


def kind_of(df: Any) -> str | None:
    """Which library's frame this is, None for anything else."""
    frame = nw.from_native(df, pass_through=True)
    return str(frame.implementation) if isinstance(frame, nw.DataFrame | nw.LazyFrame) else None


def installed_kind() -> str:
    """The library whose frames are returned where none was given."""
    found = [kind for kind in KINDS if find_spec(kind)]
    if not found:
        raise InputError(f"a table needs one of {', '.join(KINDS)}: pip install pandas, or take forecasts() instead")
    return found[0]


def table(forecasts: Sequence[Forecast], columns: Columns, levels: Sequence[float], kind: str | None) -> Any:
    """One row for each series and step: id, time, "forecast", and "lo-80", "hi-80" for each level."""
    held: dict[str, Any] = {
        columns.id or "unique_id": np.repeat([each.id for each in forecasts], len(forecasts[0].times)),
        columns.time or "ds": np.concatenate([each.times for each in forecasts]),
        "forecast": np.concatenate([each.median for each in forecasts]),
    }
    for level in levels:
        bands = [each.band(level) for each in forecasts]
        held[f"lo-{level:g}"] = np.concatenate([low for low, _ in bands])
        held[f"hi-{level:g}"] = np.concatenate([high for _, high in bands])
    return frame(held, kind or installed_kind())


def frame(held: dict[str, Any], kind: str) -> Any:
    """Columns as a frame of one of KINDS."""
    backend: Any = Implementation.from_string(kind)
    columns = {name: as_column(values) for name, values in held.items()}
    return nw.from_dict(columns, backend=backend).to_native()


def as_column(values: Any) -> Any:
    """Texts as a list, dates in the unit that every library has."""
    if values.dtype.kind == "U":
        return values.tolist()
    return values.astype("datetime64[us]") if values.dtype.kind == "M" else values


def going_on(df: Any, panel: Panel) -> Panel:
    """Reads rows that come after those of a panel; InputError for series that it has not."""
    new = read_panel(df, panel.columns, spacing=panel.spacing, going_on=True)
    known = {each.id for each in panel.series} | set(panel.empty)
    if unknown := [each.id for each in new.series if each.id not in known]:
        few = ", ".join(repr(each.id) for each in panel.series[:3]) + (", ..." if len(panel) > 3 else "")
        raise InputError(
            f"the series {unknown[0]!r} was not among the {len(panel):,} that were learned ({few}): train with its "
            "history, or leave its rows out"
        )
    return new if panel.columns.time is not None else counted_on(new, panel)


def counted_on(new: Panel, panel: Panel) -> Panel:
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
        series=(*(joined(each, rows.get(each.id), panel) for each in panel.series), *begun),
        notes=(*panel.notes, *new.notes),
        empty=tuple(name for name in panel.empty if name not in {each.id for each in begun}),
    )


def joined(old: Series, new: Series | None, panel: Panel) -> Series:
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
