"""From what was learned to the forecast of a series: the network's state, its quantiles, the scale of the series."""

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from gatework.errors import InputError
from gatework.forecast.base import Numbers
from gatework.forecast.data.panel import Panel, Series
from gatework.forecast.data.spacing import Spacing
from gatework.forecast.fitted import Fitted, Floats, States
from gatework.forecast.inputs import LARGEST, Beside, Inputs, constant_columns, known_of, prepare
from gatework.forecast.naive import (
    Naive,
    ended,
    fitting,
    naive_notes,
    unsteadiness,
    usual_season,
    without_future,
)
from gatework.forecast.plan import PLACES, Plan
from gatework.forecast.terms import Terms


@dataclass(frozen=True)
class Forecast:
    """The forecast of one series: quantiles [h,P] of its next values, at `times` [h], for the probabilities [P]."""

    id: str
    times: Any
    quantiles: Numbers
    probabilities: tuple[float, ...]

    def at(self, p: float) -> Numbers:
        """One quantile [h] of those that were learned."""
        if round(p, 6) not in self.probabilities:
            there = ", ".join(f"{each:g}" for each in self.probabilities)
            raise InputError(f"the quantile {p:.6g} was not learned; there are {there}")
        return np.asarray(self.quantiles[:, self.probabilities.index(round(p, 6))])

    @property
    def median(self) -> Numbers:
        return self.at(0.5)

    def band(self, level: float) -> tuple[Numbers, Numbers]:
        """The borders [h] between which a value lies with a probability of `level` percent."""
        return self.at(0.5 - level / 200), self.at(0.5 + level / 200)


@dataclass(frozen=True)
class Model:
    """The result of a fit: the series, the plan of each that was learned from, what was learned from all of them.

    answered: what a naive forecast answers the others by. states: of the series with a plan, in the order of `plans`.
    kind: of the frames that were given.
    """

    panel: Panel
    plans: dict[str, Plan]
    answered: dict[str, Naive]
    beside: Beside
    lags: int
    fitted: Fitted
    states: States
    kind: str | None = None

    def prepared(self, series: Series, spacing: Spacing, horizon: int) -> Inputs:
        """A series that was learned from, as the network and the linear part are given it."""
        return prepare(series, self.plans[series.id], horizon, self.lags, self.beside, spacing)

    def learned(self, panel: Panel) -> list[Series]:
        """The series of a panel that were learned from, in the order of `plans`."""
        return [each for each in panel.series if each.id in self.plans]

    def answers(self, panel: Panel) -> dict[str, Naive]:
        """The naive forecasts of the series of a panel that have one, those that began since as well."""
        begun = [each for each in panel.series if each.id not in self.plans and each.id not in self.answered]
        season = usual_season(self.plans.values())
        return self.answered | {each.id: Naive(fitting(each.y, season), "short") for each in begun}

    def exceptions(self, panel: Panel, lacking: Sequence[str] = ()) -> list[str]:
        """What to say about series with a naive forecast, an earlier end, or no future of the known columns."""
        naive = naive_notes(self.answers(panel), len(panel) + len(panel.empty))
        return [*naive, *ended(panel, len(self.fitted.offsets)), *without_future(panel, lacking)]

    def notes(self, panel: Panel, lacking: Sequence[str] = ()) -> tuple[str, ...]:
        """What was mended while reading a panel, and what was chosen, a line each."""
        nothing = constant_columns(self.beside, panel.columns)
        return (*panel.notes, *self.exceptions(panel, lacking), *nothing, *self.choices())

    def choices(self) -> list[str]:
        """What was chosen, and what the learned parts brought."""
        return [*_chosen(list(self.plans.values())), *_trusted(self.fitted)]


