"""One to many: the state at the beginning of a document comes from what it is written on."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from gatework.layers import Recurrent


class Starts(nn.Module):
    """The state at the beginning of a document, learnt for each of K conditions.

    It is the layer's own start plus a row of a table [K,L,H] for each state of the cell, at first 0. A state that
    starts at infinity stays there.
    """

    def __init__(self, layer: Recurrent, conditions: int) -> None:
        super().__init__()
        self.names = [f"initial_{state.name}" for state in layer.program.states]
        for name, state in zip(self.names, layer.program.states, strict=True):
            table = torch.zeros(conditions, layer.num_layers, layer.sizes[0][state.size])
            self.register_parameter(name, None if math.isinf(state.start) else nn.Parameter(table))

    def forward(self, layer: Recurrent, condition: Tensor, carried: Sequence[Tensor] | None) -> tuple[Tensor, ...]:
        """The states [L,B,H] before rows that begin a document of condition [B], or go on with one where it is < 0.

        carried: the states that go on; None for the layer's own start.
        """
        begins = (condition >= 0)[:, None]  # [B,1]
        layers = [layer.start(index, "", len(condition)) for index in range(layer.num_layers)]
        starts = []
        for index, name in enumerate(self.names):
            start = torch.stack([states[index] for states in layers])  # [L,B,H]
            table, old = getattr(self, name), start if carried is None else carried[index]
            new = start if table is None else start + table[condition.clamp(min=0)].transpose(0, 1)
            starts.append(torch.where(begins, new.to(old.dtype), old))
        return tuple(starts)


@dataclass(frozen=True)
class Pieces:
    """Streams [T,B] cut where documents begin, so that each piece can have a start of its own: a batch [M,S].

    A piece goes from the first step or a beginning to the next beginning or the last step. The S pieces stand stream
    by stream, in the order of time; M are the steps of the longest.

    stream, length: [S]. last: [B], the piece in which each stream ends. place: [T*B], where in [M*S] each step goes.
    """

    stream: Tensor
    first: Tensor
    length: Tensor
    last: Tensor
    place: Tensor
    steps: int

    @classmethod
    def of(cls, begins: Tensor, lengths: Tensor | None = None) -> Self:
        """The pieces of streams in which documents begin at the steps begins [T,B], bool."""
        T, B = begins.shape
        cut = begins.clone()
        cut[0] = True
        stream, first = cut.T.nonzero(as_tuple=True)  # [S]
        piece = cut.T.flatten().cumsum(0).view(B, T).T - 1  # [T,B]
        time = torch.arange(T, device=begins.device)[:, None]
        step = time - first[piece]  # [T,B], within the piece
        real = piece.flatten() if lengths is None else piece[time < lengths]
        place = step * len(first) + piece
        return cls(stream, first, real.bincount(minlength=len(first)), piece[-1], place.flatten(), int(step.max()) + 1)

    def cut(self, streams: Tensor) -> Tensor:
        """Ids [T,B] as [M,S], 0 after the end of a piece."""
        pieces = streams.new_zeros(self.steps * len(self.stream))
        pieces[self.place] = streams.flatten()
        return pieces.view(self.steps, -1)

    def join(self, pieces: Tensor) -> Tensor:
        """What a layer made of the pieces, [M,S,H], as [T,B,H]."""
        return pieces.flatten(0, 1).index_select(0, self.place).view(-1, len(self.last), pieces.shape[-1])


def run_documents(
    layer: Recurrent,
    starts: Starts,
    embed: Callable[[Tensor], Tensor],
    inputs: Tensor,
    end: int,
    state: Sequence[Tensor] | None,
    lengths: Tensor | None,
) -> tuple[Tensor, Any]:
    """A layer over streams of documents: (output [T,B,H], state), the start of each document from its condition.

    inputs: ids [T,B]; those above `end` begin a document of condition 0, 1, ... embed: makes input of ids up to `end`.
    state, lengths: of the streams, as in `Recurrent`.
    """
    condition = inputs - (end + 1)  # [T,B]
    if lengths is not None:  # after them nothing begins
        condition[torch.arange(len(inputs), device=inputs.device)[:, None] >= lengths] = -1
    pieces = Pieces.of(condition >= 0, lengths)
    carried = None if state is None else [part[:, pieces.stream] for part in state]  # [L,S,H]
    begun = starts(layer, condition[pieces.first, pieces.stream], carried)
    output, new = layer(embed(pieces.cut(inputs.clamp(max=end))), begun, lengths=pieces.length)
    return pieces.join(output), layer.named([part[:, pieces.last] for part in new])
