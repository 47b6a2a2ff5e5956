"""What answers series of which none can be learned from, as other libraries want an answer for these too."""

from dataclasses import dataclass
from typing import Any

from gatework.forecast.data.series import read_panel
from gatework.forecast.forecaster import Forecaster
from gatework.forecast.naive import apart, naive, unsteadiness
from gatework.forecast.prediction import Forecast

_SEASON = 1  # of what is too short to show one


@dataclass(frozen=True)
class Naively:
    """Naive forecasts of all series, with the settings of a Forecaster."""

    settings: Forecaster

    def forecasts(self, df: Any) -> list[Forecast]:
        """As `Forecaster.forecasts`, from the last value of each series of a table."""
        panel = read_panel(df, self.settings.columns, reading=self.settings.reading)
        h, probabilities = self.settings.horizon, self.settings.probabilities
        unsteady = unsteadiness([each for each in panel.series if len(each) > 1 and each.y.any()] or panel.series[:1])
        made = []
        for each in panel.series:
            by = naive(each, _SEASON, h, self.settings.season, unsteady)
            times = panel.spacing.after(each.times[-1], h)
            made.append(Forecast(each.id, times, by.quantiles(each.y, h, probabilities, unsteady), probabilities))
        return made


def learned_or_naive(settings: Forecaster, df: Any) -> Forecaster | Naively:
    """The Forecaster fitted to a table, or what answers the series where none is long enough and changes."""
    panel = read_panel(df, settings.columns, reading=settings.reading)
    learned, _ = apart(panel, settings.horizon, settings.season)
    return settings.fit(df) if learned else Naively(settings)
