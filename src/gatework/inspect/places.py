"""Where along a text a unit shows what it follows: the place that a page leads to."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

LATE = 60  # steps, before which a network may still know too little
LENGTHS = range(4, 61)  # of a stretch that is seen at a glance
AROUND = 20  # steps before a stretch and after it
NEARLY = 0.75  # of the largest contrast

Values = NDArray[np.float32]
Stretch = tuple[int, int]  # from, and to before


def telling_place(label: Values, unit: Tensor, r: float) -> int | None:
    """A step at which the label [T] is there and the unit [T], correlated by r, is on the side that r says.

    Of the stretches with the label, those that are seen at a glance if there are any, it is taken from the first in
    which the unit differs nearly as much as in any from what it is around; None where no stretch has such a step.
    """
    values = unit.numpy()
    away = np.sign(r) * (values - values.mean())
    there = label > label.mean()
    shown = there & (away > 0)
    seen = [(begin, end) for begin, end in stretches(there) if shown[begin:end].any()]
    glanced = [each for each in seen if each[0] >= LATE and length(each) in LENGTHS]
    if not seen:
        return None
    contrasts = {stretch: _contrast(away, stretch) for stretch in glanced or seen}
    most = max(contrasts.values())
    begin, end = next(stretch for stretch, its in contrasts.items() if its >= min(NEARLY * most, most))
    longest = max(stretches(shown[begin:end]), key=length)
    return begin + sum(longest) // 2


def _contrast(values: Values, stretch: Stretch) -> float:
    """How much higher values lie within a stretch than on both sides of it."""
    begin, end = stretch
    around = np.concatenate([values[max(0, begin - AROUND) : begin], values[end : end + AROUND]])
    return float(values[begin:end].mean() - (around.mean() if len(around) else 0.0))


def stretches(there: NDArray[np.bool_]) -> list[Stretch]:
    """Where something is there without a break."""
    edges = np.flatnonzero(np.diff(there, prepend=False, append=False)).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def length(stretch: Stretch) -> int:
    return stretch[1] - stretch[0]
