"""What is computed from series alone, side by side, by the names that a model of ONNX reads it: nothing is learned."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError
from gatework.forecast.data.panel import Panel
from gatework.forecast.inputs import Inputs, known_of
from gatework.forecast.limits import Limits
from gatework.forecast.network import KNOWN, X
from gatework.forecast.plan import PLACES
from gatework.forecast.prediction import Model
from gatework.forecast.terms import Terms
from gatework.network.steps import LENGTHS

COMMON, OTHERS = "common", "others"  # what the linear part reads
BASE, SCALE, LOG, FLOOR = "base", "scale", "log", "floor"
LOWEST, HIGHEST, NARROW, LOW, HIGH = "lowest", "highest", "narrow", "low", "high"  # of the limits

Feeds = dict[str, npt.NDArray[Any]]


def feeds(model: Model, panel: Panel) -> Feeds:
    """What the model of ONNX reads for the series of a panel that were learned from, in the order of the panel.

    x [T,B,I] and lengths [B]; known [B,h,K] where there are columns known in the future; common [B,F], others [B,h,9];
    base, scale [B,h], log [B]; lowest, highest, narrow [B,h], low, high [B] where there are limits; floor [B].
    """
    series = model.learned(panel)
    if not series:
        raise InputError("no series was learned from: there is nothing that a model of ONNX forecasts")
    h = len(model.fitted.offsets)
    inputs = [model.prepared(each, panel.spacing, h) for each in series]
    terms = [Terms.of(model.plans[each.id], each, one) for each, one in zip(series, inputs, strict=True)]
    known = np.stack([known_of(each, PLACES)[-1] for each in inputs])
    made = _sequences(inputs) | ({KNOWN: known} if known.shape[2] else {})
    made |= {
        COMMON: np.stack([each.common[-1] for each in inputs]),
        OTHERS: np.stack([each.ahead[-1, :, :PLACES] for each in inputs]),
        BASE: np.stack([each.base for each in terms]),
        SCALE: np.stack([each.scale for each in terms]),
        LOG: np.array([each.log for each in terms]),
        FLOOR: np.array([each.floor for each in terms]),
    }
    if limits := [each.limits for each in terms if each.limits is not None]:
        made |= _limits(limits)
    return {name: value.astype(np.float32) if value.dtype == np.float64 else value for name, value in made.items()}


def _sequences(inputs: Sequence[Inputs]) -> Feeds:
    """What the networks read [T,B,I], 0 past the end of each series, and where these end."""
    lengths = np.array([len(each) for each in inputs])
    x = np.zeros((lengths.max(), len(inputs), inputs[0].x.shape[1]))
    for column, each in enumerate(inputs):
        x[: len(each), column] = each.x
    return {X: x, LENGTHS: lengths}


def _limits(limits: Sequence[Limits]) -> Feeds:
    return {
        LOWEST: np.stack([each.lowest for each in limits]),
        HIGHEST: np.stack([each.highest for each in limits]),
        NARROW: np.stack([each.narrow for each in limits]),
        LOW: np.array([each.low for each in limits]),
        HIGH: np.array([each.high for each in limits]),
    }
