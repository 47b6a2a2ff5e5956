"""The arguments of a Forecaster, which are the options of the commands that train one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from gatework.cells import Cell
from gatework.options import known_of, option

Columns = str | Sequence[str]  # names of columns: one, or several
Season = int | Sequence[int] | Literal["auto"]  # its length in steps, 1 for none, or several
Outliers = Literal["missing", "keep"]
LEVELS = (80, 95)  # percent
DECILES = tuple(round(p / 10, 1) for p in range(1, 10))
DECIMAL = "The mark before decimals.  [default: what each column shows]"
ENCODING = "Of a CSV file: latin-1, cp1252, ...  [default: UTF-8, or what its mark says]"
SHEET = "Of a spreadsheet.  [default: the first that holds anything]"


def lengths(season: Season) -> tuple[int, ...]:
    """The seasons that are named, none for "auto" and 1."""
    if isinstance(season, str):
        return ()
    return tuple(m for m in ((season,) if isinstance(season, int) else season) if m > 1)


def learned_probabilities(levels: Sequence[float]) -> tuple[float, ...]:
    """The quantiles that are learned: the deciles and the borders of bands."""
    borders = {round(0.5 + sign * level / 200, 6) for level in levels for sign in (-1, 1)}
    return tuple(sorted(borders | set(DECILES)))


@dataclass(kw_only=True, eq=False, repr=False)
class Options:
    """Names, defaults and helps; what each is for is said by gatework.forecast.forecaster.Forecaster, which checks."""

    horizon: int = field(kw_only=False, metadata=known_of("Steps to forecast, h."))
    levels: float | Sequence[float] = LEVELS
    target: str = option("y", "The column to forecast.")
    time: str | None = option(
        "ds",
        "The column of dates or whole numbers; without one the rows are counted.",
        metavar="COLUMN",
        off="",
    )
    id: str | None = option(
        "unique_id", "The column that tells series apart; without one all is one series.", metavar="COLUMN", off=""
    )
    known: Columns = option((), "Columns known in the future too: price,holiday.", metavar="A,B")
    past: Columns = option((), "Columns known up to now only.", metavar="A,B")
    static: Columns = option((), "Columns with one value for each series.", metavar="A,B")
    freq: str | None = option(None, "The spacing of times: D, MS, 15min, ...  [default: what they show]")
    zone: str | None = option(None, "The time zone of times that name none: Europe/Berlin.", metavar="ZONE")
    decimal: Literal[".", ","] | None = option(None, DECIMAL)
    encoding: str | None = option(None, ENCODING)
    sheet: str | None = option(None, SHEET)
    season: Season = option("auto", "Its length in steps, 1 for none, several as 24,168, or auto.")
    cell: str | Cell = field(default="lstm", kw_only=False)
    members: int = option(3, "Networks whose forecasts are averaged.")
    hidden: int = option(16, "Units of each network, H.")
    dropout: float = option(0.3, "Dropout of their output.")
    steps: int = option(120, "Updates of the weights.")
    learning_rate: float = option(0.01, "The highest; it rises, then falls to 0.")
    seed: int = option(0, "Of weights and dropout.")
    strict: bool = option(False, "Refuse series that are empty, too short or constant; else: a naive forecast.")
    outliers: Outliers = option("missing", "Values far beyond all others: missing, or keep to trust them.")
    engine: str = option("auto", "What executes the cell.")
    device: str = option("cpu", "What trains the networks: auto, cpu, cuda or cuda:1.")
