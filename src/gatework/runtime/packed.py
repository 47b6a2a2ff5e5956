"""A Program with its weights, run by the core on numpy's arrays: weights are packed once for each shape."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError
from gatework.lowering import isa
from gatework.lowering.call import Frozen, Options, Outline
from gatework.lowering.codes import lacking, without
from gatework.lowering.forward import Forward, bind
from gatework.notation import Program

Array = npt.NDArray[np.float32]
States = tuple[Array, ...]
WEIGHTS = ("float32", "bfloat16", "int8")
SHAPES = 16  # for which weights are kept packed at most,
KEPT = 1 << 26  # and the bytes that more than two of them may take


class Packed:
    """A Program, its parameters by name, and how they are stored.

    inputs: what it reads beside x, one number each for all steps and units. threads: that share the work of a run.
    """

    def __init__(
        self,
        program: Program,
        parameters: Mapping[str, Array],
        units: Mapping[str, int],
        *,
        inputs: Mapping[str, float] | None = None,
        reverse: bool = False,
        weights: str = "float32",
        threads: int = 1,
    ) -> None:
        if lacks := lacking(program):
            raise InputError(f"the compiled core {without(lacks)}: run this network with torch")
        self.program, self.units, self.threads = program, units, threads
        self.parameters = [np.ascontiguousarray(parameters[each.name], np.float32) for each in program.parameters]
        self.shapes = tuple(array.shape for array in self.parameters)
        self.most = kept(sum(array.nbytes for array in self.parameters))
        self.addresses = [_address(array) for array in self.parameters]
        self.options = Options(program, reverse=reverse, frozen=Frozen(weights))
        self.numbers = dict(inputs or {})
        self.bound: OrderedDict[tuple[int, int, bool], Forward] = OrderedDict()
        self.turn = Lock()  # of forks in several threads

    def run(
        self,
        x: Array,
        state: States = (),
        start: States = (),
        lengths: npt.NDArray[np.int64] | None = None,
        resets: npt.NDArray[np.uint8] | None = None,
    ) -> tuple[Array, States]:
        """Output [T,B,size] and final states [B,size] of x [T,B,I]; state and start [B,size] each."""
        arrays = [np.ascontiguousarray(each, np.float32) for each in (x, *self._inputs(x.shape[1]), *state, *start)]
        forward = self._forward(arrays, lengths is not None or resets is not None)
        made = [np.empty(shape, np.float32) for shape, _ in forward.call.results]
        addresses = [*map(_address, arrays), *self.addresses, *map(_address, made)]
        try:
            forward.call.core.run(addresses, _address(lengths), _address(resets))
        except ValueError:
            isa.check()
            raise
        output = made[forward.output]
        if forward.since is not None:
            output = output[1:] if forward.since else output[:-1]
        return output, tuple(made[forward.finals :])

    def _inputs(self, B: int) -> list[Array]:
        """What is read beside x: [1,B,size] each."""
        if not self.numbers:
            return []
        sizes = {node.name: node.size for node in self.program.nodes if node.op == "input"}
        names = self.program.inputs[1:]
        return [np.full((1, B, self.units[sizes[name]]), self.numbers[name], np.float32) for name in names]

    def _forward(self, arrays: Sequence[Array], boundaries: bool) -> Forward:
        """What runs calls of such a shape; weights are kept packed for the last few."""
        T, B, _ = arrays[0].shape
        key = T, B, boundaries
        with self.turn:
            forward = self.bound.get(key)
            if forward is None:
                shapes = (*(array.shape for array in arrays), *self.shapes)
                outline = Outline(shapes, None, ("float32",) * len(shapes))
                forward = self.bound[key] = bind(self.options, outline, boundaries, self.threads)
                if len(self.bound) > self.most:
                    self.bound.popitem(last=False)
            self.bound.move_to_end(key)
            return forward


def kept(size: int) -> int:
    """For how many shapes weights of so many bytes are kept packed."""
    return min(SHAPES, max(2, KEPT // max(size, 1)))


def _address(array: npt.NDArray[np.generic] | None) -> int:
    address: int = 0 if array is None else array.__array_interface__["data"][0]
    return address
