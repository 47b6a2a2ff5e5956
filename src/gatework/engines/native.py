"""The native engine: the C++ core runs the Program forward, and the derived backward Program backward.

float32 on CPU. A Program is lowered once to a plan (`lowering`), which the core interprets tile by tile; the
large products of the weights' gradients, over all steps and samples at once, are torch's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatework import _native
from gatework.engines.lowering import Buffer, Plan, Source, Store, lower
from gatework.errors import InputError
from gatework.notation import Node, Program
from gatework.notation.adjoint import adjoint

DTYPES = (torch.float32,)
SMALL = 2e5  # operations of a step below which one thread does it all


def runs(device: torch.device, dtype: torch.dtype) -> bool:
    return device.type == "cpu" and dtype in DTYPES


def check(device: torch.device, dtype: torch.dtype) -> None:
    """Raises InputError where the core does not run."""
    if not runs(device, dtype):
        raise InputError(f"engine='native' {limits(device, dtype)}: use engine='reference'")


def limits(device: torch.device, dtype: torch.dtype) -> str:
    """What the core runs, and that it is not this."""
    return f"runs {' and '.join(map(shown, DTYPES))} on cpu, not {shown(dtype)} on {device.type}"


def shown(dtype: torch.dtype) -> str:
    """A dtype by its name alone."""
    return str(dtype).removeprefix("torch.")


@dataclass(frozen=True)
class Forward:
    """A lowered Program: what it keeps for the backward pass, records, and whether the output is the state."""

    plan: Plan
    core: Any
    kept: tuple[int, ...]


@dataclass(frozen=True)
class Backward:
    """A lowered adjoint, and where it leaves the gradients."""

    plan: Plan
    core: Any
    inputs: tuple[str, ...]
    vectors: tuple[str, ...]
    matrices: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]  # name, (gradient buffer, operand buffer)...


@lru_cache(maxsize=256)
def forward_plan(program: Program, train: bool, own_output: bool, record: tuple[str, ...]) -> Forward:
    """The plan of a Program; `train` keeps what the backward pass needs, `own_output` writes the output apart."""
    kept = adjoint(program).kept if train else ()
    buffers = [Buffer(f"input {name}", "series", size, size, False) for name, size in input_sizes(program).items()]
    stores: dict[int, list[Store]] = {}
    sources: dict[int, Source] = {}

    def out(name: str, node: int, mode: str, offset: int = 0) -> None:
        size = program.nodes[node].size
        buffers.append(Buffer(name, "series", size, size, True))
        stores.setdefault(node, []).append(Store(name, offset, mode))

    for state in program.states:
        out(f"state {state.name}", state.node, "state", 1)
        buffers.append(Buffer(f"start {state.name}", "series", state.size, state.size, False))
    if own_output:
        out("output", program.names[program.output], "ended0")
    for name in record:
        out(f"record {name}", program.names[name], "ended0")
    for index in kept:
        out(f"kept {index}", index, "plain")
    for index, node in enumerate(program.nodes):
        if node.op in ("input", "state"):
            sources[index] = ((f"{node.op} {node.name}", 0),)
    plan = lower(program.nodes, sources, stores, buffers, backwards=False)
    return Forward(plan, _native.Plan(list(plan.stream)), kept)


@lru_cache(maxsize=256)
def backward_plan(program: Program, wanted: tuple[str, ...]) -> Backward:
    """The plan of the derived backward Program; `wanted` names the inputs and parameters whose gradients count."""
    back = adjoint(program)
    states = {state.name: state for state in program.states}
    nodes = list(back.nodes)
    buffers: dict[str, Buffer] = {}
    stores: dict[int, list[Store]] = {}
    sources: dict[int, Source] = {}

    def buffer(name: str, kind: str, size: str, written: bool) -> str:
        buffers.setdefault(name, Buffer(name, kind, size, size, written))
        return name

    for index, node in enumerate(nodes):
        if node.op in ("input", "state"):
            sources[index] = ((buffer(f"{node.op} {node.name}", "series", node.size, False), 0),)
        elif node.op == "kept":
            sources[index] = ((buffer(f"kept {node.source}", "series", node.size, False), 0),)
        elif node.op == "gradient":
            parts = [(f"flow {node.name}", 1)] if node.name in states else []
            parts += [(buffer("gradient output", "series", node.size, False), 0)] if node.name == program.output else []
            sources[index] = tuple(parts)
    by_state = dict(back.states)
    for state in program.states:
        buffer(f"flow {state.name}", "series", state.size, True)
        buffer(f"to start {state.name}", "series", state.size, True)
        if state.name not in by_state:  # nothing of the old value comes through
            nodes.append(Node("number", value=0.0, size=state.size))
            by_state[state.name] = len(nodes) - 1
        stores.setdefault(by_state[state.name], []).append(Store(f"flow {state.name}", 0, "flow"))
    inputs = tuple(name for name, _ in back.inputs if f"input {name}" in wanted)
    for name, index in back.inputs:
        if name in inputs:
            buffer(f"gradient {name}", "series", nodes[index].size, True)
            stores.setdefault(index, []).append(Store(f"gradient {name}", 0, "ended0"))
    vectors = tuple(name for name, _ in back.vectors if name in wanted)
    for name, index in back.vectors:
        if name in vectors:
            buffer(f"total {name}", "total", nodes[index].size, True)
            stores.setdefault(index, []).append(Store(f"total {name}"))

    def series(index: int) -> str:
        """The buffer where a value is at every step: a leaf's own, or one it is stored in."""
        if index in sources and len(sources[index]) == 1 and sources[index][0][1] == 0:
            return sources[index][0][0]
        name = f"series {index}"
        if name not in buffers:
            buffer(name, "series", nodes[index].size, True)
            stores.setdefault(index, []).append(Store(name, 0, "ended0"))
        return name

    matrices = tuple(
        (name, tuple((series(gradient), series(operand)) for gradient, operand in pairs))
        for name, pairs in back.matrices
        if name in wanted
    )
    plan = lower(nodes, sources, stores, buffers.values(), backwards=True)
    return Backward(plan, _native.Plan(list(plan.stream)), inputs, vectors, matrices)


