"""A forecast as a picture: history, median and bands."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from gatework.errors import InputError, field
from gatework.forecast.data.panel import Series
from gatework.forecast.data.spacing import Spacing
from gatework.forecast.prediction import Forecast

MOST = 6  # series in one picture
LEAST_HISTORY = 60  # steps that are shown, or
HORIZONS = 5  # times the horizon
HISTORY, AHEAD = "#444444", "#1f6fb4"


def matplotlib(module: str) -> Any:
    """A module of matplotlib; InputError where it is not installed."""
    try:
        return import_module(f"matplotlib.{module}")
    except ImportError:
        raise InputError("a picture needs matplotlib: pip install 'gatework[plot]'") from None


def check_picture(path: Path) -> None:
    """Raises InputError where no picture can be drawn or its format is unknown."""
    known = matplotlib("figure").Figure().canvas.get_supported_filetypes()
    if path.suffix.removeprefix(".") not in known:
        raise InputError(f"{path}: expected a picture's name ending in .{', .'.join(sorted(known))}")


def draw(
    histories: Sequence[Series], forecasts: Sequence[Forecast], levels: Sequence[float], spacing: Spacing | None = None
) -> Any:
    """A matplotlib figure of the first six series: the end of each history, the median, and a band for each level.

    spacing: that whose clocks the axis of time shows, where the times have a zone.
    """
    shown = list(zip(histories, forecasts, strict=True))[:MOST]
    columns = 1 if len(shown) == 1 else 2
    rows = -(-len(shown) // columns)
    size = (9, 4) if columns == 1 else (12, 2.9 * rows)
    figure = matplotlib("figure").Figure(figsize=size, dpi=120, layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axis, (series, forecast) in zip(axes, shown, strict=False):
        _draw_one(axis, series, forecast, sorted(levels), spacing or Spacing("day"))
    for axis in axes[len(shown) :]:
        axis.remove()
    handles, names = figure.axes[0].get_legend_handles_labels()
    title = f"the first {MOST} of {len(forecasts):,} series" if len(forecasts) > MOST else None
    place: dict[str, Any] = {"loc": "outside upper right", "ncols": len(names), "fontsize": 8, "frameon": False}
    figure.legend(handles, names, title=title, title_fontsize=8, **place)
    return figure


def _draw_one(axis: Any, series: Series, forecast: Forecast, levels: Sequence[float], spacing: Spacing) -> None:
    """One series: the median and the bands go on from the last value."""
    shown = max(LEAST_HISTORY, HORIZONS * len(forecast.times))
    past, y = spacing.local(series.times[-shown:]), series.y[-shown:]
    times = np.concatenate([past[-1:], spacing.local(forecast.times)])

    def joined(values: Any) -> Any:
        return np.concatenate([y[-1:], values])

    axis.plot(
        past, y, color=HISTORY, linewidth=1.1, marker="." if np.isnan(y).any() else "", markersize=3, label="history"
    )
    for place, level in enumerate(reversed(levels)):  # the widest first, below the others
        low, high = map(joined, forecast.band(level))
        shade = 0.4 * (place + 1) / len(levels)
        axis.fill_between(times, low, high, color=AHEAD, alpha=shade, linewidth=0, label=f"{level:g} % band")
    axis.plot(times, joined(forecast.median), color=AHEAD, linewidth=1.6, label="median")
    axis.set_title(field(series.id), fontsize=9, parse_math=False)
    axis.grid(alpha=0.25)
    axis.tick_params(labelsize=8)
    axis.margins(x=0.01)
    if past.dtype.kind == "M":
        dates = matplotlib("dates")
        locator = dates.AutoDateLocator()
        axis.xaxis.set_major_locator(locator)
        axis.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
        axis.xaxis.get_offset_text().set_fontsize(8)
