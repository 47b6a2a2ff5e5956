"""Dropout and zoneout: the masks of a call, drawn from torch's generator."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F


def cell_masks(
    x: Tensor,
    units: Mapping[str, int],
    dropout: Mapping[str, float],
    zoneout: Mapping[str, float],
    *,
    variational: bool,
    training: bool,
) -> dict[str, Tensor]:
    """The inputs "dropout NAME" and "zoneout NAME" of a Program, for x [T,B,I]; no dropout outside training.

    units: of each value by name. dropout, zoneout: probabilities by name. variational: one mask for all steps.
    """
    masks: dict[str, Tensor] = {}
    if not (dropout or zoneout):
        return masks
    T, B = x.shape[:2]
    for name, p in dropout.items():
        if training and p > 0:
            ones = x.new_ones(1 if variational else T, B, units[name])
            masks[f"dropout {name}"] = F.dropout(ones, p)
    for name, p in zoneout.items():
        if p > 0:
            chance = x.new_full((T if training else 1, B, units[name]), 1 - p)
            masks[f"zoneout {name}"] = torch.bernoulli(chance) if training else chance
    return masks


def drop(y: Tensor, p: float, *, variational: bool, training: bool) -> Tensor:
    """Dropout of a layer's output [T,B,H]."""
    if not (training and p):
        return y
    return y * F.dropout(torch.ones_like(y[:1]), p) if variational else F.dropout(y, p)


def positive(rates: Mapping[str, float]) -> tuple[str, ...]:
    """The names with a probability above 0."""
    return tuple(name for name, rate in rates.items() if rate > 0)