def input_sizes(program: Program) -> dict[str, str]:
    return {node.name: node.size for node in program.nodes if node.op == "input"}


# -- running a plan


@dataclass
class Memory:
    """The tensors of a call by buffer name, with their steps and periods."""

    T: int
    B: int
    units: dict[str, int]
    tensors: dict[str, Tensor]
    periods: dict[str, int]

    def row(self, name: str, kind: str) -> list[int]:
        tensor = self.tensors[name]
        if tensor.numel() == 0:
            return [tensor.data_ptr(), 0, tensor.shape[-1], 1, 0]
        reach = 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
        if kind != "series":
            return [tensor.data_ptr(), 0, tensor.stride(0) if kind == "matrix" else tensor.shape[-1], 1, reach]
        if tensor.dim() == 2:  # the same at all steps
            return [tensor.data_ptr(), 0, tensor.stride(0), 1, reach]
        period = self.periods.get(name, len(tensor))
        return [tensor.data_ptr(), tensor.stride(0), tensor.stride(1), period, reach]


def execute(
    core: Any, plan: Plan, memory: Memory, lengths: Tensor | None, resets: Tensor | None, starts: Mapping[str, str]
) -> None:
    """Gives the values between blocks their memory, and runs the plan."""
    for buffer in plan.between:
        memory.tensors[buffer.name] = torch.empty(memory.B, memory.units[buffer.columns])
    table = np.array([memory.row(buffer.name, buffer.kind) for buffer in plan.buffers], dtype=np.int64).reshape(-1, 5)
    order = {buffer.name: index for index, buffer in enumerate(plan.buffers)}
    back_to = [order[starts[buffer.name]] if buffer.name in starts else -1 for buffer in plan.buffers]
    rows, columns = grid(plan, memory)
    _native.run(
        core,
        [memory.units[size] for size in ("I", "H", "R")],
        memory.T,
        memory.B,
        table,
        back_to,
        0 if lengths is None else lengths.data_ptr(),
        0 if resets is None else resets.data_ptr(),
        rows,
        columns,
    )


def grid(plan: Plan, memory: Memory) -> tuple[int, int]:
    """How many bands of rows and of units the threads take."""
    threads = torch.get_num_threads()
    weights = sum(memory.units[b.rows] * memory.units[b.columns] for b in plan.buffers if b.kind == "matrix")
    if threads == 1 or 2 * weights * memory.B < SMALL:
        return 1, 1
    return 1, threads


