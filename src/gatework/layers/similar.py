"""A batch in parts of similar length, so that little of what is computed is padding."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

SMALLEST = 32  # sequences of a part: each shape is bound once, so there are few
MOST = 4  # parts
COST = 2e8  # multiply-adds in whose time another part could be begun, forwards


def parts_of(lengths: Sequence[Tensor], work: Sequence[int]) -> list[Tensor]:
    """The numbers of a batch's sequences in the parts that cost least, all in one where that is as good.

    lengths: [B] for each side of the sequences, that whose steps cost more first: the batch is sorted by it, and then
    by the other. work: multiply-adds of a step of each.
    """
    B = len(lengths[0])
    order = _order(lengths)
    each = [length[order].tolist() for length in lengths]
    sizes = sorted({math.ceil(B / parts / SMALLEST) * SMALLEST for parts in range(2, MOST + 1)} | {B}, reverse=True)
    best = min(sizes, key=lambda size: _cost(each, work, size))
    return list(torch.split(order, best)) if best < B else [torch.arange(B)]


def _order(lengths: Sequence[Tensor]) -> Tensor:
    """The sequences by their lengths, of the first side first."""
    order = torch.arange(len(lengths[0]))
    for length in reversed(lengths):
        order = order[length[order].argsort(stable=True)]
    return order


def _cost(lengths: Sequence[Sequence[int]], work: Sequence[int], size: int) -> float:
    """Multiply-adds of all parts of so many sequences, each as long as its longest."""
    starts = range(0, len(lengths[0]), size)
    rows = [len(lengths[0][start : start + size]) for start in starts]
    steps = [[max(own[start : start + size]) for start in starts] for own in lengths]
    padded = sum(
        each * n * most for own, each in zip(steps, work, strict=True) for most, n in zip(own, rows, strict=True)
    )
    return padded + COST * len(rows)
