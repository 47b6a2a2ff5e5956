"""What the native engine asks of its core, call by call: recorded, and written to a file for the core's own tests.

python tests/core_calls.py FILE [EVERY]     every call, or one of so many
"""

import ctypes
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import ClassVar
from unittest.mock import patch

import numpy as np
import torch

from gatework.cells import Cell, cells
from gatework.core import _native
from gatework.engines import native
from gatework.engines.native import backward, forward
from gatework.lowering import call, plans
from gatework.lowering.forward import forward_recipe
from gatework.verify.check import EXTRAS, LENGTHS, PLAIN, RESETS
from gatework.verify.problems import Case, answer, draw

TILES = (Case(2, 50, 3, 20, 4), Case(2, 2, 3, 100, 40))  # more rows and more units than one tile has
CASES = (*PLAIN, *LENGTHS, *RESETS, *EXTRAS, *TILES)


@dataclass(frozen=True)
class CoreCall:
    """A plan and what it ran on: sizes, buffers as (step, row, period, numbers), starts, lengths, resets; threads."""

    stream: tuple[int, ...]
    sizes: tuple[int, ...]
    T: int
    B: int
    buffers: tuple[tuple[int, ...], ...]
    starts: tuple[int, ...]
    lengths: tuple[int, ...]
    resets: tuple[int, ...]
    threads: int = 1

    def written(self) -> str:
        """A line of numbers: every sequence with its length before it."""
        buffers = tuple(number for buffer in self.buffers for number in buffer)
        parts = (self.stream, self.sizes, (self.T, self.B), buffers, self.starts, self.lengths, self.resets)
        return " ".join(str(number) for part in parts for number in (len(part), *part))


class Plan(_native.Plan):
    """A plan that remembers its integers."""

    def __init__(self, stream: list[int]) -> None:
        super().__init__(stream)
        self.stream = tuple(stream)


class Call(_native.Call):
    """A call that notes the plans that it runs."""

    calls: ClassVar[list[CoreCall]] = []

    def __init__(self, *options) -> None:
        super().__init__(*options)
        self.scans: list[tuple] = []

    def scan(self, plan, sizes, T, B, table, starts, first, steps, rows, columns) -> None:
        super().scan(plan, sizes, T, B, table, starts, first, steps, rows, columns)
        buffers = tuple(tuple(row) for row in table[:, 2:].tolist())
        self.scans.append((plan.stream, tuple(sizes), T, B, buffers, tuple(starts), first, steps, rows * columns))

    def run(self, addresses, lengths, resets) -> None:
        super().run(addresses, lengths, resets)
        for stream, sizes, T, B, buffers, starts, first, steps, threads in self.scans:
            ends = array(lengths, ctypes.c_int64, B) if steps else ()
            again = array(resets, ctypes.c_uint8, steps * B)[first * B : (first + T) * B]
            ends = tuple(min(max(end - first, 0), T) for end in ends)
            self.calls.append(CoreCall(stream, sizes, T, B, buffers, starts, ends, again, threads))


@contextmanager
def recording() -> Iterator[list[CoreCall]]:
    """Collects the calls that are made inside the block."""
    caches = (
        plans.forward_plan,
        plans.backward_plan,
        forward_recipe,
        forward.bind,
        backward.backward_recipe,
        backward.bind,
        call.tensor_spec,
    )
    calls: list[CoreCall] = []
    with patch.object(_native, "Plan", Plan), patch.object(_native, "Call", Call), patch.object(Call, "calls", calls):
        for cache in caches:
            cache.cache_clear()
        yield calls
    for cache in caches:
        cache.cache_clear()


def array(address: int, kind: type, many: int) -> tuple[int, ...]:
    """The numbers that lie at an address; none at address 0."""
    return tuple(np.ctypeslib.as_array((kind * many).from_address(address)).tolist()) if address and many else ()


def calls_of(
    chosen: Iterable[Cell] = tuple(cells.values()),
    cases: Iterable[Case] = CASES,
    dtypes: Iterable[torch.dtype] = native.DTYPES,
) -> list[CoreCall]:
    """The calls, forward and backward, that random problems of these cells and cases lead to."""
    with recording() as calls:
        for cell in chosen:
            for case, dtype in product(cases, dtypes):
                answer(native.run, draw(cell, case).to(dtype))
    return calls


if __name__ == "__main__":
    file, *every = sys.argv[1:]
    chosen = calls_of()[:: int(*every or [1])]
    Path(file).write_text("\n".join(call.written() for call in chosen) + "\n")
