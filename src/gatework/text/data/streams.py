"""Tokens cut into contiguous streams side by side: all of them scored once, block by block. It needs no torch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError
from gatework.runs.parts import IGNORED
from gatework.text.data.documents import beginnings

Tokens = npt.NDArray[np.integer[Any]]
Ids = npt.NDArray[np.int64]


def contiguous(tokens: npt.NDArray[Any], streams: int, steps: int) -> npt.NDArray[Any]:
    """Cut tokens [n] into `streams` contiguous streams N, and these into blocks of `steps` M: a view [K,N,M].

    "abcdefgh" in 2 streams of 2 steps is [[a,b],[e,f]], then [[c,d],[g,h]]. The n - K N M tokens at the end
    that do not fill a block of every stream are left out.
    """
    check_sizes(streams, steps)
    K = len(tokens) // (streams * steps)
    return tokens[: K * streams * steps].reshape(streams, K, steps).swapaxes(0, 1)


def share(streams: int, rank: int, world: int) -> tuple[int, int]:
    """Give (first, count), the streams that process `rank` of `world` takes: stream s goes to s // count."""
    if world < 1 or not 0 <= rank < world:
        raise InputError(f"process {rank} of {world}: expected a rank from 0 to {world - 1}")
    if streams < 1 or streams % world:
        raise InputError(
            f"{streams} streams cannot be shared evenly by {world} processes: "
            f"choose a number of streams divisible by {world}"
        )
    return rank * (streams // world), streams // world


class ScoringBlocks:
    """Blocks that score every token but the first exactly once: block k is (inputs, targets, lengths).

    The n - 1 predictions are cut into N contiguous streams as evenly as possible, the longer ones first; where there
    are documents, at the beginning that is nearest, so that none is cut.
    inputs, targets: int64 [T,B]; lengths: int64 [B], how much of each stream is real. The last block is as
    short as its longest stream, and a stream without anything left has length 0. After the length, inputs are
    0 and targets `IGNORED`, which cross_entropy leaves out.
    starts: [B], so that target t of stream b in block k is token `starts[b] + k steps + t + 1`.
    length: so many predictions at most of each stream, from its beginning; default all.
    first, count, name, unit, end: as in `gatework.text.data.batches.LanguageBatches`; all processes get equally many
    blocks of equal T.
    share: of the predictions, as many as this process would make if all streams were equally long; `count`: as many as
    it makes.

    Raises InputError for fewer than 2 tokens.
    """

    def __init__(
        self,
        tokens: Tokens,
        streams: int,
        steps: int,
        *,
        first: int = 0,
        count: int | None = None,
        name: str = "the text",
        unit: str = "tokens",
        end: int | None = None,
        length: int | None = None,
    ) -> None:
        self._tokens = check_tokens(tokens)
        check_sizes(streams, steps)
        self.streams, self.steps, self._end = streams, steps, end
        mine = check_share(streams, first, count)
        if len(tokens) < 2:
            raise InputError(
                f"{name} is too short: predicting the next needs at least 2 {unit}, it has {len(tokens)}; "
                "give more text"
            )
        even, longer = divmod(len(tokens) - 1, streams)
        s = np.arange(streams + 1)
        cuts = s * even + np.minimum(s, longer)
        if end is not None:
            cuts[1:-1] = _nearest(cuts[1:-1], beginnings(self._tokens[:-1], end))
        lengths = np.diff(cuts) if length is None else np.diff(cuts).clip(max=length)
        self.starts = cuts[:-1][mine]
        self._ends = self.starts + lengths[mine]
        self._longest = int(lengths.max())
        self.count = int(lengths[mine].sum())
        self.share = int(lengths.sum()) * len(self.starts) / streams

    def __len__(self) -> int:
        return math.ceil(self._longest / self.steps)

    def __getitem__(self, k: int) -> tuple[Ids, Ids, Ids]:
        check_index(k, len(self))
        T = min(self.steps, self._longest - k * self.steps)
        begin = self.starts + k * self.steps  # [B]
        lengths = np.clip(self._ends - begin, 0, T)
        real = np.arange(T) < lengths[:, None]  # [B,T]
        place = np.where(real, begin[:, None] + np.arange(T), 0)
        inputs = np.where(real, self._tokens[place].astype(np.int64), 0)
        targets = np.where(real, self._tokens[place + 1].astype(np.int64), IGNORED)
        return time_first(inputs), as_targets(time_first(targets), self._end), lengths

    def __iter__(self) -> Iterator[tuple[Ids, Ids, Ids]]:
        return (self[k] for k in range(len(self)))


def _nearest(cuts: npt.NDArray[np.int64], allowed: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Move each cut to the place nearest to it where one is allowed; nowhere if there is none."""
    if not len(allowed):
        return cuts
    after = allowed[np.searchsorted(allowed, cuts).clip(max=len(allowed) - 1)]
    before = allowed[(np.searchsorted(allowed, cuts, "right") - 1).clip(min=0)]
    moved: npt.NDArray[np.int64] = np.where(cuts - before < after - cuts, before, after)
    return moved


def as_targets(ids: Ids, end: int | None) -> Ids:
    """Ids of which any beginning of a document stands for the end of the one before it."""
    return ids if end is None else np.minimum(ids, end)


def time_first(block: Tokens) -> Ids:
    """[B,T] to [T,B]: a copy."""
    return np.array(block.T, np.int64, order="C")


def check_tokens(tokens: Tokens) -> Tokens:
    tokens = np.asarray(tokens)
    if tokens.ndim != 1 or not (tokens.size == 0 or np.issubdtype(tokens.dtype, np.integer)):
        raise InputError(f"tokens are {tokens.dtype} {list(tokens.shape)}: expected whole numbers [n]")
    return tokens


def check_sizes(streams: int, steps: int) -> None:
    if streams < 1 or steps < 1:
        raise InputError(f"{streams} streams of {steps} steps: expected at least 1 of each")


def check_share(streams: int, first: int, count: int | None) -> slice:
    count = streams - first if count is None else count
    if first < 0 or count < 1 or first + count > streams:
        raise InputError(f"{count} streams from stream {first} on: there are {streams}, 0 to {streams - 1}")
    return slice(first, first + count)


def check_index(k: int, batches: int) -> None:
    if not 0 <= k < batches:
        raise IndexError(f"batch {k}: there are {batches}, 0 to {batches - 1}")
