"""Whether a kind of device computes what the reference engine does: asked once by a tiny problem, and remembered.

Kernels are tested on the devices there were. On another kind, or under another driver or compiler, the first call is
preceded by a problem small enough to go unnoticed; where the answers disagree the reference engine runs instead.
"""

import hashlib
import json
import math
import os
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor

from gatework.cells import cells
from gatework.engines import reference
from gatework.engines.arguments import Arguments, Run
from gatework.engines.triton.private import private_folder, write_privately
from gatework.errors import InputError

VARIABLE = "GATEWORK_TRUST"  # 1 skips all of this
CELL = "layer_norm_lstm"  # two states, products, row functions
T, B, I = 4, 3, 5
UNITS = (7, 70)  # in one kernel for the whole sequence, and step by step
# The most that a number may be off by, for the root mean square of its fellows: a few times what rounding does on this
# problem, float32 with TF32's products; what a miscompiled kernel or a stale read gives is off by about 1.
MOST = {torch.float32: 0.02, torch.float16: 0.05, torch.bfloat16: 0.25}
CANCELLED = 0.1  # of the largest root mean square among the gradients: none is measured against less
LONGEST = 4096  # bytes of a memory


@dataclass(frozen=True)
class Kind:
    """What a verdict holds for: a kind of device, what drives it, what compiles for it, and a dtype."""

    device: str
    driver: str
    versions: str
    dtype: str

    @classmethod
    def of(cls, device: torch.device, dtype: torch.dtype) -> "Kind":
        """That of a CUDA device here."""
        properties = torch.cuda.get_device_properties(device)
        name = f"{properties.name}, compute capability {properties.major}.{properties.minor}"
        versions = ", ".join(f"{package} {version(package)}" for package in ("gatework", "torch", "triton"))
        return cls(name, _driver(), versions, str(dtype).removeprefix("torch."))

    def __str__(self) -> str:
        return f"{self.device} ({self.driver}; {self.versions}; {self.dtype})"


def _driver() -> str:
    """The driver's own line about itself; where the system has none, the CUDA that torch was built for."""
    with suppress(OSError):
        return Path("/proc/driver/nvidia/version").read_text().partition("\n")[0].strip()
    return f"CUDA {torch.version.cuda}"


def trusted(run: Run, device: torch.device, dtype: torch.dtype) -> bool:
    """Whether `run` may compute on a device: it agreed once with the reference engine, or GATEWORK_TRUST=1 says so."""
    if os.environ.get(VARIABLE) == "1":
        return True
    return _agrees_here(run, device, dtype)


@cache
def _agrees_here(run: Run, device: torch.device, dtype: torch.dtype) -> bool:
    return agrees(run, device, dtype, Kind.of(device, dtype))


def agrees(run: Run, device: torch.device, dtype: torch.dtype, kind: Kind) -> bool:
    """Whether an engine agrees with the reference engine on a kind of device; where it does not, a warning says so."""
    error = recalled(kind)
    if error is None:
        try:
            error = disagreement(run, device, dtype)
        except Exception as exception:  # whatever a compiler or a driver raises
            _warn(kind, f"failed on a tiny problem ({type(exception).__name__}: {exception})")
            return False
        remember(kind, error)
    if error <= MOST[dtype]:
        return True
    _warn(kind, f"is off by {error:.2g} of the root mean square on a tiny problem, where {MOST[dtype]} is allowed")
    return False


def _warn(kind: Kind, what: str) -> None:
    warnings.warn(
        f"engine 'triton' {what} on {kind}: the reference engine runs instead; {VARIABLE}=1 runs triton all the same",
        stacklevel=3,
    )


# -- the tiny problem


def disagreement(run: Run, device: torch.device, dtype: torch.dtype) -> float:
    """How far an engine is from the reference engine in float64: the largest error for the root mean square.

    Output, final states and all gradients, with lengths and resets, at each number of UNITS; infinite where an answer
    is no number.
    """
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast(device.type, enabled=False):
        return max(_disagreement(run, _problem(H, dtype), device, dtype) for H in UNITS)


