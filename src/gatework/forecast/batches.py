"""Prepared series as tensors: padded batches, parts of long series, and which targets each network learns from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from gatework.forecast.base import Numbers
from gatework.forecast.inputs import LARGEST, Inputs, known_of

STEPS = 1024  # of a series at most in one part; the next part begins without a past but for what the inputs hold
POSITIONS = 16_384  # steps of all series together in one batch, about


@dataclass(frozen=True)
class Part:
    """The steps `begin` to `end` of series number `series`."""

    series: int
    begin: int
    end: int


@dataclass(frozen=True)
class Batch:
    """x [T,B,I], known [T,B,h,K] or None, targets [T,B,M,h] and mask of the same shape, lengths [B]."""

    x: Tensor
    known: Tensor | None
    targets: Tensor
    mask: Tensor
    lengths: Tensor

    def to(self, device: torch.device) -> Self:
        """The same on a device."""
        moved: dict[str, Any] = {name: None if part is None else part.to(device) for name, part in vars(self).items()}
        return replace(self, **moved)


def parts(series: Sequence[Inputs]) -> list[Part]:
    """All series, the long ones in parts of about equal length."""
    result = []
    for number, inputs in enumerate(series):
        pieces = -(-len(inputs) // STEPS)
        borders = np.linspace(0, len(inputs), pieces + 1).astype(int).tolist()
        result += [Part(number, begin, end) for begin, end in pairwise(borders)]
    return result


def batch_size(parts: Sequence[Part]) -> int:
    """How many parts go into one batch."""
    return max(1, min(len(parts), POSITIONS // max(part.end - part.begin for part in parts)))


def padded(arrays: Sequence[Numbers]) -> Tensor:
    """Arrays [T_b,...] as one float32 tensor [T,B,...], 0 past their ends."""
    T = max(len(array) for array in arrays)
    out = np.zeros((T, len(arrays), *arrays[0].shape[1:]), np.float32)
    for b, array in enumerate(arrays):
        out[: len(array), b] = array
    return torch.from_numpy(out)


def batch(
    series: Sequence[Inputs],
    expected: Sequence[Sequence[Numbers]],
    chosen: Sequence[Part],
    ends: Sequence[Sequence[int]],
    places: int,
) -> Batch:
    """The batch of some parts.

    expected: what the linear part expects [T,h], for each series and each network, which learns the rest; ends: the
    step before which each network's targets lie, for each series.
    """
    pieces = [slice(part.begin, part.end) for part in chosen]
    both = list(zip(chosen, pieces, strict=True))
    targets, masks = [], []
    for part, piece in both:
        inputs = series[part.series]
        h = inputs.residual.shape[1]
        origin = np.arange(part.begin, part.end)
        step = origin[:, None] + np.arange(1, h + 1)  # [T,h]
        rest = [inputs.residual[piece] - by[piece] for by in expected[part.series]]
        target = np.clip(np.stack(rest, 1), -LARGEST, LARGEST)  # [T,M,h]
        inside = np.stack([step < end for end in ends[part.series]], 1)
        mask = inside & ~np.isnan(target) & (origin >= inputs.warm)[:, None, None]
        targets.append(np.where(mask, target, 0.0))
        masks.append(mask.astype(float))
    known = series[0].ahead.shape[2] > places
    return Batch(
        x=padded([series[part.series].x[piece] for part, piece in both]),
        known=padded([known_of(series[part.series], places)[piece] for part, piece in both]) if known else None,
        targets=padded(targets),
        mask=padded(masks),
        lengths=torch.tensor([part.end - part.begin for part in chosen]),
    )
