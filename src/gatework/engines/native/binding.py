"""What a call does, bound once: for each set of options, shapes and threads a list of steps that the core runs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod

import torch
from torch import Tensor

from gatework.core import _native
from gatework.engines.native.arrays import Array, contiguous, reach
from gatework.engines.native.call import Outline
from gatework.engines.native.memory import DTYPES, NAMES, allocated
from gatework.engines.native.threads import product_grid


@dataclass
class Binding:
    """A call in the making: its memories, and what it does to arrays in them, in order.

    threads: that share the work. given: the tensors a run is given come first. results: shape and dtype of the tensors
    that a run returns, after them.
    """

    threads: int
    core: _native.Call
    results: list[tuple[tuple[int, ...], torch.dtype]] = field(default_factory=list)

    def given(self, tensors: Outline) -> list[Array]:
        """Tensors that each run is given."""
        strides = tensors.strides or map(contiguous, tensors.shapes)
        elements = [NAMES[dtype] for dtype in tensors.dtypes]
        return [*map(self._memory, map(tuple, tensors.shapes), strides, elements)]

    def _memory(self, shape: tuple[int, ...], strides: tuple[int, ...], element: str) -> Array:
        return Array(self.core.memory(reach(shape, strides) * DTYPES[element].itemsize), 0, shape, strides, element)

    def result(self, *shape: int, element: str = "float32") -> Array:
        """A new tensor that each run returns."""
        self.results.append((shape, DTYPES[element]))
        return self._memory(shape, contiguous(shape), element)

    def scratch(self, *shape: int, element: str = "float32") -> Array:
        """Memory of the call's own."""
        return Array(self.core.own_memory(prod(shape) * DTYPES[element].itemsize), 0, shape, contiguous(shape), element)

    @contextmanager
    def temporary(self) -> Iterator[None]:
        """Scratch memory of the block is used again after it."""
        used = self.core.used()
        yield
        self.core.free_to(used)

    def copy(self, to: Array, source: Array, *, add: bool = False) -> None:
        self.core.copy(to.described, source.described, add)

    def clear(self, to: Array) -> None:
        self.core.clear(to.described)

    def products(self, a: Array, right: Sequence[Array], results: Sequence[Array], *, add: bool = False) -> None:
        """results [M,N] (+)= a [M,K] . each of `right` [K,N], in float32."""
        (M, K), N = a.shape, sum(b.shape[1] for b in right)
        factors, grid = [b.described for b in right], product_grid(M, N, K, self.threads)
        self.core.multiply(a.described, factors, [to.described for to in results], add, *grid)

    def bound(self) -> "Bound":
        return Bound(self.core, tuple(self.results))


@dataclass(frozen=True)
class Bound:
    """A call that is ready to run."""

    core: _native.Call
    results: tuple[tuple[tuple[int, ...], torch.dtype], ...]

    def run(self, tensors: Sequence[Tensor], lengths: Tensor | None, resets: Tensor | None) -> list[Tensor]:
        """Its results, of tensors as they were bound, lengths [B] int64 and resets [T,B] uint8."""
        made = [allocated(shape, dtype) for shape, dtype in self.results]
        self.core.run(
            [tensor.data_ptr() for tensor in (*tensors, *made)],
            0 if lengths is None else lengths.data_ptr(),
            0 if resets is None else resets.data_ptr(),
        )
        return made
