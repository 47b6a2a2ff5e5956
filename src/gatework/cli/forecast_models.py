"""The forecaster that a command uses: without torch where that is enough."""

from pathlib import Path
from typing import TYPE_CHECKING

from gatework.cli.without_torch import opened

if TYPE_CHECKING:
    from gatework.forecast.forecaster import Forecaster


def forecaster_of(run: Path) -> "Forecaster":
    """The forecaster of a run folder, or of a model's file."""
    if (model := opened(run, "cpu")) is not None:
        from gatework.runtime import ForecastSession

        return ForecastSession(model).forecaster
    from gatework.forecast.forecaster import Forecaster

    return Forecaster.load(run)
