"""Attention: what a query reads of a memory, as a mean whose weights are learnt."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from gatework.errors import InputError
from gatework.layers import check
from gatework.layers.record import Watcher

SCORES = ("general", "dot", "additive")
LONG = 64  # steps of a memory from which on torch's own attention takes less time
REACH = 3  # steps to either side of what was read that the coverage sees


@dataclass(frozen=True)
class Memory:
    """A memory made ready, once for all queries.

    values [B,heads,S,M/heads]: what is read. keys: what queries are compared with, as values, or [B,heads,S,A/heads].
    lengths: [B] or None. outside [B,1,1,S]: which steps lie past their sequence's length, or None where none does.
    """

    values: Tensor
    keys: Tensor
    lengths: Tensor | None
    outside: Tensor | None

    def of(self, rows: Tensor) -> "Memory":
        """That of some rows of the batch."""
        values, lengths, outside = (None if v is None else v[rows] for v in (self.values, self.lengths, self.outside))
        assert values is not None
        return Memory(values, values if self.keys is self.values else self.keys[rows], lengths, outside)


class Attention(nn.Module):
    """Reads for each query a mean of the memory, weighed by how well query and memory fit.

    context_t = sum over s of a_ts m_s,    a_t = softmax over s of score(q_t, m_s)

        dot       q . m              (Q = M)
        general   (W q) . m
        additive  v . tanh(W q + U m + b)

    window=D: local attention, a_ts exp(-(s - p_t)^2 / (2 (D/2)^2)) within |s - p_t| <= D, and nothing outside; the
    softmax is within too. p_t = (S - 1) sigmoid(v_p . tanh(W_p q_t + b_p)) is learnt.
    coverage=True: the score knows what has been read before, by a convolution F over s with the sum of the weights so
    far: + F * (a_1 + ... + a_(t-1)), for additive within the tanh. Queries are read one after the other.

    forward(query, memory, lengths=None) -> (context, weights)

    Args:
        query_size: Q.
        memory_size: M.
        score: how a query and a step of the memory are compared.
        heads: so many parts of the memory's features, each with weights of its own.
        window: D, or None for the whole memory.
        coverage: whether what has been read before counts.

    Shapes:
        query: [T,B,Q]. memory: [S,B,M]. lengths: [B], 0 to S: past its length nothing of a sequence is read; of length
            0 the context is 0.

    Returns:
        context [T,B,M], weights [T,B,S], the mean over the heads. `gw.record(module, "weights")` records them;
        `attention.context(query, memory, lengths)` returns the context alone, which may take less time.

    Raises:
        InputError: arguments and shapes that do not fit.

    Source:
        Luong et al. 2015 (dot, general, window), Bahdanau et al. 2015 (additive), Vaswani et al. 2017 (heads),
        Chorowski et al. 2015 and Tu et al. 2016 (coverage).
    """

    recorded = ("weights",)

    def __init__(
        self,
        query_size: int,
        memory_size: int,
        *,
        score: str = "general",
        heads: int = 1,
        window: int | None = None,
        coverage: bool = False,
    ) -> None:
        super().__init__()
        _check(query_size, memory_size, score, heads, window)
        check.flag("coverage", coverage)
        self.query_size, self.memory_size, self.score, self.heads = query_size, memory_size, score, heads
        self.window, self.coverage = window, coverage
        self.watcher: Watcher | None = None
        self.W = None if score == "dot" else nn.Linear(query_size, memory_size, bias=False)
        self.U = nn.Linear(memory_size, memory_size) if score == "additive" else None
        self.v = nn.Parameter(torch.empty(heads, memory_size // heads)) if score == "additive" else None
        if self.v is not None:
            nn.init.uniform_(self.v, -((memory_size // heads) ** -0.5), (memory_size // heads) ** -0.5)
        self.place = None if window is None else _Place(query_size, heads)
        seen = memory_size if score == "additive" else heads
        self.F = nn.Conv1d(heads, seen, 2 * REACH + 1, padding=REACH, bias=False) if coverage else None

    def forward(self, query: Tensor, memory: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self._check(query, memory)
        S, B = memory.shape[:2]
        lengths = None if lengths is None else check.lengths(lengths, S, B, memory.device)
        context, weights = self.read(query, self.ready(memory, lengths))
        return context, weights.mean(1).transpose(0, 1)

    if TYPE_CHECKING:  # nn.Module says Any of what a call returns
        __call__ = forward

    def context(self, query: Tensor, memory: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The context alone: of long memories by torch's scaled_dot_product_attention, where it is the same.

        Args:
            query: [T,B,Q].
            memory: [S,B,M].
            lengths: [B] whole numbers from 0 to S, the steps of each memory; by default S.

        Returns:
            The context [T,B,M].

        Raises:
            InputError: shapes or lengths that do not fit.
        """
        is_torchs = self.v is None and self.place is None and self.F is None and self.watcher is None
        if not is_torchs or len(memory) < LONG:
            return self(query, memory, lengths)[0]
        self._check(query, memory)
        S, B = memory.shape[:2]
        lengths = None if lengths is None else check.lengths(lengths, S, B, memory.device)
        made, asked = self.ready(memory, lengths), self._asked(query)
        nothing = None if lengths is None else (lengths == 0)[:, None, None, None]
        inside = None if made.outside is None or nothing is None else nothing | ~made.outside
        attend = nn.functional.scaled_dot_product_attention
        context = attend(asked, made.keys, made.values, attn_mask=inside, scale=1.0)  # [B,heads,T,M/heads]
        context = context if nothing is None else context.masked_fill(nothing, 0)
        return context.permute(2, 0, 1, 3).flatten(2)

    def ready(self, memory: Tensor, lengths: Tensor | None) -> Memory:
        """The memory [S,B,M] made ready for queries."""
        outside = None
        if lengths is not None:
            outside = (torch.arange(len(memory), device=memory.device) >= lengths[:, None])[:, None, None]
        values = self._heads(memory)
        return Memory(values, values if self.U is None else self._heads(self.U(memory)), lengths, outside)

    def read(self, query: Tensor, memory: Memory, before: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The context [T,B,M] of queries [T,B,Q], and the weights [B,heads,T,S].

        before [B,heads,T,S]: with coverage, what has been read before each query, which then do not follow one another.
        """
        if self.F is not None and before is None:
            return self._in_turn(query, memory)
        scores, outside = self._scores(self._asked(query), memory.keys, before), memory.outside
        if self.place is None:
            weights = _softmax(scores, outside)
        else:
            distance = self.place(query, memory) / self.window  # of the reach, [B,heads,T,S]
            beyond = distance.abs() > 1
            weights = _softmax(scores, beyond if outside is None else beyond | outside)
            weights = weights * torch.exp(-2 * distance.square()).to(weights.dtype)
        weights = self._watched(weights)
        return (weights @ memory.values).permute(2, 0, 1, 3).flatten(2), weights

    def _in_turn(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """As `read`, one query after the other."""
        B, S = query.shape[1], memory.values.shape[2]
        before, contexts, weights = query.new_zeros(B, self.heads, 1, S), [query.new_zeros(0, B, self.memory_size)], []
        for one in torch.split(query, 1):
            context, now = self.read(one, memory, before)
            before = before + now
            contexts.append(context)
            weights.append(now)
        return torch.cat(contexts), torch.cat([before[:, :, :0], *weights], 2)

    def _asked(self, query: Tensor) -> Tensor:
        """What is compared with the keys, [B,heads,T,A]."""
        return self._heads(query if self.W is None else self.W(query))

    def _scores(self, asked: Tensor, keys: Tensor, before: Tensor | None) -> Tensor:
        """[B,heads,T,S]."""
        seen = None if self.F is None or before is None else self._seen(before)
        if self.v is None:
            scores = asked @ keys.transpose(-1, -2)
            return scores if seen is None else scores + seen[..., 0]
        sums = asked[:, :, :, None] + keys[:, :, None]  # [B,heads,T,S,A]
        return (torch.tanh(sums if seen is None else sums + seen) @ self.v[:, None, :, None])[..., 0]

    def _seen(self, before: Tensor) -> Tensor:
        """What the scores take in of what was read before, [B,heads,T,S,A]; [B,heads,T,S,1] where they are products."""
        assert self.F is not None
        B, heads, T, S = before.shape
        seen: Tensor = self.F(before.transpose(1, 2).reshape(B * T, heads, S))
        return seen.view(B, T, heads, -1, S).permute(0, 2, 1, 4, 3)

    def _watched(self, weights: Tensor) -> Tensor:
        """The weights [B,heads,T,S], which a trace gets where there is one."""
        if self.watcher is None:
            return weights
        B, _, T, S = weights.shape
        taps = self.watcher.taps({"weights": S}, (T, B), weights)
        if taps:
            weights = weights + taps["weights"].transpose(0, 1)[:, None]
        self.watcher.add("", {"weights": weights.mean(1).transpose(0, 1)}, taps)
        return weights

    def _heads(self, value: Tensor) -> Tensor:
        """[N,B,features] as [B,heads,N,features/heads]."""
        return value.view(*value.shape[:2], self.heads, value.shape[2] // self.heads).permute(1, 2, 0, 3)

    def _check(self, query: Tensor, memory: Tensor) -> None:
        """Raises InputError unless query is [T,B,Q] and memory [S,B,M]."""
        for name, value, order, size in (
            ("query", query, "[T,B,Q]", self.query_size),
            ("memory", memory, "[S,B,M]", self.memory_size),
        ):
            if not isinstance(value, Tensor) or value.dim() != 3 or value.shape[2] != size:
                what = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
                raise InputError(f"{name} is {what}; expected a tensor {order} with {size} as the last size")
        if query.shape[1] != memory.shape[1]:
            raise InputError(f"query has {query.shape[1]} sequences, memory {memory.shape[1]}; expected as many")

    def extra_repr(self) -> str:
        further = {"window": self.window, "coverage": self.coverage or None}
        shown = "".join(f", {name}={value!r}" for name, value in further.items() if value is not None)
        return f"{self.query_size}, {self.memory_size}, score={self.score!r}, heads={self.heads}{shown}"


class _Place(nn.Module):
    """Where a query looks: how far each step of the memory is from p = (S - 1) sigmoid(v_p . tanh(W_p q + b_p))."""

    def __init__(self, query_size: int, heads: int) -> None:
        super().__init__()
        self.W_p, self.v_p = nn.Linear(query_size, query_size), nn.Linear(query_size, heads, bias=False)

    def forward(self, query: Tensor, memory: Memory) -> Tensor:
        """s - p [B,heads,T,S] of queries [T,B,Q]."""
        S = memory.values.shape[2]
        share = torch.sigmoid(self.v_p(torch.tanh(self.W_p(query)))).permute(1, 2, 0)[..., None]  # [B,heads,T,1]
        wide = torch.promote_types(query.dtype, torch.float32)  # bfloat16 does not count far
        steps = torch.arange(S, device=query.device, dtype=wide)
        last = steps.new_full((1,), S) if memory.lengths is None else memory.lengths.to(steps.dtype)
        return steps - (last - 1).clamp(min=0)[:, None, None, None] * share


def _softmax(scores: Tensor, outside: Tensor | None) -> Tensor:
    """Over S of scores [B,heads,T,S]; 0 outside, also where nothing lies inside."""
    if outside is None:
        return scores.softmax(-1)
    return scores.masked_fill(outside, torch.finfo(scores.dtype).min).softmax(-1).masked_fill(outside, 0)


def _check(query_size: int, memory_size: int, score: str, heads: int, window: int | None) -> None:
    """Raises InputError for arguments that do not fit."""
    sizes = {"query_size": query_size, "memory_size": memory_size, "heads": heads}
    for name, size in (sizes if window is None else sizes | {"window": window}).items():
        check.size(name, size, least=1)
    check.choice("score", score, SCORES)
    if memory_size % heads:
        raise InputError(f"heads is {heads}; expected a divisor of memory_size = {memory_size}")
    if score == "dot" and query_size != memory_size:
        raise InputError(
            f'score="dot" compares query and memory as they are, of {query_size} and {memory_size} features; '
            'make them equal, or use score="general"'
        )
