"""Series: their times, their values, and the columns beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from gatework.errors import InputError
from gatework.forecast.data.spacing import Spacing
from gatework.forecast.data.units import Numbers, Times

Kind = Literal["known", "past", "static"]


@dataclass(frozen=True)
class Columns:
    """What the columns of a table are; every field is a JSON value.

    target: what to forecast; of a table that has no "y" the only other column of numbers. time: dates, or whole
        numbers; a table that has no "ds" counts its rows. id: which series a row belongs to; a table that has no
        "unique_id" is one series.
    known: known in the future as well; past: known up to now only; static: fixed for each series.
    categories: the texts that a column of texts holds, collected while reading; each becomes a feature of 0 or 1.
    """

    target: str = "y"
    time: str | None = "ds"
    id: str | None = "unique_id"
    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        optional = [self.target, self.time, self.id, *self.known, *self.past, *self.static]
        named = [name for name in optional if name is not None]
        if twice := [name for name in named if named.count(name) > 1]:
            raise InputError(f"the column {twice[0]!r} is given twice: it can be one of target, time, id, known, ...")

    def features(self, kind: Kind) -> tuple[str, ...]:
        """The names of the numbers that the columns of a kind become: "price", "holiday=Easter"."""
        columns: tuple[str, ...] = getattr(self, kind)
        return tuple(name for column in columns for name in self._features(column))

    def _features(self, column: str) -> tuple[str, ...]:
        texts = self.categories.get(column)
        return (column,) if texts is None else tuple(f"{column}={text}" for text in texts)

    def to_json(self) -> dict[str, Any]:
        """The fields as a dict for json."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Columns:
        """What `to_json` gave; raises ValueError and others for anything else."""
        lists = {name: tuple(values[name]) for name in ("known", "past", "static")}
        categories = {name: tuple(texts) for name, texts in values["categories"].items()}
        if not all(isinstance(text, str) for texts in categories.values() for text in texts):
            raise ValueError("the texts of its columns are none")
        return cls(**{**values, **lists, "categories": categories})


@dataclass(frozen=True)
class Series:
    """One series of T values.

    times [T]: datetime64[s] (or [ms]), in UTC where the panel's spacing has a zone, or int64; increasing, without gaps.
    y [T]: NaN where missing; the last one is there.
    known [T + future, K]: as far ahead as the table gives them. past [T,P]. static [S]. NaN where missing.
    """

    id: str
    times: Times
    y: Numbers
    known: Numbers
    past: Numbers
    static: Numbers

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Panel:
    """Series with one spacing of times and the same columns.

    notes: what was mended while reading, in words. empty: the ids of series that have rows, and no value. unit: of the
        dates in the frame that they came from, as in Stamp.
    """

    series: tuple[Series, ...]
    spacing: Spacing
    columns: Columns
    notes: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    unit: str = "us"

    def __len__(self) -> int:
        return len(self.series)

    def describe(self) -> str:
        """How many series of how many values, and over which time, in one line."""
        lengths = [len(each) for each in self.series]
        first, last = min(each.times[0] for each in self.series), max(each.times[-1] for each in self.series)
        span = f"{self.spacing}, {self.spacing.show(first)} to {self.spacing.show(last)}"
        if len(self) == 1:
            return f"1 series of {lengths[0]:,} values, {span}"
        long = f"{min(lengths):,} to {max(lengths):,}" if min(lengths) < max(lengths) else f"{lengths[0]:,}"
        return f"{len(self):,} series of {long} values, {span}"
