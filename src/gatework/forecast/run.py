"""A Forecaster as run.json and arrays, and back; `gatework.forecast.checkpoint` writes and reads them with torch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from gatework.cells import cells
from gatework.errors import InputError
from gatework.forecast import checks
from gatework.forecast.checks import KINDS
from gatework.forecast.data.panel import Columns, Panel, Series
from gatework.forecast.data.spacing import Spacing
from gatework.forecast.estimator import E, Estimator, Make
from gatework.forecast.fitted import HOLDOUT_MEMBERS, Fitted, Networks, Sizes, Training
from gatework.forecast.inputs import AHEAD, Beside, input_width
from gatework.forecast.linear import Linear
from gatework.forecast.naive import Naive
from gatework.forecast.network import forecast_network
from gatework.forecast.options import learned_probabilities
from gatework.forecast.plan import Plan
from gatework.forecast.prediction import Model
from gatework.forecast.tensors import check_history, check_learned, states
from gatework.network import Network
from gatework.notation import EquationError
from gatework.runs.arguments import whole
from gatework.runs.folder import DESCRIPTION, cell_from_json, cell_to_json
from gatework.training.progress import BEST

TASK = "series"
TRAINED = ("cell", "hidden", "members", "dropout", "steps", "learning_rate", "seed", "engine")
ROLES = ("target", "time", "id", "known", "past", "static")
ARRAYS = ("y", "known", "past", "static")  # of a series, beside its times
PARTS = ("learned", "state", "history")  # of the arrays, beside the networks' weights
SCORES = ("trust", "linear_score", "network_score")
UNITS = ("date", "s", "ms", "us", "ns")  # of the dates in a frame

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]


# -- from a Forecaster


def to_json(forecaster: Estimator, sizes: Sizes) -> dict[str, Any]:
    """What run.json says of a fitted Forecaster, whose networks have these sizes."""
    model = forecaster.fitted
    return {
        "horizon": forecaster.horizon,
        "season": forecaster.season,
        "outliers": forecaster.outliers,
        "levels": list(forecaster.bands),
        "options": {**asdict(forecaster.options), "cell": cell_to_json(forecaster.options.cell)},
        "columns": model.panel.columns.to_json(),
        "spacing": asdict(model.panel.spacing),
        "reading": forecaster.reading.to_json(),
        "dates": {"unit": model.panel.unit, "resolution": _resolution(model.panel)},
        "notes": list(model.panel.notes),
        "kind": model.kind,
        "lags": model.lags,
        "network": asdict(sizes),
        "beside": asdict(model.beside),
        "series": [_series_json(model, each.id) for each in model.panel.series],
        "empty": list(model.panel.empty),
        "scores": {name: getattr(model.fitted, name) for name in SCORES},
    }


def arrays_of(model: Model) -> dict[str, Array]:
    """What was learned beside the networks, their states, and the histories."""
    fitted = model.fitted
    numbers = {"linear": fitted.linear.weights, "offsets": fitted.offsets, "factors": fitted.factors}
    arrays: dict[str, Array] = {f"learned.{name}": values for name, values in numbers.items()}
    arrays |= {f"state.{index}": part for index, part in enumerate(model.states)}
    return arrays | {f"history.{name}": values for name, values in _histories(model.panel).items()}


def _series_json(model: Model, name: str) -> dict[str, Any]:
    """One series by name: its plan, or what answers it where it was not learned from."""
    if name in model.plans:
        return {"id": name, "plan": model.plans[name].to_json()}
    return {"id": name, "naive": model.answered[name].to_json()}


def _histories(panel: Panel) -> dict[str, Array]:
    """The rows of all series, one after another; static ones one for each; times as whole numbers."""
    arrays = {name: np.concatenate([getattr(each, name) for each in panel.series]) for name in ARRAYS[:-1]}
    arrays["static"] = np.stack([each.static for each in panel.series])
    arrays["times"] = np.concatenate([each.times.astype(np.int64) for each in panel.series])
    arrays["lengths"] = np.array([[len(each), len(each.known)] for each in panel.series], np.int64)
    return {name: np.ascontiguousarray(values) for name, values in arrays.items()}


def _resolution(panel: Panel) -> str:
    """What times count: "s" or "ms" since 1970, or "step"."""
    times = panel.series[0].times
    return str(np.datetime_data(times.dtype)[0]) if times.dtype.kind == "M" else "step"


# -- and back


@dataclass(frozen=True)
class Saved:
    """A Forecaster as it was saved: what run.json says, and the arrays of PARTS by part and name.

    said, there: where either was read, for errors.
    """

    said: Path
    there: Path
    values: Mapping[str, Any]
    arrays: Mapping[str, Arrays]


@dataclass(frozen=True)
class Described:
    """What run.json says of the networks: how they were trained, what they read, and for what they predict."""

    options: Training
    sizes: Sizes
    horizon: int
    probabilities: int

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Raises ValueError, KeyError, TypeError and others for what is damaged."""
        options = Training(**{**values["options"], "cell": cell_from_json(values["options"]["cell"])})
        for name in ("hidden", "members"):
            whole(name, getattr(options, name), least=1)
        sizes = Sizes(**values["network"])
        for name, size in asdict(sizes).items():
            whole(name, size, least=0)
        probabilities = len(learned_probabilities(checks.levels(values["levels"])))
        return cls(options, sizes, whole("horizon", values["horizon"], least=1), probabilities)

    @property
    def members(self) -> int:
        """Those that judge among them."""
        return len(HOLDOUT_MEMBERS) + self.options.members

    def network(self) -> Network:
        """x [T,B,I], known [B,h,K] -> quantiles [B,h,P]."""
        return forecast_network(self.options, self.sizes, self.horizon, self.probabilities)


