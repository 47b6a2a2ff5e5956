"""Series and panels that packages ship, for measuring forecasts: each with its horizon and season."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatework.forecast.data.panel import Columns, Panel, Series
from gatework.forecast.data.spacing import Spacing
from gatework.lab import airline
from gatework.lab.bench.rivals import extra

Numbers = NDArray[np.float64]
DAY = "1900-01-01"  # where the days of a series do not matter
LATE = 730  # days or hours at most of the long series, the newest ones, that the rivals may take their time
CODES = {"month": "M", "quarter": "M", "year": "Y", "day": "D", "hour": "h"}


@dataclass(frozen=True)
class SeriesSet:
    """One series or a panel: its values by name, horizon, the season that errors are scaled by, and their spacing."""

    name: str
    values: Callable[[], Sequence[Numbers]]
    horizon: int
    season: int
    unit: str
    first: str = "1950-01"

    def panel(self) -> Panel:
        """The series, each over times of its own length from `first` on."""
        spacing = Spacing(self.unit)
        return Panel(tuple(self._series(n, y) for n, y in enumerate(self.values())), spacing, Columns())

    def _series(self, number: int, y: Numbers) -> Series:
        none, nothing = np.zeros((len(y), 0)), np.zeros(0)
        step = 3 if self.unit == "quarter" else 1
        start = np.datetime64(self.first).astype(f"datetime64[{CODES[self.unit]}]")
        times = (start + step * np.arange(len(y))).astype("datetime64[s]")
        return Series(f"series {number}", times, np.asarray(y, float), none, none, nothing)


def _of_statsmodels(name: str, column: str) -> list[Numbers]:
    return [_table(name)[column].to_numpy(float)]


def _table(name: str) -> Any:
    """A table that statsmodels ships."""
    return extra(f"statsmodels.datasets.{name}").load_pandas().data


def _of_sktime(name: str, column: str | None = None) -> list[Numbers]:
    """A series that sktime ships; of several, one by its name."""
    loaded: Any = getattr(extra("sktime.datasets"), f"load_{name}")()
    if isinstance(loaded, tuple):  # consumption, and what comes with it
        loaded = loaded[0] if column in (None, loaded[0].name) else loaded[1][column]
    return [loaded.to_numpy(dtype=float)]


@cache
def _vega(name: str) -> Any:
    """A table that vega_datasets ships."""
    return getattr(extra("vega_datasets").local_data, name)()


def _stocks(*symbols: str) -> list[Numbers]:
    table = _vega("stocks")
    return [table[table["symbol"] == symbol].sort_values("date")["price"].to_numpy(float) for symbol in symbols]


def _weather(column: str) -> list[Numbers]:
    return [_vega("seattle_weather").sort_values("date")[column].to_numpy(float)[-LATE:]]


def _hourly() -> list[Numbers]:
    return [_vega("seattle_temps")["temp"].to_numpy(float)[-LATE:]]


def _employment(*columns: str) -> list[Numbers]:
    """Employees by industry, those named or all but sums and changes."""
    table = _vega("us_employment")
    totals = ("nonfarm", "private", "nonfarm_change")
    chosen = columns or tuple(c for c in table.columns if c != "month" and c not in totals)
    return [table[column].to_numpy(float) for column in chosen]


def _economy() -> list[Numbers]:
    """All that is measured of it, each quarter."""
    table = _table("macrodata")
    return [table[column].to_numpy(float) for column in table.columns if column not in ("year", "quarter")]


def _nino() -> list[Numbers]:
    return [_table("elnino").drop(columns="YEAR").to_numpy(float).ravel()]


def _carbon() -> list[Numbers]:
    """Monthly means of the weekly values."""
    return [_table("co2")["co2"].resample("MS").mean().to_numpy(float)]


def _fertility(count: int = 40) -> list[Numbers]:
    """Births per woman by country and year, of the first countries without a gap."""
    years = [name for name in _table("fertility").columns if str(name).isdigit()]
    rows = _table("fertility")[years].to_numpy(float)[:, :-2]  # nothing in the last years yet
    return list(rows[~np.isnan(rows).any(1)][:count])


def _air() -> list[Numbers]:
    return [airline.panel().series[0].y]


MACRO, MONTHLY, QUARTERLY = partial(_of_statsmodels, "macrodata"), (12, 12, "month"), (8, 4, "quarter")

# In this order: those at even places, from the first on, are for choosing; the others for judging what was chosen.
SERIES: tuple[SeriesSet, ...] = (
    SeriesSet("air passengers", _air, *MONTHLY),
    SeriesSet("sunspots", partial(_of_statsmodels, "sunspots", "SUNACTIVITY"), 11, 11, "year", "1700"),
    SeriesSet("Nile", partial(_of_statsmodels, "nile", "volume"), 10, 1, "year", "1871"),
    SeriesSet("El Nino", _nino, *MONTHLY),
    SeriesSet("lynx", partial(_of_sktime, "lynx"), 10, 1, "year", "1821"),
    SeriesSet("drugs", partial(_of_sktime, "PBS_dataset"), *MONTHLY),
    SeriesSet("shampoo", partial(_of_sktime, "shampoo_sales"), 3, 1, "month"),
    SeriesSet("carbon dioxide", _carbon, *MONTHLY),
    SeriesSet("US GDP", partial(MACRO, "realgdp"), *QUARTERLY),
    SeriesSet("US consumer prices", partial(MACRO, "cpi"), *QUARTERLY),
    SeriesSet("US unemployment", partial(MACRO, "unemp"), *QUARTERLY),
    SeriesSet("US investment", partial(MACRO, "realinv"), *QUARTERLY),
    SeriesSet("treasury bills", partial(MACRO, "tbilrate"), *QUARTERLY),
    SeriesSet("Danish money", partial(_of_statsmodels, "danish_data", "lrm"), 4, 4, "quarter"),
    SeriesSet("German inflation", partial(_of_statsmodels, "interest_inflation", "Dp"), *QUARTERLY),
    SeriesSet("US income, change", partial(_of_sktime, "uschange", "Income"), *QUARTERLY),
    SeriesSet("US saving, change", partial(_of_sktime, "uschange", "Savings"), *QUARTERLY),
    SeriesSet("AAPL", partial(_stocks, "AAPL"), 12, 1, "month"),
    SeriesSet("US employment", partial(_employment, "nonfarm"), *MONTHLY),
    SeriesSet("IBM", partial(_stocks, "IBM"), 12, 1, "month"),
    SeriesSet("Seattle, temperature", partial(_weather, "temp_max"), 14, 7, "day", DAY),
    SeriesSet("Seattle, rain", partial(_weather, "precipitation"), 14, 7, "day", DAY),
    SeriesSet("US builders", partial(_employment, "construction"), *MONTHLY),
    SeriesSet("Seattle, wind", partial(_weather, "wind"), 14, 7, "day", DAY),
    SeriesSet("Seattle by the hour", _hourly, 24, 24, "hour", DAY),
)
WITHOUT_CLASSICAL = ("Seattle by the hour",)  # AutoARIMA had not ended after some minutes
PANELS: tuple[SeriesSet, ...] = (
    SeriesSet("US economy", _economy, *QUARTERLY),
    SeriesSet("employees by industry", _employment, *MONTHLY),
    SeriesSet("stocks", partial(_stocks, "MSFT", "AMZN", "IBM", "AAPL"), 12, 1, "month"),
    SeriesSet("births by country", _fertility, 5, 1, "year", "1960"),
)
