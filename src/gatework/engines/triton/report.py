"""What the kernels of every cell ask of a chip, read from what is compiled for it: no GPU is needed.

The engine runs a tiny problem as it would on a GPU, but what it launches is compiled for a chip and no more.
"""

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from itertools import product
from operator import or_
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import torch
from triton import knobs
from triton.backends.compiler import GPUTarget
from triton.runtime.driver import driver
from triton.runtime.jit import JITFunction

from gatework.cells import Cell
from gatework.engines.native.call import Call
from gatework.engines.triton import scan
from gatework.engines.triton.modes import VARIABLE
from gatework.lowering.call import Options, tensor_spec
from gatework.notation import Program

USAGE = re.compile(r"REG:(\d+) STACK:(\d+)")
KIB = 1024


@dataclass(frozen=True)
class Chip:
    """A compute capability, and the bytes of shared memory that a block may have there."""

    capability: int
    shared: int

    def __str__(self) -> str:
        return f"sm_{self.capability}"


CHIPS = (Chip(80, 163 * KIB), Chip(90, 227 * KIB))


@dataclass(frozen=True)
class Use:
    """What kernels take at most: registers and bytes of local memory a thread, bytes of shared memory a block."""

    registers: int = 0
    local: int = 0
    shared: int = 0

    def __or__(self, other: "Use") -> "Use":
        return Use(*(max(pair) for pair in zip(_values(self), _values(other), strict=True)))


def _values(use: Use) -> tuple[int, int, int]:
    return use.registers, use.local, use.shared


class _Driver:
    """What triton asks of a driver in order to compile for a chip that is not here."""

    def __init__(self, chip: Chip) -> None:
        self.chip = chip

    def get_current_target(self) -> Any:
        return GPUTarget("cuda", self.chip.capability, 32)

    def get_current_device(self) -> str:
        return str(self.chip)  # compiled kernels are kept by device

    def get_current_stream(self, _: str) -> int:
        return 0


@contextmanager
def compiling(chip: Chip) -> Iterator[list[Any]]:
    """Within it kernels that are launched are compiled for a chip instead, and listed."""
    compiled, run = list[Any](), JITFunction.run

    def compiled_only(self: Any, *args: Any, **options: Any) -> Any:
        compiled.append(run(self, *args, **(options | {"warmup": True})))
        return compiled[-1]

    with patch.object(driver, "_active", _Driver(chip)), patch.object(JITFunction, "run", compiled_only):
        yield compiled


def use_of(compiled: Any) -> Use:
    """What a compiled kernel takes, from its file for the chip."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "kernel.cubin"
        file.write_bytes(compiled.asm["cubin"])
        command = [knobs.nvidia.cuobjdump.path, "-res-usage", str(file)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    functions = [Use(int(registers), int(stack)) for registers, stack in USAGE.findall(printed)]
    return reduce(or_, functions, Use(shared=compiled.metadata.shared))


# -- every cell in every mode

PASSES = ("forward", "backward")
T, B, I = 2, 16, 32


@dataclass(frozen=True)
class Mode:
    """A way to run a cell in a dtype, and the units to compile it for: None for the most that run so."""

    name: str
    dtype: torch.dtype
    H: int | None = None


DTYPES = (torch.float32, torch.bfloat16)
MODES = (*(Mode("S", dtype) for dtype in DTYPES), *(Mode("G", dtype, 256) for dtype in DTYPES))
POWERS = (128, 64, 32, 16)  # of two: units of a tile of mode S


@dataclass(frozen=True)
class Line:
    """What a cell's kernels take in a mode, at most, by chip and pass; what of it is too much; or why there is none."""

    cell: str
    mode: Mode
    uses: Mapping[tuple[Chip, str], Use]
    misses: tuple[str, ...]


def report(chosen: Iterable[Cell], modes: Iterable[Mode] = MODES, chips: Sequence[Chip] = CHIPS) -> Iterator[Line]:
    """Compiles the cells, with lengths and resets, and yields a line for each mode that a cell runs in."""
    for cell, mode in product(chosen, modes):
        sized = _sized(mode, cell.program)
        if sized is not None:
            yield _line(cell, sized, chips)


def _sized(mode: Mode, program: Program) -> Mode | None:
    """The mode with units: the most of which both passes run so; None where none do."""
    if mode.H is not None:
        return mode
    with _asked(None):
        sizes = (replace(mode, H=units) for units in POWERS)
        return next((size for size in sizes if {*scan.modes_of(_call(program, size))} == {mode.name}), None)


@contextmanager
def _asked(mode: str | None) -> Iterator[None]:
    """Within it passes run in a mode, or in that which their sizes ask for."""
    with patch.dict(os.environ, {} if mode is None else {VARIABLE: mode}):
        if mode is None:
            os.environ.pop(VARIABLE, None)
        yield


def _line(cell: Cell, mode: Mode, chips: Sequence[Chip]) -> Line:
    call = _call(cell.program, mode)
    uses: dict[tuple[Chip, str], Use] = {}
    misses: list[str] = []
    for chip in chips:
        try:
            with _asked(mode.name):
                passes = dict(zip(PASSES, _compiled(call, chip), strict=True))
        except Exception as error:  # whatever a compiler raises is a finding about that cell
            misses.append(f"{chip}: {type(error).__name__}: {str(error).strip().partition(chr(10))[0]}")
            continue
        for name, use in passes.items():
            uses[chip, name] = use
            misses += [f"{chip}, {name}: {miss}" for miss in _misses(use, chip)]
    return Line(cell.name, mode, uses, tuple(misses))


def _misses(use: Use, chip: Chip) -> Iterator[str]:
    """What is too much: local memory, where registers spill; more shared memory than there is."""
    if use.local:
        yield f"{use.local} bytes of local memory a thread"
    if use.shared > chip.shared:
        yield f"{use.shared / KIB:.0f} KiB of shared memory, where a block may have {chip.shared // KIB}"


def _compiled(call: Call, chip: Chip) -> tuple[Use, Use]:
    """What the forward and the backward pass of a call take."""
    with compiling(chip) as kernels:
        result = scan.forward(call)
        forwards = len(kernels)
        gradients = [torch.zeros_like(value) for value in (result.output, *result.finals)]
        scan.backward(call, result.saved, gradients, [True] * len(call.tensors))
    uses = {id(kernel): use_of(kernel) for kernel in {id(kernel): kernel for kernel in kernels}.values()}
    parts = kernels[:forwards], kernels[forwards:]
    return tuple(reduce(or_, (uses[id(kernel)] for kernel in part)) for part in parts)  # type: ignore[return-value]


def _call(program: Program, mode: Mode) -> Call:
    """A call of zeros that trains, with lengths and resets."""
    H = mode.H or 0
    sizes = program.bind(H if program.tied else I, H, H if "R" in program.sizes else 0)
    units = {"T": T, "B": B, **sizes}
    tensors = [
        torch.zeros([units[side] for side in shape], dtype=mode.dtype) for shape in tensor_spec(program).shapes.values()
    ]
    lengths, resets = torch.full((B,), T), torch.zeros(T, B, dtype=torch.uint8)
    return Call(Options(program, train=True), tensors, lengths, resets)
