"""A Forecaster and a SequenceClassifier as estimators of sktime: `pip install 'gatework[sktime]'`."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sktime.classification.base import BaseClassifier
from sktime.forecasting.base import BaseForecaster
from sktime.utils.warnings import warn

from gatework.adapters.quantiles import between
from gatework.adapters.short import learned_or_naive
from gatework.cells import Cell
from gatework.errors import InputError
from gatework.forecast.forecaster import Forecaster
from gatework.forecast.options import Options, Outliers, Season
from gatework.forecast.prediction import Forecast
from gatework.labels.estimators import SequenceClassifier

__all__ = ["GateworkClassifier", "GateworkForecaster"]

_AUTHORS: list[str] = ["gatework"]


class GateworkForecaster(BaseForecaster):  # type: ignore[misc]
    """Forecasts series as gatework's Forecaster, with the methods of sktime's forecasters.

    One network learns from all instances of a panel or hierarchy. X holds columns known in the future too. `update`
    with update_params=False goes on from the state of the networks; nothing is learned then.

    Args:
        season, levels, cell, members, hidden, dropout, steps, learning_rate, outliers, engine: as of
            `gatework.Forecaster`.
        random_state: its seed.

    Shapes:
        y: a series of T steps, or a panel of them; fh: steps ahead, of which the largest is the horizon h.

    Raises:
        InputError: from `fit` and `predict`, for what cannot be used.

    Source:
        That of `gatework.Forecaster`.

    Examples:
        >>> from sktime.datasets import load_airline
        >>> from gatework.adapters.sktime import GateworkForecaster
        >>> forecaster = GateworkForecaster(season=12, members=1, hidden=4, steps=10)
        >>> forecaster.fit(load_airline(), fh=[1, 2, 3]).predict().shape
        (3,)
    """

    _config: ClassVar[dict[str, Any]] = {"remember_data": False}  # what was seen is kept here, as `_predict` reads it
    _y = _X = None  # until sktime keeps it too, where it is asked to
    _tags: ClassVar[dict[str, Any]] = {
        "authors": _AUTHORS,
        "maintainers": _AUTHORS,
        "python_dependencies": ["torch", "safetensors"],
        "y_inner_mtype": ["pd.DataFrame", "pd-multiindex", "pd_multiindex_hier"],
        "X_inner_mtype": ["pd.DataFrame", "pd-multiindex", "pd_multiindex_hier"],
        "capability:multivariate": False,
        "capability:exogenous": True,
        "capability:non_contiguous_X": False,
        "capability:missing_values": True,
        "capability:insample": False,
        "capability:pred_int": True,
        "capability:pred_int:insample": False,
        "capability:random_state": True,
        "property:randomness": "derandomized",
        "requires-fh-in-fit": True,
        "X-y-must-have-same-index": True,
    }

    def __init__(
        self,
        *,
        season: Season = Options.season,
        levels: float | Sequence[float] = Options.levels,
        cell: str | Cell = Options.cell,
        members: int = Options.members,
        hidden: int = Options.hidden,
        dropout: float = Options.dropout,
        steps: int = Options.steps,
        learning_rate: float = Options.learning_rate,
        outliers: Outliers = Options.outliers,
        engine: str = Options.engine,
        random_state: int = Options.seed,
    ) -> None:
        self.season = season
        self.levels = levels
        self.cell = cell
        self.members = members
        self.hidden = hidden
        self.dropout = dropout
        self.steps = steps
        self.learning_rate = learning_rate
        self.outliers = outliers
        self.engine = engine
        self.random_state = random_state
        super().__init__()

    def _fit(self, y: Any, X: Any, fh: Any) -> "GateworkForecaster":
        horizon = int(max(fh.to_relative(self.cutoff))) + _behind(y)
        self.y_seen_, self.X_seen_ = y, X
        options = self.get_params(deep=False)
        settings = Forecaster(horizon, known=_known(X), seed=options.pop("random_state"), **options)
        self.forecaster_ = learned_or_naive(settings, _long(y, X))
        if self.forecaster_ is not settings:
            warn("no series can be learned from, as all are too short or constant: forecast naively", obj=self)
        return self

    def _update(self, y: Any, X: Any = None, update_params: bool = True) -> "GateworkForecaster":
        """Keeps the new rows, which `_predict` reads; with update_params learns anew from all that was seen."""
        self.y_seen_, self.X_seen_ = y.combine_first(self.y_seen_), _joined(X, self.X_seen_)
        return self._fit(self.y_seen_, self.X_seen_, self.fh) if update_params else self

    def _predict(self, fh: Any, X: Any) -> Any:
        made = self._forecasts(X)
        return self._frame({self._get_varnames()[0]: [each.median for each in made]}, made, fh)

    def _predict_quantiles(self, fh: Any, X: Any, alpha: Sequence[float]) -> Any:
        made, name = self._forecasts(X), self._get_varnames()[0]
        columns = {(name, p): [between(each, p) for each in made] for p in alpha}
        frame = self._frame(columns, made, fh)
        frame.columns = pd.MultiIndex.from_tuples(columns)
        return frame

    def _forecasts(self, X: Any) -> list[Forecast]:
        """A forecast of each instance, from its last value seen, in the order of the instances."""
        made = self.forecaster_.forecasts(_long(self.y_seen_, _joined(X, self.X_seen_)))
        return sorted(made, key=lambda each: int(each.id))

    def _frame(self, columns: dict[Any, list[Any]], made: list[Forecast], fh: Any) -> Any:
        """Values of each instance at the times of fh, as sktime indexes them."""
        times = fh.to_absolute_index(self.cutoff)
        places = [_places(each, times) for each in made]
        data = {
            name: np.concatenate([values[place] for values, place in zip(each, places, strict=True)])
            for name, each in columns.items()
        }
        return pd.DataFrame(data, index=_index(self.y_seen_, times))

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:  # noqa: ARG003, as sktime calls it
        """Settings that sktime tests, which take little time."""
        small = {"members": 1, "hidden": 2, "steps": 2}
        return [small, {**small, "season": 1, "cell": "gru", "levels": 90}]


def _long(y: Any, X: Any) -> Any:
    """A frame of sktime as one of unique_id, ds, y and the columns of X, rows of X alone with a missing y."""
    columns = [y.iloc[:, 0].rename("y")]
    if X is not None:
        columns.append(X.set_axis(list(_known(X)), axis=1))
    table = pd.concat(columns, axis=1, join="outer").sort_index()
    ids = _instances(table.index)
    return table.assign(unique_id=ids.astype(str), ds=_stamps(table.index.get_level_values(-1))).reset_index(drop=True)


def _stamps(times: Any) -> Any:
    """Periods by their beginning, other times as they are."""
    return times.to_timestamp() if isinstance(times, pd.PeriodIndex) else times


def _behind(y: Any) -> int:
    """By how many steps the instance whose last value is the earliest ends before the last row."""
    there = y.dropna().index
    last = pd.Series(there.get_level_values(-1)).groupby(_instances(there)).max()
    times = y.index.get_level_values(-1).unique().sort_values()
    return int(len(times) - 1 - times.get_indexer(pd.Index(last)).min())


def _places(forecast: Forecast, times: Any) -> Any:
    """Which steps of a forecast are at these times; InputError where it has none there."""
    stamps = _stamps(times)
    if getattr(stamps, "tz", None) is not None:
        stamps = stamps.tz_convert("UTC").tz_localize(None)
    places = pd.Index(forecast.times).get_indexer(stamps)
    if (places < 0).any():
        raise InputError(
            f"a forecast is asked for {times[places < 0][0]}, and the values of a series last until one step before "
            f"{forecast.times[0]}, with {len(forecast.times)} steps learned: fit with all rows, at regular times"
        )
    return places


def _joined(new: Any, old: Any) -> Any:
    """Rows of both frames, where there are two; where both have a row, the new one's."""
    return old if new is None or old is None else new.combine_first(old)


