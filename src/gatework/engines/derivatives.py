"""Gradients of a scan that can be differentiated in turn: through the reference engine, in torch's own operations."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from gatework.engines import reference
from gatework.engines.arguments import Arguments, Results
from gatework.notation import Program


def derivatives(
    program: Program,
    tensors: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    wanted: Sequence[bool],
    lengths: Tensor | None,
    resets: Tensor | None,
    reverse: bool = False,
) -> list[Tensor | None]:
    """The wanted gradients by a scan's tensors, from those by output and final states; None where there is none.

    tensors: as `Arguments.tensors`. The derivatives are themselves differentiable where gradients are recorded.
    """
    differentiable = torch.is_grad_enabled()
    with torch.enable_grad():
        leaves = [value.view_as(value) for value in tensors]  # a tensor that depends on another is by itself here
        arguments = Arguments.from_tensors(program, leaves, lengths, resets)
        results = flat(reference.run(replace(arguments, reverse=reverse)))
        pairs = [(r, g) for r, g in zip(results, gradients, strict=True) if g is not None and r.requires_grad]
        by = [value for value, wants in zip(leaves, wanted, strict=True) if wants]
        reached = (
            torch.autograd.grad(
                [result for result, _ in pairs],
                by,
                [gradient for _, gradient in pairs],
                create_graph=differentiable,
                allow_unused=True,
            )
            if pairs
            else [None] * len(by)
        )
    return spread(reached, wanted)


def flat(results: Results) -> tuple[Tensor, ...]:
    """Output, final states and recorded values, one after another."""
    output, final, recorded = results
    return output, *final, *recorded.values()


def spread(values: Sequence[Tensor | None], wanted: Sequence[bool]) -> list[Tensor | None]:
    """The values in the places where they are wanted, None elsewhere."""
    following = iter(values)
    return [next(following) if wants else None for wants in wanted]
