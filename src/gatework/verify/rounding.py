"""How far roundings move an answer: the same computation with every number off by a little, at random.

Monte Carlo arithmetic (Parker, 1997). What a sum that nearly cancels, a division by little or a hundred steps of a
chaotic system make of roundings is measured so, not guessed: for any cell, in either direction of time.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from gatework.verify.comparison import INCOMPARABLE, Errors, Mismatch

SUMS = frozenset({"mm", "addmm", "bmm", "baddbmm", "mv", "dot", "sum", "mean", "cumsum", "native_layer_norm"})
RUNS = 6  # of which the largest errors count


class Rounding(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within it, what torch computes is off by up to `unit` of each number, the terms of sums too."""

    def __init__(self, unit: float, seed: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.unit, self.generator = unit, torch.Generator().manual_seed(seed)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        if func.overloadpacket.__name__ in SUMS:
            args, named = tree_map(self.off, (args, named))
        result = func(*args, **named)
        shares = any(value.alias_info is not None for value in func._schema.returns)
        return result if shares else tree_map(self.off, result)  # what shares memory is no new number

    def off(self, value: Any) -> Any:
        if not isinstance(value, Tensor) or not value.is_floating_point():
            return value
        noise = torch.empty(value.shape, dtype=value.dtype).uniform_(-self.unit, self.unit, generator=self.generator)
        return value * (1 + noise)


def unit_of(dtype: torch.dtype, terms: int) -> float:
    """What a number is off by that is a sum of so many terms: each partial sum is rounded.

    In bfloat16 numbers are rounded where they are stored, and summed in float32.
    """
    summed = torch.float32 if dtype == torch.bfloat16 else dtype
    return float(torch.finfo(dtype).eps + math.sqrt(terms) * torch.finfo(summed).eps)


def spread(
    answer: Callable[[], Mapping[str, Tensor]],
    errors: Callable[[str, Tensor], Errors],
    unit: float,
) -> dict[str, Errors]:
    """The largest errors of each answer in computations that are off by `unit`; infinite where one is no number."""
    largest: dict[str, Errors] = {}
    for seed in range(RUNS):
        with Rounding(unit, seed):
            answers = answer()
        for name, value in answers.items():
            largest[name] = largest.get(name, Errors()) | _measured(errors, name, value)
    return largest


def _measured(errors: Callable[[str, Tensor], Errors], name: str, value: Tensor) -> Errors:
    try:
        return errors(name, value)
    except Mismatch:  # a number on one side, none on the other: an edge that roundings cross
        return INCOMPARABLE
