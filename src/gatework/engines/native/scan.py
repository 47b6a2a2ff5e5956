"""One forward and one backward pass of a Program over a sequence, in the core."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, wraps
from math import ceil
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

from gatework.engines.native.lowering import SIZES
from gatework.engines.native.memory import DTYPES, Memory, allocated, execute
from gatework.engines.native.plans import Backward, Forward, backward_plan, forward_plan, memories
from gatework.engines.native.products import product, products
from gatework.notation import Program
from gatework.notation.adjoint import adjoint

FEW = 6  # rows below which products with inputs are done ahead, for all steps at once
NONE = dict.fromkeys(SIZES, 0)
PIECES, ENOUGH = 8, 512  # of what is redone: pieces at most, and rows of each at least


@dataclass(frozen=True)
class Call:
    """What a run was asked for beside its tensors.

    train: a backward pass may follow. recompute: it redoes what it needs beside the states.
    """

    program: Program
    record: tuple[str, ...] = ()
    lengths: Tensor | None = None
    resets: Tensor | None = None
    train: bool = False
    recompute: bool = False

    @property
    def cut(self) -> bool:
        """Whether sequences end or start again between the first step and the last."""
        return self.lengths is not None or self.resets is not None

    def memory(self, tensors: Sequence[Tensor]) -> Memory:
        """The tensors, which come in the order of the outline's shapes, and the sizes that they have."""
        found, (T, B, _) = outline(self.program), tensors[0].shape
        units = NONE | {size: tensors[which].shape[side] for size, (which, side) in found.sides.items()}
        tensors = [tensor if tensor.is_contiguous() else dense(tensor) for tensor in tensors]
        return Memory(T, B, units, dict(zip(found.shapes, tensors, strict=True)))


def dense(tensor: Tensor) -> Tensor:
    """The tensor with its units next to one another."""
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()


@dataclass(frozen=True)
class Outline:
    """What all calls of a Program have in common.

    shapes: of the tensors they are given, by name and in their order, in T, B and sizes. sides: a tensor, and which of
    its sides, for each size. kept: buffers and sizes of what is kept for the backward pass.
    """

    shapes: Mapping[str, tuple[str, ...]]
    sides: Mapping[str, tuple[int, int]]
    kept: tuple[tuple[str, str], ...]


@lru_cache(maxsize=256)
def outline(program: Program) -> Outline:
    nodes, states = program.nodes, program.states
    inputs = {node.name: node.size for node in nodes if node.op == "input"}
    shapes: dict[str, tuple[str, ...]] = {f"input {name}": ("T", "B", inputs[name]) for name in program.inputs}
    shapes |= {f"{what} {state.name}": ("B", state.size) for what in ("first", "start") for state in states}
    shapes |= {f"{parameter.kind} {parameter.name}": parameter.shape for parameter in program.parameters}
    sides: dict[str, tuple[int, int]] = {}
    for which, shape in enumerate(shapes.values()):
        for side, size in enumerate(shape):
            if size in SIZES:
                sides.setdefault(size, (which, side))
    return Outline(
        shapes,
        sides,
        tuple((f"kept {index}", nodes[index].size) for index in adjoint(program).kept),
    )


def state_dtypes(program: Program, memory: Memory) -> list[torch.dtype]:
    """What the series of each state is kept in."""
    return [DTYPES[element] for element in memories(program, memory.element).values()]


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


# -- forward


@dataclass(frozen=True)
class Result:
    """Output [T,B,H], final states [B,size], recorded values [T,B,size].

    For the backward pass: states [T+1,B,size], before each step and after the last; what is kept, in one piece.
    """

    output: Tensor
    finals: list[Tensor]
    recorded: list[Tensor]
    states: list[Tensor]
    kept: list[Tensor]


