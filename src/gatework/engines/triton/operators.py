"""The operators `gatework::scan` and `gatework::scan_backward` on CUDA, which torch's tools see of a scan there."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from gatework.engines.native import backward, forward, operators
from gatework.engines.native.call import Call
from gatework.engines.native.forward import Result
from gatework.engines.triton import scan
from gatework.engines.triton.eager import run_untried
from gatework.engines.triton.trust import trusted


def scan_on_cuda(recipe: str, tensors: Sequence[Tensor], *options: Any) -> list[Tensor]:
    """As `gatework::scan`, by kernels."""
    return operators.scanned(_forward, operators.call_of(recipe, tensors, *options))


def scan_backward_on_cuda(
    recipe: str,
    tensors: Sequence[Tensor],
    saved: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    wanted: Sequence[bool],
    lengths: Tensor | None,
    resets: Tensor | None,
    recompute: bool,
) -> list[Tensor]:
    """As `gatework::scan_backward`, by kernels."""
    call = operators.call_of(recipe, tensors, "", lengths, resets, True, recompute)
    return operators.scanned_backward(_forward, _backward, call, saved, gradients, wanted)


operators.scan.register_kernel("cuda")(scan_on_cuda)
operators.scan_backward.register_kernel("cuda")(scan_backward_on_cuda)


def _forward(call: Call) -> Result:
    if _is_trusted(call):
        return scan.forward(call)
    made, device = forward.forward(_on_cpu(call)), call.tensors[0].device
    return Result(made.output.to(device), *([value.to(device) for value in values] for values in made[1:]))


def _backward(
    call: Call, saved: Sequence[Tensor], gradients: Sequence[Tensor | None], wanted: Sequence[bool]
) -> Sequence[Tensor | None]:
    if _is_trusted(call):
        return scan.backward(call, saved, gradients, wanted)
    given = [None if value is None else value.cpu() for value in gradients]
    made = backward.backward(_on_cpu(call), [value.cpu() for value in saved], given, wanted)
    return [None if value is None else value.to(call.tensors[0].device) for value in made]


def _is_trusted(call: Call) -> bool:
    """Whether kernels are right there; where they are not, the core computes, on the CPU, what both would leave."""
    device = call.tensors[0].device
    return device.type != "cuda" or trusted(run_untried, device, call.dtype)


def _on_cpu(call: Call) -> Call:
    lengths, resets = (None if value is None else value.cpu() for value in (call.lengths, call.resets))
    return Call(call.options, [tensor.cpu() for tensor in call.tensors], lengths, resets)
