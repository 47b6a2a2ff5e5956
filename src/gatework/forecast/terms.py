"""What the networks' answer becomes the forecast of a series by; nothing of it is learned."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from gatework.forecast.base import Numbers
from gatework.forecast.data.panel import Series
from gatework.forecast.inputs import Inputs
from gatework.forecast.limits import Limits
from gatework.forecast.plan import Plan


@dataclass(frozen=True)
class Terms:
    """base, scale [h]: the base forecast, and its error of late; log: of the logarithm. floor: -inf for none.

    limits: None for runs saved before there were any.
    """

    base: Numbers
    scale: Numbers
    log: bool
    limits: Limits | None
    floor: float

    @classmethod
    def of(cls, plan: Plan, series: Series, inputs: Inputs) -> Self:
        """From the last step of a series."""
        limits = None
        if plan.bounded:
            base = np.exp(inputs.base) if plan.log else inputs.base
            scale = inputs.scale[-1] * (base[-1] if plan.log else 1.0)
            limits = Limits.of(series.y, base, scale, inputs.warm, shifts=plan.season == 1)
        floor = -np.inf if plan.floor is None else plan.floor
        return cls(inputs.base[-1], inputs.scale[-1], plan.log, limits, floor)

    def quantiles(self, residuals: Numbers, probabilities: Sequence[float]) -> Numbers:
        """Quantiles [h,P] of the next values, of those of the base's error in units of the scale."""
        values = self.base[:, None] + self.scale[:, None] * residuals
        values = np.exp(values) if self.log else values
        values = values if self.limits is None else self.limits.kept(values, probabilities)
        return np.asarray(np.maximum(values, self.floor))
