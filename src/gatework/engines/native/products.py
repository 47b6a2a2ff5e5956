"""Large products of matrices, those that no step of a scan waits for, in the core."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gatework.core import _native
from gatework.engines.native.memory import ARITHMETIC, WAKING, allocated

Matrix = tuple[int, int, int, int, int, int]  # as the core takes it, see _native.multiply
ELEMENTS = {torch.float32: 0, torch.bfloat16: 1}


def product(a: Tensor, b: Tensor, out: Tensor | None = None, add: bool = False) -> Tensor:
    """a [M,K] . b [K,N] in float32: in new memory, or instead of or in addition to what `out` holds."""
    (out,) = products(a, [b], None if out is None else [out], add)
    return out


def products(
    a: Tensor, right: Sequence[Tensor], out: Sequence[Tensor] | None = None, add: bool = False
) -> Sequence[Tensor]:
    """The product of a matrix with each of several: it is read once."""
    (M, K), columns = a.shape, [b.shape[1] for b in right]
    out = [allocated(M, N, dtype=torch.float32) for N in columns] if out is None else out
    _native.multiply(described(a), [*map(described, right)], [*map(described, out)], add, *grid(M, sum(columns), K))
    return out


def described(matrix: Tensor) -> Matrix:
    """Where a matrix lies, for the core."""
    rows, columns = matrix.shape
    row, column = matrix.stride()
    return matrix.data_ptr(), rows, columns, row, column, ELEMENTS[matrix.dtype]


def grid(M: int, N: int, K: int) -> tuple[int, int]:
    """How many bands of rows and of columns the threads take: each packs what it reads of both operands."""
    threads = torch.get_num_threads()
    if threads == 1 or 2 * M * N * K / ARITHMETIC < WAKING:
        return 1, 1
    rows = min((n for n in range(1, threads + 1) if threads % n == 0), key=lambda n: M / n + N * n / threads)
    return rows, threads // rows
