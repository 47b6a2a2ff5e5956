"""Sequences of unequal lengths, run from their own end."""

import torch
from torch import Tensor


def reverse(x: Tensor, lengths: Tensor | None) -> Tensor:
    """x [T,B,...] with each sequence's first `lengths` steps in reverse order; what lies past them stays."""
    if lengths is None:
        return x.flip(0)
    steps = torch.arange(x.shape[0], device=x.device)[:, None]  # [T,1]
    order = torch.where(steps < lengths, lengths - 1 - steps, steps)  # [T,B]
    return x.gather(0, order.reshape(*order.shape, *[1] * (x.dim() - 2)).expand_as(x))


def reverse_resets(resets: Tensor, lengths: Tensor | None) -> Tensor:
    """Resets [T,B] for the reverse direction: a border before step t lies, seen from the end, before step t - 1."""
    borders = torch.cat([resets[1:], torch.zeros_like(resets[:1])])
    if lengths is not None:  # the border at a sequence's end is not inside it
        steps = torch.arange(resets.shape[0], device=resets.device)[:, None]
        borders = borders & (steps < lengths - 1)
    return reverse(borders, lengths)