def _chosen(plans: Sequence[Plan]) -> list[str]:
    """The choices for each series in words; for several, how many have which."""
    if len(plans) == 1:
        (one,) = plans
        season = f"season {one.season}" if one.season > 1 else "no season"
        against = "seasonal naive" if one.season > 1 else "the last value"
        return [
            f"{season}{f', and {one.second}' if one.second > 1 else ''}"
            + ("; the logarithm is forecast, as the swings grow with the level" if one.log else ""),
            f"base forecast: {one.base_name}; alone it errs {one.score:.2f} times as much as {against}",
        ]
    bases = Counter(each.base_name for each in plans).most_common()
    score = float(np.mean([each.score for each in plans]))
    shown = ", ".join(f"{base} ({count:,})" for base, count in bases[:4]) + (", ..." if len(bases) > 4 else "")
    logs = sum(each.log for each in plans)
    return [
        f"base forecasts: {shown}; alone they err {score:.2f} times as much as seasonal naive",
        *([f"the logarithm of {logs:,} series is forecast, as their swings grow with the level"] if logs else []),
    ]


def _trusted(fitted: Fitted) -> list[str]:
    """What the learned parts brought where they were judged."""
    linear = f"the linear part leaves {fitted.linear_score:.0%} of the base's error"
    network = (
        f"the network {fitted.network_score:.0%} of that (trusted by {fitted.trust:.0%})"
        if fitted.trust
        else "the network was no help beyond the width of the bands"
    )
    return [f"on later stretches than they learned from, {linear}, {network}"]


def forecasts(
    model: Model, panel: Panel, horizon: int, probabilities: tuple[float, ...], lacking: Container[str] = ()
) -> list[Forecast]:
    """The forecast of each series of a panel, which begins with the rows of the model's own.

    lacking: series without the future of columns known in the future, which a naive forecast answers too.
    """
    number = {name: place for place, name in enumerate(model.plans)}
    begun = {each.id: len(each) for each in model.panel.series}
    answers, season = model.answers(panel), usual_season(model.plans.values())
    unsteady = cache(lambda: unsteadiness(model.learned(model.panel)))
    made = []
    for series in panel.series:
        if series.id in number and series.id not in lacking:
            state = tuple(part[:, number[series.id], None] for part in model.states)
            with np.errstate(over="ignore", invalid="ignore"):
                values = _learned_quantiles(model, series, panel.spacing, probabilities, state, begun[series.id])
            if not np.isfinite(values).all():
                raise InputError(
                    f"series {series.id!r}: its forecast is nan or inf, as its values, or what was learned of them, "
                    "overflow; scale the values down, or learn anew"
                )
        else:
            by = answers.get(series.id) or Naive(fitting(series.y, season), "short")
            values = by.quantiles(series.y, horizon, probabilities, unsteady())
        times = panel.spacing.after(series.times[-1], horizon)
        made.append(Forecast(series.id, times, np.sort(values, 1), probabilities))
    return made


def _learned_quantiles(
    model: Model, series: Series, spacing: Spacing, probabilities: Sequence[float], state: States, begin: int
) -> Numbers:
    """Quantiles [h,P] of what comes after a series that was learned from, from the state before step `begin`."""
    inputs = model.prepared(series, spacing, len(model.fitted.offsets))
    output = _last_output(model, inputs, state, begin)
    terms = Terms.of(model.plans[series.id], series, inputs)
    return terms.quantiles(residuals(model.fitted, inputs, output), probabilities)


def _last_output(model: Model, inputs: Inputs, state: States, begin: int) -> Floats:
    """The outputs [M,H] at a series' last step, from the state before step `begin`."""
    network, x = model.fitted.network, inputs.x.astype(np.float32)
    if begin < len(inputs):
        return network.last_output(x[begin:], state)
    if network.keeps_output:
        return np.reshape(state[0][-1, 0], (network.members, network.hidden))
    return network.last_output(x, None)


def residuals(fitted: Fitted, inputs: Inputs, output: Floats) -> Numbers:
    """Quantiles [h,P] of the base's error from the last step on, in units of the scale."""
    known = known_of(inputs, PLACES)[-1].astype(np.float32)
    q = fitted.network.ahead(output, known).astype(np.float64)
    rest = fitted.offsets + fitted.trust * (q - fitted.offsets)
    median = rest[:, [rest.shape[1] // 2]]
    linear = np.clip(fitted.linear(inputs)[-1], -LARGEST, LARGEST)
    return np.asarray(linear[:, None] + median + fitted.factors * (rest - median))
