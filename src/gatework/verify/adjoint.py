"""The derived backward Program, executed by itself: backpropagation through time without autograd.

It tests the derivation, whose gradients must be those of autograd, and shows a fused engine the shape of
its work: one backward sweep over the steps, then one product over T*B for each matrix.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gatework.engines.evaluate import evaluate, leaves, schedule
from gatework.notation import Program
from gatework.notation.adjoint import Adjoint, adjoint

Sources = dict[str, dict[Any, Any]]


@dataclass(frozen=True)
class Gradients:
    """dL/dx [T,B,I], dL/d(initial state), one [B,size] each, dL/d(parameter) and dL/d(further input) by name."""

    x: Tensor
    state: tuple[Tensor, ...]
    params: dict[str, Tensor]
    inputs: dict[str, Tensor]


@torch.no_grad()
def gradients(
    program: Program,
    params: Mapping[str, Tensor],
    x: Tensor,
    state: tuple[Tensor, ...],
    output_gradient: Tensor,
    state_gradient: tuple[Tensor, ...],
    inputs: Mapping[str, Tensor] | None = None,
) -> Gradients:
    """Gradients of a loss, given its gradients by the output [T,B,H] and by the final state.

    `inputs`: what the Program reads beside x, [T,B,size] or [1,B,size] for all steps.
    """
    back = adjoint(program)
    sources = {"x": x, **(inputs or {})}
    history = _forward(back, params, {name: value.expand(len(x), -1, -1) for name, value in sources.items()}, state)
    steps = schedule(back.nodes, range(len(back.nodes)), params)
    flowing = {s.name: gradient for s, gradient in zip(program.states, state_gradient, strict=True)}
    old = dict(back.states)
    swept: list[list[Any]] = []  # the backward values of each step, the last step first
    for t in reversed(range(len(x))):
        arriving = flowing | {program.output: flowing.get(program.output, 0) + output_gradient[t]}
        values = leaves(back.nodes, gradient=arriving, **history[t])
        evaluate(steps, values)
        flowing = {s.name: _whole(values, old.get(s.name), v) for s, v in zip(program.states, state, strict=True)}
        swept.append(values)
    by_input = {name: dict(back.inputs).get(name) for name in sources}
    series = {
        n: torch.stack([_whole(v, by_input[n], value[0]) for v in reversed(swept)]) for n, value in sources.items()
    }
    return Gradients(
        x=series.pop("x"),
        state=tuple(flowing[s.name] for s in program.states),
        params={name: torch.zeros_like(value) for name, value in params.items()} | _summed(back, params, swept, x[0]),
        inputs={name: value.sum_to_size(sources[name].shape) for name, value in series.items()},
    )


def _forward(
    back: Adjoint, params: Mapping[str, Tensor], inputs: Mapping[str, Tensor], state: tuple[Tensor, ...]
) -> list[Sources]:
    """Runs the steps and returns the leaves that each step's backward pass reads."""
    program, history = back.program, []
    steps = schedule(program.nodes, range(len(program.nodes)), params)
    for t in range(len(inputs["x"])):
        sources: Sources = {
            "input": {name: value[t] for name, value in inputs.items()},
            "state": {s.name: value for s, value in zip(program.states, state, strict=True)},
            "vector": dict(params),
        }
        values = leaves(program.nodes, **sources)
        evaluate(steps, values)
        state = tuple(values[s.node].expand_as(sources["state"][s.name]) for s in program.states)
        history.append({**sources, "saved": {index: values[index] for index in back.saved}})
    return history


def _summed(back: Adjoint, params: Mapping[str, Tensor], swept: list[list[Any]], row: Tensor) -> dict[str, Tensor]:
    """The parameters' gradients, summed over batch and time: for a matrix one product over T*B."""

    def series(index: int, size: int) -> Tensor:  # [T*B,size]
        return torch.cat([_whole(values, index, row[:, :1].expand(-1, size)) for values in swept])

    gradients = {name: series(index, len(params[name])).sum(0) for name, index in back.vectors}
    for name, pairs in back.matrices:
        rows, columns = params[name].shape
        gradients[name] = sum(
            (series(gradient, rows).T @ series(operand, columns) for gradient, operand in pairs),
            torch.zeros_like(params[name]),
        )
    return gradients


def _whole(values: list[Any], index: int | None, like: Tensor) -> Tensor:
    """A step's value over the whole batch: zero where no gradient arrives, spread where it is the same for all."""
    value = 0.0 if index is None else values[index]
    return torch.as_tensor(value, dtype=like.dtype, device=like.device).expand_as(like)
