"""From the encoder's last states to the decoder's first."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gatework.layers.recurrent import Recurrent


class Encoded(NamedTuple):
    """A source as the decoder reads it: memory [S,B,M], lengths [B], and its first state, [L,B,size] each."""

    memory: Tensor
    lengths: Tensor
    state: tuple[Tensor, ...]


class Bridge(nn.Module):
    """A decoder's first state from what an encoder ends with: s_0 = start + tanh(W_s h + b_s) for each state s.

    h [B,D*H]: the output state that a layer of the encoder ends with, of both directions; a layer of the decoder reads
    that of the same layer. Whatever states both cells have, h is among the encoder's. A state that the cell starts
    at infinity starts there: it says that nothing has been stored yet.

    forward(final [L*D,B,H]) -> one tensor [L,B,size] per state.
    """

    def __init__(self, encoder: Recurrent, decoder: Recurrent) -> None:
        super().__init__()
        self.shapes: Mapping[str, tuple[int, int]] = decoder.state_shapes
        self.starts = {state.name: state.start for state in decoder.program.states}
        self.layers, self.directions = encoder.num_layers, len(encoder.directions)
        finite = [name for name, start in self.starts.items() if not math.isinf(start)]
        sizes = [self.shapes[name][1] for name in finite]
        self.finite = dict(zip(finite, sizes, strict=True))
        self.maps = nn.ModuleList(nn.Linear(encoder.output_size, sum(sizes)) for _ in range(decoder.num_layers))

    def forward(self, final: Tensor) -> tuple[Tensor, ...]:
        B = final.shape[1]
        read = final.view(self.layers, self.directions, B, -1).transpose(1, 2).flatten(2)  # [L,B,D*H]
        made = torch.stack([torch.tanh(each(h)) for each, h in zip(self.maps, read, strict=True)])
        parts = dict(zip(self.finite, torch.split(made, list(self.finite.values()), -1), strict=True))
        return tuple(
            parts[name] + start if name in parts else final.new_full((len(self.maps), B, self.shapes[name][1]), start)
            for name, start in self.starts.items()
        )
