"""The native core: verifies plans and runs them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_Matrix = tuple[int, int, int, int, int, int]

MAGIC: int  # the first number of a plan

def codes() -> dict[str, dict[str, int]]:
    """What the numbers of a plan stand for, by kind ("pointwise", "rows", "modes", "kinds", "elements") and name."""

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

    table: a row of five numbers a buffer: address, numbers from step to step, from row to row, steps before memory is
        used again, numbers in all.
    starts: buffer -> the one its rows start from, or -1. lengths, resets: addresses or 0.
    rows, columns: bands of the batch and of the units that threads take. Raises ValueError where these do not fit.
    """

def multiply(
    a: _Matrix, right: Sequence[_Matrix], results: Sequence[_Matrix], add: bool, rows: int, columns: int, /
) -> None:
    """results [M,N] (+)= a [M,K] . right [K,N], by threads that take bands of rows and of columns of the results.

    A matrix is six numbers: address, rows, columns, numbers from row to row and from column to column, and 0 for
    float32 or 1 for bfloat16; its rows or its columns are without gaps. Raises ValueError for others.
    """

class Stream:
    """A forward plan, one step at a time: packs its weights once, and uses the buffers of `table` in turn.

    input: the number of the buffer that `step` gives; in the table it has one step. Raises ValueError as `run` does.
    """

    def __init__(
        self,
        plan: Plan,
        sizes: Sequence[int],
        B: int,
        table: npt.NDArray[np.int64],
        input: int,
        rows: int,
        columns: int,
        /,
    ) -> None: ...
    def step(self, address: int, /) -> None:
        """Runs a step on the input [B,size] at an address."""

def ceiling(seconds: float, threads: int, /) -> float:
    """10^9 operations per second in a bare loop of multiply-adds, which no product exceeds."""

def memory(floats: int, /) -> npt.NDArray[np.float32]:
    """Memory that the core keeps, when it is given back, for whoever asks for as much again."""

def isa() -> str:
    """The instruction set that runs: the widest here, or the one that GATEWORK_ISA names."""

def isas() -> list[str]:
    """The instruction sets that this machine runs, the widest first."""

def map(isa: str, op: int, source: npt.NDArray[np.float32], target: npt.NDArray[np.float32], /) -> None:
    """One function over an array, by the number of its operation."""
