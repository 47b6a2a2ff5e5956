"""Values that cannot be the series' own: codes that stand for none, slips of the keyboard, far beyond all others.

They count as missing, unless the user trusts them. What is judged is how far values lie from a running median; values
that grow by factors must be far off by their logarithms as well.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gatework.forecast.base import Numbers
from gatework.forecast.data.panel import Panel, Series

Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]

CODES = (*(-(10.0**k - 1) for k in range(2, 9)), *(10.0**k - 1 for k in range(3, 9)))  # -99, -999, ..., 999, 9999, ...
FAR = 2.0  # ranges of all other values that a single one lies beyond them
FARTHER = 20.0  # several, or one beside fewer than DISTINCT different values
FAR_IN_LOGS = 0.75  # ranges of the others' logarithms
SEVERAL, SHARE = 3, 0.02  # values at most, or share of all, that are outliers; of one repeated value HALF
HALF = 0.5
DISTINCT = 8
LEAST = 12  # values to judge by
WINDOW = 15  # steps of the running median
NAMED = 10  # values that a note lists


def outliers(y: Numbers) -> Rows:
    """The rows of y [T], NaN where missing, whose values are far beyond all others."""
    known = np.flatnonzero(~np.isnan(y))
    values = y[known]
    wrong = _codes(values)
    for side in (values.min, values.max) if len(values) else ():
        wrong |= _repeated(values, float(side()), wrong)
    wrong[~wrong] = _far(values[~wrong])
    return known[wrong]


def _codes(values: Numbers) -> Flags:
    """Which values are one of CODES that lies by a range beyond all others, or below 0 where no other does."""
    coded = np.isin(values, CODES)
    if not coded.any() or coded.mean() > HALF or (~coded).sum() < LEAST:
        return np.zeros(len(values), bool)
    low, high = values[~coded].min(), values[~coded].max()
    beyond = (values > 2 * high - low) | (values < 2 * low - high) | ((values < 0) & (low >= 0))
    return np.asarray(coded & beyond & (high > low))


def _repeated(values: Numbers, extreme: float, wrong: Flags) -> Flags:
    """Where the least or the greatest value stands more than once, far beyond all others."""
    same = (values == extreme) & ~wrong
    rest = values[~same & ~wrong]
    if same.sum() < 2 or same.mean() > HALF or len(rest) < LEAST:
        return np.zeros(len(values), bool)
    far = _ranges_beyond(rest, np.array([extreme])) > FARTHER
    return np.asarray(same & far & _far_in_logs(rest, extreme) & (not _evenly_apart(np.flatnonzero(same))))


def _evenly_apart(rows: Rows) -> bool:
    """Whether some rows follow one another as the peaks of a season do."""
    return len(rows) > 2 and len(set(np.diff(rows).tolist())) == 1 < rows[1] - rows[0]


def _far(values: Numbers) -> Flags:
    """The few values that lie farthest from the running median, where all others are far nearer."""
    flags = np.zeros(len(values), bool)
    if len(values) < LEAST:
        return flags
    d = values - _running_median(values)
    order = np.argsort(-np.abs(d - np.median(d)), kind="stable")
    for count in range(min(max(SEVERAL, int(SHARE * len(d))), len(d) - LEAST), 0, -1):
        some, rest = order[:count], order[count:]
        single = count == 1 and len(np.unique(values[rest])) >= DISTINCT
        far = _ranges_beyond(d[rest], d[some]) > (FAR if single else FARTHER)
        if not far.all() or _evenly_apart(np.sort(some)):
            continue
        if all(_far_in_logs(values[rest], value) for value in values[some]):
            flags[some] = True
            break
    return flags


def _ranges_beyond(rest: Numbers, some: Numbers) -> Numbers:
    """How many ranges of the rest each of some lies beyond them; 0 where the rest is constant."""
    low, high = rest.min(), rest.max()
    beyond = np.maximum(some - high, low - some)
    return beyond / (high - low) if high > low else np.zeros(len(some))


def _far_in_logs(rest: Numbers, value: float) -> bool:
    """Whether a value is far off by its logarithm; always where there are none."""
    low, high = float(rest.min()), float(rest.max())
    if low < 0 or value < 0 or high <= low:
        return True
    least = 0.0 if low > 0 else float(rest[rest > 0].min())  # so that 0 has a logarithm
    if value + least <= 0:
        return True
    logs = np.log(np.array([low, high, value]) + least)
    return bool(max(logs[2] - logs[1], logs[0] - logs[2]) > FAR_IN_LOGS * (logs[1] - logs[0]))


def _running_median(values: Numbers) -> Numbers:
    """The median of the WINDOW values around each; at both ends that of the nearest so many."""
    if len(values) <= WINDOW:
        return np.full(len(values), np.median(values))
    medians = np.median(np.lib.stride_tricks.sliding_window_view(values, WINDOW), axis=1)
    return np.pad(medians, WINDOW // 2, mode="edge")


def without_outliers(panel: Panel) -> Panel:
    """A panel in which outliers are missing values, and a note that names them."""
    rows = [outliers(each.y) for each in panel.series]
    series = tuple(_missing(each, some) for each, some in zip(panel.series, rows, strict=True))
    notes = _notes(panel, panel.series, rows)
    return replace(panel, series=series, notes=(*panel.notes, *notes)) if notes else panel


def trusted_rows(new: Panel, panel: Panel) -> Panel:
    """New rows of a panel, judged beside those that it has already."""
    before = {each.id: each for each in panel.series}
    series, late = [], []
    for each in new.series:
        old = before.get(each.id)
        wrong, T = (_wrong_of(old, each, panel), len(old)) if old else (np.zeros(0, np.int64), 0)
        series.append(_missing(each, wrong))
        late.append(wrong[panel.spacing.steps(old.times[0], each.times[wrong]) >= T] if old else wrong)
    return replace(new, series=tuple(series), notes=(*new.notes, *_notes(new, new.series, late)))


def _wrong_of(old: Series, new: Series, panel: Panel) -> Rows:
    """The rows of new values that are outliers beside the old ones, those that the old series lacks alone."""
    places = panel.spacing.steps(old.times[0], new.times)
    y = np.full(max(len(old), int(places.max()) + 1), np.nan)
    y[: len(old)] = old.y
    asked = np.flatnonzero(places >= 0)
    asked = asked[np.isnan(y[places[asked]])]
    y[places[asked]] = new.y[asked]
    return np.asarray(asked[np.isin(places[asked], outliers(y))])


def _missing(series: Series, rows: Rows) -> Series:
    if not len(rows):
        return series
    y = series.y.copy()
    y[rows] = np.nan
    return replace(series, y=y)


def _notes(panel: Panel, series: Sequence[Series], rows: Sequence[Rows]) -> list[str]:
    """What to say about outliers: each with its time, its row, and its series where there are several."""
    named = [
        f"{each.y[row]:.10g} at {panel.spacing.show(each.times[row])} (row {row + 1:,}"
        + (f" of {each.id!r})" if len(panel) > 1 else ")")
        for each, some in zip(series, rows, strict=True)
        for row in some.tolist()
    ]
    if not named:
        return []
    shown = ", ".join(named[:NAMED]) + (", ..." if len(named) > NAMED else "")
    lie = "1 value lies" if len(named) == 1 else f"{len(named):,} values lie"
    return [
        f"{lie} far beyond all others of {panel.columns.target}, counted as missing: {shown}; "
        f"outliers='keep' (--outliers keep) trusts {'it' if len(named) == 1 else 'them'}"
    ]