@contextmanager
def _blaming(said: Path, there: Path) -> Iterator[None]:
    """What does not fit is an InputError that names where it was read."""
    try:
        yield
    except KeyError as error:
        raise InputError(f"{said} is damaged: {error} is missing") from error
    except (TypeError, AttributeError, ValueError, IndexError, OverflowError, RuntimeError, EquationError) as error:
        fits = "" if said == there else f", or not of {there}"
        raise InputError(f"{said} is damaged{fits}: {str(error).splitlines()[0]}") from error


def network_of(path: Path, values: Mapping[str, Any]) -> Network:
    """The networks of the run in a folder, from what its run.json says; InputError where it is damaged."""
    with _blaming(path / DESCRIPTION, path / BEST):
        return Described.of(values).network()


def restored(saved: Saved, make: Make[E], networks: Callable[[Described], Networks]) -> E:
    """An estimator that `make` makes, as it was saved, with the networks that `networks` makes.

    Raises InputError, naming what was read, where it is damaged.
    """
    values = saved.values
    with _blaming(saved.said, saved.there):
        described, columns = Described.of(values), Columns.from_json(values["columns"])
        options = described.options
        cell = options.cell.name if cells.get(options.cell.name) == options.cell else options.cell
        shared = {name: getattr(options, name) for name in TRAINED} | {"cell": cell}
        roles = {name: getattr(columns, name) for name in ROLES} | values.get("reading", {})
        chosen = {"season": values["season"], "levels": tuple(values["levels"])}
        chosen["outliers"] = values.get("outliers", "keep")  # runs of before the option trusted all
        forecaster = make(values["horizon"], **chosen, **roles, **shared)
        forecaster.options, forecaster.columns = options, columns
        forecaster.model = _model(saved, described, columns, networks)
    return forecaster