@without_autocast
def forward(call: Call, tensors: Sequence[Tensor]) -> Result:
    memory = call.memory(tensors)
    T, held, dtype = memory.T, memory.tensors, memory.dtype
    how = pass_of(call.program, call.train, call.recompute, call.cut, memory.B < FEW, call.record, memory.element)
    states = []
    for name, first, size, kind, whole in how.states:
        held[name] = series = memory.series(T + 1 if whole else 2, size, kind)
        series[0] = held[first]
        states.append(series)
    for name, size in how.results:
        held[name] = memory.series(T, size, dtype)
    kept = [allocated(kept_numbers(call.program, memory), dtype=dtype)] if how.lowered.kept else []
    place_kept(call.program, memory, kept)
    for operand, matrices, results in how.ahead:
        found = products(memory.flat(held[operand]), [held[name].t() for name in matrices])
        held |= {name: value.view(T, memory.B, value.shape[1]) for name, value in zip(results, found, strict=True)}
    execute(how.lowered.core, how.lowered.plan, memory, call.lengths, call.resets, how.starts)
    return Result(
        output=held[how.output][1:] if how.output.startswith("state") else held[how.output],
        finals=[final(series, T, dtype) for series in states],
        recorded=[held[f"record {name}"] for name in call.record],
        states=states if call.train else [],
        kept=kept,
    )


@dataclass(frozen=True)
class Pass:
    """What forward passes of one kind have in common.

    states: buffer, that of what it starts from, size, dtype, whether all steps are kept. results: buffers and sizes
    of what is returned beside them. output: the buffer that is the output. starts: where resets find the start.
    ahead: products with an input that are done ahead of the steps: operand, matrices, results.
    """

    lowered: Forward
    states: tuple[tuple[str, str, str, torch.dtype, bool], ...]
    results: tuple[tuple[str, str], ...]
    output: str
    starts: Mapping[str, str]
    ahead: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]


@lru_cache(maxsize=256)
def pass_of(
    program: Program, train: bool, recompute: bool, cut: bool, few: bool, record: tuple[str, ...], element: str
) -> Pass:
    nodes, kinds = program.nodes, memories(program, element)
    own = own_output(program, cut, element)
    lowered = forward_plan(program, train and not recompute, own, few, record, element)
    results = [("output", program.output_size)] if own else []
    products: dict[str, list[int]] = {}
    for index in lowered.ahead:
        products.setdefault(f"input {nodes[nodes[index].args[0]].name}", []).append(index)
    return Pass(
        lowered,
        states=tuple(
            (
                f"state {state.name}",
                f"first {state.name}",
                state.size,
                DTYPES[kinds[state.name]],
                train or (state.name == program.output and not own),
            )
            for state in program.states
        ),
        results=(*results, *((f"record {name}", nodes[program.names[name]].size) for name in record)),
        output="output" if own else f"state {program.output}",
        starts={f"state {state.name}": f"start {state.name}" for state in program.states},
        ahead=tuple(
            (
                operand,
                tuple(f"matrix {nodes[i].name}" for i in group),
                tuple(f"ahead {i}" for i in group),
            )
            for operand, group in products.items()
        ),
    )


def own_output(program: Program, cut: bool, element: str) -> bool:
    """Whether the output is not simply the states after each step, as they are kept."""
    carried = {state.name: state.node for state in program.states}
    same = carried.get(program.output) == program.names[program.output]
    return cut or not same or memories(program, element)[program.output] != element


def final(series: Tensor, T: int, dtype: torch.dtype) -> Tensor:
    """What a series of states ends with, apart from what is returned or kept of the series."""
    last = series[T % series.shape[0]]
    if last.dtype != dtype:
        return last.to(dtype)
    return last if series.shape[0] < T else last.clone()


def kept_numbers(program: Program, memory: Memory) -> int:
    """How many numbers are kept."""
    return memory.T * memory.B * sum(memory.units[size] for _, size in outline(program).kept)


