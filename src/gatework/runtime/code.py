"""A network as the integers that the C library reads and verifies: native/model.h says what each of them is."""

from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum, auto
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from gatework.core import _native
from gatework.lowering.codes import lacking
from gatework.lowering.keys import Key, Role
from gatework.lowering.linear import linear
from gatework.lowering.plan import SIZES, NativePlan
from gatework.lowering.plans import forward_plan
from gatework.network.network import Network, Port
from gatework.network.steps import (
    LENGTHS,
    RESETS,
    Add,
    Affine,
    Average,
    CrossAttention,
    Direction,
    Embedding,
    Join,
    Layer,
    Linear,
    LogSoftmax,
    OneHot,
    Part,
    Softmax,
    Step,
    Tanh,
    is_stepwise,
)

Shapes = Mapping[str, tuple[int, ...]]

CODE, VOCABULARY_BYTES, VOCABULARY_OFFSETS = "gatework.code", "vocabulary.bytes", "vocabulary.offsets"
FORMAT = 1
BOUNDARIES = frozenset({LENGTHS, RESETS})  # inputs that a step of all sequences does without
NUMBERED = ("pointwise", "rows", "modes", "kinds", "elements")


class StepKind(IntEnum):
    """As in native/model.h, in its order."""

    SCAN = 0
    EMBEDDING = auto()
    ONE_HOT = auto()
    ADD = auto()
    JOIN = auto()
    SOFTMAX = auto()
    LOG_SOFTMAX = auto()
    AFFINE = auto()


class BufferRole(IntEnum):
    """As in native/model.h, in its order."""

    ARRAY = 0
    WEIGHT = auto()
    STATE = auto()
    START = auto()
    CONSTANT = auto()
    BETWEEN = auto()


def tensors_for_c(network: Network, weights: Shapes, tokens: Sequence[bytes] = ()) -> dict[str, npt.NDArray[Any]]:
    """What a file of a network has for C beside its weights: the code, and of a text its tokens.

    weights: the shapes of all float32 tensors of the file, by name. Without code C refuses the file in a line.
    """
    code = compiled(network, weights)
    tensors: dict[str, npt.NDArray[Any]] = {} if code is None else {CODE: code}
    if tokens:
        tensors[VOCABULARY_BYTES] = np.frombuffer(b"".join(tokens), np.uint8)
        tensors[VOCABULARY_OFFSETS] = np.cumsum([0, *map(len, tokens)], dtype=np.int64)
    return tensors


def compiled(network: Network, weights: Shapes) -> npt.NDArray[np.int64] | None:
    """The integers of a network; None where C does not run it, which takes one step of all sequences at a time.

    weights: the shapes of all float32 tensors of its file, by name.
    """
    x = _only_input(network)
    if x is None or len(network.outputs) != 1 or not all(map(_runs_in_c, network.steps)):
        return None
    return np.array(_Writer(network, x, weights).code(), dtype=np.int64)


def _runs_in_c(step: Step) -> bool:
    """Whether one step in time needs nothing of those after it, and the core has all of its operations."""
    lacks = isinstance(step, Layer) and any(lacking(direction.program) for direction in step.directions)
    return (
        is_stepwise(step)
        and not lacks
        and not isinstance(step, Average | CrossAttention | Part | Tanh)
        and not getattr(step, "sizes", ())
    )


def _only_input(network: Network) -> Port | None:
    """Its input [T,B] of ids or [T,B,I] of numbers; None where it reads more."""
    (x, *more) = (port for port in network.inputs if port.name not in BOUNDARIES)
    return x if not more and len(x.shape) == (2 if _is_ids(x) else 3) else None


def _is_ids(x: Port) -> bool:
    return x.dtype == "int64"


