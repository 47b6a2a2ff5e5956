"""One step of a whole network in the compiled core: what C runs, for Python."""

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from gatework.core import _native
from gatework.lowering import isa
from gatework.lowering.layout import STORAGES
from gatework.lowering.threads import FAR_ROWS, row_bands, step_seconds
from gatework.notation import Program
from gatework.runtime.code import CODE
from gatework.runtime.model import Model
from gatework.runtime.packed import SHAPES, Array
from gatework.runtime.streams import Marks, Places

EACH = 3  # sequences up to which the core lays weights out for each number of them
MOST = 128  # sequences that are stepped at once: more of their states do not stay near


class Stepping:
    """A network whose steps need nothing of later ones, ready for the last few numbers of sequences.

    weights: how matrices are stored. threads: that share a step. Several threads may step; they take turns.
    """

    def __init__(self, model: Model, weights: str, threads: int) -> None:
        self.model, self.storage, self.threads = model, STORAGES[weights], threads
        self.ready: OrderedDict[tuple[int, int], _native.Model] = OrderedDict()
        sides = (direction for layer in model.network.layers for direction in layer.directions)
        self.products = [(_matrices(side.program), side.sizes) for side in sides]
        self.turn = Lock()

    @staticmethod
    def runs(model: Model) -> bool:
        """Whether the core steps a network by itself."""
        return CODE in model.for_c

    def step(self, x: npt.NDArray[Any], before: Array | None) -> tuple[Array, Array]:
        """The output [B,N] and the whole state after a step x [B] or [B,I], from a state or the start.

        Raises ValueError for what the core refuses: an id that is not there, a state of another size.
        """
        B = len(x)
        with self.turn:
            model = self._of(B, self._bands(B))
            output, after = np.empty(B * model.output, np.float32), np.empty(model.state, np.float32)
            model.step(np.ascontiguousarray(x), before, output, after)
        return output.reshape(B, -1), after

    def step_some(self, x: npt.NDArray[Any], states: Sequence[Array], places: Places, there: Marks) -> Array:
        """The output [K,N] of a step x [K] or [K,I] of K sequences by their places, whose states are replaced.

        states: [L*D,N,size] each. there: [N], 1 for those that may be among them. Raises ValueError as `step` does, and
        where one may not, or is named twice.
        """
        many = len(places)
        with self.turn:
            bands = self._bands(many)
            model = self._of(many if many <= EACH else MOST * bands, bands)
            output = np.empty((many, model.output), np.float32)
            model.step_some(np.ascontiguousarray(x), states, places, there, output)
        return output

    def _bands(self, B: int) -> int:
        """How many threads share the rows of a step."""
        if self.threads == 1 or B < 2 * FAR_ROWS:
            return 1
        return row_bands(sum(step_seconds(each, sizes, B) for each, sizes in self.products), B, self.threads)

    def _of(self, B: int, bands: int) -> _native.Model:
        key = B, bands
        if key not in self.ready:
            try:
                self.ready[key] = _native.Model(np.frombuffer(self.model.file, np.uint8), B, self.storage, bands)
            except ValueError:
                isa.check()
                raise
            if len(self.ready) > SHAPES:
                self.ready.popitem(last=False)
        self.ready.move_to_end(key)
        return self.ready[key]


def _matrices(program: Program) -> list[tuple[str, str]]:
    """The sizes of what a step multiplies with."""
    return [(each.shape[0], each.shape[1]) for each in program.parameters if each.kind == "matrix"]
