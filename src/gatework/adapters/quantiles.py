"""Quantiles between those that were learned."""

from statistics import NormalDist
from typing import Any

import numpy as np

from gatework.errors import InputError
from gatework.forecast.prediction import Forecast


def between(forecast: Forecast, p: float) -> Any:
    """The quantile [h] of any probability between the first and the last that were learned.

    Linear in the normal score of the probability, so that a normal distribution's quantiles are met; raises InputError
    beyond those that were learned.
    """
    learned = forecast.probabilities
    if not learned[0] <= round(p, 6) <= learned[-1]:
        raise InputError(
            f"the quantile {p:g} lies beyond those that were learned, {learned[0]:g} to {learned[-1]:g}: give levels "
            f"a band of {100 * abs(2 * p - 1):g} %"
        )
    score = NormalDist().inv_cdf
    scores = [score(each) for each in learned]
    return np.array([np.interp(score(p), scores, row) for row in forecast.quantiles])
