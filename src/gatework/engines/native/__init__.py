"""The native engine: the C++ core runs the Program forward, and the derived backward Program backward.

float32 and bfloat16 on CPU. `plans` says what of a Program is stored where, `lowering` writes it as integers, which
the core interprets tile by tile; `memory` holds the tensors of a call, `scan` runs one forward and backward.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gatework.engines.derivatives import arranged
from gatework.engines.eager import is_tracing
from gatework.engines.native import flops as flops
from gatework.engines.native.memory import NAMES
from gatework.engines.native.operators import apply
from gatework.engines.native.scan import Call
from gatework.errors import InputError
from gatework.notation import Program

DTYPES = tuple(NAMES)


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
    """Executes a Program over a sequence: the contract of `gatework.engines`, in the C++ core."""
    start = state if start is None else start
    if lengths is not None:
        lengths = lengths.to(torch.int64).contiguous()
        alive = torch.arange(x.shape[0], device=x.device)[:, None] < lengths  # [T,B]
        resets = None if resets is None else resets & alive
        x = torch.where(alive[:, :, None], x, 0)  # what lies past a length is never read, not even times 0 in a sum
    if resets is not None:
        at_first = resets[:1].any(0)[:, None]  # [B,1]
        state = tuple(torch.where(at_first, s, v) for s, v in zip(start, state, strict=True))
        resets = resets.to(torch.uint8).contiguous()
    tensors = arranged(program, params, x, state, start, inputs)
    check(x.device, x.dtype)
    for tensor in tensors:
        if tensor.dtype is not x.dtype or not tensor.is_cpu:
            check(tensor.device, tensor.dtype)
            both = f"{shown(x.dtype)} and {shown(tensor.dtype)}"
            raise InputError(
                f"engine='native' takes one dtype, not {both}: convert input, state or weights with .to(...)"
            )
    wanted = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    train = wanted and not (torch.compiler.is_exporting() or is_tracing())  # those are for inference
    call = Call(program, tuple(record), lengths, resets, train, recompute)
    output, states, recorded = apply(call, tensors)
    return output, tuple(states), dict(zip(record, recorded, strict=True))
