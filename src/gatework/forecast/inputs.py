"""What the network and its linear part are given at every step of a series, and what they are to predict.

Everything at step t is computed from steps 0 ... t alone, and from columns known in the future.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from gatework.errors import InputError
from gatework.forecast.base import Numbers, average, errors, filled
from gatework.forecast.checks import KINDS
from gatework.forecast.data.panel import Columns, Panel, Series
from gatework.forecast.data.spacing import Spacing
from gatework.forecast.plan import PLACES, Plan
from gatework.forecast.scale import scales
from gatework.runs.arguments import real

LARGEST = 6.0  # inputs and targets, in units of the scale, are cut off here
LAGS = 12  # steps at most that the linear part looks back
OWN = (  # what a network sees of the series itself, at each step
    "change since the step before",
    "change since a season before",
    "change since a second season before",
    "error of the base forecast",
    "distance from the mean so far",
)
AHEAD = ("at that step", "now", "a season before that step")  # of a column known in the future: see `known_ahead`


@dataclass(frozen=True)
class Inputs:
    """A series, prepared: T steps, h of them ahead.

    base [T,h]: the base forecast on the scale that is forecast; scale [T,h]: its error of late, at the place of the
        step in the season. residual [T,h]: what is to be predicted, (value - base) / scale, NaN where the value is
        missing or not there yet.
    x [T,I]: what the network sees. common [T,F] and ahead [T,h,C]: what the linear part sees, for all steps of the
        horizon and for each. warm: the first origin that is learned from.
    """

    base: Numbers
    scale: Numbers
    residual: Numbers
    x: Numbers
    common: Numbers
    ahead: Numbers
    warm: int

    def __len__(self) -> int:
        return len(self.scale)


def known_of(inputs: Inputs, places: int) -> Numbers:
    """The columns known in the future [T,h,K], which lie behind the other forecasts in `ahead`."""
    return inputs.ahead[:, :, places:]


@dataclass(frozen=True)
class Beside:
    """Mean and deviation of the columns beside the target, by which they are divided: of each kind a list."""

    known: tuple[list[float], list[float]]
    past: tuple[list[float], list[float]]
    static: tuple[list[float], list[float]]

    @classmethod
    def of(cls, panel: Panel) -> "Beside":
        """Measured on the rows that have a target."""
        known = np.concatenate([each.known[: len(each)] for each in panel.series])
        past = np.concatenate([each.past for each in panel.series])
        return cls(spread(known), spread(past), spread(np.stack([each.static for each in panel.series])))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Beside":
        """What was written of it; raises ValueError and others for anything else."""
        pairs = {name: (list(pair[0]), list(pair[1])) for name, pair in values.items()}
        for name, pair in pairs.items():
            if None in map(real, chain(*pair)) or len(pair[0]) != len(pair[1]):
                raise ValueError(f"{name} columns have no mean and deviation each")
        return cls(**pairs)


def spread(columns: Numbers) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of columns [N,C]; 0 and 0 where there is nothing to measure."""
    known = np.where(np.isnan(columns), np.nan, columns)
    means, deviations = [], []
    for column in known.T:
        there = column[~np.isnan(column)]
        means.append(float(there.mean()) if there.size else 0.0)
        deviations.append(float(there.std()) if there.size and there.min() < there.max() else 0.0)
    return means, deviations


def standard(columns: Numbers, by: tuple[list[float], list[float]]) -> Numbers:
    """Columns [N,C] in units of their deviation; 0, the mean, where missing, and where they never changed."""
    mean, deviation = map(np.array, by)
    x = (columns - mean) / np.where(deviation > 0, deviation, np.inf)
    return np.asarray(np.nan_to_num(np.clip(x, -LARGEST, LARGEST), nan=0.0))


def constant_columns(beside: Beside, columns: Columns) -> list[str]:
    """What to say about columns that never change where they were learned from."""
    notes = []
    for kind in KINDS:
        for name, mean, deviation in zip(columns.features(kind), *getattr(beside, kind), strict=True):
            column, _, text = name.partition("=")
            if deviation or (text and mean):
                continue
            if column in columns.categories:
                notes.append(f"{column} {text!r} is in no row that was learned from: it counts as none")
            else:
                notes.append(f"{column} is {mean:g} in all rows that were learned from: it tells nothing")
    return notes


