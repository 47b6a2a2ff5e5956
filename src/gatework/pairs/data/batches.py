"""Pairs to batches of so many symbols, those of like lengths together."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatework.errors import InputError
from gatework.pairs.data.encoded import Encoded, Whole
from gatework.pairs.data.symbols import UNLISTED
from gatework.runs.parts import IGNORED

FINE = 8  # sizes of buckets between a length and its double

Source = tuple[Tensor, Tensor]  # tokens [S,B] or frames [S,B,I], and lengths [B]


class PairBatches:
    """Batches of pairs: batch k is ((source [S,B], lengths [B]), targets [T,B]), each target ended by `end`.

    Frames are [S,B,I]. Past its length a source is 0; past their ends, and where a symbol is not listed, targets are
    -100. Each accepted target is a pair of its own.

    tokens: what a batch has at most of source and target together, padded; one pair where that alone has more.
    end: None leaves targets without an end. process, processes: each batch is shared among so many, as many pairs each,
    for which the last pair is repeated where they do not come out even.

    Lengths are rounded up to buckets, so that the batches of all epochs have the same sizes; which pairs of a bucket
    come together, and the order of batches, are a function of the seed and the epoch alone. Any batch can be asked for
    at any time, so that training can resume within an epoch.
    """

    def __init__(
        self,
        encoded: Encoded,
        tokens: int,
        seed: int = 0,
        *,
        end: int | None = None,
        process: int = 0,
        processes: int = 1,
    ) -> None:
        if tokens < 1:
            raise InputError(f"tokens is {tokens}; expected 1 or more symbols in a batch")
        self.encoded, self.seed, self.end = encoded, seed, end
        self.process, self.processes = process, processes
        self._source_of = encoded.source_of  # [M]
        lengths = encoded.source_lengths[self._source_of], encoded.target_lengths + (end is not None)
        self._sizes = bucketed(np.stack(lengths))  # [2,M]
        self._ends = _ends(self._sizes[:, self._ordered(np.arange(len(self._source_of)))], tokens, processes)
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Shuffles, as a function of the seed and the epoch alone."""
        rng = np.random.default_rng([self.seed, epoch])
        batches = np.split(self._ordered(rng.permutation(len(self._source_of))), self._ends[:-1])
        self._batches = [batches[k] for k in rng.permutation(len(batches))]

    def _ordered(self, pairs: Whole) -> Whole:
        """Pairs by the buckets of source and target, as many as the processes can share."""
        order = pairs[np.lexsort(self._sizes[::-1, pairs])]
        return np.pad(order, (0, -len(order) % self.processes), mode="edge")

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, k: int) -> tuple[Source, Tensor]:
        own = self._batches[k][self.process :: self.processes]
        return batch(self.encoded, self._source_of[own], own, self.end)


def batch(encoded: Encoded, sources: Whole, targets: Whole, end: int | None) -> tuple[Source, Tensor]:
    """The pairs of these sources and targets as a batch."""
    target = encoded.targets(targets, end, IGNORED).astype(np.int64)
    target[target == UNLISTED] = IGNORED
    return source_batch(encoded, sources), torch.from_numpy(target)


def source_batch(encoded: Encoded, sources: Whole) -> Source:
    """These sources alone."""
    return as_tensors(*encoded.sources(sources))


def as_tensors(source: npt.NDArray[Any], lengths: Whole) -> Source:
    """Sources and their lengths as a model takes them."""
    values = source if source.ndim > 2 else source.astype(np.int64)
    return torch.from_numpy(values), torch.from_numpy(lengths)


def bucketed(lengths: Whole) -> Whole:
    """Lengths rounded up, those above 16 to one of 8 sizes between a power of 2 and the next."""
    octave = np.frexp(np.maximum(lengths - 1, 1))[1] - 1
    step = 2 ** np.maximum(octave - int(np.log2(FINE)), 0)
    rounded: Whole = -(-lengths // step) * step
    return rounded


def _ends(sizes: Whole, tokens: int, processes: int) -> list[int]:
    """Where batches of sorted sizes [2,M] end, so that none has more than `tokens` when padded, unless it is least."""
    ends, S, T, first = [], 0, 0, 0
    largest = sizes.reshape(2, -1, processes).max(-1)  # of pairs that cannot be parted
    for place, (source, target) in enumerate(largest.T.tolist()):
        S, T = max(S, source), max(T, target)
        if place > first and (S + T) * (place + 1 - first) * processes > tokens:
            ends.append(place * processes)
            S, T, first = source, target, place
    return [*ends, sizes.shape[1]]
