"""A call of the native engine: its options and its tensors, in the order of the Program's specification."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gatework.engines.native.memory import DTYPES, NAMES
from gatework.lowering.call import Options, Outline, Sizes, sizes_of
from gatework.lowering.plans import state_elements
from gatework.notation import Program


class Call(NamedTuple):
    """One run: options, tensors as `tensor_spec` lists them, lengths [B] int64 and resets [T,B] uint8."""

    options: Options
    tensors: Sequence[Tensor]
    lengths: Tensor | None = None
    resets: Tensor | None = None

    @property
    def program(self) -> Program:
        return self.options.program

    @property
    def has_boundaries(self) -> bool:
        """Whether sequences may end or start again between the first step and the last."""
        return self.lengths is not None or self.resets is not None

    @property
    def dtype(self) -> torch.dtype:
        """That of all tensors."""
        return self.tensors[0].dtype

    def sizes(self) -> Sizes:
        return sizes_of(self.program, [tensor.shape for tensor in self.tensors])


def outline(tensors: Sequence[Tensor]) -> Outline:
    strides = None if all(map(Tensor.is_contiguous, tensors)) else tuple(map(Tensor.stride, tensors))
    return Outline(tuple(map(Tensor.size, tensors)), strides, tuple([NAMES[tensor.dtype] for tensor in tensors]))


def state_dtypes(program: Program, element: str) -> list[torch.dtype]:
    """The dtype of each state's series."""
    return [DTYPES[each] for each in state_elements(program, element).values()]
