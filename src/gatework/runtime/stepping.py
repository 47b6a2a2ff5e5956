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
from gatework.runtime.code import CODE
from gatework.runtime.model import Model
from gatework.runtime.packed import SHAPES, Array
from gatework.runtime.streams import Marks, Places

EACH = 3  # sequences up to which the core lays weights out for each number of them
MOST = 128  # sequences that are stepped at once: more of their states do not stay near


class Stepping:
    """A network whose steps need nothing of later ones, ready for the last few numbers of sequences.

    weights: how matrices are stored. Several threads may step; they take turns.
    """

    def __init__(self, model: Model, weights: str) -> None:
        self.model, self.storage = model, STORAGES[weights]
        self.ready: OrderedDict[int, _native.Model] = OrderedDict()
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
            model = self._of(B)
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
            model = self._of(many if many <= EACH else MOST)
            output = np.empty((many, model.output), np.float32)
            model.step_some(np.ascontiguousarray(x), states, places, there, output)
        return output

    def _of(self, B: int) -> _native.Model:
        if B not in self.ready:
            try:
                self.ready[B] = _native.Model(np.frombuffer(self.model.file, np.uint8), B, self.storage)
            except ValueError:
                isa.check()
                raise
            if len(self.ready) > SHAPES:
                self.ready.popitem(last=False)
        self.ready.move_to_end(B)
        return self.ready[B]
