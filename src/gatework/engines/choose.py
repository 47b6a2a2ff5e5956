"""Which engine runs: the one asked for by name, or for "auto" the fastest that can."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import torch

from gatework.engines import native, reference, traced, triton, vendor
from gatework.engines.arguments import Arguments, Results, Run, RunStack, Stack
from gatework.engines.eager import is_eager, is_tracing, is_transformed
from gatework.engines.native.operators import Ready
from gatework.engines.native.stream import Stepper
from gatework.errors import InputError
from gatework.lowering import isa
from gatework.notation import Program

ENGINES: Mapping[str, Run] = MappingProxyType(
    {"native": native.run, "torch": vendor.run, "triton": triton.run, "reference": reference.run}
)
# Engines that bind what runs an eager call, and others like it.
BINDERS: Mapping[str, Callable[[Arguments, int], Ready]] = MappingProxyType({"native": native.ready})
# Engines that run layers and directions in one call.
STACKS: Mapping[str, RunStack] = MappingProxyType({"torch": vendor.run_stack})
STEPPERS: Mapping[str, type[Stepper]] = MappingProxyType({"native": Stepper})  # engines that take single steps


class Choice(NamedTuple):
    """An engine and why it was chosen: what runs a sequence and, where it can, binds it, takes steps, runs stacks."""

    name: str
    reason: str
    run: Run
    ready: Callable[[Arguments, int], Ready] | None = None
    stepper: type[Stepper] | None = None
    stack: RunStack | None = None


def choose(
    engine: str,
    device: torch.device,
    dtype: torch.dtype,
    lacks: Sequence[str] = (),
    program: Program | None = None,
) -> Choice:
    """The engine for a call.

    Args:
        engine: "auto" or a name of ENGINES.
        device, dtype: of the layer's weights and input.
        lacks: the operations of its Program that the core has not, by `native.lacking`.
        program: what runs; without it the engine "torch" is not auto's, and refuses what it cannot run when it is run.

    Raises:
        InputError: no such engine, or the one asked for does not run there.
    """
    if engine not in ("auto", *ENGINES):
        raise InputError(f"engine={engine!r} is not here; there are 'auto', {', '.join(map(repr, ENGINES))}")
    if engine == "auto" and device.type == "cuda" and program is not None and _is_for_torch(program, device, dtype):
        other = choose(engine, device, dtype, lacks)
        reason = f"torch has these equations as one function on {device.type}"
        return Choice("torch", reason, partial(_or, other.run), stack=STACKS["torch"])
    if engine == "auto" and device.type == "cuda" and _is_for_triton(device, dtype, lacks):
        return Choice("triton", f"every cell in {native.shown(dtype)} on cuda", ENGINES["triton"])
    if engine == "auto" and not native.runs(device, dtype):
        return _choice("reference", f"native {native.limits(device, dtype)}")
    if engine == "auto" and lacks:
        return _choice("reference", f"native {native.without(lacks)}")
    if engine != "reference" and is_transformed():
        if engine == "native":
            raise InputError(native.TRANSFORMED)
        if engine != "auto":
            raise InputError(f"engine={engine!r} has no torch.func and forward mode: use engine='reference'")
        return _choice("reference", "torch.func and forward mode need torch's own operations")
    if engine != "reference" and not torch.compiler.is_compiling():
        isa.check()
    if engine == "auto":
        return _choice("native", f"the fastest for {native.shown(dtype)} on {device.type}")
    _check(engine, device, dtype, lacks, program)
    return _choice(engine, "asked for by name")


def _check(
    engine: str, device: torch.device, dtype: torch.dtype, lacks: Sequence[str], program: Program | None
) -> None:
    """Raises InputError where an engine asked for by name does not run."""
    if engine == "native":
        native.check_operations(lacks)
        if device.type != "meta":  # what is planned on meta runs elsewhere
            native.check(device, dtype)
    if engine == "torch" and program is not None and (reason := vendor.refusal(program, device, dtype)):
        raise InputError(f"engine='torch' {reason}: use engine='auto' or 'reference'")
    if engine == "triton" and device.type != "meta":
        triton.check(device, dtype)


def _is_for_torch(program: Program, device: torch.device, dtype: torch.dtype) -> bool:
    """Whether torch has the Program as one function, and no tool of torch looks on, for which it has less."""
    eager = is_eager() and not is_tracing() and not is_transformed()
    return eager and not vendor.refusal(program, device, dtype)


def _or(other: Run, arguments: Arguments) -> Results:
    """The engine "torch", or another where a call asks for what torch's functions have not."""
    return (
        other(arguments)
        if vendor.beyond(arguments) or vendor.is_watched(Stack.of(arguments))
        else vendor.run(arguments)
    )


def _is_for_triton(device: torch.device, dtype: torch.dtype, lacks: Sequence[str]) -> bool:
    """Whether there are kernels, which torch's tools see as one operator, but torch.func and forward mode do not."""
    return not lacks and not is_transformed() and triton.runs(device, dtype)


def may_stack(engine: str, device: torch.device) -> bool:
    """Whether `choose` may choose an engine that runs layers in one call: a quick question, before each call."""
    return engine in STACKS or (engine == "auto" and device.type == "cuda")


def runs(engine: str, device: torch.device, dtype: torch.dtype) -> bool:
    """Whether an engine runs a dtype on a device; the reference engine runs them all."""
    there = {"native": native.runs, "torch": vendor.runs, "triton": triton.runs}
    return engine not in there or there[engine](device, dtype)


def prepare(program: Program) -> None:
    """Works out what engines read of a Program at every call: torch.compile finds it there, but could not make it."""
    reference.rewritten(program)
    vendor.recognise(program)


def _choice(name: str, reason: str) -> Choice:
    run = traced.run if name == "reference" and is_tracing() else ENGINES[name]
    return Choice(name, reason, run, BINDERS.get(name), STEPPERS.get(name), STACKS.get(name))
