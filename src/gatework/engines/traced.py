"""The reference engine as one operator, for torch.jit.trace, which would write its loop out for the steps it sees."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from gatework.engines.derivatives import arranged, derivatives, evaluated
from gatework.notation import Program
from gatework.notation.recipe import read


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
    recompute: bool = False,
) -> tuple[Tensor, tuple[Tensor, ...], dict[str, Tensor]]:
    """Executes a Program over a sequence: the contract of `gatework.engines`; `recompute` changes nothing here."""
    del recompute  # the backward pass runs the forward pass again in any case
    tensors = arranged(program, params, x, state, start, inputs)
    output, *rest = loop(program.recipe, tensors, " ".join(record), lengths, resets)
    states = len(program.states)
    return output, tuple(rest[:states]), dict(zip(record, rest[states:], strict=False))


@torch.library.custom_op("gatework::loop", mutates_args=())
def loop(
    recipe: str, tensors: Sequence[Tensor], record: str, lengths: Tensor | None, resets: Tensor | None
) -> list[Tensor]:
    """Output, final states and recorded values of the reference engine."""
    found = evaluated(read(recipe), tensors, lengths, resets, record.split())
    return [
        value.clone() for value in found
    ]  # an operator's results share no memory, with one another or its arguments


def save(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    recipe, tensors, record, lengths, resets = inputs
    ctx.program, ctx.results = read(recipe), len(output) - len(record.split())
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(lengths, resets, *tensors)


def loop_gradients(ctx: Any, gradients: list[Tensor | None]) -> tuple[Any, ...]:
    lengths, resets, *tensors = ctx.saved_tensors
    wanted = ctx.needs_input_grad[1]
    found = derivatives(ctx.program, tensors, gradients[: ctx.results], wanted, lengths, resets)
    return None, found, None, None, None


torch.library.register_autograd(loop._qualname, loop_gradients, setup_context=save)
