"""How far a forecast may lie from the base forecast, and how near: what the surprises of the past can bear."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from gatework.forecast.base import Numbers, errors
from gatework.forecast.rivals import normal

REACH = 1.5  # times the largest surprise within as many steps, that a quantile lies from the base forecast at most
BEYOND = 0.5  # of the range of all values so far, that it lies outside them, and outside the base forecast, at most
NARROWEST = 0.1  # of a normal band of the base forecast's surprises at that place, that a band is wide at least
NEWEST = 3  # steps among which a surprise may be one that was never seen before
TENTH = normal([0.1]).item()  # deviations at which a band of 80 % ends


@dataclass(frozen=True)
class Limits:
    """What the past of a series can bear.

    lowest, highest [h]: between which quantiles lie. narrow [h]: how far a quantile lies from the median at least, for
    each deviate of the normal distribution. low, high: levels that bands of 80 % and more hold; inf and -inf for none.
    """

    lowest: Numbers
    highest: Numbers
    narrow: Numbers
    low: float = np.inf
    high: float = -np.inf

    @classmethod
    def of(cls, y: Numbers, base: Numbers, scale: Numbers, warm: int, *, shifts: bool) -> Self:
        """Of y [T], as `bounded` and, for a series that may shift, `around_shift` say."""
        low, high = shift(y, base[:, 0], warm) if shifts else (np.inf, -np.inf)
        return cls(*room(y, base, scale, warm), low, high)

    def kept(self, quantiles: Numbers, probabilities: Sequence[float]) -> Numbers:
        """Quantiles [h,P] within the limits."""
        inside = within(quantiles, probabilities, self.lowest, self.highest, self.narrow)
        return holding(inside, probabilities, self.low, self.high)


def bounded(
    quantiles: Numbers, probabilities: Sequence[float], y: Numbers, base: Numbers, scale: Numbers, warm: int
) -> Numbers:
    """Quantiles [h,P] after y [T], none far beyond what was ever seen unless the base is, and no band without width.

    base [T,h]: from every origin, in the units of y, the last that of the quantiles; scale [h]: its error of late at
    each step ahead. A series that was never surprised is taken to change by its range once in T + 1 steps.
    """
    return within(quantiles, probabilities, *room(y, base, scale, warm))


def room(y: Numbers, base: Numbers, scale: Numbers, warm: int) -> tuple[Numbers, Numbers, Numbers]:
    """The lowest and the highest that a quantile may be, and its least distance from the median, for `bounded`."""
    size = np.abs(errors(y, base)[warm:])  # [T-warm,h]
    low, high = float(np.nanmin(y)), float(np.nanmax(y))
    least = (high - low) / (len(y) + 1)
    largest = np.maximum.accumulate(np.fmax.reduce(size, axis=0, initial=least))
    free, middle = BEYOND * (high - low), base[-1]
    lowest = np.maximum(np.minimum(low, middle) - free, middle - REACH * largest)
    highest = np.minimum(np.maximum(high, middle) + free, middle + REACH * largest)
    known = ~np.isnan(size)
    usual = np.sqrt((np.where(known, size, 0.0) ** 2).sum(0) / np.maximum(known.sum(0), 1))
    return lowest, highest, NARROWEST * np.minimum(scale, np.maximum.accumulate(np.maximum(usual, least)))


def within(
    quantiles: Numbers, probabilities: Sequence[float], lowest: Numbers, highest: Numbers, narrow: Numbers
) -> Numbers:
    """Quantiles [h,P] between two borders [h], and as far from the median as `narrow` [h] asks."""
    inside = np.clip(quantiles, lowest[:, None], highest[:, None])
    apart = narrow[:, None] * normal(probabilities)
    median = inside[:, [len(probabilities) // 2]]
    return np.where(apart < 0, np.minimum(inside, median + apart), np.maximum(inside, median + apart))


def around_shift(quantiles: Numbers, probabilities: Sequence[float], y: Numbers, said: Numbers, warm: int) -> Numbers:
    """Quantiles [h,P] of a series without a season; bands of 80 % and more hold both sides of a shift of its level.

    That is one of the NEWEST values far beyond all surprises before; one does not tell whether it will last. said [T]:
    what was forecast of the next value.
    """
    return holding(quantiles, probabilities, *shift(y, said, warm))


def shift(y: Numbers, said: Numbers, warm: int) -> tuple[float, float]:
    """The lowest and the highest level at a shift for `around_shift`; inf and -inf where there was none."""
    surprise = np.nan_to_num(np.abs(y[warm + 1 :] - said[warm:-1]))
    before, newest = surprise[:-NEWEST], surprise[-NEWEST:]
    if not len(before) or newest.max() <= REACH * before.max():
        return np.inf, -np.inf
    at = len(y) - len(newest) + int(newest.argmax())
    levels = [said[at - 1], *y[at:][~np.isnan(y[at:])]]
    return float(min(levels)), float(max(levels))


def holding(quantiles: Numbers, probabilities: Sequence[float], low: float, high: float) -> Numbers:
    """Quantiles [h,P] whose bands of 80 % and more hold two levels."""
    deviates = normal(probabilities)
    below = np.where(deviates <= TENTH, low, np.inf)
    above = np.where(deviates >= -TENTH, high, -np.inf)
    return np.maximum(np.minimum(quantiles, below), above)