def place_kept(program: Program, memory: Memory, kept: Sequence[Tensor]) -> None:
    """Has the kept values lie one after another in the one piece there is of them, if they are kept."""
    for piece in kept:
        memory.behind(outline(program).kept, piece)


# -- backward


@without_autocast
def backward(
    call: Call,
    tensors: Sequence[Tensor],
    states: Sequence[Tensor],
    kept: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    wanted: Sequence[bool],
) -> list[Tensor | None]:
    """The gradients by the call's tensors, None where none is wanted, from those by output and final states."""
    program, memory, names = call.program, call.memory(tensors), tuple(outline(call.program).shapes)
    asked = tuple(name for name, wants in zip(names, wanted, strict=True) if wants)
    lowered = backward_plan(program, asked, memory.element)
    held, dtype = memory.tensors, memory.dtype
    held |= {f"state {state.name}": series for state, series in zip(program.states, states, strict=True)}
    place_kept(program, memory, kept)
    by_output, *by_finals = gradients
    held["gradient output"] = dense(
        zeros(1, memory.B, memory.units[program.output_size]).to(dtype) if by_output is None else by_output
    )
    for state, final in zip(program.states, by_finals, strict=True):
        held[f"flow {state.name}"] = flow = zeros(2, memory.B, memory.units[state.size])
        if final is not None:
            flow[0] = final
        held[f"to start {state.name}"] = zeros(memory.B, memory.units[state.size])
    for name in {*lowered.inputs, *(name for name, _ in lowered.products)}:
        held[f"gradient {name}"] = allocated(memory.T, memory.B, held[f"input {name}"].shape[-1], dtype=dtype)
    found: dict[str, Tensor] = {}
    for first, last in spans(memory, call.recompute):
        part = memory if last - first == memory.T else section(memory, first, last)
        if call.recompute:
            place_kept(program, part, [redone(program, part)])
        run_back(call, lowered, part, first)
        for key, value in parameter_gradients(lowered, part).items():
            found[key] = found[key].add_(value) if key in found else value
        input_gradients(lowered, part)
    for state in program.states:
        found[f"first {state.name}"], found[f"start {state.name}"] = (
            held[f"flow {state.name}"][0],
            held[f"to start {state.name}"],
        )
    found |= {f"input {name}": held[f"gradient {name}"] for name in program.inputs if f"gradient {name}" in held}
    return [
        fitted(found.get(name), tensor) if wants else None
        for name, tensor, wants in zip(names, tensors, wanted, strict=True)
    ]


def zeros(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.float32, device="cpu")


def spans(memory: Memory, recompute: bool) -> Iterator[tuple[int, int]]:
    """Steps from..to that are taken back at once, the last ones first: all of them, or few enough to be redone."""
    steps = max(ceil(memory.T / PIECES), ceil(ENOUGH / max(memory.B, 1))) if recompute else memory.T
    last = memory.T
    while last > steps:
        yield last - steps, last
        last -= steps
    yield 0, last


def section(memory: Memory, first: int, last: int) -> Memory:
    """The same memory, of some steps."""
    steps = ("input ", "state ", "gradient ")

    def cut(tensor: Tensor) -> Tensor:
        return tensor if tensor.shape[0] == 1 else tensor[first:last]  # one step may stand for all

    tensors = {name: cut(t) if name.startswith(steps) else t for name, t in memory.tensors.items()}
    return Memory(last - first, memory.B, memory.units, tensors)


def redone(program: Program, memory: Memory) -> Tensor:
    """The kept values, once more: from the states all steps are known at once, and run as rows of a single one."""
    lowered, rows = forward_plan(program, True, False, False, (), memory.element), memory.T * memory.B
    flat = Memory(1, rows, memory.units, dict(memory.tensors))
    for name in program.inputs:
        flat.tensors[f"input {name}"] = memory.flat(memory.tensors[f"input {name}"])[None]
    for state, kind in zip(program.states, state_dtypes(program, memory), strict=True):
        series = flat.series(2, state.size, kind)
        series[0] = memory.flat(memory.tensors[f"state {state.name}"][: memory.T])
        flat.tensors |= {f"state {state.name}": series, f"start {state.name}": series[0]}
    kept = allocated(kept_numbers(program, memory), dtype=memory.dtype)
    place_kept(program, flat, [kept])
    execute(lowered.core, lowered.plan, flat, None, None, {})
    return kept


