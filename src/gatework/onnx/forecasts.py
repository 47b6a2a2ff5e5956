"""Runs of series: what the networks say becomes the forecast of each series."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError
from gatework.forecast import feeds
from gatework.forecast.checks import KINDS
from gatework.forecast.fitted import Fitted, Sizes
from gatework.forecast.forecaster import Forecaster
from gatework.forecast.inputs import LARGEST, common_names, input_names, known_names
from gatework.forecast.limits import TENTH
from gatework.forecast.model import ensemble_of
from gatework.forecast.network import KNOWN, forecast_network
from gatework.forecast.plan import PLACES
from gatework.forecast.prediction import Model
from gatework.forecast.rivals import normal
from gatework.network import Port
from gatework.onnx.described import Described, about, arrays
from gatework.onnx.graph import Graph

Numbers = npt.NDArray[np.float64]


def series(forecaster: Forecaster) -> Described:
    """A forecaster: what is computed from each series alone -> quantiles [B,h,P] of its next values."""
    model, options, probabilities = forecaster.fitted, forecaster.options, forecaster.probabilities
    ensemble = ensemble_of(model.fitted)
    sizes = Sizes(ensemble.inputs, ensemble.known_inputs)
    network = forecast_network(options, sizes, forecaster.horizon, len(probabilities))
    bounded = {plan.bounded for plan in model.plans.values()}
    if len(bounded) > 1:
        raise InputError("some series of this run have limits and some have none: train it again to export it")
    known = {"probabilities": probabilities, "inputs": _names(model), "columns": model.panel.columns.to_json()}
    return Described(
        network,
        arrays(ensemble.state_dict()),
        about("series", options.cell) | {name: json.dumps(value, ensure_ascii=False) for name, value in known.items()},
        ending=Ending(model.fitted, probabilities, sizes.known, all(bounded)),
    )


def _names(model: Model) -> dict[str, list[str]]:
    """What the columns of the inputs are called; "simple forecast 2" where series differ in which it is."""
    panel = model.panel
    known, past, static = (panel.columns.features(kind) for kind in KINDS)
    places = enumerate(zip(*(plan.other_names for plan in model.plans.values()), strict=True), 1)
    others = [names[0] if len({*names}) == 1 else f"simple forecast {number}" for number, names in places]
    beside = [*known, *past, *static, *panel.spacing.calendar(panel.series[0].times)[0]]
    return {
        "x": input_names(others, beside),
        feeds.COMMON: common_names(model.lags, past),
        feeds.OTHERS: others,
        KNOWN: known_names(known),
    }


@dataclass(frozen=True)
class Ending:
    """From the networks' quantiles [B,h,P] to those of the forecast: `residuals` and `Terms` of gatework.forecast.

    known: how many columns known in the future there are. bounded: whether quantiles are kept within limits.
    """

    fitted: Fitted
    probabilities: tuple[float, ...]
    known: int
    bounded: bool

    @property
    def ports(self) -> list[Port]:
        """What goes in beside what the networks read: see `gatework.forecast.feeds.feeds`."""
        h, F = self.fitted.linear.weights.shape
        row, one = ("B", h), ("B",)
        ports = [Port(feeds.COMMON, ("B", F - PLACES - self.known)), Port(feeds.OTHERS, ("B", h, PLACES))]
        ports += [Port(feeds.BASE, row), Port(feeds.SCALE, row), Port(feeds.LOG, one, "bool")]
        if self.bounded:
            ports += [Port(name, row) for name in (feeds.LOWEST, feeds.HIGHEST, feeds.NARROW)]
            ports += [Port(name, one) for name in (feeds.LOW, feeds.HIGH)]
        return [*ports, Port(feeds.FLOOR, one)]

    def written(self, graph: Graph, values: dict[str, str], said: str) -> str:
        """The forecast of quantiles that the networks say, ordered by size; what it reads goes in."""
        for port in self.ports:
            name = graph.input(port.name, port.shape, port.dtype)
            for place in range(len(port.shape), 3):  # as wide as the quantiles [B,h,P]
                name = name if port.name == feeds.COMMON else graph.node("Unsqueeze", name, [place])
            values[port.name] = name
        left = self._residuals(graph, values, said)
        made = graph.node("Add", values[feeds.BASE], graph.node("Mul", values[feeds.SCALE], left))
        made = graph.node("Where", values[feeds.LOG], graph.node("Exp", made), made)
        made = self._kept(graph, values, made) if self.bounded else made
        made = graph.node("Max", made, values[feeds.FLOOR])
        return graph.nodes("TopK", ["", ""], made, [len(self.probabilities)], axis=-1, largest=0, sorted=1)[0]

    def _residuals(self, graph: Graph, values: Mapping[str, str], said: str) -> str:
        """Quantiles [B,h,P] of the base's error, in units of its scale."""
        fitted = self.fitted
        trusted = graph.node("Mul", said, graph.number(fitted.trust))
        rest = graph.node("Add", trusted, _constant(graph, (1 - fitted.trust) * fitted.offsets))
        median = self._median(graph, rest)
        spread = graph.node("Mul", graph.node("Sub", rest, median), _constant(graph, fitted.factors))
        return graph.node("Add", graph.node("Add", self._linear(graph, values), median), spread)

    def _linear(self, graph: Graph, values: Mapping[str, str]) -> str:
        """What the linear part expects [B,h,1]."""
        weights, ahead = self.fitted.linear.weights, values[feeds.OTHERS]
        F = weights.shape[1] - PLACES - self.known
        if self.known:
            ahead = graph.node("Concat", ahead, values[KNOWN], axis=-1)  # [B,h,C]
        own = graph.node("MatMul", values[feeds.COMMON], _constant(graph, weights[:, :F].T))  # [B,h]
        product = graph.node("Mul", ahead, _constant(graph, weights[:, F:]))
        total = graph.node("Add", graph.node("Unsqueeze", own, [2]), graph.node("ReduceSum", product, [2], keepdims=1))
        return graph.node("Min", graph.node("Max", total, graph.number(-LARGEST)), graph.number(LARGEST))

    def _kept(self, graph: Graph, values: Mapping[str, str], made: str) -> str:
        """Quantiles within the limits: see `gatework.forecast.limits.Limits.kept`."""
        deviates = normal(self.probabilities)
        inside = graph.node("Min", graph.node("Max", made, values[feeds.LOWEST]), values[feeds.HIGHEST])
        apart = graph.node("Mul", values[feeds.NARROW], _constant(graph, deviates))
        at_least = graph.node("Add", self._median(graph, inside), apart)
        nearer = graph.node("Min", inside, at_least), graph.node("Max", inside, at_least)
        made = graph.node("Where", graph.node("Less", apart, graph.number(0)), *nearer)
        low = self._where(graph, deviates <= TENTH, values[feeds.LOW], np.inf)
        high = self._where(graph, deviates >= -TENTH, values[feeds.HIGH], -np.inf)
        return graph.node("Max", graph.node("Min", made, low), high)

    def _median(self, graph: Graph, made: str) -> str:
        middle = len(self.probabilities) // 2
        return graph.node("Slice", made, [middle], [middle + 1], [2])

    @staticmethod
    def _where(graph: Graph, there: npt.NDArray[np.bool_], value: str, otherwise: float) -> str:
        return graph.node("Where", graph.constant(there), value, graph.number(otherwise))


def _constant(graph: Graph, numbers: Numbers) -> str:
    return graph.constant(numbers.astype(np.float32))
