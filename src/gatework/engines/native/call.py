"""A call of the native engine: its options and its tensors, in the order of the Program's specification."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import NamedTuple, ParamSpec, TypeVar

import torch
from torch import Tensor

from gatework.engines.native.keys import Key, Role
from gatework.engines.native.memory import DTYPES, Memory, allocated
from gatework.engines.native.plan import SIZES
from gatework.engines.native.plans import state_elements
from gatework.notation import Program
from gatework.notation.adjoint import adjoint

_NO_UNITS = dict.fromkeys(SIZES, 0)


class Options(NamedTuple):
    """What a run is asked for beside its tensors.

    train: a backward pass may follow. recompute: it computes again what it needs beside the states.
    """

    program: Program
    record: tuple[str, ...] = ()
    train: bool = False
    recompute: bool = False


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

    def memory(self) -> Memory:
        """The tensors by key, and the sizes that they have."""
        spec, tensors = tensor_spec(self.program), self.tensors
        T, B, _ = tensors[0].shape
        units = _NO_UNITS | {size: tensors[which].shape[side] for size, (which, side) in spec.sides.items()}
        tensors = [tensor if tensor.is_contiguous() else dense(tensor) for tensor in tensors]
        return Memory(T, B, units, dict(zip(spec.shapes, tensors, strict=True)))


def dense(tensor: Tensor) -> Tensor:
    """The tensor with its units next to one another."""
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()


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


def state_dtypes(program: Program, memory: Memory) -> list[torch.dtype]:
    """The dtype of each state's series."""
    return [DTYPES[element] for element in state_elements(program, memory.element).values()]


def saved_numbers(program: Program, memory: Memory) -> int:
    """How many numbers are saved for the backward pass beside the states."""
    return memory.T * memory.B * sum(memory.units[size] for _, size in tensor_spec(program).saved)


def allocate_saved(program: Program, memory: Memory, numbers: int) -> Tensor:
    """One piece of memory for the saved values of a pass, one series after another."""
    whole = allocated(numbers, dtype=memory.dtype)
    memory.place_consecutive(tensor_spec(program).saved, whole)
    return whole


P = ParamSpec("P")
R = TypeVar("R")


def without_autocast(function: Callable[P, R]) -> Callable[P, R]:
    """The function with torch's products as they are written."""

    @wraps(function)
    def run(*args: P.args, **options: P.kwargs) -> R:
        if not torch.is_autocast_enabled("cpu"):
            return function(*args, **options)
        with torch.autocast("cpu", enabled=False):
            return function(*args, **options)

    return run
