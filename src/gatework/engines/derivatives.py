"""Gradients of a scan that can be differentiated in turn: through the reference engine, in torch's own operations."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gatework.engines import reference
from gatework.notation import Program


def derivatives(
    program: Program,
    tensors: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    wanted: Sequence[bool],
    lengths: Tensor | None,
    resets: Tensor | None,
) -> list[Tensor | None]:
    """The wanted gradients by a scan's tensors, from those by output and final states; None where there is none.

    tensors: as `arranged`. The derivatives are themselves differentiable where gradients are recorded.
    """
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        given = [value.view_as(value) for value in tensors]  # a tensor that depends on another is by itself here
        results = evaluated(program, given, lengths, resets)
        pairs = [(r, g) for r, g in zip(results, gradients, strict=True) if g is not None and r.requires_grad]
        by = [value for value, wants in zip(given, wanted, strict=True) if wants]
        reached = (
            torch.autograd.grad(
                [result for result, _ in pairs],
                by,
                [gradient for _, gradient in pairs],
                create_graph=again,
                allow_unused=True,
            )
            if pairs
            else [None] * len(by)
        )
    found = iter(reached)
    return [next(found) if wants else None for wants in wanted]


def arranged(
    program: Program,
    params: Mapping[str, Tensor],
    x: Tensor,
    state: Sequence[Tensor],
    start: Sequence[Tensor] | None,
    inputs: Mapping[str, Tensor] | None,
) -> list[Tensor]:
    """The tensors of a scan in the order of its Program: inputs, states, starts, parameters."""
    further = [(inputs or {})[name] for name in program.inputs[1:]]
    return [x, *further, *state, *(state if start is None else start), *(params[p.name] for p in program.parameters)]


def evaluated(
    program: Program,
    tensors: Sequence[Tensor],
    lengths: Tensor | None,
    resets: Tensor | None,
    record: Sequence[str] = (),
) -> tuple[Tensor, ...]:
    """Output, final states and recorded values of the reference engine, from tensors as `arranged`."""
    many, states = len(program.inputs), len(program.states)
    inputs, tensors = tensors[:many], tensors[many:]
    params = {p.name: value for p, value in zip(program.parameters, tensors[2 * states :], strict=True)}
    output, final, recorded = reference.run(
        program,
        params,
        inputs[0],
        tuple(tensors[:states]),
        start=tuple(tensors[states : 2 * states]),
        lengths=lengths,
        resets=None if resets is None else resets.bool(),
        inputs=dict(zip(program.inputs[1:], inputs[1:], strict=True)),
        record=record,
    )
    return output, *final, *recorded.values()
