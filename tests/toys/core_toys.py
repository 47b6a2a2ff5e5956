"""The core by itself: a plan or a product on memory whose address is known."""

from collections.abc import Sequence

import numpy as np
import torch

from gatework.core import _native
from gatework.engines.native.memory import NAMES
from gatework.lowering.arrays import Array

Buffer = Sequence[int]  # address, numbers from step to step and from row to row, steps before it is used again, numbers


def run_plan(
    plan: _native.Plan,
    sizes: Sequence[int],
    T: int,
    B: int,
    buffers: Sequence[Buffer],
    *,
    starts: Sequence[int] = (),
    boundaries: tuple[int, int] = (0, 0),
    grid: tuple[int, int] = (1, 1),
) -> None:
    """Runs a plan once; boundaries: the addresses of lengths and resets."""
    call = _native.Call()
    rows = [(call.memory(4 * max(rest[-1], 0)), 0, *rest) for _, *rest in buffers]
    table = np.array(rows, dtype=np.int64).reshape(-1, 6)
    call.scan(plan, sizes, T, B, table, starts or [-1] * len(buffers), 0, max(T, 1), *grid)
    call.run([address for address, *_ in buffers], *boundaries)


def multiply(
    a: torch.Tensor,
    right: Sequence[torch.Tensor],
    results: Sequence[torch.Tensor],
    *,
    add: bool = False,
    grid: tuple[int, int] = (1, 1),
) -> None:
    """results (+)= a . each of `right`."""
    call, tensors = _native.Call(), [a, *right, *results]
    arrays = [described(call, tensor) for tensor in tensors]
    many = 1 + len(right)
    call.multiply(arrays[0], arrays[1:many], arrays[many:], add, *grid)
    call.run([tensor.data_ptr() for tensor in tensors], 0, 0)


def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """a [M,K] . b [K,N] in float32."""
    result = torch.empty(a.shape[0], b.shape[1])
    multiply(a, [b], [result])
    return result


def described(call: _native.Call, tensor: torch.Tensor) -> tuple[int, ...]:
    """A tensor as an array of a memory of its own."""
    whole = Array(0, 0, tuple(tensor.shape), tensor.stride(), NAMES[tensor.dtype])
    memory = call.memory(whole.numbers * tensor.element_size())
    return whole._replace(memory=memory).described
