"""Which way a pass runs: S, a whole sequence in one kernel; or G, step by step.

S runs where its kernel is to need no local memory, which a bound on what it keeps decides; G runs elsewhere.
GATEWORK_TRITON_MODE=G asks for G, and S for S wherever rows are short enough, in local memory or not.
"""

import os
from collections.abc import Mapping
from typing import NamedTuple

import torch

from gatework.engines.triton.source.sequence import SequenceKernel
from gatework.errors import InputError

VARIABLE = "GATEWORK_TRITON_MODE"
MODES = ("S", "G")
ROWS = 16  # sequences that a program of S takes, and units of a tile at least: tensor cores multiply no fewer


class Most(NamedTuple):
    """What a program of S keeps, at most: units of a row, numbers of its matrices and of its tiles, row functions."""

    units: int
    matrices: int
    tiles: int
    row_functions: int


# Chosen by what compiles for sm_80 and sm_90 without local memory: `gatework verify --compiled` shows cells at these
# bounds, docs/engines.md the misses. In float32 a matrix lies in registers, in bfloat16 in shared memory.
MOST = {torch.float32: Most(32, 6 * 32**2, 16 << 10, 32), torch.bfloat16: Most(128, 4 * 128**2, 40 << 10, 8)}


def width(units: int) -> int:
    """The units of the tile that a row of some units is kept in."""
    return max(ROWS, 1 << (units - 1).bit_length())


def asked_mode() -> str | None:
    """The mode that the environment asks for, if any; InputError for what is none."""
    asked = os.environ.get(VARIABLE)
    if asked not in (None, *MODES):
        raise InputError(f"{VARIABLE}={asked!r}; expected {' or '.join(MODES)}, or unset it")
    return asked


def mode(kernel: SequenceKernel, units: Mapping[str, int], dtype: torch.dtype) -> str:
    """The mode of a pass: that of the environment, or by what its kernel in S keeps of rows of these units."""
    asked, most = asked_mode(), MOST[dtype]
    if asked == "G" or max((units[size] for size in kernel.sizes), default=0) > most.units:
        return "G"
    return "S" if asked == "S" or _is_within(most, kernel, units) else "G"


def _is_within(most: Most, kernel: SequenceKernel, units: Mapping[str, int]) -> bool:
    matrices = sum(width(units[rows]) * width(units[columns]) for _, rows, columns in kernel.matrices)
    tile = ROWS * max((width(units[size]) for size in kernel.sizes), default=0)
    tiles = len(kernel.reads) + len(kernel.writes) + len(kernel.carried)
    fits = matrices <= most.matrices and tiles * tile <= most.tiles
    return fits and kernel.row_functions <= most.row_functions
