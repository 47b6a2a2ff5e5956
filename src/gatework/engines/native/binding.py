"""What a call does, bound once: for each set of options, shapes and threads a list of steps that the core runs."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod

import torch
from torch import Tensor

from gatework.core import _native
from gatework.engines.native import isa
from gatework.engines.native.arrays import Array, contiguous, reach
from gatework.engines.native.call import Outline
from gatework.engines.native.memory import DTYPES, LEAST, NAMES, allocated, allocation
from gatework.engines.native.threads import product_grid

_ADDRESS = Tensor.data_ptr


@dataclass
class Binding:
    """A call in the making: its memories, and what it does to arrays in them, in order.

    threads: that share the work. given: how many tensors a run is given; they come first. apart: those of them of which
    copies without gaps are read. results: shape and dtype of the tensors that a run
    returns, after them.
    """

    threads: int
    core: _native.Call
    given: int = 0
    apart: list[int] = field(default_factory=list)
    results: list[tuple[tuple[int, ...], torch.dtype]] = field(default_factory=list)

    def give(self, tensors: Outline, *, gaps: bool = True) -> list[Array]:
        """More tensors that each run is given. gaps: there may be some between their rows."""
        arrays = []
        strides = tensors.strides or map(contiguous, tensors.shapes)
        for shape, steps, dtype in zip(map(tuple, tensors.shapes), strides, tensors.dtypes, strict=True):
            joined = _without_gaps(shape, steps) or (gaps and steps[-1] == 1)
            arrays.append(self._memory(shape, steps if joined else contiguous(shape), NAMES[dtype]))
            self.apart += [] if joined else [self.given]
            self.given += 1
        return arrays

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
        return Bound(self.core, tuple(self.apart), [allocation(*result) for result in self.results])


@dataclass(frozen=True)
class Bound:
    """A call that is ready to run."""

    core: _native.Call
    apart: tuple[int, ...]
    allocations: Sequence[Callable[[], Tensor]]

    def given(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        """The tensors of a run as they were bound: some are copied."""
        if not self.apart:
            return tensors
        own = [*tensors]
        for place in self.apart:
            own[place] = _copied(own[place])
        return own

    def run(self, tensors: Sequence[Tensor], lengths: Tensor | None, resets: Tensor | None) -> list[Tensor]:
        """Its results, of tensors as they were bound, lengths [B] int64 and resets [T,B] uint8."""
        tensors = self.given(tensors)
        made = [allocate() for allocate in self.allocations]
        addresses = [*map(_ADDRESS, tensors), *map(_ADDRESS, made)]
        ends, borders = 0 if lengths is None else lengths.data_ptr(), 0 if resets is None else resets.data_ptr()
        try:
            self.core.run(addresses, ends, borders)
        except ValueError:
            isa.check()
            raise
        return made


def run_at_once(calls: Sequence[Bound], tensors: Sequence[Sequence[Tensor]]) -> list[list[Tensor]]:
    """The results of calls that take one thread each, without lengths and resets."""
    given = [call.given(own) for call, own in zip(calls, tensors, strict=True)]
    made = [[allocate() for allocate in call.allocations] for call in calls]
    addresses = [[*map(_ADDRESS, own), *map(_ADDRESS, new)] for own, new in zip(given, made, strict=True)]
    try:
        _native.run_together([(call.core, own, 0, 0) for call, own in zip(calls, addresses, strict=True)])
    except ValueError:
        isa.check()
        raise
    return made


def _without_gaps(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    sides = zip(shape, strides, contiguous(shape), strict=True)
    return 0 in shape or all(size == 1 or stride == usual for size, stride, usual in sides)


def _copied(tensor: Tensor) -> Tensor:
    if tensor.numel() < LEAST:
        return tensor.contiguous()
    return allocated(tuple(tensor.shape), tensor.dtype).copy_(tensor)