class Scan(torch.autograd.Function):
    """A Program over a sequence as one differentiable operation."""

    @staticmethod
    def forward(ctx: Any, call: "Call", *tensors: Tensor) -> tuple[Tensor, ...]:
        memory = call.memory(tensors)
        train = any(ctx.needs_input_grad)
        own = call.own_output()
        lowered = forward_plan(call.program, train, own, call.record)
        T, B = memory.T, memory.B
        new = tensors[0].new_empty
        for state in call.program.states:
            first = memory.tensors[f"first {state.name}"]
            steps = T + 1 if train or (state.name == call.program.output and not own) else 2
            series = new(steps, B, memory.units[state.size])
            series[0] = first
            memory.tensors[f"state {state.name}"] = series
        nodes, names = call.program.nodes, call.program.names
        if own:
            memory.tensors["output"] = new(T, B, memory.units[nodes[names[call.program.output]].size])
        for name in call.record:
            memory.tensors[f"record {name}"] = new(T, B, memory.units[nodes[names[name]].size])
        for index in lowered.kept:
            memory.tensors[f"kept {index}"] = new(T, B, memory.units[nodes[index].size])
        starts = {f"state {s.name}": f"start {s.name}" for s in call.program.states}
        execute(lowered.core, lowered.plan, memory, call.lengths, call.resets, starts)
        finals = [memory.tensors[f"state {s.name}"] for s in call.program.states]
        finals = [series[T % len(series)] for series in finals]
        output = memory.tensors["output"] if own else memory.tensors[f"state {call.program.output}"][1:]
        recorded = [memory.tensors[f"record {name}"] for name in call.record]
        if train:
            keep = [f"state {s.name}" for s in call.program.states] + [f"kept {i}" for i in lowered.kept]
            ctx.call, ctx.names = call, keep
            ctx.save_for_backward(*tensors, *(memory.tensors[name] for name in keep))
        ctx.mark_non_differentiable(*recorded)
        return output, *(final.clone() for final in finals), *recorded

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        call: Call = ctx.call
        program = call.program
        count = len(call.names)
        tensors, kept = ctx.saved_tensors[:count], ctx.saved_tensors[count:]
        wanted = tuple(name for name, needs in zip(call.names, ctx.needs_input_grad[1:], strict=True) if needs)
        lowered = backward_plan(program, wanted)
        memory = call.memory(tensors)
        memory.tensors |= dict(zip(ctx.names, kept, strict=True))
        T, B = memory.T, memory.B
        new = tensors[0].new_empty
        output_size = memory.units[program.output_size]
        grad_output = gradients[0]
        memory.tensors["gradient output"] = (
            tensors[0].new_zeros(1, B, output_size) if grad_output is None else dense(grad_output)
        )
        for state, final in zip(program.states, gradients[1 : 1 + len(program.states)], strict=True):
            flow = new(2, B, memory.units[state.size])
            flow[T % 2] = 0 if final is None else final
            memory.tensors[f"flow {state.name}"] = flow
            memory.tensors[f"to start {state.name}"] = tensors[0].new_zeros(B, memory.units[state.size])
        for buffer in lowered.plan.buffers:
            if buffer.name.startswith("total "):
                memory.tensors[buffer.name] = new(memory.units[buffer.columns])
            elif buffer.name.startswith("gradient ") and buffer.name not in memory.tensors:
                memory.tensors[buffer.name] = new(T, B, memory.units[buffer.columns])
        together(lowered, memory, new)
        starts = {f"flow {s.name}": f"to start {s.name}" for s in program.states}
        execute(lowered.core, lowered.plan, memory, call.lengths, call.resets, starts)
        found = {f"first {s.name}": memory.tensors[f"flow {s.name}"][0] for s in program.states}
        found |= {f"start {s.name}": memory.tensors[f"to start {s.name}"] for s in program.states}
        found |= {f"input {name}": memory.tensors[f"gradient {name}"] for name in lowered.inputs}
        found |= {name: memory.tensors[f"total {name}"] for name in lowered.vectors}
        found |= matrix_gradients(lowered, memory)
        return None, *(
            fitted(found.get(name), tensor) if name in wanted else None
            for name, tensor in zip(call.names, tensors, strict=True)
        )


def together(lowered: Backward, memory: Memory, new: Any) -> None:
    """Memory for the gradients that matrices' gradients are made of: side by side, so that one product serves many."""
    names = [b for b in lowered.plan.buffers if b.name.startswith("series ")]
    widths = [memory.units[b.columns] for b in names]
    whole = new(memory.T, memory.B, sum(widths))
    for b, part in zip(names, whole.split(widths, -1) if widths else (), strict=True):
        memory.tensors[b.name] = part


def matrix_gradients(lowered: Backward, memory: Memory) -> dict[str, Tensor]:
    """Each matrix's gradient: the sum over steps and samples of gradient x operand, as large products."""
    found: dict[str, Tensor] = {}
    by_operand: dict[str, list[tuple[str, str]]] = {}
    for name, pairs in lowered.matrices:
        for gradient, operand in pairs:
            by_operand.setdefault(operand, []).append((name, gradient))
    rows = memory.T * memory.B
    for operand, users in by_operand.items():
        values = memory.tensors[operand]
        values = values[: memory.T] if operand.startswith("state ") else values
        values = values.expand(memory.T, -1, -1).reshape(rows, -1)
        for start, names, joined in joined_up(users, memory):
            product = joined.reshape(rows, -1).t() @ values
            widths = [memory.tensors[gradient].shape[-1] for _, gradient in users[start : start + len(names)]]
            for name, part in zip(names, torch.split(product, widths), strict=True):
                found[name] = found[name] + part if name in found else part
    return found


