"""A call of the native engine: its options and its tensors, in the order of the Program's specification."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

import torch
from torch import Tensor

from gatework.engines.arguments import Frozen
from gatework.engines.native.keys import Key, Role
from gatework.engines.native.memory import DTYPES
from gatework.engines.native.plan import SIZES
from gatework.engines.native.plans import state_elements
from gatework.notation import Program
from gatework.notation.adjoint import adjoint

_DTYPE = attrgetter("dtype")
_NO_UNITS = dict.fromkeys(SIZES, 0)


class Options(NamedTuple):
    """What a run is asked for beside its tensors.

    train: a backward pass may follow. recompute: it computes again what it needs beside the states. reverse: the
    first step is the last in time. frozen: see `Arguments.frozen`.
    """

    program: Program
    record: tuple[str, ...] = ()
    train: bool = False
    recompute: bool = False
    reverse: bool = False
    frozen: Frozen | None = None


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

    def sizes(self) -> "Sizes":
        return sizes_of(self.program, [tensor.shape for tensor in self.tensors])


class Sizes(NamedTuple):
    """Steps, sequences, and units by the names that a Program has for them."""

    T: int
    B: int
    units: Mapping[str, int]


def sizes_of(program: Program, shapes: Sequence[Sequence[int]]) -> Sizes:
    """The sizes that the shapes of a call's tensors say."""
    T, B, _ = shapes[0]
    return Sizes(T, B, _NO_UNITS | {s: shapes[which][side] for s, (which, side) in tensor_spec(program).sides.items()})


class Outline(NamedTuple):
    """What is bound of tensors; no strides where all are contiguous."""

    shapes: tuple[tuple[int, ...], ...]
    strides: tuple[tuple[int, ...], ...] | None
    dtypes: tuple[torch.dtype, ...]


def outline(tensors: Sequence[Tensor]) -> Outline:
    strides = None if all(map(Tensor.is_contiguous, tensors)) else tuple(map(Tensor.stride, tensors))
    return Outline(tuple(map(Tensor.size, tensors)), strides, tuple(map(_DTYPE, tensors)))


@dataclass(frozen=True)
class TensorSpec:
    """The tensors of all calls of a Program.

    shapes: of those they are given, in their order, in T, B and sizes. sides: a tensor, and which of its sides, for
    each size. saved: keys and sizes of what is saved for the backward pass.
    """

    shapes: Mapping[Key, tuple[str, ...]]
    sides: Mapping[str, tuple[int, int]]
    saved: tuple[tuple[Key, str], ...]


@lru_cache(maxsize=256)
def tensor_spec(program: Program) -> TensorSpec:
    nodes, states = program.nodes, program.states
    inputs = {node.name: node.size for node in nodes if node.op == "input"}
    shapes: dict[Key, tuple[str, ...]] = {Key(Role.INPUT, name): ("T", "B", inputs[name]) for name in program.inputs}
    shapes |= {Key(role, state.name): ("B", state.size) for role in (Role.FIRST, Role.START) for state in states}
    shapes |= {Key(Role(parameter.kind), parameter.name): parameter.shape for parameter in program.parameters}
    sides: dict[str, tuple[int, int]] = {}
    for which, shape in enumerate(shapes.values()):
        for side, size in enumerate(shape):
            if size in SIZES:
                sides.setdefault(size, (which, side))
    saved = tuple((Key(Role.SAVED, index), nodes[index].size) for index in adjoint(program).saved)
    return TensorSpec(shapes, sides, saved)


def state_dtypes(program: Program, element: str) -> list[torch.dtype]:
    """The dtype of each state's series."""
    return [DTYPES[each] for each in state_elements(program, element).values()]


def saved_numbers(program: Program, sizes: Sizes) -> int:
    """How many numbers are saved for the backward pass beside the states."""
    return sizes.T * sizes.B * sum(sizes.units[size] for _, size in tensor_spec(program).saved)
