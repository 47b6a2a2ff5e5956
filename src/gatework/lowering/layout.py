"""The arrays of a call by key, over all of its steps or some, and the core's table of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from gatework.core import _native
from gatework.lowering.arrays import Array
from gatework.lowering.binding import Binding
from gatework.lowering.call import Frozen, Outline, Sizes, sizes_of, tensor_spec
from gatework.lowering.keys import Key, Role
from gatework.lowering.plan import SIZES, NativePlan
from gatework.lowering.threads import scan_grid
from gatework.notation import Program

STORAGES = _native.codes()["storages"]
_STEPWISE = frozenset({Role.INPUT, Role.STATE, Role.SAVED, Role.OUTPUT_GRADIENT, Role.INPUT_GRADIENT})


@dataclass(frozen=True)
class Layout:
    """Arrays by key, and the call that is bound on them; a series has one step for each in time, or a few in turn.

    element: of all tensors that the call is given. reversed: its first step is the last in time.
    """

    call: Binding
    T: int
    B: int
    units: Mapping[str, int]
    element: str
    reversed: bool = False
    arrays: dict[Key, Array] = field(default_factory=dict)

    @property
    def sizes(self) -> Sizes:
        return Sizes(self.T, self.B, self.units)

    @classmethod
    def of(
        cls, program: Program, outline: Outline, threads: int, reversed: bool = False, frozen: Frozen | None = None
    ) -> Self:
        """The tensors that each run is given."""
        storage = STORAGES["float32" if frozen is None else frozen.storage]
        call = Binding(threads, _native.Call(reversed, frozen is not None, storage))
        keys = tensor_spec(program).shapes
        arrays = dict(zip(keys, call.give(outline), strict=True))
        layout = cls(call, *sizes_of(program, outline.shapes), outline.elements[0], reversed, arrays)
        for name in program.inputs:
            layout.place(Key(Role.INPUT, name), arrays[Key(Role.INPUT, name)])
        return layout

    def place(self, key: Key, series: Array) -> None:
        """Places a series of all steps, in the order of time."""
        self.arrays[key] = series._replace(reversed=self.reversed)

    def section(self, first: int, last: int) -> Self:
        """The same of some steps; what is added to it is its own."""
        arrays = {k: a.steps(first, last) if k.role in _STEPWISE else a for k, a in self.arrays.items()}
        return replace(self, T=last - first, arrays=arrays)

    def place_interleaved(self, buffers: Iterable[tuple[Key, str]]) -> None:
        """Places series, named as key and size, side by side in each row of one scratch array."""
        sizes = {key: self.units[size] for key, size in buffers}
        whole = self.call.scratch(self.T, self.B, sum(sizes.values()), element=self.element)
        before = whole.offset
        for key, units in sizes.items():
            self.place(key, whole._replace(offset=before, shape=(self.T, self.B, units)))
            before += units

    def place_consecutive(self, buffers: Iterable[tuple[Key, str]], whole: Array) -> None:
        """Places series of T steps, named as key and size, one after another in an array."""
        before = whole.offset
        for key, size in buffers:
            units = self.units[size]
            shape, strides = (self.T, self.B, units), (self.B * units, units, 1)
            self.place(key, Array(whole.memory, before, shape, strides, whole.element))
            before += self.T * self.B * units

    def joined(self, keys: Sequence[Key]) -> Array:
        """Interleaved series, as [T*B, sum of their sizes]."""
        parts = [self.arrays[key] for key in keys]
        first, width = self.flat(parts[0]), sum(part.shape[-1] for part in parts)
        return first._replace(shape=(first.shape[0], width))

    def flat(self, series: Array) -> Array:
        """A series of T steps, or one step for all, as [T*B,size]: a copy where the rows do not follow one another."""
        (steps, B, units), (step, row, unit) = series.shape, series.strides
        if steps == self.T and (steps == 1 or B == 1 or step == B * row):
            stride = step if B == 1 and steps > 1 else row
            return series._replace(shape=(steps * B, units), strides=(stride, unit))
        copy = self.call.scratch(self.T, B, units, element=series.element)
        self.call.copy(copy, series._replace(shape=copy.shape, strides=(step if steps > 1 else 0, row, unit)))
        return self.flat(copy)

    def scan(
        self, core: _native.Plan, plan: NativePlan, starts: Sequence[int], *, first: int = 0, steps: int = 0
    ) -> None:
        """Has the call run a plan; `starts` as `NativePlan.starts`.

        first, steps: of the call's steps, the one that is first here, and how many there are; 0 where its lengths and
        resets do not count.
        """
        for buffer in plan.between:
            self.arrays[buffer.key] = self.call.scratch(2, self.B, self.units[buffer.columns], element=buffer.element)
        sizes, grid = [self.units[size] for size in SIZES], self.grid(plan)
        self.call.core.scan(core, sizes, self.T, self.B, self.table(plan), starts, first, steps, *grid)

    def table(self, plan: NativePlan) -> npt.NDArray[np.int64]:
        """Where the plan's buffers lie, for the core."""
        return np.array([self.arrays[key].row for key in plan.numbers], dtype=np.int64).reshape(-1, 6)

    def grid(self, plan: NativePlan) -> tuple[int, int]:
        return scan_grid(plan.matrices, self.units, self.T, self.B, self.call.threads)