def _model(saved: Saved, described: Described, columns: Columns, networks: Callable[[Described], Networks]) -> Model:
    """What was learned, put together again."""
    values, learned = saved.values, saved.arrays["learned"]
    panel, beside = _panel(saved, columns), Beside.from_json(values["beside"])
    plans, answered = _chosen(values, panel)
    if len(learned["offsets"]) != described.horizon:
        raise ValueError(f"a horizon of {described.horizon}, where {len(learned['offsets'])} steps were learned")
    network, lags = networks(described), whole("lags", values["lags"], least=1)
    _check_widths(described.sizes, panel, beside)
    check_learned(saved.there, learned, described.probabilities, described.sizes.known, lags, columns)
    state = states(saved.there, saved.arrays["state"], described.network(), len(plans))
    scores = {name: float(values["scores"][name]) for name in SCORES}
    fitted = Fitted(Linear(learned["linear"]), network, learned["offsets"], factors=learned["factors"], **scores)
    return Model(panel, plans, answered, beside, lags, fitted, state, values["kind"])


def _chosen(values: Mapping[str, Any], panel: Panel) -> tuple[dict[str, Plan], dict[str, Naive]]:
    """The plans of the series that were learned from, and the naive forecasts of the others."""
    plans = {each["id"]: Plan.from_json(each["plan"]) for each in values["series"] if "naive" not in each}
    answered = {each["id"]: Naive.from_json(each["naive"]) for each in values["series"] if "naive" in each}
    if not plans or len(plans) + len(answered) < len(panel):
        raise ValueError(f"{len(plans)} series were learned from, of {len(panel)}")
    for series in panel.series:
        longest = plans[series.id].longest if series.id in plans else answered[series.id].base.season
        if longest > len(series):
            raise ValueError(f"the series {series.id!r} has a season of {longest} steps and {len(series)} values")
    return plans, answered


def _check_widths(sizes: Sizes, panel: Panel, beside: Beside) -> None:
    """Raises ValueError unless the networks read what series are prepared to."""
    first = panel.series[0]
    width = input_width(panel.columns, len(panel.spacing.calendar(first.times)[0]))
    if (sizes.inputs, sizes.known) != (width, len(AHEAD) * first.known.shape[1]):
        raise ValueError(f"the networks read {sizes.inputs} numbers and {sizes.known} ahead, where there are {width}")
    for kind in KINDS:
        if len(getattr(beside, kind)[0]) != len(panel.columns.features(kind)):
            raise ValueError(f"{kind} columns have {len(getattr(beside, kind)[0])} means")


def _panel(saved: Saved, columns: Columns) -> Panel:
    """The histories."""
    values = saved.values
    names, notes, empty = ([each["id"] for each in values["series"]], values["notes"], values.get("empty", ()))
    if not all(isinstance(text, str) for text in (*names, *notes, *empty)) or len({*names, *empty}) < len(names):
        raise ValueError("its series have no names of their own, or its notes are no texts")
    check_history(saved.there, saved.arrays["history"], len(names), columns)
    spacing = Spacing(**values["spacing"])
    counted = spacing.unit == "step"
    dates = values.get("dates", {"unit": "us", "resolution": "step" if counted else "s"})
    if dates["resolution"] not in (("step",) if counted else ("s", "ms")) or dates["unit"] not in UNITS:
        raise ValueError(f"its dates are in {dates['resolution']!r} and {dates['unit']!r}")
    series = tuple(_series(names, saved.arrays["history"], dates["resolution"]))
    return Panel(series, spacing, columns, tuple(notes), tuple(empty), dates["unit"])


def _series(names: Sequence[str], arrays: Arrays, resolution: str) -> Iterator[Series]:
    """The histories that `_histories` laid one after another."""
    times = arrays["times"] if resolution == "step" else arrays["times"].astype(f"datetime64[{resolution}]")
    end, end_known = 0, 0
    for name, (T, known), static in zip(names, arrays["lengths"].tolist(), arrays["static"], strict=True):
        rows, end, ahead, end_known = (
            slice(end, end + T),
            end + T,
            slice(end_known, end_known + known),
            end_known + known,
        )
        yield Series(name, times[rows], arrays["y"][rows], arrays["known"][ahead], arrays["past"][rows], static)
