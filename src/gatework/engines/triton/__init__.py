"""The engine for NVIDIA GPUs: kernels in Triton, written from any Program.

float32 and bfloat16 on CUDA; float32 on the CPU where Triton interprets (TRITON_INTERPRET=1), which is for tests.
"""

import os
import sys
from importlib.util import find_spec

import torch

from gatework.engines import reference
from gatework.engines.arguments import Arguments, Results
from gatework.engines.eager import is_eager
from gatework.engines.native import call_of
from gatework.engines.native.boundaries import restart_at_first
from gatework.engines.native.memory import NAMES
from gatework.engines.native.operators import apply
from gatework.engines.reverse_direction import run_reversed
from gatework.engines.triton import operators as operators
from gatework.engines.triton.eager import run_untried as run_untried
from gatework.engines.triton.modules import interpreting
from gatework.engines.triton.trust import trusted
from gatework.errors import InputError

INSTALLED = find_spec("triton") is not None


def runs(device: torch.device, dtype: torch.dtype) -> bool:
    if not INSTALLED:
        return False
    if device.type == "cpu":  # while torch.compile looks on, what was chosen before it is not asked again
        return dtype == torch.float32 and (torch.compiler.is_compiling() or _interprets())
    return device.type == "cuda" and torch.version.hip is None and dtype in NAMES


def _interprets() -> bool:
    """Whether kernels are interpreted; where nothing asked for it, Triton need not be imported to know."""
    return ("TRITON_INTERPRET" in os.environ or "triton" in sys.modules) and interpreting()


def limits(device: torch.device, dtype: torch.dtype) -> str:
    """What the engine runs, and that it is not this."""
    if not INSTALLED:
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
        return _as_operator(arguments)
    device, dtype = tensors[0].device, tensors[0].dtype
    if device.type == "cuda" and not trusted(run_untried, device, dtype):
        return reference.run(arguments)
    return run_untried(arguments)


def _as_operator(arguments: Arguments) -> Results:
    """As `run`, for what torch traces or wraps: one node, the operator `gatework::scan`."""
    if arguments.reverse:
        return run_reversed(_as_operator, arguments)
    arguments = restart_at_first(arguments.without_padding(arguments.running()))
    output, states, recorded = apply(call_of(arguments, arguments.tensors()), eager=False)
    return output, tuple(states), dict(zip(arguments.record, recorded, strict=True))
