"""Sequences cut at their ends and at resets, as one packed batch.

What lies between resets never reads what lies before: each piece is a sequence of its own, from the start state. So
resets leave one call of the fused function, where cutting the steps would make as many calls as there are resets.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gatework.engines.arguments import Stack


@dataclass(frozen=True)
class Pieces:
    """The pieces of a batch, longest first, and their steps as torch packs them.

    steps: [sum of lengths], of each packed step its place in [T*B]. batch_sizes: as torch.nn.utils.rnn.PackedSequence
    has them. sequence: [N], whose piece it is. kept: [2,N], whether forwards, and backwards, it begins with the state
    of its sequence instead of the start. last: [2,B], the piece that a sequence ends with. empty: [B], whether it has
    none.
    """

    steps: Tensor
    batch_sizes: Tensor
    sequence: Tensor
    kept: Tensor
    last: Tensor
    empty: Tensor

    def states(self, stack: Stack) -> list[tuple[Tensor, ...]]:
        """The states that the pieces begin with, [N,size] each."""
        return [
            tuple(self._begun(*pair, self.kept[stack.direction(slot)]) for pair in zip(*values, strict=True))
            for slot, values in enumerate(zip(stack.state, stack.start, strict=True))
        ]

    def _begun(self, state: Tensor, start: Tensor, kept: Tensor) -> Tensor:
        return torch.where(kept[:, None], state.index_select(0, self.sequence), start.index_select(0, self.sequence))

    def ends(self, stack: Stack, final: Sequence[tuple[Tensor, ...]]) -> list[tuple[Tensor, ...]]:
        """The final states of the sequences, [B,size] each; that of an empty one stands still."""
        return [
            tuple(
                torch.where(self.empty[:, None], before, after.index_select(0, self.last[stack.direction(slot)]))
                for before, after in zip(state, new, strict=True)
            )
            for slot, (state, new) in enumerate(zip(stack.state, final, strict=True))
        ]


def cut(stack: Stack) -> Pieces | None:
    """The pieces of a stack's sequences, of which there is one; None where none has a step."""
    T, B = stack.x.shape[:2]
    time = torch.arange(T, device=stack.x.device)[:, None]
    lengths = time.new_full((B,), T) if stack.lengths is None else stack.lengths.to(time)
    running = time < lengths  # [T,B]
    reset = torch.zeros_like(running) if stack.resets is None else stack.resets
    begins = running & (reset | (time == 0))
    many = begins.sum(0)
    sequence, begin = begins.T.nonzero().unbind(1)  # [N] each, sequence by sequence
    if not len(begin):
        return None
    piece = (begins.cumsum(0) - 1 + many.cumsum(0) - many)[running]  # of each step
    sizes = piece.bincount()
    order = sizes.argsort(descending=True, stable=True)
    rank = order.argsort()
    within = time.expand(T, B)[running] - begin[piece]  # which step of its piece
    packed = (within * len(begin) + rank[piece]).argsort()
    fresh, ending = (begin == 0) & ~reset[0, sequence], begin + sizes == lengths[sequence]
    ends = torch.stack([many.cumsum(0) - 1, many.cumsum(0) - many]).clamp(0, len(begin) - 1)  # of an empty one, any
    return Pieces(
        running.flatten().nonzero()[:, 0][packed],
        within.bincount().cpu(),
        sequence[order],
        torch.stack([fresh, ending])[:, order],
        rank[ends],
        many == 0,
    )
