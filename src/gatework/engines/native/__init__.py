"""The native engine: the C++ core runs the Program forward, and the derived backward Program backward.

float32 and bfloat16 on CPU. `plans` says what of a Program is stored where, `lowering` writes it as integers, which
the core interprets tile by tile; `memory` holds the tensors of a call, `scan` runs one forward and backward.
"""

from dataclasses import replace

import torch

from gatework.engines.arguments import Arguments, Results
from gatework.engines.eager import is_tracing
from gatework.engines.native import flops as flops
from gatework.engines.native.memory import NAMES
from gatework.engines.native.operators import TRANSFORMED as TRANSFORMED
from gatework.engines.native.operators import apply
from gatework.engines.native.scan import Call
from gatework.errors import InputError

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


def run(arguments: Arguments) -> Results:
    """Executes a Program over a sequence, in the C++ core."""
    lengths, resets, x = arguments.lengths, arguments.resets, arguments.x
    if lengths is not None:
        arguments = arguments.without_padding(arguments.running())
        lengths, resets, x = lengths.to(torch.int64).contiguous(), arguments.resets, arguments.x
    if resets is not None:
        at_first = resets[:1].any(0)[:, None]  # [B,1]
        pairs = zip(arguments.restart, arguments.state, strict=True)
        state = tuple(torch.where(at_first, s, v) for s, v in pairs)
        arguments = replace(arguments, state=state, start=arguments.restart)
        resets = resets.to(torch.uint8).contiguous()
    program, record, tensors = arguments.program, arguments.record, arguments.tensors()
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
    call = Call(program, tuple(record), lengths, resets, train, arguments.recompute)
    output, states, recorded = apply(call, tensors)
    return output, tuple(states), dict(zip(record, recorded, strict=True))
