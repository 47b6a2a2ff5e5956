"""Where along a text a unit shows what it follows: the place that a page leads to."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

LATE = 60  # steps, before which a network may still know too little
LENGTHS = range(4, 61)  # of a stretch that is seen at a glance
CLEAR = 0.5  # standard deviations by which a unit must leave its mean

Stretch = tuple[int, int]  # from, and to before


def telling_place(label: NDArray[np.float32], unit: Tensor, r: float) -> int | None:
    """A step at which the label [T] is there and the unit [T], correlated by r, is on the side that r says.

    The middle of the first stretch of such steps that is neither short nor long; where there is none, of the longest;
    None where the label is never there together with the unit.
    """
    values = unit.numpy()
    away = np.sign(r) * (values - values.mean())
    shown = (label > label.mean()) & (away > CLEAR * values.std())
    found = stretches(shown)
    late = [each for each in found if each[0] >= LATE] or found
    chosen = next((each for each in late if length(each) in LENGTHS), max(late, key=length, default=None))
    return None if chosen is None else sum(chosen) // 2


def stretches(there: NDArray[np.bool_]) -> list[Stretch]:
    """Where something is there without a break."""
    edges = np.flatnonzero(np.diff(there, prepend=False, append=False)).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def length(stretch: Stretch) -> int:
    return stretch[1] - stretch[0]
