"""Attention: what a query reads of a memory, as a mean whose weights are learnt."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from gatework.errors import InputError
from gatework.layers import check

SCORES = ("general", "dot", "additive")


@dataclass(frozen=True)
class Memory:
    """A memory made ready, once for all queries.

    values [B,heads,S,M/heads]: what is read. keys: what queries are compared with, as values, or [B,heads,S,A/heads].
    outside [B,1,1,S]: which steps lie past their sequence's length, or None where none does.
    """

    values: Tensor
    keys: Tensor
    outside: Tensor | None

    def of(self, rows: Tensor) -> "Memory":
        """That of some rows of the batch."""
        outside = None if self.outside is None else self.outside[rows]
        values = self.values[rows]
        return Memory(values, values if self.keys is self.values else self.keys[rows], outside)


class Attention(nn.Module):
    """Reads for each query a mean of the memory, weighed by how well query and memory fit.

    context_t = sum over s of a_ts m_s,    a_t = softmax over s of score(q_t, m_s)

        dot       q . m              (Q = M)
        general   (W q) . m
        additive  v . tanh(W q + U m + b)

    forward(query, memory, lengths=None) -> (context, weights)

    Args:
        query_size: Q.
        memory_size: M.
        score: how a query and a step of the memory are compared.
        heads: so many parts of the memory's features, each with weights of its own.

    Shapes:
        query: [T,B,Q]. memory: [S,B,M]. lengths: [B], 0 to S. Past its length nothing of a
            sequence is read; of length 0 the context is 0.

    Returns:
        context [T,B,M], weights [T,B,S], the mean over the heads.

    Raises:
        InputError: arguments and shapes that do not fit.

    Source:
        Luong et al. 2015 (dot, general), Bahdanau et al. 2015 (additive), Vaswani et al. 2017 (heads).
    """

    def __init__(self, query_size: int, memory_size: int, *, score: str = "general", heads: int = 1) -> None:
        super().__init__()
        for name, size in (("query_size", query_size), ("memory_size", memory_size), ("heads", heads)):
            check.size(name, size, least=1)
        check.choice("score", score, SCORES)
        if memory_size % heads:
            raise InputError(f"heads is {heads}; expected a divisor of memory_size = {memory_size}")
        if score == "dot" and query_size != memory_size:
            raise InputError(
                f'score="dot" compares query and memory as they are, of {query_size} and {memory_size} features; '
                'make them equal, or use score="general"'
            )
        self.query_size, self.memory_size, self.score, self.heads = query_size, memory_size, score, heads
        self.W = None if score == "dot" else nn.Linear(query_size, memory_size, bias=False)
        self.U = nn.Linear(memory_size, memory_size) if score == "additive" else None
        self.v = nn.Parameter(torch.empty(heads, memory_size // heads)) if score == "additive" else None
        if self.v is not None:
            nn.init.uniform_(self.v, -((memory_size // heads) ** -0.5), (memory_size // heads) ** -0.5)

    def forward(self, query: Tensor, memory: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        S, B = memory.shape[:2]
        lengths = None if lengths is None else check.lengths(lengths, S, B, memory.device)
        context, weights = self.read(query.transpose(0, 1), self.ready(memory, lengths))
        return context.transpose(0, 1), weights.transpose(0, 1)

    if TYPE_CHECKING:  # nn.Module says Any of what a call returns
        __call__ = forward

    def ready(self, memory: Tensor, lengths: Tensor | None) -> Memory:
        """The memory [S,B,M] made ready for queries."""
        memory = memory.transpose(0, 1)  # [B,S,M]
        outside = None
        if lengths is not None:
            outside = (torch.arange(memory.shape[1], device=memory.device) >= lengths[:, None])[:, None, None]
        values = self._heads(memory)
        return Memory(values, values if self.U is None else self._heads(self.U(memory)), outside)

    def read(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """The context [B,T,M] of queries [B,T,Q], and the weights [B,T,S]."""
        asked = self._heads(query if self.W is None else self.W(query))  # [B,heads,T,A]
        weights = self._weights(self._scores(asked, memory.keys), memory.outside)
        context = (weights @ memory.values).transpose(1, 2).flatten(2)
        return context, weights.mean(1) if self.heads > 1 else weights[:, 0]

    def _scores(self, asked: Tensor, keys: Tensor) -> Tensor:
        """[B,heads,T,S]."""
        if self.v is None:
            return asked @ keys.transpose(-1, -2)
        fit = torch.tanh(asked[:, :, :, None] + keys[:, :, None])  # [B,heads,T,S,A]
        return (fit @ self.v[:, None, :, None])[..., 0]

    def _weights(self, scores: Tensor, outside: Tensor | None) -> Tensor:
        """The softmax [B,heads,T,S]; 0 past a length, also where nothing lies before it."""
        if outside is None:
            return scores.softmax(-1)
        return scores.masked_fill(outside, torch.finfo(scores.dtype).min).softmax(-1).masked_fill(outside, 0)

    def _heads(self, value: Tensor) -> Tensor:
        """[B,N,features] as [B,heads,N,features/heads]."""
        return value.view(*value.shape[:2], self.heads, -1).transpose(1, 2)

    def extra_repr(self) -> str:
        return f"{self.query_size}, {self.memory_size}, score={self.score!r}, heads={self.heads}"
