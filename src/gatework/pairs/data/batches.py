"""Pairs to batches of so many symbols, those of like lengths together."""

from __future__ import annotations

import numpy as np
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

    Frames are [S,B,I]; past its length a source is 0; past their ends, and where a symbol is not listed, targets are
    -100. Each accepted target is a pair of its own.

    tokens: what a batch has at most of source and target together, padded; one pair where that alone has more.
    end: None leaves targets without an end, as CTC wants them. process, processes: a batch is shared among these.

    Lengths are rounded up to buckets, so that the batches of all epochs have the same sizes; which pairs of a bucket
    come together, and the order of batches, are a function of the seed and the epoch alone. Any batch can be asked for
    at any time, so that training can resume within an epoch.
    """

    def __init__(self, encoded: Encoded, tokens: int, seed: int = 0, *, end: int | None = None) -> None:
        if tokens < 1:
            raise InputError(f"tokens is {tokens}; expected 1 or more symbols in a batch")
        self.encoded, self.seed, self.end = encoded, seed, end
        self._source_of = encoded.source_of
        sizes = np.stack([encoded.source_lengths[self._source_of], encoded.target_lengths + (end is not None)])  # [2,M]
        self._buckets = bucketed(sizes)
        self._ends = _ends(self._buckets[:, np.lexsort(self._buckets[::-1])], tokens)
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Shuffles, as a function of the seed and the epoch alone."""
        rng = np.random.default_rng([self.seed, epoch])
        mixed = rng.permutation(len(self._source_of))
        order = mixed[np.lexsort(self._buckets[::-1, mixed])]
        batches = np.split(order, self._ends[:-1])
        self._batches = [batches[k] for k in rng.permutation(len(batches))]

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, k: int) -> tuple[Source, Tensor]:
        return batch(self.encoded, self._source_of[self._batches[k]], self._batches[k], self.end)


def batch(encoded: Encoded, sources: Whole, targets: Whole, end: int | None) -> tuple[Source, Tensor]:
    """The pairs of these sources and targets as a batch."""
    target = encoded.targets(targets, end, IGNORED).astype(np.int64)
    target[target == UNLISTED] = IGNORED
    return source_batch(encoded, sources), torch.from_numpy(target)


def source_batch(encoded: Encoded, sources: Whole) -> Source:
    """These sources alone."""
    source, lengths = encoded.sources(sources)
    values = source if source.ndim > 2 else source.astype(np.int64)
    return torch.from_numpy(values), torch.from_numpy(lengths)


def bucketed(lengths: Whole) -> Whole:
    """Lengths rounded up, those above 16 to one of 8 sizes between a power of 2 and the next."""
    step = 2 ** np.maximum(np.frexp(np.maximum(lengths - 1, 1))[1] - 1 - int(np.log2(FINE)), 0)
    return -(-lengths // step) * step


def _ends(sizes: Whole, tokens: int) -> Whole:
    """Where batches of sorted sizes [2,M] end, so that none has more than `tokens` when padded, unless it is of one."""
    ends, longest, count = [], np.zeros(2, np.int64), 0
    for place, size in enumerate(sizes.T):
        wider = np.maximum(longest, size)
        if count and wider.sum() * (count + 1) > tokens:
            ends.append(place)
            wider, count = size, 0
        longest, count = wider, count + 1
    return np.array([*ends, sizes.shape[1]], np.int64)
