"""A call of the core: its options, and its tensors by shape, in the order of the Program's specification."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from gatework.lowering.keys import Key, Role
from gatework.lowering.plan import SIZES
from gatework.notation import Program
from gatework.notation.adjoint import adjoint

_NO_UNITS = dict.fromkeys(SIZES, 0)


class Frozen:
    """Where an engine keeps what it makes of parameters that never change.

    storage: how it may store matrices for products: "float32", "bfloat16", or "int8" with a scale for each unit.
    """

    def __init__(self, storage: str = "float32") -> None:
        self.storage = storage
        self.made: dict[str, Any] = {}  # by engine

    def __reduce__(self) -> tuple[type["Frozen"], tuple[str]]:
        """Of a copy's parameters nothing is made yet."""
        return Frozen, (self.storage,)


class Options(NamedTuple):
    """What a run is asked for beside its tensors.

    train: a backward pass may follow. recompute: it computes again what it needs beside the states. reverse: the
    first step is the last in time. frozen: the parameters never change: what is made of them is kept.
    """

    program: Program
    record: tuple[str, ...] = ()
    train: bool = False
    recompute: bool = False
    reverse: bool = False
    frozen: Frozen | None = None


class Sizes(NamedTuple):
    """Steps, sequences, and units by the names that a Program has for them."""

    T: int
    B: int
    units: Mapping[str, int]


class Outline(NamedTuple):
    """What is bound of tensors; no strides where all are contiguous. elements: "float32" or "bfloat16"."""

    shapes: tuple[tuple[int, ...], ...]
    strides: tuple[tuple[int, ...], ...] | None
    elements: tuple[str, ...]


def sizes_of(program: Program, shapes: Sequence[Sequence[int]]) -> Sizes:
    """The sizes that the shapes of a call's tensors say."""
    T, B, _ = shapes[0]
    return Sizes(T, B, _NO_UNITS | {s: shapes[which][side] for s, (which, side) in tensor_spec(program).sides.items()})


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


def saved_numbers(program: Program, sizes: Sizes) -> int:
    """How many numbers are saved for the backward pass beside the states."""
    return sizes.T * sizes.B * sum(sizes.units[size] for _, size in tensor_spec(program).saved)
