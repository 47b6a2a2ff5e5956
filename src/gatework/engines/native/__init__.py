"""The native engine: the C++ core runs the Program forward, and the derived backward Program backward.

float32 and bfloat16 on CPU. `gatework.lowering` makes plans of a Program and binds a call once for its kind; here are
the tensors that it runs on, and the backward pass. `operators` is what torch sees of it. A call like one before goes
from its layer's `Cache` to what was made `Ready` then, and from there to the core.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from gatework.engines.arguments import Arguments, Results
from gatework.engines.eager import is_eager, is_tracing
from gatework.engines.native import flops as flops
from gatework.engines.native.boundaries import restart_at_first
from gatework.engines.native.call import Call
from gatework.engines.native.memory import NAMES
from gatework.engines.native.operators import TRANSFORMED as TRANSFORMED
from gatework.engines.native.operators import Ready, apply, bound
from gatework.engines.native.operators import run_at_once as run_at_once
from gatework.engines.reverse_direction import run_reversed
from gatework.errors import InputError
from gatework.lowering.call import Options
from gatework.lowering.codes import check_operations as check_operations
from gatework.lowering.codes import lacking as lacking
from gatework.lowering.codes import without as without

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


def _check_alike(tensors: Sequence[Tensor]) -> None:
    """Raises InputError unless all have one dtype, and where the core does not run."""
    first, dtypes = tensors[0].dtype, {tensor.dtype for tensor in tensors}
    if len(dtypes) == 1 and first in DTYPES and all(tensor.is_cpu for tensor in tensors):
        return
    for tensor in tensors:
        check(tensor.device, tensor.dtype)
    both = " and ".join(map(shown, (first, *(dtypes - {first}))))
    raise InputError(f"engine='native' takes one dtype, not {both}: convert input, state or weights with .to(...)")


def ready(arguments: Arguments, at_once: int = 1) -> Ready:
    """What runs these arguments, and others like them, which by `is_eager` are eager; without lengths and resets.

    at_once: of how many such calls are asked for at once, by `run_at_once`.
    """
    return bound(_call(arguments, arguments.tensors()), at_once)


def run(arguments: Arguments) -> Results:
    """Executes a Program over a sequence, in the C++ core."""
    tensors = arguments.tensors()
    eager = is_eager(*tensors, arguments.lengths, arguments.resets)
    if not eager and arguments.frozen and arguments.frozen.storage != "float32":
        raise InputError(f"weights={arguments.frozen.storage!r} are for eager calls, not for what torch traces")
    if not eager and arguments.reverse:
        return run_reversed(run, arguments)
    bounded = restart_at_first(arguments.without_padding(arguments.running()))
    if bounded is not arguments:
        arguments, tensors = bounded, bounded.tensors()
    output, states, recorded = apply(_call(arguments, tensors), eager=eager)
    return output, tuple(states), dict(zip(arguments.record, recorded, strict=True))


def _call(arguments: Arguments, tensors: Sequence[Tensor]) -> Call:
    """The call that executes arguments whose tensors these are."""
    _check_alike(tensors)
    return call_of(arguments, tensors)


def call_of(arguments: Arguments, tensors: Sequence[Tensor]) -> Call:
    """As `_call`, for any engine that takes calls."""
    train = (
        torch.is_grad_enabled()
        and any(tensor.requires_grad for tensor in tensors)
        and not (torch.compiler.is_exporting() or is_tracing())  # for inference
    )
    record, lengths, resets = tuple(arguments.record), arguments.lengths, arguments.resets
    return Call(
        Options(arguments.program, record, train, arguments.recompute, arguments.reverse, arguments.frozen),
        tensors,
        None if lengths is None else lengths.to(torch.int64).contiguous(),
        None if resets is None else resets.to(torch.uint8).contiguous(),
    )
