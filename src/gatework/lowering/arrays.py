"""Arrays of a call: which part of which of its memories, before there are addresses."""

from collections.abc import Iterator
from itertools import accumulate
from math import prod
from typing import NamedTuple, Self

from gatework.core import _native

_ELEMENTS = _native.codes()["elements"]
BYTES = {"float32": 4, "bfloat16": 2}  # of the elements of buffers


class Array(NamedTuple):
    """Part of a memory: the number of the memory, numbers before the first, shape, strides in numbers, element.

    reversed: of a series, that its last step lies first.
    """

    memory: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    element: str
    reversed: bool = False

    def step(self, index: int) -> "Array":
        """One step of a series, as [B,size]."""
        place = self.shape[0] - 1 - index if self.reversed else index
        offset = self.offset + place * self.strides[0]
        return Array(self.memory, offset, self.shape[1:], self.strides[1:], self.element)

    def steps(self, first: int, last: int) -> Self:
        """Some steps of a series; one step may stand for all."""
        if self.shape[0] == 1:
            return self
        place = self.shape[0] - last if self.reversed else first
        return self._replace(offset=self.offset + place * self.strides[0], shape=(last - first, *self.shape[1:]))

    def as_step(self) -> Self:
        """A matrix as the one step of a series."""
        return self._replace(shape=(1, *self.shape), strides=(0, *self.strides), reversed=False)

    def rows(self, sizes: tuple[int, ...]) -> Iterator[Self]:
        """The rows of a matrix in groups of these sizes."""
        for size, first in zip(sizes, accumulate(sizes, initial=0), strict=False):
            yield self._replace(offset=self.offset + first * self.strides[0], shape=(size, *self.shape[1:]))

    def repeated(self, T: int, B: int) -> Self:
        """A vector as a series that is the same at each step, in each row."""
        return self._replace(shape=(T, B, *self.shape), strides=(0, 0, *self.strides))

    def t(self) -> Self:
        """A matrix transposed."""
        return self._replace(shape=self.shape[::-1], strides=self.strides[::-1])

    @property
    def numbers(self) -> int:
        """How many lie from the first to the last."""
        return reach(self.shape, self.strides)

    @property
    def described(self) -> tuple[int, ...]:
        """The array for the core, in three directions."""
        more = 3 - len(self.shape)
        shape, strides = (1,) * more + self.shape, (0,) * more + self.strides
        return self.memory, self.offset, *shape, *strides, _ELEMENTS[self.element]

    @property
    def row(self) -> tuple[int, ...]:
        """The array for the core as a buffer of a plan: see `_native.Call.scan`."""
        if 0 in self.shape:
            return self.memory, self.offset, 0, self.shape[-1], 1, 0
        if len(self.shape) == 3:
            step = -self.strides[0] if self.reversed else self.strides[0]
            return self.memory, self.offset, step, self.strides[1], self.shape[0], self.numbers
        row = self.strides[0] if len(self.shape) == 2 else self.shape[0]
        return self.memory, self.offset, 0, row, 1, self.numbers


def reach(shape: tuple[int, ...], strides: tuple[int, ...]) -> int:
    """Numbers from the first to the last of an array."""
    if 0 in shape:
        return 0
    return 1 + sum((many - 1) * stride for many, stride in zip(shape, strides, strict=True))


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of an array without gaps."""
    return tuple(prod(shape[side + 1 :]) for side in range(len(shape)))
