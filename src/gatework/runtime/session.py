"""A session: a trained network that runs whole sequences, or one step at a time with its state carried."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError
from gatework.network import Port
from gatework.network.steps import (
    LENGTHS,
    RESETS,
    Add,
    Affine,
    Average,
    Direction,
    Embedding,
    Join,
    Layer,
    Linear,
    LogSoftmax,
    OneHot,
    Softmax,
    Step,
)
from gatework.runtime.model import Model
from gatework.runtime.packed import WEIGHTS, Array
from gatework.runtime.steps import Call, Run, runner
from gatework.runtime.streams import Streams

States = dict[str, Array]  # [L*D,B,size] each, by the names of the cell's states
Slots = dict[int, tuple[Array, ...]]  # the same [B,size] each, by layer and direction
STEPWISE = (Add, Affine, Average, Embedding, Join, Linear, LogSoftmax, OneHot, Softmax)


class Session:
    """A trained network with its weights, on the CPU by numpy and the compiled core.

    Args:
        model: a run folder, a file that `gatework export RUN --out FILE` wrote, or a Model that was opened.
        threads: that share the work of a run.
        weights: how the core stores matrices, "float32", "bfloat16" or "int8" (`gatework.layers.frozen`).

    `run` takes whole sequences and their states, and keeps nothing. `step` takes one step and carries the state, which
    `state` has; sessions made by `fork` go on from it, each by itself, with the same weights. One session is used by
    one thread at a time; different ones at once.
    """

    def __init__(self, model: str | Path | Model, *, threads: int = 1, weights: str = "float32") -> None:
        if weights not in WEIGHTS:
            raise InputError(f"weights is {weights!r}; expected one of {', '.join(map(repr, WEIGHTS))}")
        if not isinstance(threads, int) or not 1 <= threads <= 1024:
            raise InputError(f"threads is {threads!r}; expected a whole number from 1 to 1024")
        self.model = model if isinstance(model, Model) else Model.open(model)
        self.network = self.model.network
        (self._port,) = (port for port in self.network.inputs if port.name != LENGTHS)
        self._steps: list[tuple[Step, Run]] = [
            (step, runner(step, self.model.weights, narrow=weights, threads=threads)) for step in self.network.steps
        ]
        self._try()
        self._slots: Slots | None = None  # states after the steps so far, which are never written on
        self._B = 0

    def _try(self) -> None:
        """Raises InputError where steps and weights do not fit one another: one step of one sequence tells."""
        port = self._port
        shape = [size if isinstance(size, int) else 1 for size in port.shape]
        try:
            self._run({port.name: np.zeros(shape, port.dtype)}, None)
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise InputError(f"{self.model.path} is damaged, or not of this network: {error}") from error

    # -- whole sequences

    def run(
        self,
        x: npt.ArrayLike,
        state: Mapping[str, npt.ArrayLike] | None = None,
        *,
        lengths: npt.ArrayLike | None = None,
        resets: npt.ArrayLike | None = None,
    ) -> tuple[Any, States]:
        """The output, and the state [L*D,B,size] after the last step, of x [T,B,...].

        state: from which it goes on; by default the start. lengths [B]: past its length a sequence's state stands
        still and its output is 0. resets [T,B]: before such a step the state is the start again.
        Raises InputError for what does not fit.
        """
        array = self.checked_input(x)
        T, B = array.shape[:2]
        values: dict[str, Any] = {self._port.name: array}
        if lengths is not None:
            values[LENGTHS] = _lengths(lengths, T, B)
        if resets is not None:
            values[RESETS] = _resets(resets, T, B)
        output, new = self._run(values, None if state is None else self.checked_state(state, B))
        return output, self.named_state(new)

    def _run(self, values: dict[str, Any], states: Slots | None) -> tuple[Any, Slots]:
        call = Call(values, states)
        with np.errstate(all="ignore"):  # weights that overflow are seen in what comes out
            for step, run in self._steps:
                call.values[step.y] = run(call)
        outputs = tuple(call.values[each.name] for each in self.network.outputs)
        return outputs[0] if len(outputs) == 1 else outputs, call.new

    def checked_input(self, x: npt.ArrayLike) -> npt.NDArray[Any]:
        """An input [T,B,...] as the network takes it; raises InputError for another shape or kind."""
        return _array(self._port, x)

    def named_state(self, slots: Slots) -> States:
        """States by name [L*D,B,size]: copies."""
        parts = zip(*(slots[slot] for slot in sorted(slots)), strict=True)
        return {name: np.stack(each) for name, each in zip(self.network.states, parts, strict=True)}

    def checked_state(self, state: Mapping[str, npt.ArrayLike], B: int) -> Slots:
        """What `named_state` gave; raises InputError for other names and shapes."""
        wanted = self.network.states
        if state.keys() != wanted.keys():
            raise InputError(f"state has {', '.join(state) or 'nothing'}; expected {', '.join(wanted)}")
        arrays = {name: np.asarray(state[name], np.float32) for name in wanted}
        for name, (slots, size) in wanted.items():
            if arrays[name].shape != (slots, B, size):
                raise InputError(f"state {name} has shape {list(arrays[name].shape)}; expected {[slots, B, size]}")
        slots = next(iter(wanted.values()), (0, 0))[0]
        return {slot: tuple(arrays[name][slot] for name in wanted) for slot in range(slots)}

    # -- one step at a time

    def step(self, x: npt.ArrayLike) -> Any:
        """The output [B,...] of one step x [B,...], from the state of the steps before it; the first from the start.

        Raises InputError for a network that needs whole sequences, and where B is not that of the steps before.
        """
        self._check_stepwise()
        array = self.checked_input(np.asarray(x)[None])
        if self._slots is not None and array.shape[1] != self._B:
            raise InputError(
                f"{self._port.name} has {array.shape[1]} sequences and the state {self._B}: "
                "reset() before other sequences"
            )
        output, self._slots = self.stepped(array, self._slots)
        self._B = array.shape[1]
        return output[0] if isinstance(output, np.ndarray) else tuple(each[0] for each in output)

    def stepped(self, x: npt.NDArray[Any], states: Slots | None) -> tuple[Any, Slots]:
        """The output [1,B,...] and the states after one step x [1,B,...] that was checked."""
        return self._run({self._port.name: x}, states)

    def streams(self, most: int) -> Streams:
        """So many streams at most, each with a state of its own, stepped together as they have input."""
        self._check_stepwise()
        return Streams(self, most)

    def start_slots(self, B: int) -> Slots:
        """The states before the first step."""
        return {
            layer.slot: tuple(
                np.broadcast_to(_start(direction, name, self.model.weights), (B, direction.sizes[size])).copy()
                for name, size in ((state.name, state.size) for state in direction.program.states)
            )
            for layer in self.network.layers
            for direction in layer.directions
        }

    def _check_stepwise(self) -> None:
        for step in self.network.steps:
            if not (isinstance(step, STEPWISE) or (isinstance(step, Layer) and len(step.directions) == 1)):
                raise InputError(
                    f"this network has a step {type(step).__name__} that needs whole sequences: call run(x)"
                )

    @property
    def state(self) -> States | None:
        """A copy of the state [L*D,B,size] after the steps so far; None before the first."""
        return None if self._slots is None else self.named_state(self._slots)

    @state.setter
    def state(self, state: Mapping[str, npt.ArrayLike]) -> None:
        first = np.asarray(next(iter(state.values()), ()))
        B = first.shape[1] if first.ndim == 3 else 0
        copied = {name: np.array(value, np.float32) for name, value in state.items()}
        self._slots, self._B = self.checked_state(copied, B), B

    def reset(self) -> None:
        """Goes back to the start."""
        self._slots, self._B = None, 0

    def fork(self) -> Self:
        """A session of its own that goes on from the same state; the weights are shared."""
        other = type(self).__new__(type(self))
        vars(other).update(vars(self))
        return other


def _start(direction: Direction, name: str, weights: Mapping[str, Array]) -> npt.ArrayLike:
    """Where a state starts: a number, or learned numbers [size]."""
    start = direction.starts[name]
    return weights[start] if isinstance(start, str) else np.float32(start)


def _array(port: Port, x: npt.ArrayLike) -> npt.NDArray[Any]:
    """An input as its port says; raises InputError otherwise."""
    array = np.asarray(x)
    expected = f"[{','.join(map(str, port.shape))}]"
    fits = array.ndim == len(port.shape) and all(
        isinstance(size, str) or size == there for size, there in zip(port.shape, array.shape, strict=True)
    )
    if not fits:
        raise InputError(f"{port.name} has shape {list(array.shape)}; expected {expected}")
    if port.dtype == "int64":
        if array.dtype.kind not in "iu":
            raise InputError(f"{port.name} is {array.dtype}; expected whole numbers {expected}")
        return array.astype(np.int64, copy=False)
    if array.dtype.kind not in "fiu":
        raise InputError(f"{port.name} is {array.dtype}; expected numbers {expected}")
    return array.astype(np.float32, copy=False)


def _lengths(lengths: npt.ArrayLike, T: int, B: int) -> npt.NDArray[np.int64]:
    array = np.asarray(lengths)
    if array.shape != (B,) or array.dtype.kind not in "iu":
        raise InputError(f"lengths is {array.dtype} {list(array.shape)}; expected whole numbers [{B}]")
    if B and not 0 <= int(array.min()) <= int(array.max()) <= T:
        raise InputError(f"lengths has {int(array.min())} to {int(array.max())}; expected 0 to T = {T}")
    return np.ascontiguousarray(array, np.int64)


def _resets(resets: npt.ArrayLike, T: int, B: int) -> npt.NDArray[np.bool_]:
    array = np.asarray(resets)
    if array.shape != (T, B) or array.dtype.kind != "b":
        raise InputError(f"resets is {array.dtype} {list(array.shape)}; expected bool {[T, B]}")
    return array
