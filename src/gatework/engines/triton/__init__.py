"""The engine for NVIDIA GPUs: kernels in Triton, written from any Program.

float32 and bfloat16 on CUDA; float32 on the CPU where Triton interprets (TRITON_INTERPRET=1), which is for tests.
"""

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from gatework.engines import reference
from gatework.engines.arguments import Arguments, Results
from gatework.engines.derivatives import derivatives
from gatework.engines.eager import is_eager
from gatework.engines.native.boundaries import restart_at_first
from gatework.engines.native.call import Call
from gatework.engines.native.memory import NAMES
from gatework.engines.triton import stepwise
from gatework.engines.triton.modules import interpreting
from gatework.engines.triton.trust import trusted
from gatework.errors import InputError
from gatework.lowering.call import Options


def runs(device: torch.device, dtype: torch.dtype) -> bool:
    if find_spec("triton") is None:
        return False
    if device.type == "cpu":
        asked = "TRITON_INTERPRET" in os.environ or "triton" in sys.modules  # else it need not be imported to know
        return asked and dtype == torch.float32 and interpreting()
    return device.type == "cuda" and torch.version.hip is None and dtype in NAMES


def limits(device: torch.device, dtype: torch.dtype) -> str:
    """What the engine runs, and that it is not this."""
    if find_spec("triton") is None:
        return "needs Triton, which is not installed (pip install 'gatework[triton]')"
    return f"runs {' and '.join(NAMES.values())} on cuda, not {str(dtype).removeprefix('torch.')} on {device.type}"


def check(device: torch.device, dtype: torch.dtype) -> None:
    """Raises InputError where the engine does not run."""
    if not runs(device, dtype):
        raise InputError(f"engine='triton' {limits(device, dtype)}: use engine='auto' or 'reference'")


def run(arguments: Arguments) -> Results:
    """Executes a Program over a sequence; by the reference engine on a kind of device that gives other numbers."""
    tensors = arguments.tensors()
    for tensor in tensors:
        check(tensor.device, tensor.dtype)
    if len({(tensor.device, tensor.dtype) for tensor in tensors}) > 1:
        raise InputError("engine='triton' takes one dtype on one device: convert input, state or weights with .to(...)")
    if not is_eager(*tensors, arguments.lengths, arguments.resets):
        raise InputError("engine='triton' runs eager calls: for what torch traces use engine='reference'")
    device, dtype = tensors[0].device, tensors[0].dtype
    if device.type == "cuda" and not trusted(run_untried, device, dtype):
        return reference.run(arguments)
    return run_untried(arguments)


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
        result = stepwise.forward(Call(options, tensors, lengths, resets))
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
    """The wanted gradients; through the reference engine where they are to be differentiated in turn."""
    if torch.is_grad_enabled():
        options, tensors, lengths, resets = call
        return derivatives(options.program, tensors, gradients, wanted, lengths, resets, options.reverse)
    return stepwise.backward(call, saved, gradients, wanted)
