"""A Forecaster on disk: run.json says what was chosen, best.safetensors holds what was learned and the histories."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatework.cells import Cell, cells
from gatework.errors import InputError
from gatework.forecast.data.panel import Columns, Panel, Series
from gatework.forecast.data.spacing import Spacing
from gatework.forecast.estimator import E, Estimator, Make
from gatework.forecast.inputs import Beside
from gatework.forecast.linear import Linear
from gatework.forecast.naive import Naive
from gatework.forecast.plan import Plan
from gatework.forecast.prediction import Model
from gatework.forecast.tensors import check_history, check_learned, check_sizes, states
from gatework.forecast.training import Fitted, Training, untrained
from gatework.notation import EquationError
from gatework.runs.folder import DESCRIPTION, cell_from_json, cell_to_json, describe, description
from gatework.runs.new_run import NewRun, new_run
from gatework.training.checkpoint import Checkpoint, load_checkpoint, put_weights, save_checkpoint
from gatework.training.progress import BEST, Progress

TASK = "series"
TRAINED = ("cell", "hidden", "members", "dropout", "steps", "learning_rate", "seed", "engine")
ROLES = ("target", "time", "id", "known", "past", "static")
ARRAYS = ("y", "known", "past", "static")  # of a series, beside its times


def save(forecaster: Estimator, out: Path, *, overwrite: bool = False) -> None:
    """Writes a fitted Forecaster to the new folder `out`; if anything fails, nothing on the disk has changed."""
    with new_run(out, overwrite=overwrite, resumable=False) as new:
        write(forecaster, new)


def write(forecaster: Estimator, new: NewRun) -> None:
    """Fills and places a new run with a fitted Forecaster."""
    model = forecaster.fitted
    fitted = model.fitted
    describe(
        new.folder,
        TASK,
        horizon=forecaster.horizon,
        season=forecaster.season,
        outliers=forecaster.outliers,
        levels=list(forecaster.bands),
        options={**asdict(forecaster.options), "cell": cell_to_json(forecaster.options.cell)},
        columns=model.panel.columns.to_json(),
        spacing=asdict(model.panel.spacing),
        reading=forecaster.reading.to_json(),
        dates={"unit": model.panel.unit, "resolution": _resolution(model.panel)},
        notes=list(model.panel.notes),
        kind=model.kind,
        lags=model.lags,
        network={"inputs": fitted.network.inputs, "known": fitted.network.known_inputs},
        beside=asdict(model.beside),
        series=[_series_json(model, each.id) for each in model.panel.series],
        empty=list(model.panel.empty),
        scores={name: getattr(fitted, name) for name in ("trust", "linear_score", "network_score")},
    )
    tensors = {f"model.{name}": tensor for name, tensor in fitted.network.state_dict().items()}
    numbers = {"linear": fitted.linear.weights, "offsets": fitted.offsets, "factors": fitted.factors}
    tensors |= {f"learned.{name}": torch.from_numpy(values) for name, values in numbers.items()}
    tensors |= {f"state.{index}": part for index, part in enumerate(model.states)}
    tensors |= _histories(model.panel)
    save_checkpoint(new.folder / BEST, tensors, Progress(step=forecaster.options.steps))
    new.place()


def _series_json(model: Model, name: str) -> dict[str, Any]:
    """One series by name: its plan, or what answers it where it was not learned from."""
    if name in model.plans:
        return {"id": name, "plan": model.plans[name].to_json()}
    return {"id": name, "naive": model.answered[name].to_json()}


def _histories(panel: Panel) -> dict[str, Tensor]:
    """The rows of all series, one after another; static ones one for each; times as whole numbers."""
    arrays = {name: np.concatenate([getattr(each, name) for each in panel.series]) for name in ARRAYS[:-1]}
    arrays["static"] = np.stack([each.static for each in panel.series])
    arrays["times"] = np.concatenate([each.times.astype(np.int64) for each in panel.series])
    arrays["lengths"] = np.array([[len(each), len(each.known)] for each in panel.series], np.int64)
    return {f"history.{name}": torch.from_numpy(np.ascontiguousarray(values)) for name, values in arrays.items()}


def _resolution(panel: Panel) -> str:
    """What times count: "s" or "ms" since 1970, or "step"."""
    times = panel.series[0].times
    return str(np.datetime_data(times.dtype)[0]) if times.dtype.kind == "M" else "step"


def load(path: Path, make: Make[E]) -> E:
    """An estimator that `make` makes, as `save` wrote it.

    Raises InputError, naming the file, where it is damaged or another task's.
    """
    values = description(path, TASK)
    checkpoint = load_checkpoint(path / BEST)
    try:
        options = {**values["options"], "cell": cell_from_json(values["options"]["cell"])}
        columns = Columns.from_json(values["columns"])
        cell: Cell = options["cell"]
        named = cell.name if cells.get(cell.name) == cell else cell
        shared = {name: options[name] for name in TRAINED} | {"cell": named}
        roles = {name: getattr(columns, name) for name in ROLES} | values.get("reading", {})
        chosen = {"season": values["season"], "levels": tuple(values["levels"])}
        chosen["outliers"] = values.get("outliers", "keep")  # runs of before the option trusted all
        forecaster = make(values["horizon"], **chosen, **roles, **shared)
        forecaster.options, forecaster.columns = Training(**options), columns
        forecaster.model = _model(values, checkpoint, forecaster)
    except KeyError as error:
        raise InputError(f"{path / DESCRIPTION} is damaged: {error} is missing") from error
    except (TypeError, AttributeError, ValueError, IndexError, RuntimeError, EquationError) as error:
        what = str(error).splitlines()[0]
        raise InputError(f"{path / DESCRIPTION} is damaged, or not of {path / BEST}: {what}") from error
    return forecaster


def _model(values: dict[str, Any], checkpoint: Checkpoint, forecaster: Estimator) -> Model:
    """What was learned, put together again."""
    names = [each["id"] for each in values["series"]]
    check_history(checkpoint, len(names), forecaster.columns)
    counted = values["spacing"]["unit"] == "step"
    dates = values.get("dates", {"unit": "us", "resolution": "step" if counted else "s"})
    panel = Panel(
        tuple(_series(names, checkpoint.part("history"), dates["resolution"])),
        Spacing(**values["spacing"]),
        forecaster.columns,
        tuple(values["notes"]),
        tuple(values.get("empty", ())),
        dates["unit"],
    )
    plans = {each["id"]: Plan.from_json(each["plan"]) for each in values["series"] if "naive" not in each}
    answered = {each["id"]: Naive.from_json(each["naive"]) for each in values["series"] if "naive" in each}
    learned = {name: tensor.numpy() for name, tensor in checkpoint.part("learned").items()}
    if len(learned["offsets"]) != forecaster.horizon:
        raise ValueError(f"a horizon of {forecaster.horizon}, where {len(learned['offsets'])} steps were learned")
    check_sizes(checkpoint, forecaster.options, **values["network"])
    network = untrained(forecaster.options, learned["offsets"], **values["network"])
    put_weights(checkpoint, network)
    P = len(forecaster.probabilities)
    check_learned(checkpoint, network, forecaster.horizon, P, values["lags"], forecaster.columns)
    fitted = Fitted(
        Linear(learned["linear"]), network.eval(), learned["offsets"], factors=learned["factors"], **values["scores"]
    )
    state, beside = states(checkpoint, network, len(plans)), Beside.from_json(values["beside"])
    return Model(panel, plans, answered, beside, values["lags"], fitted, state, values["kind"])


def _series(names: Sequence[str], tensors: Mapping[str, Tensor], resolution: str) -> Iterator[Series]:
    """The histories that `_histories` laid one after another."""
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
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
