"""The native engine: the C++ core runs the Program forward, and the derived backward Program backward.

float32 and bfloat16 on CPU. The passes, in their order: `plans` says what of a Program (or of its adjoint) is stored
where; `simplify`, `placement` and `instructions` make blocks of its nodes, which `lowering` writes as the integers that
the core interprets tile by tile. `forward` and `backward` bind a call once for its kind: `layout` has its arrays,
`binding` notes what is done to them. After that a call gives the core addresses; `operators` is what torch sees of it.
"""

import torch

from gatework.engines.arguments import Arguments, Results
from gatework.engines.eager import is_eager, is_tracing
from gatework.engines.native import flops as flops
from gatework.engines.native.boundaries import restart_at_first
from gatework.engines.native.call import Call, Options
from gatework.engines.native.codes import check_operations as check_operations
from gatework.engines.native.codes import lacking as lacking
from gatework.engines.native.codes import without as without
from gatework.engines.native.memory import NAMES
from gatework.engines.native.operators import TRANSFORMED as TRANSFORMED
from gatework.engines.native.operators import apply
from gatework.engines.reverse_direction import run_reversed
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
    if (arguments.reverse or arguments.frozen) and not is_eager(*arguments.tensors()):
        if arguments.frozen and arguments.frozen.storage != "float32":
            raise InputError(f"weights={arguments.frozen.storage!r} are for eager calls, not for what torch traces")
        if arguments.reverse:
            return run_reversed(run, arguments)
    arguments = arguments.without_padding(arguments.running())
    arguments = restart_at_first(arguments)
    x, tensors = arguments.x, arguments.tensors()
    check(x.device, x.dtype)
    wanted, dtype = False, x.dtype
    for tensor in tensors:
        wanted = wanted or tensor.requires_grad
        if tensor.dtype is not dtype or not tensor.is_cpu:
            check(tensor.device, tensor.dtype)
            both = f"{shown(x.dtype)} and {shown(tensor.dtype)}"
            raise InputError(
                f"engine='native' takes one dtype, not {both}: convert input, state or weights with .to(...)"
            )
    train = wanted and torch.is_grad_enabled() and not (torch.compiler.is_exporting() or is_tracing())  # for inference
    record, lengths, resets = tuple(arguments.record), arguments.lengths, arguments.resets
    call = Call(
        Options(arguments.program, record, train, arguments.recompute, arguments.reverse, arguments.frozen),
        tensors,
        None if lengths is None else lengths.to(torch.int64).contiguous(),
        None if resets is None else resets.to(torch.uint8).contiguous(),
    )
    output, states, recorded = apply(call)
    return output, tuple(states), dict(zip(record, recorded, strict=True))
