"""What is saved, loaded and backtested: an estimator of forecasts, of which Forecaster is the one that users make."""

from collections.abc import Callable
from typing import Protocol, Self, TypeVar

from gatework.forecast.data.panel import Columns, Panel
from gatework.forecast.data.reading import Reading
from gatework.forecast.fitted import Training
from gatework.forecast.options import Outliers, Season
from gatework.forecast.prediction import Forecast, Model
from gatework.runs.progress import PartProgress


class Estimator(Protocol):
    """Settings, and the model that was fitted with them; `gatework.forecast.forecaster.Forecaster` says what each is.

    model: None before the first fit. fitted: the model; raises InputError where there is none.
    """

    horizon: int
    season: Season
    strict: bool
    outliers: Outliers
    columns: Columns
    reading: Reading
    options: Training
    model: Model | None

    @property
    def bands(self) -> tuple[float, ...]: ...
    @property
    def probabilities(self) -> tuple[float, ...]: ...
    @property
    def fitted(self) -> Model: ...
    @property
    def notes(self) -> tuple[str, ...]: ...
    def unfitted(self) -> Self: ...
    def fit_panel(self, panel: Panel, kind: str | None = None, on_progress: PartProgress = ...) -> Self: ...
    def forecasts_of(self, panel: Panel) -> list[Forecast]: ...


E = TypeVar("E", bound=Estimator)
Make = Callable[..., E]  # horizon and settings by name to an estimator
