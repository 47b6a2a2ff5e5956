"""A plan: the integers that the native core verifies and runs, and the buffers that they number."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from gatework.lowering.keys import Key, Role

SIZES = ("I", "H", "R")


@dataclass(frozen=True)
class Buffer:
    """Memory that a plan reads or writes.

    layout: "series" [T,B,size], "vector", "matrix" or "total", a sum over samples and steps. rows, columns: sizes; but
    of a matrix `columns` counts the units.
    """

    key: Key
    layout: str
    rows: str
    columns: str
    written: bool
    element: str = "float32"


Source = tuple[tuple[Key, int], ...]  # where a leaf's value lies: the sum of buffers, each at a step offset


@dataclass(frozen=True)
class Store:
    """What happens to a value: it is stored in a buffer at a step offset, or summed into a total."""

    buffer: Key
    offset: int = 0
    mode: str = "plain"


@dataclass(frozen=True)
class NativePlan:
    """The integers, the buffers in the order of their numbers, and the values stored between blocks."""

    stream: tuple[int, ...]
    buffers: tuple[Buffer, ...]
    between: tuple[Buffer, ...]

    @cached_property
    def numbers(self) -> dict[Key, int]:
        """The buffers' numbers by key."""
        return {buffer.key: number for number, buffer in enumerate(self.buffers)}

    @cached_property
    def factors(self) -> tuple[tuple[Key, str], ...]:
        """Values made for products over all steps, keys and sizes, in the order in which they are interleaved."""
        return tuple((buffer.key, buffer.columns) for buffer in self.buffers if buffer.key.role is Role.FACTOR)

    @cached_property
    def totals(self) -> tuple[tuple[Key, str], ...]:
        """Sums over samples and steps, keys and sizes."""
        return tuple((buffer.key, buffer.columns) for buffer in self.buffers if buffer.layout == "total")

    @cached_property
    def matrices(self) -> tuple[tuple[str, str], ...]:
        """The sizes of the matrices it reads: rows, columns."""
        return tuple((buffer.rows, buffer.columns) for buffer in self.buffers if buffer.layout == "matrix")

    @cached_property
    def no_starts(self) -> list[int]:
        """`starts` of a call without resets."""
        return [-1] * len(self.buffers)

    def starts(self, restarts: Mapping[Key, Key]) -> list[int]:
        """Buffer -> the number of the one that its rows start from where they are reset, or -1."""
        return [self.numbers[restarts[key]] if key in restarts else -1 for key in self.numbers]
