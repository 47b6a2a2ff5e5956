"""From a Forecaster to the payload and the weights of a page: its network along the history of one series.

The page's keys beside those of `payload.py`:
series     id, name, times [T], ahead [h], values [T], x [T,I], inputs [I names], season, horizon, probabilities [P],
           levels, forecast [h,P] (Python's, from the last step), members, judges, hidden, and up to `longest` steps
           the recipe from which the page computes x again when a value is changed (see `recipe.py`)
model      lift: weights that x goes through before the layer, None for most cells; head: weight [M,H,h*P], offset
           [M,h,P], and for columns known in the future `known` and `mixed`
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gatework import __version__
from gatework.cells import Cell
from gatework.errors import InputError
from gatework.forecast.data.panel import Panel, Series
from gatework.forecast.fitted import HOLDOUT_MEMBERS, Sizes
from gatework.forecast.forecaster import Forecaster
from gatework.forecast.inputs import Inputs, input_names, prepare
from gatework.forecast.model import Ensemble, ensemble_of
from gatework.forecast.network import forecast_network
from gatework.forecast.plan import Plan
from gatework.forecast.rivals import normal
from gatework.forecast.training import untrained
from gatework.inspect.activity import Activity, Recorder
from gatework.inspect.clamping import Clamp, clamped
from gatework.inspect.figures import hypotheses_json, rounded, units_json
from gatework.inspect.findings import series_findings
from gatework.inspect.hypotheses import Hypothesis
from gatework.inspect.memory import lives, series_flow
from gatework.inspect.model import Weights, drawn, layers_json
from gatework.inspect.payload import Payload
from gatework.inspect.recipe import LONGEST, numbers, recipe_json
from gatework.inspect.seasons import MEANINGS, labels, search_series
from gatework.inspect.units import Units, looked_at
from gatework.layers.description import tensors_of
from gatework.layers.record import record
from gatework.network import Network
from gatework.network.steps import Linear, Quantiles
from gatework.notation.gates import gates
from gatework.notation.retention import called, retained
from gatework.runs.progress import PartProgress

CHECKS = 5  # places at which the page is compared with Python


@dataclass(frozen=True)
class _Followed:
    """One series, prepared, and a network along it; x [T,1,I] is what the recurrent layer reads."""

    series: Series
    plan: Plan
    inputs: Inputs
    network: Ensemble
    x: Tensor
    activity: Activity
    output: Tensor  # [T,1,M,H]

    @property
    def values(self) -> dict[str, Tensor]:
        """States and outputs [T,M*H]."""
        names = looked_at(self.network.recurrent.program)
        return {key: value for key, value in self.activity.values.items() if key.split(".")[1] in names}


def collect_series(
    forecaster: Forecaster, title: str, name: str | None, panel: Panel, progress: PartProgress
) -> tuple[Payload, Weights]:
    """Runs a forecaster's network along one series of a panel, and measures what its units do."""
    model = forecaster.fitted
    series, number = _chosen(panel, name, model.plans)
    plan = model.plans[series.id]
    inputs = prepare(series, plan, forecaster.horizon, model.lags, model.beside, panel.spacing)
    network = ensemble_of(model.fitted)
    described, cell = description(forecaster), network.recurrent.cell
    weights = tensors_of(network, described)
    fresh = untrained(forecaster.options, model.fitted.offsets, Sizes(network.inputs, network.known_inputs))
    subject, before = (_followed(each.eval(), series, plan, inputs) for each in (network, fresh))
    progress("running along the series", 1, 2)
    units, rows = Units.of(subject.values), Units.of(before.values).values
    marks = labels(series, plan)
    hypotheses = search_series(units.values, rows, marks, plan.season)
    payload: Payload = {
        "gatework": __version__,
        "kind": "series",
        "title": title,
        "untrained": False,
        "model": _model_json(cell, described, weights),
        "series": _series_json(forecaster, panel, subject, number),
        "check": _check(forecaster, subject),
        "results": {"trust": model.fitted.trust, "parameters": sum(p.numel() for p in network.parameters())}
        | {"base": plan.base_name, "base_score": plan.score},
        "units": units_json(units, hypotheses, lives(network.recurrent, subject.activity, lambda: subject.x)),
        "hypotheses": hypotheses_json(hypotheses, units, [None] * len(hypotheses), MEANINGS, marks),
        "gates": subject.activity.saturation.to_json(),
        "flow": series_flow(network, inputs.x, subject.activity),
        "other": None,
        "cell_svg": drawn(cell, described),
        "text": None,
        "vocabulary": None,
    }
    for listed, cost in zip(payload["hypotheses"], _removed(forecaster, subject, units, hypotheses), strict=True):
        listed["cost_percent"] = cost
    payload["findings"] = series_findings(payload, hypotheses, units.names)
    progress("running along the series", 2, 2)
    return payload, weights


