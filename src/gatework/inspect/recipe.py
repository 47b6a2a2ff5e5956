"""What the page needs to forecast a series again after a value was changed: the choices, and what stays as it is."""

from typing import Any

import numpy as np

from gatework.forecast.base import Numbers
from gatework.forecast.fitted import Fitted
from gatework.forecast.inputs import OWN, Inputs
from gatework.forecast.plan import PLACES, Plan

LONGEST = 3000  # steps of a history that the page computes again at every change
DIGITS = 7


def recipe_json(
    fitted: Fitted, plan: Plan, inputs: Inputs, lags: int, P: int, normal: list[float]
) -> dict[str, Any] | None:
    """All that `prepare` in `tasks.forecast_inputs` reads but the values; None for a long history.

    fixed [T,...]: the columns of x that no value changes; past [T,P]: those that the linear part reads, too; known
    [T,h,K]: the columns known in the future; normal [P]: the quantiles of the standard normal distribution.
    """
    if len(inputs) > LONGEST:
        return None
    first = len(OWN) + 2 * PLACES + 2
    return {
        "log": plan.log,
        "floor": plan.floor,
        "season": plan.season,
        "second": plan.second,
        "base": [_base_json(base) for base in plan.base],
        "others": [None if base is None else _base_json(base) for base in plan.others],
        "lags": lags,
        "linear": numbers(fitted.linear.weights),
        "fixed": numbers(inputs.x[:, first:]),
        "past": numbers(inputs.common[:, inputs.common.shape[1] - P :]),
        "known": numbers(inputs.ahead[:, :, PLACES:]) if inputs.ahead.shape[2] > PLACES else None,
        "center": numbers(fitted.offsets),
        "trust": fitted.trust,
        "factors": numbers(fitted.factors),
        "limits": {"warm": inputs.warm, "normal": normal} if plan.bounded else None,
    }


def _base_json(base: Any) -> dict[str, Any]:
    return {"kind": base.kind, "season": base.season, "second": base.second, "weights": list(base.weights)}


def numbers(array: Numbers) -> Any:
    """Nested lists of numbers, None where one is missing."""
    if array.ndim > 1:
        return [numbers(row) for row in array]
    return [None if np.isnan(value) else float(f"{value:.{DIGITS}g}") for value in array.tolist()]
