"""Engines: what executes a Program over a sequence. Nothing above this room knows which one ran.

The contract, differentiable in x, the state, the start, every parameter and every further input:

    run(program, params, x, state, *, start, lengths, resets, inputs, record) -> (output, state, recorded)

- `params` name -> tensor, shaped as `program.parameters` says; `x` [T,B,I]; `state` one [B,size] per state.
- `start` like state, and `resets` [T,B] bool: before such a step the state is the start again, and no
  gradient crosses.
- `lengths` [B]: past its length a sequence's state stands still, its output is 0, and gradients pass.
- `inputs` what the Program reads beside x, each [T,B,size] or [1,B,size] for all steps: dropout and zoneout
  masks, taps. Whoever calls draws them, so every engine sees the same numbers.
- `record` names of assigned values: returned as [T,B,size] each.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from gatework.core import _native
from gatework.engines import native, reference, traced
from gatework.engines.eager import is_eager as is_eager
from gatework.engines.eager import is_tracing, is_transformed
from gatework.engines.native.stream import Stepper as Stepper
from gatework.errors import InputError
from gatework.notation import Program

Run = Callable[..., tuple[Tensor, tuple[Tensor, ...], dict[str, Tensor]]]

ENGINES: Mapping[str, Run] = MappingProxyType({"native": native.run, "reference": reference.run})
STEPPERS: Mapping[str, type[Stepper]] = MappingProxyType({"native": Stepper})  # engines that take single steps


@dataclass(frozen=True)
class Choice:
    """An engine and why it was chosen: what runs a sequence, and what takes single steps, if it can."""

    name: str
    reason: str
    run: Run
    stepper: type[Stepper] | None = None


def chosen(name: str, reason: str) -> Choice:
    run = traced.run if name == "reference" and is_tracing() else ENGINES[name]
    return Choice(name, reason, run, STEPPERS.get(name))


def runs(engine: str, device: torch.device, dtype: torch.dtype) -> bool:
    """Whether an engine runs a dtype on a device; the reference engine runs them all."""
    return engine != "native" or native.runs(device, dtype)


def choose(engine: str, device: torch.device, dtype: torch.dtype) -> Choice:
    """The engine asked for, or for "auto" the fastest that runs there; raises InputError where there is none."""
    if engine not in ("auto", *ENGINES):
        raise InputError(f"engine={engine!r} is not here; there are 'auto', {', '.join(map(repr, ENGINES))}")
    if engine == "auto" and not native.runs(device, dtype):
        return chosen("reference", f"native {native.limits(device, dtype)}")
    if engine == "auto" and is_transformed():
        return chosen("reference", "torch.func and forward mode need torch's own operations")
    if engine != "reference" and not torch.compiler.is_compiling():
        check_instructions()
    if engine == "auto":
        return chosen("native", f"the fastest for {native.shown(dtype)} on {device.type}")
    if engine == "native" and device.type != "meta":  # what is planned on meta runs elsewhere
        native.check(device, dtype)
    return chosen(engine, "asked for by name")


def prepare(program: Program) -> None:
    """Works out what engines read of a Program at every call: torch.compile finds it there, but could not make it."""
    reference.rewritten(program)


def check_instructions() -> None:
    """Raises InputError where GATEWORK_ISA names an instruction set that this machine has not."""
    try:
        _native.isa()
    except ValueError as error:
        raise InputError(str(error)) from error