def _disagreement(run: Run, problem: Arguments, device: torch.device, dtype: torch.dtype) -> float:
    expected, actual = _answers(reference.run, problem), _answers(run, _moved(problem, device, dtype))
    return max(_largest_error(*pair) for pair in zip(actual, expected, strict=True))


def _problem(H: int, dtype: torch.dtype) -> Arguments:
    """Random numbers in float64 that `dtype` holds."""
    program = cells[CELL].program
    sizes = program.bind(I, H)
    generator = torch.Generator().manual_seed(H)

    def normal(*shape: int) -> Tensor:
        numbers: Tensor = torch.randn(*shape, generator=generator) * shape[-1] ** -0.5
        return numbers.to(dtype).double()

    return Arguments(
        program,
        {p.name: normal(*(sizes[side] for side in p.shape)) for p in program.parameters},
        normal(T, B, I),
        tuple(normal(B, sizes[state.size]) for state in program.states),
        start=tuple(normal(B, sizes[state.size]) for state in program.states),
        lengths=torch.arange(B) + T - B + 1,  # the last is whole
        resets=torch.rand(T, B, generator=generator) < 0.3,
    )


def _moved(problem: Arguments, device: torch.device, dtype: torch.dtype) -> Arguments:
    """The same numbers elsewhere."""
    assert problem.lengths is not None and problem.resets is not None
    return replace(
        problem,
        params={name: value.to(device, dtype) for name, value in problem.params.items()},
        x=problem.x.to(device, dtype),
        state=tuple(value.to(device, dtype) for value in problem.state),
        start=tuple(value.to(device, dtype) for value in problem.restart),
        lengths=problem.lengths.to(device),
        resets=problem.resets.to(device),
    )


def _answers(run: Run, problem: Arguments) -> tuple[list[Tensor], list[Tensor]]:
    """Output and final states; and their gradients by everything, each number weighed in turn by -1, 0 and 1."""
    leaves = problem.tensors()
    for leaf in leaves:
        leaf.requires_grad_()
    output, final, _ = run(problem)
    values = [output, *final]
    weights = [(torch.arange(value.numel(), device=value.device) % 3 - 1).view_as(value).to(value) for value in values]
    gradients = torch.autograd.grad(values, leaves, weights, materialize_grads=True)
    return [[value.detach().cpu().double() for value in each] for each in (values, gradients)]  # type: ignore[return-value]


def _largest_error(actual: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """Of some values or gradients, each for its root mean square or a part of the largest."""
    scales = [value.square().mean().sqrt().item() for value in expected]
    least = CANCELLED * max(scales)
    errors = [
        (a - e).abs().max().item() / max(scale, least) for a, e, scale in zip(actual, expected, scales, strict=True)
    ]
    return max(error if math.isfinite(error) else math.inf for error in errors)


# -- the memory


def _place(kind: Kind) -> Path:
    digest = hashlib.sha256(json.dumps(asdict(kind)).encode()).hexdigest()
    return private_folder() / f"trust-{digest[:32]}.json"


def recalled(kind: Kind) -> float | None:
    """The error that a kind of device had; None where nothing, or nothing whole, is remembered."""
    with suppress(OSError, ValueError, TypeError, KeyError, RecursionError, InputError):
        with _place(kind).open("rb") as file:
            memory = json.loads(file.read(LONGEST))
        if memory["kind"] == asdict(kind) and (error := float(memory["error"])) >= 0:
            return error
    return None


def remember(kind: Kind, error: float) -> None:
    """Notes the error of a kind of device; a folder that cannot be written lets the next process ask again."""
    with suppress(OSError, InputError):
        write_privately(_place(kind), json.dumps({"kind": asdict(kind), "error": error}).encode())