def _chosen(panel: Panel, name: str | None, plans: Mapping[str, Plan]) -> tuple[Series, int]:
    """The series of this id and its number, by default the first that was learned from; InputError for any other."""
    learned = list(plans)
    if name is not None and name not in plans:
        there = ", ".join(learned[:10]) + (f" and {len(learned) - 10} more" if len(learned) > 10 else "")
        raise InputError(f"series {name!r} is not one of those that the model learned from: {there}")
    number = [each.id for each in panel.series].index(learned[0] if name is None else name)
    return panel.series[number], number


def _followed(network: Ensemble, series: Series, plan: Plan, inputs: Inputs) -> _Followed:
    """Runs a network along a series."""
    program = network.recurrent.program
    heard = Recorder([*looked_at(program), *map(called, retained(program))], gates(program))
    x = torch.from_numpy(inputs.x.astype(np.float32))[:, None]
    with torch.inference_mode(), record(network.recurrent, *heard.all) as trace:
        read = x if network.lift is None else network.lift(x)
        output, _ = network.states(x)
    heard.add(trace)
    return _Followed(series, plan, inputs, network, read.clone(), heard.activity(torch.zeros(0)), output)


def description(forecaster: Forecaster) -> Network:
    """The networks of a forecaster as data."""
    ensemble = ensemble_of(forecaster.fitted.fitted)
    sizes = Sizes(ensemble.inputs, ensemble.known_inputs)
    return forecast_network(forecaster.options, sizes, forecaster.horizon, len(forecaster.probabilities))


def _model_json(cell: Cell, network: Network, weights: Weights) -> Payload:
    """The layer, and what stands before and after it."""
    told = layers_json(cell, network, weights) | {"lift": None}
    for step in network.steps:
        if isinstance(step, Linear):
            told["lift"] = {"weight": step.weight, "bias": step.bias}
        elif isinstance(step, Quantiles):
            told["head"] = {"weight": step.weight, "offset": step.bias, "known": step.mix, "mixed": step.mixed}
    return told


def _series_json(forecaster: Forecaster, panel: Panel, subject: _Followed, number: int) -> Payload:
    """The series as the page shows it, its forecast, and what the network reads."""
    model, series = forecaster.fitted, subject.series
    made = forecaster.forecasts_of(panel)[number]
    known, past, static = (panel.columns.features(kind) for kind in ("known", "past", "static"))
    beside = [*known, *past, *static, *panel.spacing.calendar(series.times)[0]]
    return {
        "id": series.id,
        "name": panel.columns.target,
        "times": [panel.spacing.show(time) for time in series.times],
        "ahead": [panel.spacing.show(time) for time in made.times],
        "values": numbers(series.y),
        "x": numbers(subject.inputs.x),
        "inputs": input_names(subject.plan.other_names, beside),
        "season": subject.plan.season,
        "horizon": forecaster.horizon,
        "probabilities": list(forecaster.probabilities),
        "levels": list(forecaster.bands),
        "forecast": numbers(made.quantiles),
        "members": subject.network.members,
        "judges": len(HOLDOUT_MEMBERS),
        "hidden": subject.network.hidden,
        "longest": LONGEST,
        "recipe": recipe_json(
            model.fitted,
            subject.plan,
            subject.inputs,
            model.lags,
            series.past.shape[1],
            normal(forecaster.probabilities).tolist(),
        ),
    }


def _check(forecaster: Forecaster, subject: _Followed) -> Payload:
    """What Python finds at some steps: the layer's output [M*H], the median that each network expects next, [M]."""
    T = len(subject.output)
    at = sorted({round((T - 1) * k / (CHECKS - 1)) for k in range(CHECKS)})
    middle = len(forecaster.probabilities) // 2
    with torch.no_grad():
        expected = subject.network.quantiles(subject.output[at])[:, 0, :, 0, middle]  # [N,M]
    return {
        "at": at,
        "h": [rounded(subject.output[t].flatten()) for t in at],
        "p": [rounded(each) for each in expected],
    }


def _removed(
    forecaster: Forecaster, subject: _Followed, units: Units, hypotheses: Sequence[Hypothesis]
) -> list[float | None]:
    """For each hypothesis by how many percent the network's error grows when its best unit is clamped to its mean."""
    network, expected = subject.network, forecaster.fitted.fitted.linear(subject.inputs)
    residual = torch.from_numpy((subject.inputs.residual - expected).astype(np.float32))
    places = [units.place(each.best) for each in hypotheses]
    clamps = [Clamp(key, unit, float(subject.activity.values[key][:, unit].mean())) for key, unit in places]
    with torch.inference_mode():
        output = clamped(network.recurrent, subject.x, [None, *clamps])  # [T,N,M*H]
        output = output.reshape(*output.shape[:2], network.members, network.hidden)
        quantiles = network.quantiles(output, which=slice(len(HOLDOUT_MEMBERS), None)).mean(2)  # [T,N,h,P]
    median = quantiles[..., len(forecaster.probabilities) // 2]
    error = (residual[:, None] - median).abs()[subject.inputs.warm :]  # [T,N,h]
    lost = [float(each[~each.isnan()].mean()) for each in error.unbind(1)]
    return [round(100 * (each / lost[0] - 1), 3) if lost[0] else None for each in lost[1:]]
