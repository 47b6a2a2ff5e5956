"""A scan in eager code: kernels between torch's tensors, and their gradients."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gatework.engines.arguments import Arguments, Results
from gatework.engines.derivatives import derivatives
from gatework.engines.eager import is_transformed
from gatework.engines.native.boundaries import restart_at_first
from gatework.engines.native.call import Call
from gatework.engines.triton import scan
from gatework.lowering.call import Options


def run_untried(arguments: Arguments) -> Results:
    """As `run`, on a device that it does not ask about, of tensors that it does not check."""
    arguments = restart_at_first(arguments.without_padding(arguments.running()))
    tensors, record = arguments.tensors(), tuple(arguments.record)
    train = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    options = Options(arguments.program, record, train, arguments.recompute, arguments.reverse)
    lengths, resets = arguments.lengths, arguments.resets
    lengths = None if lengths is None else lengths.to(tensors[0].device, torch.int64).contiguous()
    resets = None if resets is None else resets.to(torch.uint8).contiguous()
    output, *rest = Scan.apply(options, lengths, resets, *tensors)  # type: ignore[no-untyped-call]
    states = len(arguments.program.states)
    return output, tuple(rest[:states]), dict(zip(record, rest[states:], strict=True))


class Scan(torch.autograd.Function):
    """A scan as torch differentiates it."""

    @staticmethod
    def forward(
        ctx: Any, options: Options, lengths: Tensor | None, resets: Tensor | None, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        result = scan.forward(Call(options, tensors, lengths, resets))
        ctx.options, ctx.many = options, len(tensors)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(lengths, resets, *tensors, *result.saved)
        ctx.mark_non_differentiable(*result.recorded)
        return result.output, *result.finals, *result.recorded

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        lengths, resets, *rest = ctx.saved_tensors
        tensors, saved = rest[: ctx.many], rest[ctx.many :]
        present, wanted = gradients[: 1 + len(ctx.options.program.states)], ctx.needs_input_grad[3:]
        return None, None, None, *_gradients(Call(ctx.options, tensors, lengths, resets), saved, present, wanted)


def _gradients(
    call: Call, saved: Sequence[Tensor], gradients: Sequence[Tensor | None], wanted: Sequence[bool]
) -> Sequence[Tensor | None]:
    """The wanted gradients; through the reference engine where torch differentiates or transforms them in turn."""
    if torch.is_grad_enabled() or is_transformed():
        options, tensors, lengths, resets = call
        return derivatives(options.program, tensors, gradients, wanted, lengths, resets, options.reverse)
    return scan.backward(call, saved, gradients, wanted)
