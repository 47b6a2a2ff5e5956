"""The reference engine as one operator, for torch.jit.trace, which would write its loop out for the steps it sees."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gatework.engines import reference
from gatework.engines.arguments import Arguments, Results
from gatework.engines.derivatives import derivatives, flat
from gatework.engines.reverse_direction import run_reversed
from gatework.notation.recipe import read


def run(arguments: Arguments) -> Results:
    """Executes a Program over a sequence; the backward pass runs the forward pass again in any case."""
    if arguments.reverse:
        return run_reversed(run, arguments)
    program, record = arguments.program, arguments.record
    output, *rest = loop(program.recipe, arguments.tensors(), " ".join(record), arguments.lengths, arguments.resets)
    states = len(program.states)
    return output, tuple(rest[:states]), dict(zip(record, rest[states:], strict=False))


@torch.library.custom_op("gatework::loop", mutates_args=())
def loop(
    recipe: str, tensors: Sequence[Tensor], record: str, lengths: Tensor | None, resets: Tensor | None
) -> list[Tensor]:
    """Output, final states and recorded values of the reference engine."""
    results = reference.run(Arguments.from_tensors(read(recipe), tensors, lengths, resets, record.split()))
    return [value.clone() for value in flat(results)]  # which share no memory, with one another or the arguments


def save(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    recipe, tensors, record, lengths, resets = inputs
    ctx.program, ctx.results = read(recipe), len(output) - len(record.split())
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(lengths, resets, *tensors)


def loop_gradients(ctx: Any, gradients: list[Tensor | None]) -> tuple[Any, ...]:
    lengths, resets, *tensors = ctx.saved_tensors
    wanted = ctx.needs_input_grad[1]
    by_tensors = derivatives(ctx.program, tensors, gradients[: ctx.results], wanted, lengths, resets)
    return None, by_tensors, None, None, None


torch.library.register_autograd(loop._qualname, loop_gradients, setup_context=save)
