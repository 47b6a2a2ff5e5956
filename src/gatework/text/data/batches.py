"""Tokens to batches: contiguous streams side by side, each batch continuing the one before."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from gatework.errors import InputError
from gatework.text.data.streams import (
    ScoringBlocks,
    Tokens,
    as_targets,
    check_index,
    check_share,
    check_sizes,
    check_tokens,
    contiguous,
    time_first,
)


class LanguageBatches:
    """Batches for language modelling: batch k is (inputs, targets), int64 [T,B] each, targets one token on.

    tokens: ids [n]; may be memory-mapped, only the batch asked for is read.
    streams: N, cut from all the tokens; steps: T of every batch.
    first, count: the streams of this process, B = count of them; default all. What a process sees does not
        depend on how the streams are shared.
    name, unit: what the error for too few tokens calls them.
    end: of documents, the id that is the target where one ends, whatever begins there.

    `dropped` is the number of tokens at the end that fill no batch. Any batch can be asked for at any time,
    so that training can resume within an epoch. Raises InputError for fewer than N T + 1 tokens.
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
    ) -> None:
        tokens = check_tokens(tokens)
        check_sizes(streams, steps)
        self.streams, self.steps, self._end = streams, steps, end
        mine = check_share(streams, first, count)
        needed = streams * steps + 1
        if len(tokens) < needed:
            raise InputError(
                f"{name} is too short: {streams:,} streams of {steps:,} steps need {needed:,} {unit}, "
                f"it has {len(tokens):,}; give more text, fewer streams (--streams) or fewer steps of each (--bptt)"
            )
        inputs = contiguous(tokens[:-1], streams, steps)
        self.dropped = len(tokens) - 1 - inputs.size
        self._inputs = inputs[:, mine]  # [K,B,T]
        self._targets = contiguous(tokens[1:], streams, steps)[:, mine]

    def __len__(self) -> int:
        return len(self._inputs)

    def __getitem__(self, k: int) -> tuple[Tensor, Tensor]:
        check_index(k, len(self))
        inputs, targets = time_first(self._inputs[k]), as_targets(time_first(self._targets[k]), self._end)
        return torch.from_numpy(inputs), torch.from_numpy(targets)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return (self[k] for k in range(len(self)))


class ScoringBatches(ScoringBlocks):
    """The same blocks, see `gatework.text.data.streams.ScoringBlocks`, as torch's tensors."""

    def __getitem__(self, k: int) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[override]
        inputs, targets, lengths = map(torch.from_numpy, super().__getitem__(k))
        return inputs, targets, lengths

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:  # type: ignore[override]
        return (self[k] for k in range(len(self)))