class _Writer:
    """The code of a network, step by step; arrays are numbered as they are made."""

    def __init__(self, network: Network, x: Port, weights: Shapes) -> None:
        self.network, self.shapes = network, weights
        self.weights = {name: number for number, name in enumerate(sorted(weights))}
        self.states = {name: number for number, name in enumerate(network.states)}
        self.arrays: dict[str, int] = {}
        self.widths: list[int] = []
        self.classes: list[int] = []  # how many ids each step knows that reads them
        if not _is_ids(x):
            self.made(x.name, int(x.shape[-1]))

    def code(self) -> list[int]:
        steps = [list(self.step(step)) for step in self.network.steps]
        head = [FORMAT, numbering(), len(self.weights), min(self.classes, default=0)]
        body = [len(self.widths), *self.widths, len(self.states), *self.starts()]
        output = self.arrays[self.network.outputs[0].name]
        return [*head, *body, output, len(steps), *(number for step in steps for number in step)]

    def made(self, name: str, width: int) -> int:
        """The number of a new array."""
        self.arrays[name] = len(self.widths)
        self.widths.append(width)
        return self.arrays[name]

    def width(self, name: str) -> int:
        return self.widths[self.arrays[name]]

    def starts(self) -> Iterator[int]:
        """Each state: its size, and where each of its slots starts."""
        slots = [(layer.slot, layer.directions[0]) for layer in self.network.layers]
        for name, (many, size) in self.network.states.items():
            yield from (size, many)
            for _, direction in sorted(slots, key=lambda slot: slot[0]):
                start = direction.starts[name]
                yield from (1 + self.weights[start], 0) if isinstance(start, str) else (0, bits(start))

    def step(self, step: Step) -> Iterator[int]:
        match step:
            case Layer(x, y, (direction,), slot):
                yield from self.layer(x, y, direction, slot)
            case Embedding(_, y, weight):
                self.classes.append(self.shapes[weight][0])
                yield from (StepKind.EMBEDDING, self.weights[weight], self.made(y, self.shapes[weight][1]))
            case OneHot(_, y, classes):
                self.classes.append(classes)
                yield from (StepKind.ONE_HOT, self.made(y, classes))
            case Linear():
                yield from self.linear(step)
            case Add(xs, y):
                yield from self.several(StepKind.ADD, xs, y, self.width(xs[0]))
            case Join(xs, y):
                yield from self.several(StepKind.JOIN, xs, y, sum(map(self.width, xs)))
            case Softmax(x, y):
                yield from (StepKind.SOFTMAX, self.arrays[x], self.made(y, self.width(x)))
            case LogSoftmax(x, y):
                yield from (StepKind.LOG_SOFTMAX, self.arrays[x], self.made(y, self.width(x)))
            case Affine(x, y, scale, shift):
                yield from (StepKind.AFFINE, self.arrays[x], self.made(y, self.width(x)), bits(scale), bits(shift))

    def several(self, kind: StepKind, xs: Sequence[str], y: str, width: int) -> list[int]:
        return [kind, len(xs), *(self.arrays[x] for x in xs), self.made(y, width)]

    def layer(self, x: str, y: str, direction: Direction, slot: int) -> list[int]:
        program = direction.program
        plan, read = forward_plan(program, False, True, False, ()).plan, self.arrays[x]
        write = self.made(y, direction.sizes[program.output_size])
        places = {Key(Role.INPUT, "x"): (BufferRole.ARRAY, read, 0), Key(Role.OUTPUT): (BufferRole.ARRAY, write, 0)}
        for name, value in direction.inputs.items():
            places[Key(Role.INPUT, name)] = BufferRole.CONSTANT, bits(value), 0
        for parameter in program.parameters:
            weight = self.weights[direction.weights[parameter.name]]
            places[Key(Role(parameter.kind), parameter.name)] = BufferRole.WEIGHT, weight, 0
        for state in program.states:
            places[Key(Role.STATE, state.name)] = BufferRole.STATE, self.states[state.name], slot
            places[Key(Role.START, state.name)] = BufferRole.START, self.states[state.name], slot
        return self.scan(plan, direction.sizes, places)

    def linear(self, step: Linear) -> list[int]:
        N, K = self.shapes[step.weight]
        x, y = self.arrays[step.x], self.made(step.y, N)
        places = {Key(Role.INPUT, "x"): (BufferRole.ARRAY, x, 0), Key(Role.OUTPUT): (BufferRole.ARRAY, y, 0)}
        places[Key(Role.MATRIX, "W")] = BufferRole.WEIGHT, self.weights[step.weight], 0
        if step.bias is not None:
            places[Key(Role.VECTOR, "b")] = BufferRole.WEIGHT, self.weights[step.bias], 0
        plan = forward_plan(linear(step.bias is not None), False, True, False, (), "float32").plan
        return self.scan(plan, {"I": K, "H": N}, places)

    def scan(
        self, plan: NativePlan, sizes: Mapping[str, int], places: Mapping[Key, tuple[BufferRole, int, int]]
    ) -> list[int]:
        between = (BufferRole.BETWEEN, 0, 0)
        buffers = [number for buffer in plan.buffers for number in places.get(buffer.key, between)]
        return [StepKind.SCAN, *(sizes.get(size, 0) for size in SIZES), len(plan.stream), *plan.stream, *buffers]


@lru_cache(maxsize=1)
def numbering() -> int:
    """The core's operations and their numbers as one: FNV-1a in 32 bits (Fowler, Noll, Vo 1991) of their names."""
    codes = _native.codes()
    listed = "".join(
        "".join(f"{name}," for name in sorted(codes[kind], key=codes[kind].__getitem__)) + ";" for kind in NUMBERED
    )
    value = 2166136261
    for byte in listed.encode():
        value = (value ^ byte) * 16777619 % (1 << 32)
    return value


def bits(number: float) -> int:
    """A number as float32, as the integer that its bits are."""
    return int(np.float32(number).view(np.uint32))
