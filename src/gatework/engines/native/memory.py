"""The tensors of a call, and the core's table of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatework.core import _native
from gatework.engines.native.keys import Key, Role
from gatework.engines.native.plan import SIZES, NativePlan

# What sharing the work costs: seconds of a step that are worth a barrier, of a call that are worth waking threads,
# reckoned at a core's operations and bytes per second; with room for processors that others want too.
ARITHMETIC, BANDWIDTH, BARRIER, WAKING = 1e11, 5e10, 1e-5, 2e-4
# Bytes of weights that stay in a core's cache, or in the one that cores share, and the fewest rows for a band of them.
NEAR, NEAR_ROWS, FAR, FAR_ROWS = 1 << 19, 6, 8 << 20, 32
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}  # of the elements of buffers
NAMES = {dtype: element for element, dtype in DTYPES.items()}
LEAST = 1 << 14  # numbers from which on memory is the core's, which uses again what is given back
_X = Key(Role.INPUT, "x")

# Address, numbers from step to step and from row to row, steps before memory is used again, numbers in all.
Row = tuple[int, int, int, int, int]


@dataclass(frozen=True)
class Part:
    """A series that is part of a tensor: numbers before it, from row to row, in a row; its steps."""

    whole: Tensor
    before: int
    row: int
    units: int
    steps: int


@dataclass
class Memory:
    """The tensors of a call; a series has one step for each in time, or a few that are used in turn."""

    T: int
    B: int
    units: dict[str, int]
    tensors: dict[Key, Tensor]
    parts: dict[Key, Part] = field(default_factory=dict)

    @property
    def dtype(self) -> torch.dtype:
        """That of all tensors the call was given."""
        return self.tensors[_X].dtype

    @property
    def element(self) -> str:
        """The same, as elements of buffers are named."""
        return NAMES[self.dtype]

    def tensor(self, key: Key) -> Tensor:
        """A buffer as a tensor, a series as [steps,B,size]."""
        part = self.parts.get(key)
        if part is None:
            return self.tensors[key]
        place = part.whole.storage_offset() + part.before
        return part.whole.as_strided((part.steps, self.B, part.units), (self.B * part.row, part.row, 1), place)

    def units_of(self, key: Key) -> int:
        """The size of a series."""
        part = self.parts.get(key)
        return self.tensors[key].shape[-1] if part is None else part.units

    def row(self, key: Key) -> Row:
        """A buffer's row of the core's table."""
        if self.parts and (part := self.parts.get(key)) is not None:
            address, rows = part.whole.data_ptr() + part.before * part.whole.element_size(), part.steps * self.B
            if rows * part.units == 0:
                return address, 0, part.units, 1, 0
            return address, self.B * part.row, part.row, part.steps, (rows - 1) * part.row + part.units
        tensor = self.tensors[key]
        shape, strides, address = tensor.shape, tensor.stride(), tensor.data_ptr()
        if 0 in shape:
            return address, 0, shape[-1], 1, 0
        if len(shape) == 3:
            (steps, rows, units), (step, row, _) = shape, strides
            return address, step, row, steps, (steps - 1) * step + (rows - 1) * row + units
        rows, row = (shape[0], strides[0]) if len(shape) == 2 else (1, shape[0])
        return address, 0, row, 1, (rows - 1) * row + shape[-1]

    def series(self, steps: int, size: str, dtype: torch.dtype) -> Tensor:
        """Memory for a series [steps,B,size]."""
        return allocated(steps, self.B, self.units[size], dtype=dtype)

    def place_interleaved(self, buffers: Iterable[tuple[Key, str]], whole: Tensor) -> None:
        """Places series, given as key and size, in a tensor [steps,B,sum of sizes], side by side in each row."""
        steps, width, before = whole.shape[0], whole.shape[-1], 0
        for key, size in buffers:
            self.parts[key] = Part(whole, before, width, self.units[size], steps)
            before += self.units[size]

    def place_consecutive(self, buffers: Iterable[tuple[Key, str]], whole: Tensor) -> None:
        """Places series of T steps, given as key and size, in a tensor, one after another."""
        before = 0
        for key, size in buffers:
            units = self.units[size]
            self.parts[key] = Part(whole, before, units, units, self.T)
            before += self.T * self.B * units

    def joined(self, keys: Sequence[Key]) -> Tensor:
        """Interleaved series, as [T*B, sum of their sizes]."""
        if len(keys) == 1:
            return self.flat(self.tensor(keys[0]))
        parts = [self.parts[key] for key in keys]
        whole, place = parts[0].whole, parts[0].whole.storage_offset() + parts[0].before
        return whole.as_strided((self.T * self.B, sum(part.units for part in parts)), (parts[0].row, 1), place)

    def flat(self, series: Tensor) -> Tensor:
        """A series of T steps, or one step for all, as [T*B,size]."""
        series = series if series.shape[0] == self.T else series.expand(self.T, -1, -1)
        return series.reshape(self.T * self.B, series.shape[-1])


def allocated(*shape: int, dtype: torch.dtype) -> Tensor:
    """A tensor without values."""
    numbers = prod(shape)
    if numbers < LEAST:
        return torch.empty(shape, dtype=dtype, device="cpu")
    floats = -(-numbers * dtype.itemsize // torch.float32.itemsize)
    return torch.from_numpy(_native.memory(floats)).view(dtype)[:numbers].view(shape)


def execute(
    core: _native.Plan,
    plan: NativePlan,
    memory: Memory,
    lengths: Tensor | None,
    resets: Tensor | None,
    starts: Sequence[int],
) -> None:
    """Runs the plan; `starts` as `NativePlan.starts`."""
    rows, columns = grid(plan, memory)
    _native.run(
        core,
        [memory.units[size] for size in SIZES],
        memory.T,
        memory.B,
        table(plan, memory),
        plan.no_starts if resets is None else starts,
        0 if lengths is None else lengths.data_ptr(),
        0 if resets is None else resets.data_ptr(),
        rows,
        columns,
    )


def table(plan: NativePlan, memory: Memory) -> npt.NDArray[np.int64]:
    """Where the plan's buffers lie, for the core; values between blocks are given their memory now."""
    for buffer in plan.between:
        memory.tensors[buffer.key] = memory.series(2, buffer.columns, DTYPES[buffer.element])
    return np.array([memory.row(key) for key in plan.numbers], dtype=np.int64).reshape(-1, 5)


def grid(plan: NativePlan, memory: Memory) -> tuple[int, int]:
    """How many bands of rows and of units the threads take.

    Bands of rows need no barriers, but every thread reads all weights at each step: worth it where each then has many
    rows for a weight it reads, or where all weights stay near. Bands of units keep the weights apart.
    """
    threads = torch.get_num_threads()
    weights = sum(memory.units[rows] * memory.units[columns] for rows, columns in plan.matrices)
    step = max(2 * weights * memory.B / ARITHMETIC, 4 * weights / BANDWIDTH)
    if threads == 1 or memory.T * step < WAKING:
        return 1, 1
    fewest = NEAR_ROWS if 4 * weights <= NEAR else FAR_ROWS if 4 * weights <= FAR else memory.B + 1
    rows = max((n for n in range(1, threads + 1) if threads % n == 0 and n * fewest <= memory.B), default=1)
    return rows, threads // rows if step > BARRIER else 1
