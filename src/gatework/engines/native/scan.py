"""A Program over a sequence as one differentiable operation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gatework.engines.native.memory import Memory, execute
from gatework.engines.native.plans import Backward, Forward, backward_plan, forward_plan
from gatework.notation import Program

FEW = 6  # rows below which products with inputs are done ahead, for all steps at once


@dataclass(frozen=True)
class Call:
    """What a run was asked for, and the names of the tensors it was given."""

    program: Program
    names: tuple[str, ...]
    record: tuple[str, ...]
    lengths: Tensor | None
    resets: Tensor | None
    train: bool

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
            units |= dict(zip(parameter.shape, given[f"{parameter.kind} {parameter.name}"].shape, strict=True))
        return Memory(x.shape[0], x.shape[1], units, given)


def dense(tensor: Tensor) -> Tensor:
    """The tensor with its units next to one another."""
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()


class Scan(torch.autograd.Function):
    """Autograd's view of `forward` and `backward`."""

    @staticmethod
    def forward(ctx: Any, call: Call, *tensors: Tensor) -> tuple[Tensor, ...]:
        outputs, kept = forward(call, tensors)
        ctx.call = call
        if call.train:
            ctx.save_for_backward(*tensors, *kept)
        ctx.mark_non_differentiable(*outputs[1 + len(call.program.states) :])
        return outputs

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        call: Call = ctx.call
        count = len(call.names)
        tensors, kept = ctx.saved_tensors[:count], ctx.saved_tensors[count:]
        wanted = tuple(name for name, needs in zip(call.names, ctx.needs_input_grad[1:], strict=True) if needs)
        return None, *backward(call, tensors, kept, gradients, wanted)


def forward(call: Call, tensors: Sequence[Tensor]) -> tuple[tuple[Tensor, ...], list[Tensor]]:
    """(output [T,B,H], a final state [B,size] each, recorded values [T,B,size]), and what `backward` needs beside."""
    program, memory, own = call.program, call.memory(tensors), call.own_output()
    lowered = forward_plan(program, call.train, own, memory.B < FEW, call.record)
    T = memory.T
    for state in program.states:
        whole = call.train or (state.name == program.output and not own)
        (series,) = memory.series(T + 1 if whole else 2, state.size)
        series[0] = memory.tensors[f"first {state.name}"]
        memory.tensors[f"state {state.name}"] = series
    sizes = {name: program.nodes[index].size for name, index in program.named}
    if own:
        (memory.tensors["output"],) = memory.series(T, sizes[program.output])
    for name in call.record:
        (memory.tensors[f"record {name}"],) = memory.series(T, sizes[name])
    kept = memory.series(T, *(program.nodes[index].size for index in lowered.kept))
    memory.tensors |= {f"kept {index}": tensor for index, tensor in zip(lowered.kept, kept, strict=True)}
    ahead(lowered, memory, program)
    starts = {f"state {state.name}": f"start {state.name}" for state in program.states}
    execute(lowered.core, lowered.plan, memory, call.lengths, call.resets, starts)
    states = [memory.tensors[f"state {state.name}"] for state in program.states]
    output = memory.tensors["output"] if own else memory.tensors[f"state {program.output}"][1:]
    finals = (series[T % len(series)].clone() for series in states)
    recorded = (memory.tensors[f"record {name}"] for name in call.record)
    return (output, *finals, *recorded), [*states, *kept] if call.train else []


def ahead(lowered: Forward, memory: Memory, program: Program) -> None:
    """The products with inputs, for all steps at once."""
    nodes = program.nodes
    parts = memory.beside(*(nodes[index].size for index in lowered.ahead)) if lowered.ahead else ()
    for index, part in zip(lowered.ahead, parts, strict=True):
        operand = memory.flat(memory.tensors[f"input {nodes[nodes[index].args[0]].name}"])
        matrix = memory.tensors[f"matrix {nodes[index].name}"]
        torch.mm(operand, matrix.t(), out=part.flatten(0, 1))
        memory.tensors[f"ahead {index}"] = part