def run_back(call: Call, lowered: Backward, memory: Memory, first: int) -> None:
    """Runs the backward plan over the steps from `first` on."""
    held, T, lengths, resets = memory.tensors, memory.T, call.lengths, call.resets
    starts = {f"flow {state.name}": f"to start {state.name}" for state in call.program.states}
    for flow in starts if T % 2 else ():
        held[flow][1] = held[flow][0]
    width = sum(memory.units[size] for _, size in lowered.plan.series)
    memory.beside(lowered.plan.series, allocated(T, memory.B, width, dtype=memory.dtype))
    for buffer in lowered.plan.buffers:
        if buffer.kind == "total":
            held[buffer.name] = allocated(memory.units[buffer.columns], dtype=torch.float32)
    if first or call.recompute:
        lengths = None if lengths is None else (lengths - first).clamp(0, T)
        resets = None if resets is None else resets[first : first + T]
    execute(lowered.core, lowered.plan, memory, lengths, resets, starts)
    if first and resets is not None:  # the core never looks at what lies before its first step
        for flow, start in starts.items():
            again = resets[0, :, None] > 0
            held[start] += torch.where(again, held[flow][0], 0)
            held[flow][0].masked_fill_(again, 0)


def parameter_gradients(lowered: Backward, memory: Memory) -> dict[str, Tensor]:
    """A vector's gradient as the plan has summed it; a matrix's, of gradients x operands, as large products."""
    found = {f"vector {name}": memory.tensors[f"total {name}"] for name in lowered.vectors}
    for gradients, users in lowered.matrices:
        operands = [operand_of(memory, operand) for operand, _ in users]
        results = products(memory.joined(gradients).t(), operands)
        for (_, names), result in zip(users, results, strict=True):
            sizes = [memory.units_of(name) for name in gradients]
            parts = result.split_with_sizes(sizes) if len(sizes) > 1 else (result,)
            for key, part in zip((f"matrix {name}" for name in names), parts, strict=True):
                found[key] = found[key] + part if key in found else part
    return found


def operand_of(memory: Memory, name: str) -> Tensor:
    """What a matrix was multiplied with at all steps, [T*B,size]: of states, those before each step."""
    values = memory.tensor(name)
    return memory.flat(values[: memory.T] if name.startswith("state ") else values)


def input_gradients(lowered: Backward, memory: Memory) -> None:
    """Adds to what the plan has written of each input's gradient [T,B,I]: gradients x matrices, as large products."""
    begun = set(lowered.inputs)
    for name, pairs in lowered.products:
        out = memory.tensors[f"gradient {name}"].flatten(0, 1)
        for gradients, matrices in pairs:
            whole = torch.cat([memory.tensors[f"matrix {matrix}"] for matrix in matrices])
            if out.dtype == torch.float32:
                product(memory.joined(gradients), whole, out, add=name in begun)
            elif name in begun:
                out.add_(product(memory.joined(gradients), whole))
            else:
                out.copy_(product(memory.joined(gradients), whole))
            begun.add(name)


def fitted(gradient: Tensor | None, like: Tensor) -> Tensor:
    """A gradient in the shape and dtype of its tensor: summed over the steps that shared it."""
    if gradient is None:
        return torch.zeros_like(like)
    gradient = gradient if gradient.shape == like.shape else gradient.sum(0, keepdim=True)
    return gradient if gradient.dtype is like.dtype else gradient.to(like.dtype)
