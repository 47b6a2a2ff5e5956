"""What a call does, bound once: for each set of options, shapes and threads a list of steps that the core runs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod

from gatework.core import _native
from gatework.lowering.arrays import BYTES, Array, contiguous, reach
from gatework.lowering.call import Outline
from gatework.lowering.threads import product_grid


@dataclass
class Binding:
    """A call in the making: its memories, and what it does to arrays in them, in order.

    threads: that share the work. given: how many tensors a run is given; they come first. apart: those of them of which
    copies without gaps are read. results: shape and element of the tensors that a run returns, after them.
    """

    threads: int
    core: _native.Call
    given: int = 0
    apart: list[int] = field(default_factory=list)
    results: list[tuple[tuple[int, ...], str]] = field(default_factory=list)

    def give(self, tensors: Outline, *, gaps: bool = True) -> list[Array]:
        """More tensors that each run is given. gaps: there may be some between their rows."""
        arrays = []
        strides = tensors.strides or map(contiguous, tensors.shapes)
        for shape, steps, element in zip(map(tuple, tensors.shapes), strides, tensors.elements, strict=True):
            joined = _without_gaps(shape, steps) or (gaps and steps[-1] == 1)
            arrays.append(self._memory(shape, steps if joined else contiguous(shape), element))
            self.apart += [] if joined else [self.given]
            self.given += 1
        return arrays

    def _memory(self, shape: tuple[int, ...], strides: tuple[int, ...], element: str) -> Array:
        return Array(self.core.memory(reach(shape, strides) * BYTES[element]), 0, shape, strides, element)

    def result(self, *shape: int, element: str = "float32") -> Array:
        """A new tensor that each run returns."""
        self.results.append((shape, element))
        return self._memory(shape, contiguous(shape), element)

    def scratch(self, *shape: int, element: str = "float32") -> Array:
        """Memory of the call's own."""
        return Array(self.core.own_memory(prod(shape) * BYTES[element]), 0, shape, contiguous(shape), element)

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


def _without_gaps(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    sides = zip(shape, strides, contiguous(shape), strict=True)
    return 0 in shape or all(size == 1 or stride == usual for size, stride, usual in sides)
