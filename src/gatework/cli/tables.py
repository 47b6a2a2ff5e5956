"""Forecasts and their scores as tables to read, CSV files and pictures."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from math import floor, isfinite, log10
from pathlib import Path
from typing import Self

import numpy as np

from gatework.errors import InputError, field
from gatework.files.reading import blamed
from gatework.files.writing import write_atomically
from gatework.forecast.backtest import Backtest
from gatework.forecast.data.series import Panel
from gatework.forecast.data.spacing import Spacing
from gatework.forecast.data.units import CLOCK, moment
from gatework.forecast.data.zones import offset_of
from gatework.forecast.plot import check_picture, draw
from gatework.forecast.prediction import Forecast

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # how texts begin that spreadsheets run
MOST_LINES = 48  # of a forecast that are printed
SCORES = {  # of a backtest: heading, and how a figure is written
    "mase": ("MASE", "{:.3f}"),
    "relative_mase": ("/ naive", "{:.3f}"),
    "smape": ("sMAPE", "{:.1f}%"),
    "rmse": ("RMSE", "{:,.4g}"),
    "scaled_quantile_loss": ("quantile loss", "{:.3f}"),
    "coverage_80": ("in 80 % band", "{:.0%}"),
    "seconds": ("s a series", "{:.2f}"),
}


@dataclass(frozen=True)
class Files:
    """Where a forecast is written; no picture where matplotlib is not installed."""

    table: Path
    picture: Path | None

    @classmethod
    def of(cls, run: Path, table: Path | None, picture: Path | None, series_file: str | None) -> Self:
        """The files asked for, or else those in the run or beside its file.

        Raises InputError for what could not be written at the end.
        """
        folder = run.parent if run.is_file() else run
        table = folder / "forecast.csv" if table is None else table
        if picture is None and find_spec("matplotlib"):
            picture = table.with_suffix(".png")
        for path in (table, picture):
            if path is not None and path.parent != folder and not path.parent.is_dir():
                raise InputError(f"cannot write {path}: {path.parent} is no directory")
            if path is not None and series_file is not None and path.exists() and path.samefile(series_file):
                raise InputError(f"{path} is the file that is read: name another one to write")
        if picture is not None:
            check_picture(picture)
        return cls(table, picture)

    def write(
        self, panel: Panel, forecasts: Sequence[Forecast], levels: Sequence[float], *, formulas: bool = False
    ) -> list[Path]:
        """Writes the CSV file, and the picture where one can be drawn; gives those written.

        formulas: write names that a spreadsheet would run as they are.
        """
        write_atomically(self.table, _csv_of(panel, forecasts, levels, str if formulas else as_text).encode())
        if self.picture is None:
            return [self.table]
        picture = io.BytesIO()
        draw(panel.series, forecasts, levels, panel.spacing).savefig(
            picture, format=self.picture.suffix.removeprefix(".")
        )
        with blamed("write", self.picture):
            write_atomically(self.picture, picture.getvalue())
        return [self.table, self.picture]


def as_text(name: str) -> str:
    """A name as spreadsheets take it for text: with ' before what they would run as a formula; numbers are none."""
    return f"'{name}" if name.startswith(FORMULA) and not _is_number(name) else name


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False


def _csv_of(
    panel: Panel, forecasts: Sequence[Forecast], levels: Sequence[float], written_as: Callable[[str], str] = as_text
) -> str:
    """A row for each series and step: id, time, "forecast", and "lo-80", "hi-80" for each level.

    written_as: what becomes of ids and the names of columns.
    """
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    columns = panel.columns
    bounds = [f"{side}-{level:g}" for level in levels for side in ("lo", "hi")]
    names = [columns.id or "unique_id", columns.time or "ds"]
    writer.writerow([*map(written_as, names), "forecast", *bounds])
    for each in forecasts:
        for time, row in zip(each.times, _figures(each, levels), strict=True):
            writer.writerow([written_as(each.id), _dated(time, panel.spacing), *(f"{number:.7g}" for number in row)])
    return written.getvalue()


def _dated(time: np.generic, spacing: Spacing) -> str:
    """A time as CSV files have it: 2024-01-31, 2024-01-31 13:00:00, or 2024-01-31 13:00:00+01:00."""
    if spacing.unit == "step":
        return str(time)
    written = str(spacing.local(moment(time))).replace("T", " ")
    if spacing.zone is not None:
        return written + offset_of(time, spacing.zone)
    return written if spacing.unit in CLOCK else written.removesuffix(" 00:00:00")


def _figures(forecast: Forecast, levels: Sequence[float]) -> np.ndarray:
    """The median and the borders of the bands: [h, 1 + 2 * levels]."""
    return np.stack([forecast.median, *(border for level in levels for border in forecast.band(level))], 1)


def forecast_lines(panel: Panel, forecasts: Sequence[Forecast], levels: Sequence[float]) -> Iterator[str]:
    """A forecast as a table of 48 rows at most."""
    several = len(forecasts) > 1
    rows = []
    for each in forecasts[:MOST_LINES]:
        numbers = _figures(each, levels)
        places = _decimals(numbers)
        for time, row in zip(each.times, numbers, strict=True):
            name = [each.id] if several else []
            rows.append([*name, panel.spacing.show(time), *(f"{number:,.{places}f}" for number in row)])
    bounds = [f"{side}-{level:g}" for level in levels for side in ("lo", "hi")]
    names = [panel.columns.id or "series"] if several else []
    yield from _aligned([*names, panel.columns.time or "step", "forecast", *bounds], rows[:MOST_LINES], len(names) + 1)
    total = len(forecasts) * len(forecasts[0].times)
    if total > MOST_LINES:
        yield f"... and {total - MOST_LINES:,} more rows in the CSV file"


def _decimals(numbers: np.ndarray) -> int:
    """How many show four significant digits of the largest number."""
    largest = float(np.abs(numbers).max())
    return min(6, max(0, 3 - floor(log10(largest)))) if largest > 0 else 0


def score_lines(scores: Backtest, windows: int, horizon: int) -> Iterator[str]:
    """The scores of a backtest as a table, a line for each model."""
    yield f"{windows} {'window' if windows == 1 else 'windows'} of {horizon} steps, means over all windows and series:"
    rows = [
        [
            str(row["model"]),
            *(form.format(row[name]) if isfinite(row[name]) else "" for name, (_, form) in SCORES.items()),
        ]
        for row in scores.means()
    ]
    yield from _aligned(["", *(heading for heading, _ in SCORES.values())], rows, 1)


def _aligned(heading: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> Iterator[str]:
    """Lines of a table; the first `left` columns are flush left, the others right."""
    heading, *rows = [[field(text) for text in row] for row in (heading, *rows)]
    widths = [max(map(len, column)) for column in zip(heading, *rows, strict=True)]
    for row in (heading, *rows):
        cells = [
            text.ljust(width) if place < left else text.rjust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