def joined_up(users: Sequence[tuple[str, str]], memory: Memory) -> list[tuple[int, list[str], Tensor]]:
    """Neighbouring users whose gradients lie side by side in memory, joined to one tensor each."""
    result: list[tuple[int, list[str], Tensor]] = []
    for index, (name, gradient) in enumerate(users):
        tensor = memory.tensors[gradient]
        if result:
            start, names, joined = result[-1]
            beside = (
                joined.data_ptr() + 4 * joined.shape[-1] == tensor.data_ptr() and joined.stride() == tensor.stride()
            )
            if beside and start + len(names) == index:
                width = joined.shape[-1] + tensor.shape[-1]
                wider = joined.as_strided((*joined.shape[:-1], width), joined.stride())
                result[-1] = (start, [*names, name], wider)
                continue
        result.append((index, [name], tensor))
    return result


def fitted(gradient: Tensor | None, like: Tensor) -> Tensor | None:
    """A gradient in the shape of its tensor: summed over the steps that shared it."""
    if gradient is None:
        return torch.zeros_like(like)
    return gradient if gradient.shape == like.shape else gradient.sum(0, keepdim=True)


def dense(tensor: Tensor) -> Tensor:
    """The tensor with its units next to one another."""
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()


@dataclass(frozen=True)
class Call:
    """What a run was asked for, and the names of the tensors it was given."""

    program: Program
    names: tuple[str, ...]
    record: tuple[str, ...]
    lengths: Tensor | None
    resets: Tensor | None

    def own_output(self) -> bool:
        """Whether the output is not simply the states after each step."""
        carried = {state.name: state.node for state in self.program.states}
        same = carried.get(self.program.output) == self.program.names[self.program.output]
        return not same or self.lengths is not None or self.resets is not None

    def memory(self, tensors: Sequence[Tensor]) -> Memory:
        given = dict(zip(self.names, map(dense, tensors), strict=True))
        x = given["input x"]
        units = {"I": 0, "H": 0, "R": 0} | {s.size: given[f"first {s.name}"].shape[-1] for s in self.program.states}
        units[self.program.nodes[0].size] = x.shape[-1]
        for parameter in self.program.parameters:
            units |= dict(zip(parameter.shape, given[parameter.name].shape, strict=True))
        memory = Memory(x.shape[0], x.shape[1], units, dict(given), {})
        for parameter in self.program.parameters:
            memory.tensors[f"{parameter.kind} {parameter.name}"] = given[parameter.name]
        return memory


def run(
    program: Program,
    params: Mapping[str, Tensor],
    x: Tensor,
    state: tuple[Tensor, ...],
    *,
    start: tuple[Tensor, ...] | None = None,
    lengths: Tensor | None = None,
    resets: Tensor | None = None,
    inputs: Mapping[str, Tensor] | None = None,
    record: Sequence[str] = (),
) -> tuple[Tensor, tuple[Tensor, ...], dict[str, Tensor]]:
    """Executes a Program over a sequence: the contract of `gatework.engines`, in the C++ core."""
    T = len(x)
    start = state if start is None else start
    if lengths is not None:
        lengths = lengths.to(torch.int64).contiguous()
    if resets is not None:
        resets = resets if lengths is None else resets & (torch.arange(T)[:, None] < lengths)
        if T:
            state = tuple(torch.where(resets[0, :, None], s, v) for s, v in zip(start, state, strict=True))
        resets = resets.to(torch.uint8).contiguous()
    given: dict[str, Tensor] = {"input x": x}
    for carried, first, again in zip(program.states, state, start, strict=True):
        given[f"first {carried.name}"] = first
        given[f"start {carried.name}"] = again
    given |= {f"input {name}": value for name, value in (inputs or {}).items()}
    given |= {parameter.name: params[parameter.name] for parameter in program.parameters}
    for tensor in given.values():
        check(tensor.device, tensor.dtype)
    call = Call(program, tuple(given), tuple(record), lengths, resets)
    output, *rest = Scan.apply(call, *given.values())  # type: ignore[no-untyped-call]
    states, recorded = rest[: len(program.states)], rest[len(program.states) :]
    return output, tuple(states), dict(zip(record, recorded, strict=True))
