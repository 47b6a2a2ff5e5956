"""The native core: verifies plans and runs them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

class Plan:
    """What to run at every step, read from a stream of integers; raises ValueError where it is none."""

    def __init__(self, stream: Sequence[int], /) -> None: ...

def run(
    plan: Plan,
    sizes: Sequence[int],
    T: int,
    B: int,
    table: npt.NDArray[np.int64],
    starts: Sequence[int],
    lengths: int,
    resets: int,
    rows: int,
    columns: int,
    /,
) -> None:
    """Runs a plan on buffers.

    table: a row of five numbers a buffer: address, floats from step to step, from row to row, steps before memory is
        used again, floats in all.
    starts: buffer -> the one its rows start from, or -1. lengths, resets: addresses or 0.
    rows, columns: bands of the batch and of the units that threads take. Raises ValueError where these do not fit.
    """

def memory(floats: int, /) -> npt.NDArray[np.float32]:
    """Memory that the core keeps, when it is given back, for whoever asks for as much again."""

def isa() -> str:
    """The instruction set that runs: the widest here, or the one that GATEWORK_ISA names."""

def isas() -> list[str]:
    """The instruction sets that this machine runs, the widest first."""

def map(isa: str, op: int, source: npt.NDArray[np.float32], target: npt.NDArray[np.float32], /) -> None:
    """One function over an array, by the number of its operation."""
