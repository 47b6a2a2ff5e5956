"""The tensors of a call, and the core's table of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatework import _native
from gatework.engines.native.lowering import SIZES, Plan

# What sharing the work costs: seconds of a step that are worth a barrier, of a call that are worth waking threads,
# reckoned at a core's operations and bytes per second; with room for processors that others want too.
ARITHMETIC, BANDWIDTH, BARRIER, WAKING = 1e11, 5e10, 1e-5, 2e-4
# Bytes of weights that stay in a core's cache, or in the one that cores share, and the fewest rows for a band of them.
NEAR, NEAR_ROWS, FAR, FAR_ROWS = 1 << 19, 6, 8 << 20, 32
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}  # of the elements of buffers
NAMES = {dtype: element for element, dtype in DTYPES.items()}
LEAST = 1 << 14  # numbers from which on memory is the core's: it keeps what is given back


# Address, numbers from step to step and from row to row, steps before memory is used again, numbers in all.
Row = tuple[int, int, int, int, int]


@dataclass
class Memory:
    """The tensors of a call by buffer name; a series has one step for each in time, or a few that are used in turn."""

    T: int
    B: int
    units: dict[str, int]
    tensors: dict[str, Tensor]
    rows: dict[str, Row] = field(default_factory=dict)  # of buffers that are parts of a tensor

    @property
    def dtype(self) -> torch.dtype:
        """That of all tensors the call was given."""
        return self.tensors["input x"].dtype

    @property
    def element(self) -> str:
        """The same, as elements of buffers are named."""
        return NAMES[self.dtype]

    def row(self, name: str) -> Row:
        """A buffer's row of the core's table."""
        if name in self.rows:
            return self.rows[name]
        tensor = self.tensors[name]
        shape, strides, address = tensor.shape, tensor.stride(), tensor.data_ptr()
        if 0 in shape:
            return address, 0, shape[-1], 1, 0
        if len(shape) == 3:
            (steps, rows, units), (step, row, _) = shape, strides
            return address, step, row, steps, (steps - 1) * step + (rows - 1) * row + units
        rows, row = (shape[0], strides[0]) if len(shape) == 2 else (1, shape[0])
        return address, 0, row, 1, (rows - 1) * row + shape[-1]

    def place(self, names: Sequence[str], matrices: Sequence[Tensor], whole: Tensor) -> None:
        """Has a series [T,B,sum of sizes] hold a product with each of the matrices, side by side."""
        self.tensors[" ".join(names)] = whole
        steps, B, units = whole.shape
        address, numbers, before = whole.data_ptr(), steps * B * units, 0
        for name, matrix in zip(names, matrices, strict=True):
            place = address + before * whole.element_size()
            self.rows[name] = (place, B * units, units, steps, numbers - before) if numbers else (place, 0, units, 1, 0)
            before += matrix.shape[0]

    def series(self, steps: int, size: str, dtype: torch.dtype) -> Tensor:
        """Memory for a series [steps,B,size]."""
        return allocated(steps, self.B, self.units[size], dtype=dtype)

    def beside(self, *sizes: str, dtype: torch.dtype) -> Sequence[Tensor]:
        """Memory for series [T,B,size] side by side: the parts of one series."""
        widths = [self.units[size] for size in sizes]
        return allocated(self.T, self.B, sum(widths), dtype=dtype).split_with_sizes(widths, -1)

    def joined(self, names: Sequence[str]) -> list[tuple[list[str], Tensor]]:
        """Series, joined where the next lies beside the one before: names, [T*B, sum of their sizes]."""
        result: list[tuple[list[str], Tensor]] = []
        for name in names:
            tensor = self.tensors[name]
            if result:
                before, wide = result[-1]
                after = wide.data_ptr() + wide.shape[-1] * wide.element_size()
                if after == tensor.data_ptr() and wide.stride() == tensor.stride() and len(wide) == len(tensor):
                    shape = (*wide.shape[:-1], wide.shape[-1] + tensor.shape[-1])
                    result[-1] = ([*before, name], wide.as_strided(shape, wide.stride()))
                    continue
            result.append(([name], tensor))
        return [(names, self.flat(wide)) for names, wide in result]

    def flat(self, series: Tensor) -> Tensor:
        """A series of T steps, or one step for all, as [T*B,size]."""
        series = series if len(series) == self.T else series.expand(self.T, -1, -1)
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
    plan: Plan,
    memory: Memory,
    lengths: Tensor | None,
    resets: Tensor | None,
    starts: Mapping[str, str],
) -> None:
    """Runs the plan."""
    rows, columns = grid(plan, memory)
    _native.run(
        core,
        [memory.units[size] for size in SIZES],
        memory.T,
        memory.B,
        table(plan, memory),
        [-1] * len(plan.order) if resets is None else [plan.order.get(starts.get(name, ""), -1) for name in plan.order],
        0 if lengths is None else lengths.data_ptr(),
        0 if resets is None else resets.data_ptr(),
        rows,
        columns,
    )


def table(plan: Plan, memory: Memory) -> npt.NDArray[np.int64]:
    """Where the plan's buffers lie, for the core; values between blocks are given their memory now."""
    for buffer in plan.between:
        memory.tensors[buffer.name] = memory.series(2, buffer.columns, DTYPES[buffer.element])
    return np.array([memory.row(name) for name in plan.order], dtype=np.int64).reshape(-1, 5)


def grid(plan: Plan, memory: Memory) -> tuple[int, int]:
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
