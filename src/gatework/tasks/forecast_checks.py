"""What a Forecaster may be given: each check raises InputError and says what was expected."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from gatework.data.panel import Panel, Series
from gatework.errors import InputError

LEAST = 8  # rows that are needed beyond the horizon


def season(given: object) -> int | Literal["auto"]:
    if given == "auto":
        return "auto"
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise InputError(f'season is {given!r}; expected its length in steps (1 for none), or "auto"')
    return given


def levels(given: Sequence[float]) -> tuple[float, ...]:
    values = tuple(given)
    for level in values:
        if isinstance(level, bool) or not isinstance(level, int | float) or not 0 < level < 100:
            raise InputError(f"levels holds {level!r}; expected percents between 0 and 100, such as 80 and 95")
    return tuple(sorted(set(values)))


def rate(given: float) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not (given > 0 and math.isfinite(given)):
        raise InputError(f"learning_rate is {given!r}; expected a number above 0")
    return float(given)


def needed(horizon: int, season: int | Literal["auto"]) -> int:
    """Rows that a series must have."""
    return horizon + LEAST + (season + season // 2 if isinstance(season, int) and season > 1 else 0)


def learnable(panel: Panel, horizon: int, season: int | Literal["auto"]) -> None:
    """Every series is long enough, and one at least is not constant."""
    if not panel.series:
        raise InputError("the table holds no series: expected rows to learn from")
    least = needed(horizon, season)
    for each in panel.series:
        there = int((~np.isnan(each.y)).sum())
        if there < least:
            of = "" if season in ("auto", 1) else f" and a season of {season}"
            raise InputError(
                f"{named(panel, each)} has {there:,} values of {panel.columns.target}: a horizon of {horizon}{of} "
                f"needs {least:,} at least; give more rows, or a smaller horizon"
            )
    spans = [(float(np.nanmin(each.y)), float(np.nanmax(each.y))) for each in panel.series]
    if all(low == high for low, high in spans):
        low = spans[0][0]
        raise InputError(
            f"{named(panel, panel.series[0])} is constant, {panel.columns.target} = {low:g} in all "
            f"{len(panel.series[0]):,} rows: there is nothing to learn; is it the right column?"
        )


def future(panel: Panel, horizon: int) -> None:
    """The columns known in the future are there for the whole horizon of every series."""
    names = panel.columns.features("known")
    if not names:
        return
    for each in panel.series:
        T = len(each)
        ahead = each.known[T : T + horizon]
        rows = np.concatenate([ahead, np.full((horizon - len(ahead), len(names)), np.nan)])
        if np.isnan(rows).any():
            step, column = (int(index) for index in np.argwhere(np.isnan(rows))[0])
            name = names[column].partition("=")[0]
            when = panel.spacing.show(panel.spacing.after(each.times[-1], step + 1)[-1])
            raise InputError(
                f"{name} of {named(panel, each)} is missing at {when}, step {step + 1} of the "
                f"horizon of {horizon}: give rows with the known columns, and no {panel.columns.target}, for all of it"
            )


def named(panel: Panel, series: Series) -> str:
    return f"the series {series.id!r}" if len(panel) > 1 else "the series"