def _known(X: Any) -> list[str]:
    """Names for the columns of X, which may be called as they like there."""
    return [] if X is None else [f"x{number}" for number in range(X.shape[1])]


def _instances(index: Any) -> Any:
    """The number of the instance that each row belongs to, in sorted order."""
    return index.droplevel(-1).factorize(sort=True)[0] if index.nlevels > 1 else np.zeros(len(index), dtype=int)


def _index(y: Any, times: Any) -> Any:
    """The index of forecasts at these times: of each instance of y, where it has some."""
    if not isinstance(y.index, pd.MultiIndex):
        return times
    instances = y.index.droplevel(-1).unique().sort_values()
    each = [(*(one if isinstance(one, tuple) else (one,)), time) for one in instances for time in times]
    return pd.MultiIndex.from_tuples(each, names=y.index.names)


class GateworkClassifier(BaseClassifier):  # type: ignore[misc]
    """Learns a class for each series as gatework's SequenceClassifier, with the methods of sktime's classifiers.

    Args:
        cell, hidden, layers, bidirectional, summary, front, branch, members, augment, dropout, epochs, steps, minutes,
            batch_size, learning_rate, weight_decay, class_weight, engine, device: as of `gatework.SequenceClassifier`.
        random_state: seed of weights, dropout and order; None draws one.

    Shapes:
        X: N series of T steps and C variables, T as it likes from series to series; y: [N].

    Raises:
        InputError: from `fit`, for an argument that cannot be used.

    Source:
        That of `gatework.SequenceClassifier`.

    Examples:
        >>> from sktime.datasets import load_unit_test
        >>> from gatework.adapters.sktime import GateworkClassifier
        >>> X, y = load_unit_test(split="train")
        >>> GateworkClassifier(hidden=4, epochs=1, random_state=0).fit(X, y).predict(X).shape
        (20,)
    """

    _tags: ClassVar[dict[str, Any]] = {
        "authors": _AUTHORS,
        "maintainers": _AUTHORS,
        "python_dependencies": ["torch", "safetensors"],
        "X_inner_mtype": "df-list",
        "y_inner_mtype": "numpy1D",
        "capability:multivariate": True,
        "capability:unequal_length": True,
        "capability:predict_proba": True,
        "capability:class_weight": True,
        "capability:random_state": True,
        "property:randomness": "derandomized",
    }

    def __init__(
        self,
        *,
        cell: str | Cell = SequenceClassifier.cell,
        hidden: int = SequenceClassifier.hidden,
        layers: int = SequenceClassifier.layers,
        bidirectional: bool = SequenceClassifier.bidirectional,
        summary: str = SequenceClassifier.summary,
        front: str = SequenceClassifier.front,
        branch: str = SequenceClassifier.branch,
        members: int | None = SequenceClassifier.members,
        augment: str = SequenceClassifier.augment,
        dropout: float = SequenceClassifier.dropout,
        epochs: int | None = SequenceClassifier.epochs,
        steps: int | None = SequenceClassifier.steps,
        minutes: float | None = SequenceClassifier.minutes,
        batch_size: int = SequenceClassifier.batch_size,
        learning_rate: float = SequenceClassifier.learning_rate,
        weight_decay: float = SequenceClassifier.weight_decay,
        class_weight: Any = SequenceClassifier.class_weight,
        engine: str = SequenceClassifier.engine,
        device: str = SequenceClassifier.device,
        random_state: int | None = SequenceClassifier.random_state,
    ) -> None:
        self.cell = cell
        self.hidden = hidden
        self.layers = layers
        self.bidirectional = bidirectional
        self.summary = summary
        self.front = front
        self.branch = branch
        self.members = members
        self.augment = augment
        self.dropout = dropout
        self.epochs = epochs
        self.steps = steps
        self.minutes = minutes
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.class_weight = class_weight
        self.engine = engine
        self.device = device
        self.random_state = random_state
        super().__init__()

    def _fit(self, X: Any, y: Any) -> "GateworkClassifier":
        self.classifier_ = SequenceClassifier(**self.get_params(deep=False)).fit(_steps(X), y.tolist())
        return self

    def _predict(self, X: Any) -> Any:
        return self.classifier_.predict(_steps(X))

    def _predict_proba(self, X: Any) -> Any:
        order = [self.classifier_.classes_.tolist().index(label) for label in self.classes_.tolist()]
        return self.classifier_.predict_proba(_steps(X))[:, order]

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:  # noqa: ARG003, as sktime calls it
        """Settings that sktime tests, which take little time."""
        small = {"hidden": 2, "steps": 2, "branch": "none"}
        return [small, {**small, "cell": "lstm", "bidirectional": True, "summary": "mean"}]


def _steps(X: Any) -> list[Any]:
    """Frames [T,C] as arrays of numbers."""
    return [frame.to_numpy(dtype=np.float64) for frame in X]
