"""A forecaster without torch: it forecasts series from the end of their history, and goes on with new rows."""

from copy import copy
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from gatework.forecast.feeds import Feeds, feeds
from gatework.forecast.fitted import States
from gatework.forecast.forecaster import Forecaster
from gatework.forecast.network import KNOWN, OUTPUT, X
from gatework.forecast.prediction import Forecast
from gatework.forecast.run import PARTS, TASK, Described, Saved, restored
from gatework.forecast.tensors import check_sizes
from gatework.runs.folder import DESCRIPTION
from gatework.runtime.model import Model
from gatework.runtime.packed import Array
from gatework.runtime.session import Session
from gatework.runtime.steps import Call
from gatework.training.progress import BEST


class ForecastSession(Session):
    """A session of a run of series: its forecasts, those of gw.load to 1e-5 of each series' range.

    `forecaster` is the gw.Forecaster that was trained, with all that it does but learn. `run` is its networks alone:
    what they read of a series [T,B,I], and of the future, to quantiles [B,h,P] of the base forecast's error, in units
    of its scale.

    Args:
        model, threads, weights: as of a Session.

    Raises:
        InputError: as a Session does, for a model of another task, and for a network that is not that of its options.
    """

    def __init__(self, model: str | Path | Model, *, threads: int = 1, weights: str = "float32") -> None:
        super().__init__(model, threads=threads, weights=weights)
        self.model.check_task(TASK, "series")
        self.members = self.hidden = 0
        self.forecaster: Forecaster = restored(_saved(self.model), Forecaster, self._networks)

    def forecast(self, df: Any = None) -> Any:
        """What comes next.

        Args:
            df: rows that came since, as of `gatework.Forecaster.predict`.

        Returns:
            A frame, as of `gatework.Forecaster.predict`.

        Raises:
            InputError: for rows that cannot be read.
        """
        return self.forecaster.predict(df)

    def forecasts(self, df: Any = None) -> list[Forecast]:
        """What comes next, as arrays.

        Args:
            df: as of `forecast`.

        Returns:
            Of each series its `id`, `times` [h], `quantiles` [h,P], `median` and `band(80)`.

        Raises:
            InputError: for rows that cannot be read.
        """
        return self.forecaster.forecasts(df)

    def feeds(self, df: Any = None) -> Feeds:
        """What the run's model of ONNX reads to forecast the series that were learned from.

        Args:
            df: rows that came since, as of `forecast`. A state that goes in is the start.

        Returns:
            Arrays by the names of the model's inputs.

        Raises:
            InputError: for rows that cannot be read.
        """
        return feeds(self.forecaster.fitted, self.forecaster.gone_on(df))

    def fork(self) -> Self:
        other = super().fork()
        other.forecaster = copy(self.forecaster)
        return other

    # -- the networks, as gatework.forecast.fitted.Networks says

    @property
    def keeps_output(self) -> bool:
        program = self.network.layers[0].directions[0].program
        return program.output == program.states[0].name

    def last_output(self, x: Array, state: States | None) -> Array:
        before = None if state is None else dict(zip(self.network.states, state, strict=True))
        call = self._call({X: x[:, None]}, before)
        self._through(call, self._steps[:-1])
        return np.reshape(call.values[OUTPUT], (self.members, self.hidden))

    def ahead(self, output: Array, known: Array) -> Array:
        call = Call({OUTPUT: output.reshape(1, -1), KNOWN: known[None]}, None, {})
        self._through(call, self._steps[-1:])
        answer: Array = call.values[self.network.outputs[0].name][0]
        self.check_answer(answer)
        return answer

    def _networks(self, described: Described) -> Self:
        """Itself; raises ValueError where its network is not the one that is described."""
        if described.network() != self.network:
            raise ValueError("its network is not that of its options")
        shapes = {name: weight.shape for name, weight in self.model.weights.items()}
        check_sizes(shapes, described.options, described.sizes)
        self.members, self.hidden = described.members, described.options.hidden
        return self


def _saved(model: Model) -> Saved:
    """What the model has of a Forecaster."""
    parts: dict[str, dict[str, npt.NDArray[Any]]] = {part: {} for part in PARTS}
    for name, array in model.data.items():
        part, _, own = name.partition(".")
        parts.setdefault(part, {})[own] = array
    there = model.path
    said, there = (there / DESCRIPTION, there / BEST) if there.is_dir() else (there, there)
    return Saved(said, there, model.about, parts)
