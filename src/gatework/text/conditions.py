"""One to many: the state at the beginning of a document comes from what it is written on."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gatework.layers import Recurrent
from gatework.text.pieces import Pieces


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
    device, ends = inputs.device, None if lengths is None else lengths.cpu().numpy()
    ids = inputs.cpu().numpy()
    pieces = Pieces.of(ids - (end + 1), ends)
    condition, stream, length, last, place = (
        torch.from_numpy(each).to(device)
        for each in (pieces.condition, pieces.stream, pieces.length, pieces.last, pieces.place)
    )
    carried = None if state is None else [part[:, stream] for part in state]  # [L,S,H]
    tokens = torch.from_numpy(pieces.cut(np.minimum(ids, end))).to(device)
    output, new = layer(embed(tokens), starts(layer, condition, carried), lengths=length)
    joined = output.flatten(0, 1).index_select(0, place).view(*inputs.shape, output.shape[-1])
    return joined, layer.named([part[:, last] for part in new])