def backward(
    call: Call,
    tensors: Sequence[Tensor],
    kept: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    wanted: tuple[str, ...],
) -> list[Tensor | None]:
    """The gradients by the call's tensors, None where none is wanted."""
    program, memory = call.program, call.memory(tensors)
    lowered = backward_plan(program, wanted)
    names = [f"state {state.name}" for state in program.states]
    names += [
        f"kept {index}" for index in forward_plan(program, True, call.own_output(), memory.B < FEW, call.record).kept
    ]
    memory.tensors |= dict(zip(names, kept, strict=True))
    T, B = memory.T, memory.B
    by_output, *by_finals = gradients[: 1 + len(program.states)]
    if by_output is None:
        by_output = torch.zeros(1, B, memory.units[program.output_size])
    memory.tensors["gradient output"] = dense(by_output)
    for state, final in zip(program.states, by_finals, strict=True):
        (flow,) = memory.series(2, state.size)
        flow[T % 2] = 0 if final is None else final
        memory.tensors[f"flow {state.name}"] = flow
        memory.tensors[f"to start {state.name}"] = torch.zeros(B, memory.units[state.size])
    series = [buffer for buffer in lowered.plan.buffers if buffer.name.startswith("series ")]
    beside = memory.beside(*(buffer.columns for buffer in series)) if series else ()
    memory.tensors |= {buffer.name: tensor for buffer, tensor in zip(series, beside, strict=True)}
    for buffer in lowered.plan.buffers:
        if buffer.kind == "total":
            memory.tensors[buffer.name] = torch.empty(memory.units[buffer.columns])
    for name in lowered.inputs:
        (memory.tensors[f"gradient {name}"],) = memory.series(
            T, lowered.plan.buffers[lowered.plan.order[f"gradient {name}"]].columns
        )
    starts = {f"flow {state.name}": f"to start {state.name}" for state in program.states}
    execute(lowered.core, lowered.plan, memory, call.lengths, call.resets, starts)
    found = {f"first {state.name}": memory.tensors[f"flow {state.name}"][0] for state in program.states}
    found |= {f"start {state.name}": memory.tensors[f"to start {state.name}"] for state in program.states}
    found |= {f"vector {name}": memory.tensors[f"total {name}"] for name in lowered.vectors}
    found |= matrix_gradients(lowered, memory) | input_gradients(lowered, memory)
    return [
        fitted(found.get(name), tensor) if name in wanted else None
        for name, tensor in zip(call.names, tensors, strict=True)
    ]


def matrix_gradients(lowered: Backward, memory: Memory) -> dict[str, Tensor]:
    """Each matrix's gradient: the sum over steps and samples of gradient x operand, as large products."""
    found: dict[str, Tensor] = {}
    users: dict[str, list[tuple[str, str]]] = {}
    for name, pairs in lowered.matrices:
        for gradient, operand in pairs:
            users.setdefault(operand, []).append((name, gradient))
    for operand, using in users.items():
        values = memory.tensors[operand]
        values = memory.flat(values[: memory.T] if operand.startswith("state ") else values)
        names = iter(name for name, _ in using)
        for gradients, joined in memory.joined([gradient for _, gradient in using]):
            widths = [memory.tensors[gradient].shape[-1] for gradient in gradients]
            for part, name in zip(torch.split(joined.t() @ values, widths), names, strict=False):
                key = f"matrix {name}"
                found[key] = found[key] + part if key in found else part
    return found


def input_gradients(lowered: Backward, memory: Memory) -> dict[str, Tensor]:
    """Each input's gradient [T,B,I]: what the plan has written, and gradients x matrices as large products."""
    found = {f"input {name}": memory.tensors[f"gradient {name}"] for name in lowered.inputs}
    for name, pairs in lowered.products:
        key = f"input {name}"
        matrices = iter(memory.tensors[f"matrix {matrix}"] for _, matrix in pairs)
        for gradients, joined in memory.joined([gradient for gradient, _ in pairs]):
            matrix = torch.cat([next(matrices) for _ in gradients])
            product = (joined @ matrix).view(memory.T, memory.B, -1)
            found[key] = found[key].add_(product) if key in found else product
    return found


def fitted(gradient: Tensor | None, like: Tensor) -> Tensor:
    """A gradient in the shape of its tensor: summed over the steps that shared it."""
    if gradient is None:
        return torch.zeros_like(like)
    return gradient if gradient.shape == like.shape else gradient.sum(0, keepdim=True)
