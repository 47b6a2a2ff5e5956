"""How far a forecast may lie from the base forecast, and how near: what the surprises of the past can bear."""

from collections.abc import Sequence

import numpy as np

from gatework.forecast.base import Numbers, errors
from gatework.forecast.rivals import normal

REACH = 1.5  # times the largest surprise within as many steps, that a quantile lies from the base forecast at most
BEYOND = 0.5  # of the range of all values so far, that it lies outside them, and outside the base forecast, at most
NARROWEST = 0.1  # of a normal band of the base forecast's surprises at that place, that a band is wide at least
NEWEST = 3  # steps among which a surprise may be one that was never seen before
TENTH = normal([0.1]).item()  # deviations at which a band of 80 % ends


def bounded(
    quantiles: Numbers, probabilities: Sequence[float], y: Numbers, base: Numbers, scale: Numbers, warm: int
) -> Numbers:
    """Quantiles [h,P] after y [T], none far beyond what was ever seen unless the base is, and no band without width.

    base [T,h]: from every origin, in the units of y, the last that of the quantiles; scale [h]: its error of late at
    each step ahead. A series that was never surprised is taken to change by its range once in T + 1 steps.
    """
    size = np.abs(errors(y, base)[warm:])  # [T-warm,h]
    low, high = float(np.nanmin(y)), float(np.nanmax(y))
    least = (high - low) / (len(y) + 1)
    largest = np.maximum.accumulate(np.fmax.reduce(size, axis=0, initial=least))
    room, middle = BEYOND * (high - low), base[-1]
    lowest = np.maximum(np.minimum(low, middle) - room, middle - REACH * largest)
    highest = np.minimum(np.maximum(high, middle) + room, middle + REACH * largest)
    inside = np.clip(quantiles, lowest[:, None], highest[:, None])
    known = ~np.isnan(size)
    usual = np.sqrt((np.where(known, size, 0.0) ** 2).sum(0) / np.maximum(known.sum(0), 1))
    narrow = NARROWEST * np.minimum(scale, np.maximum.accumulate(np.maximum(usual, least)))
    apart = narrow[:, None] * normal(probabilities)
    median = inside[:, [len(probabilities) // 2]]
    return np.where(apart < 0, np.minimum(inside, median + apart), np.maximum(inside, median + apart))


def around_shift(quantiles: Numbers, probabilities: Sequence[float], y: Numbers, said: Numbers, warm: int) -> Numbers:
    """Quantiles [h,P] of a series without a season; bands of 80 % and more hold both sides of a shift of its level.

    That is one of the NEWEST values far beyond all surprises before; one does not tell whether it will last. said [T]:
    what was forecast of the next value.
    """
    deviates = normal(probabilities)
    surprise = np.nan_to_num(np.abs(y[warm + 1 :] - said[warm:-1]))
    before, newest = surprise[:-NEWEST], surprise[-NEWEST:]
    if not len(before) or newest.max() <= REACH * before.max():
        return quantiles
    at = len(y) - len(newest) + int(newest.argmax())
    levels = [said[at - 1], *y[at:][~np.isnan(y[at:])]]
    low = np.where(deviates <= TENTH, min(levels), np.inf)
    high = np.where(deviates >= -TENTH, max(levels), -np.inf)
    return np.maximum(np.minimum(quantiles, low), high)