def prepare(series: Series, plan: Plan, h: int, lags: int, beside: Beside, spacing: Spacing) -> Inputs:
    """The inputs of one series."""
    v = np.log(series.y) if plan.log else series.y
    z = filled(v, plan.season)
    base = average(plan.base, z, h)
    begun = ~np.isnan(base).any(1)
    if not begun.any():
        raise InputError(f"series {series.id!r}: its values overflow; scale them down")
    warm = max(int(np.flatnonzero(begun)[0]), min(8, len(z) // 4))
    scale, scale_ahead = scales(v, base, plan.season)
    unit = scale[:, None]
    changes = [lagged(z, 1), *([lagged(z, plan.season)] if plan.season > 1 else [0 * z])]
    twice = lagged(z, plan.second) if plan.second > 1 else 0 * z
    others = np.stack([disagreement(each.forecasts(z, h) if each else base, base) for each in plan.others], 2)
    others = squashed(others / scale_ahead[:, :, None])  # [T,h,C]
    known = standard(series.known, beside.known)
    past = standard(series.past, beside.past)
    static = np.repeat(standard(series.static[None], beside.static), len(z), axis=0)
    position = (z - running_mean(z)) / unit[:, 0]
    own = [*changes, twice, position, z - base_behind(base, z)]
    x = [
        squashed(np.stack([*own[:3], own[4]], 1) / unit),
        squashed(position[:, None]),
        others[:, 0],
        others[:, -1],
        np.log(scale / running_mean(scale))[:, None].clip(-2, 2),
        np.isnan(v)[:, None].astype(float),
        known[: len(z)],
        past,
        static,
        spacing.calendar(series.times)[1],
    ]
    linear = [shifted(change, lag) for change in changes for lag in range(lags)]
    common = [squashed(np.stack(linear, 1) / unit), squashed(position[:, None]), past]
    ahead = [others, *known_ahead(known, len(z), h, plan.season)]
    return Inputs(
        base=base,
        scale=scale_ahead,
        residual=errors(v, base) / scale_ahead,
        x=np.concatenate(x, 1),
        common=np.concatenate(common, 1),
        ahead=np.concatenate(ahead, 2),
        warm=warm,
    )


def input_width(columns: Columns, calendar: int) -> int:
    """How many numbers the network sees at each step, as `prepare` puts them together; calendar: of the time."""
    return len(OWN) + 2 * PLACES + 2 + sum(len(columns.features(kind)) for kind in KINDS) + calendar


def input_names(others: Sequence[str], beside: Sequence[str]) -> list[str]:
    """What the columns of x are called; others: the simple forecasts, by place; beside: the names of the last ones."""
    return [
        *OWN,
        *(f"{name}, next step" for name in others),
        *(f"{name}, last step" for name in others),
        "size of late errors",
        "value missing",
        *beside,
    ]


def common_names(lags: int, past: Sequence[str]) -> list[str]:
    """What the columns of `common` are called."""
    changes = (f"{change}, {lag} steps ago" for change in OWN[:2] for lag in range(lags))
    return [*changes, OWN[-1], *past]


def known_names(known: Sequence[str]) -> list[str]:
    """What the columns known in the future are called, of each step of the horizon."""
    return [f"{name}, {when}" for when in AHEAD for name in known]


def lagged(z: Numbers, m: int) -> Numbers:
    """z_t - z_(t-m) [T], 0 where there is no such past."""
    change = np.zeros_like(z)
    change[m:] = z[m:] - z[:-m]
    return change


def shifted(x: Numbers, lag: int) -> Numbers:
    """x_(t-lag) [T], 0 before the start."""
    return x if lag == 0 else np.concatenate([np.zeros(min(lag, len(x))), x[:-lag]])


def running_mean(z: Numbers) -> Numbers:
    """The mean [T] of z up to each step."""
    return np.asarray(z.cumsum() / np.arange(1, len(z) + 1))


def base_behind(base: Numbers, z: Numbers) -> Numbers:
    """What the base forecast said of z_t one step before; z_t itself where it said nothing."""
    said = np.concatenate([[np.nan], base[:-1, 0]])
    return np.where(np.isnan(said), z, said)


def disagreement(f: Numbers, base: Numbers) -> Numbers:
    """How far another forecast lies from the base [T,h], 0 where either is missing."""
    return np.nan_to_num(f - base, nan=0.0)


def squashed(x: Numbers) -> Numbers:
    return np.clip(x, -LARGEST, LARGEST)


def known_ahead(known: Numbers, T: int, h: int, season: int) -> list[Numbers]:
    """Columns known in the future [T,h,K]: at the step that is forecast, now, and a season before that step."""
    if known.shape[1] == 0:
        return []
    step = np.arange(T)[:, None] + np.arange(1, h + 1)  # [T,h]
    padded = np.concatenate([known, np.zeros((max(0, T + h - len(known)), known.shape[1]))])
    before = np.maximum(step - season * -(-np.arange(1, h + 1) // season), 0)
    return [padded[step], np.repeat(known[:T, None], h, axis=1), padded[before]]
