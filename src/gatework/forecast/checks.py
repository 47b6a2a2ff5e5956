"""What a Forecaster may be given: each check raises InputError and says what was expected."""

from collections.abc import Container, Iterable
from typing import cast, get_args

import numpy as np

from gatework.errors import InputError
from gatework.forecast.base import Numbers
from gatework.forecast.data.panel import Kind, Panel, Series
from gatework.forecast.options import Outliers, Season, lengths
from gatework.runs.arguments import real, whole

LEAST = 8  # rows that are needed beyond the horizon
WIDEST_LEVEL = 99.999  # percent of a band
TINY = 1e-100  # numbers beyond it, or its inverse, have no squares in float64
KINDS: tuple[Kind, ...] = ("known", "past", "static")


def season(value: object) -> Season:
    """A length, several from the shortest (each once), or "auto"."""
    if isinstance(value, str) and value == "auto":
        return "auto"
    expected = 'its length in steps (1 for none), several such as [24, 168], or "auto"'
    try:
        given = [] if isinstance(value, str) else list(cast(Iterable[object], value))
    except TypeError:  # one number, of Python or numpy
        given = []
    if not given:
        return whole("season", value, 1, expected)
    each = sorted({_one_of_several(length, value, expected) for length in given})
    return each[0] if len(each) == 1 else tuple(each)


def _one_of_several(length: object, given: object, expected: str) -> int:
    try:
        return whole("season", length, 2)
    except InputError:
        raise InputError(f"season holds {length!r} in {given!r}; expected {expected}") from None


def outliers(value: object) -> None:
    if not isinstance(value, str) or value not in get_args(Outliers):
        raise InputError(f'outliers is {value!r}; expected "missing", or "keep" to trust values far beyond all others')


def levels(value: object) -> tuple[float, ...]:
    """Percents, one or several, each once, from the least."""
    several = value if isinstance(value, Iterable) and not isinstance(value, str) else (value,)
    return tuple(sorted({_level(each) for each in several}))


def _level(value: object) -> float:
    """The percent of values that a band holds."""
    number = real(value)
    if number is None or not 0 < number <= WIDEST_LEVEL:
        raise InputError(f"levels holds {value!r}; expected percents between 0 and 100, such as 80 and 95")
    if number < 1:
        raise InputError(f"levels holds {value!r}, less than 1 %; expected percents: {100 * number:g} for {number:g}?")
    return int(number) if number.is_integer() else number


def needed(horizon: int, season: Season) -> int:
    """Rows that a series must have."""
    longest = max(lengths(season), default=0)
    return horizon + LEAST + longest + longest // 2


def enough(series: Series, horizon: int, season: Season) -> bool:
    """Whether a series has as many values as are needed to learn from it."""
    return _values(series) >= needed(horizon, season)


def _values(series: Series) -> int:
    """The number of values present."""
    return int((~np.isnan(series.y)).sum())


def constant(series: Series) -> bool:
    """Whether all values are the same."""
    return bool(np.nanmin(series.y) == np.nanmax(series.y))


def sizes(panel: Panel) -> None:
    """No number is so large, or a series so small, that its square is beyond float64."""
    for each in panel.series:
        for kind in KINDS:
            for name, column in zip(panel.columns.features(kind), np.atleast_2d(getattr(each, kind)).T, strict=True):
                _within(f"{name} of {named(panel, each)}", column)
        _within(f"{panel.columns.target} of {named(panel, each)}", each.y)


def _within(name: str, numbers: Numbers) -> None:
    size = np.abs(numbers[~np.isnan(numbers)])
    if size.size and size.max() > 1 / TINY:
        raise InputError(f"{name} holds {size.max():.3g}: expected numbers up to {1 / TINY:g}; divide the column")
    if size.size and 0 < size.max() < TINY:
        raise InputError(f"{name} holds at most {size.max():.3g}: expected numbers above {TINY:g}; multiply the column")


def learnable(panel: Panel, horizon: int, season: Season) -> None:
    """A series at least is long enough, and not constant."""
    if not panel.series:
        raise InputError("the table holds no series: expected rows to learn from")
    long = [each for each in panel.series if enough(each, horizon, season)]
    if not long:
        raise InputError(_too_short(panel, max(panel.series, key=_values), horizon, season))
    if all(constant(each) for each in long):
        raise InputError(
            f"{named(panel, long[0])} is constant, {panel.columns.target} = {np.nanmax(long[0].y):g} in all "
            f"{len(long[0]):,} rows: there is nothing to learn; is it the right column?"
        )


def strict(panel: Panel, horizon: int, season: Season) -> None:
    """Every series can be learned from: none is empty, too short, or constant."""
    if panel.empty:
        raise InputError(
            f"the series {panel.empty[0]!r} has no value of {panel.columns.target}: expected some, or leave it out"
        )
    for each in panel.series:
        if not enough(each, horizon, season):
            raise InputError(_too_short(panel, each, horizon, season))
        if constant(each):
            raise InputError(
                f"{named(panel, each)} is constant, {panel.columns.target} = {np.nanmax(each.y):g} in all "
                f"{len(each):,} rows: expected values that change, or leave it out"
            )


def _too_short(panel: Panel, series: Series, horizon: int, season: Season) -> str:
    """What is wrong with a series that is too short, the longest where none is long enough."""
    named_ones = lengths(season)
    a, last = ("a season", "") if len(named_ones) < 2 else ("seasons", f" and {named_ones[-1]}")
    first = named_ones[:-1] if last else named_ones
    of = f" and {a} of {', '.join(map(str, first))}{last}" if named_ones else ""
    return (
        f"{named(panel, series)} has {_values(series):,} values of {panel.columns.target}: a horizon of {horizon}{of} "
        f"needs {needed(horizon, season):,} at least; give more rows, or a smaller horizon"
    )


def future(panel: Panel, horizon: int, learned: Container[str]) -> list[str]:
    """The columns known in the future are there for the whole horizon of every series that was learned from.

    Returns those that lack them, as they ended before the others did, whose future they are given for.
    """
    lacking = []
    last = max(each.times[-1] for each in panel.series)
    for each in panel.series:
        rows = each.known[len(each) : len(each) + horizon]
        gaps = np.concatenate([np.isnan(rows), np.full((horizon - len(rows), rows.shape[1]), True)])
        if each.id not in learned or not gaps.any():
            continue
        if each.times[-1] == last:
            step, column = (int(index) for index in np.argwhere(gaps)[0])
            name = panel.columns.features("known")[column].partition("=")[0]
            when = panel.spacing.show(panel.spacing.after(each.times[-1], step + 1)[-1])
            raise InputError(
                f"{name} of {named(panel, each)} is missing at {when}, step {step + 1} of the "
                f"horizon of {horizon}: give rows with the known columns, and no {panel.columns.target}, for all of it"
            )
        lacking.append(each.id)
    return lacking


def named(panel: Panel, series: Series) -> str:
    return f"the series {series.id!r}" if len(panel) > 1 else "the series"
