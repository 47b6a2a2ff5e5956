"""Sequences of unequal lengths to batches: padded to the longest of each batch, those of like lengths together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatework.errors import InputError
from gatework.labels.data.encoding import Inputs
from gatework.labels.data.examples import Examples
from gatework.labels.data.sequences import Sequences
from gatework.labels.data.targets import Targets
from gatework.runs.parts import IGNORED

POOL = 16  # batches among whose sequences those of like lengths are put together

Input = tuple[Tensor, ...]  # x [T,B,I] or tokens [T,B], lengths [B], where they have any the sequences' weights [B]


@dataclass(frozen=True)
class Encoded:
    """N sequences end to end.

    values: [sum T, I], or tokens [sum T]. lengths: [N]. targets: [N], of several [N,M], for tags [sum T]; None without
    labels.
    weights: how much each sequence counts in the loss, [N], 1 on the mean; None for all alike.
    """

    values: Tensor
    lengths: Tensor
    targets: Tensor | None
    tagged: bool
    weights: Tensor | None = None

    @classmethod
    def of(cls, examples: Examples, inputs: Inputs, targets: Targets | None, tagged: bool) -> Self:
        """Examples as the network reads them; `targets` None leaves their labels out."""
        return cls.of_sequences(Sequences.of(examples, inputs, targets, tagged))

    @classmethod
    def of_sequences(cls, read: Sequences) -> Self:
        """The same of sequences as arrays."""
        labels = None if read.targets is None else torch.from_numpy(read.targets)
        return cls(torch.from_numpy(read.values), torch.from_numpy(read.lengths), labels, read.tagged)

    def sequences(self) -> Sequences:
        """The same as arrays, without weights."""
        labels = None if self.targets is None else self.targets.numpy()
        return Sequences(self.values.numpy(), self.lengths.numpy(), labels, self.tagged)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def starts(self) -> Tensor:
        """Where each sequence begins, [N]."""
        return self.lengths.cumsum(0) - self.lengths

    def places(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Where the steps of these sequences stand, [T,B], and which of them are inside, bool [T,B]."""
        lengths = self.lengths[rows]
        steps = torch.arange(int(lengths.max()))[:, None]  # [T,1]
        inside = steps < lengths
        return torch.where(inside, self.starts[rows] + steps, 0), inside

    def padded(self, rows: Tensor) -> tuple[Input, Tensor]:
        """These sequences as ((x [T,B,I], lengths [B]), targets [B], [B,M] or [T,B]); past a length x is 0.

        Where the sequences have weights, these [B] come after the lengths.
        """
        places, inside = self.places(rows)
        x = self.values[places]
        x = x * (inside[..., None] if x.dim() > 2 else inside)
        if self.targets is None:
            targets = torch.empty(0)
        elif self.tagged:
            targets = torch.where(inside, self.targets[places], IGNORED)
        else:
            targets = self.targets[rows]
        weights = () if self.weights is None else (self.weights[rows],)
        return (x, self.lengths[rows], *weights), targets

    def take(self, rows: npt.NDArray[np.intp]) -> Encoded:
        """The sequences of these numbers, in this order."""
        places = np.concatenate([np.arange(s, s + n) for s, n in zip(*self._spans(rows), strict=True)])
        targets = self.targets
        if targets is not None:
            targets = targets[places] if self.tagged else targets[rows]
        weights = None if self.weights is None else self.weights[rows]
        return Encoded(self.values[places], self.lengths[rows], targets, self.tagged, weights)

    def _spans(self, rows: npt.NDArray[np.intp]) -> tuple[list[int], list[int]]:
        return self.starts[rows].tolist(), self.lengths[rows].tolist()


class LabelBatches:
    """Batches of `size` sequences: batch k is ((x [T,B,I], lengths [B]), targets [B], [B,M] or [T,B]).

    Each epoch is shuffled by the seed and its number; sequences of like lengths come together, so that little is
    padded. Any batch can be asked for at any time, so that training can resume within an epoch.
    """

    def __init__(self, encoded: Encoded, size: int, seed: int = 0) -> None:
        if size < 1:
            raise InputError(f"batch_size is {size}; expected 1 or more sequences")
        self.encoded, self.size, self.seed = encoded, size, seed
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Shuffles, as a function of the seed and the epoch alone."""
        rng = np.random.default_rng([self.seed, epoch])
        lengths = self.encoded.lengths.numpy()
        order = rng.permutation(len(lengths))
        pools = np.split(order, range(POOL * self.size, len(order), POOL * self.size))
        order = np.concatenate([pool[np.argsort(lengths[pool], kind="stable")] for pool in pools])
        batches = np.split(order, range(self.size, len(order), self.size))
        self._batches = [torch.from_numpy(batches[k]) for k in rng.permutation(len(batches))]

    def __len__(self) -> int:
        return math.ceil(len(self.encoded) / self.size)

    def __getitem__(self, k: int) -> tuple[Input, Tensor]:
        return self.encoded.padded(self._batches[k])
