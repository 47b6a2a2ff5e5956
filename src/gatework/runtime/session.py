"""A session: a trained network that runs whole sequences, or one step at a time with its state carried."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError
from gatework.network import Port
from gatework.network.steps import LENGTHS, RESETS, Step, is_stepwise
from gatework.runs.overflow import overflow
from gatework.runtime.model import Model
from gatework.runtime.packed import WEIGHTS, Array
from gatework.runtime.stepping import MOST, Stepping
from gatework.runtime.steps import Call, Run, runner
from gatework.runtime.streams import Marks, Places, Streams, check_places

States = dict[str, Array]  # [L*D,B,size] each, by the names of the cell's states


class Session:
    """A trained network with its weights, on the CPU by numpy and the compiled core.

    Args:
        model: a run folder, a file that `gatework export RUN --out FILE` wrote, or a Model that was opened.
        threads: that share the work of a run.
        weights: how the core stores matrices, "float32", "bfloat16" or "int8" (`gatework.layers.frozen`).

    `run` takes whole sequences and their states, and keeps nothing. `step` takes one step and carries the state, which
    `state` has; sessions made by `fork` go on from it, each by itself, with the same weights. One session is used by
    one thread at a time; different ones at once.

    Raises:
        InputError: for what is neither a run folder nor a model's file, or is damaged, for weights that do not fit the
            network, and for other `threads` or `weights`.
    """

    def __init__(self, model: str | Path | Model, *, threads: int = 1, weights: str = "float32") -> None:
        if weights not in WEIGHTS:
            raise InputError(f"weights is {weights!r}; expected one of {', '.join(map(repr, WEIGHTS))}")
        if not isinstance(threads, int) or not 1 <= threads <= 1024:
            raise InputError(f"threads is {threads!r}; expected a whole number from 1 to 1024")
        self.model = model if isinstance(model, Model) else Model.open(model)
        self.network = self.model.network
        steps_alone = Stepping.runs(self.model)
        with self.model.intact():
            self._port, *self._more = (port for port in self.network.inputs if port.name != LENGTHS)
            self._steps = self._ready(weights, threads)
            self._stepping = Stepping(self.model, weights, threads) if steps_alone else None
            self._try(self._ready(weights, threads))  # whose packed weights are let go
        self._state: States | None = None  # after the steps so far; never written on

    def _ready(self, weights: str, threads: int) -> list[tuple[Step, Run]]:
        """The steps, each with what runs it: weights are packed at a first run."""
        of = self.model.weights
        return [(step, runner(step, of, narrow=weights, threads=threads)) for step in self.network.steps]

    def _try(self, steps: Sequence[tuple[Step, Run]]) -> None:
        """Raises an error where steps and weights do not fit one another: one step of one sequence tells."""
        ports = (self._port, *self._more)
        shapes = [[size if isinstance(size, int) else 1 for size in port.shape] for port in ports]
        self._run({p.name: np.zeros(shape, p.dtype) for p, shape in zip(ports, shapes, strict=True)}, None, steps)

    # -- whole sequences

    def run(
        self,
        x: npt.ArrayLike,
        state: Mapping[str, npt.ArrayLike] | None = None,
        *,
        lengths: npt.ArrayLike | None = None,
        resets: npt.ArrayLike | None = None,
        **more: npt.ArrayLike,
    ) -> tuple[Any, States]:
        """Runs the network over whole sequences.

        Args:
            x: [T,B,...].
            state: from which it goes on; by default the start.
            lengths: [B]; past its length a sequence's state stands still and its output is 0.
            resets: [T,B] bool; before such a step the state is the start again.
            more: what the network reads beside x, by name.

        Returns:
            The output, and the state [L*D,B,size] after the last step, by name.

        Raises:
            InputError: what does not fit the network.
        """
        array = self.checked_input(x)
        T, B = array.shape[:2]
        values: dict[str, Any] = {self._port.name: array} | self._further(more, B)
        if lengths is not None:
            values[LENGTHS] = _lengths(lengths, T, B)
        if resets is not None:
            values[RESETS] = _resets(resets, T, B)
        before = None if state is None else self.checked_state(state, B)
        if T == 1 and len(values) == 1 and self._stepping is not None:
            output, after = self.stepped(array[0], before)
            return output[None], after
        return self._run(values, before)

    def _run(
        self, values: dict[str, Any], before: States | None, steps: Sequence[tuple[Step, Run]] | None = None
    ) -> tuple[Any, States]:
        call = self._call(values, before)
        self._through(call, self._steps if steps is None else steps)
        outputs = tuple(call.values[each.name] for each in self.network.outputs)
        return outputs[0] if len(outputs) == 1 else outputs, dict(call.after)

    def _call(self, values: dict[str, Any], before: States | None) -> Call:
        """A run that has done none of its steps."""
        B = values[self._port.name].shape[1]
        return Call(values, before, self._shaped(np.empty(self._numbers(B), np.float32), B))

    @staticmethod
    def _through(call: Call, steps: Sequence[tuple[Step, Run]]) -> None:
        """Takes a run through steps."""
        with np.errstate(all="ignore"):  # weights that overflow are seen in what comes out
            for step, run in steps:
                call.values[step.y] = run(call)

    def check_answer(self, values: npt.ArrayLike) -> None:
        """Raises InputError, naming the largest weight, unless all that came out is finite."""
        if not np.isfinite(values).all():
            weights = self.model.weights.items()
            raise overflow({name: float(np.abs(array).max()) for name, array in weights if array.size})

    def checked_input(self, x: npt.ArrayLike) -> npt.NDArray[Any]:
        """An input [T,B,...] as the network takes it; raises InputError for another shape or kind."""
        return _array(self._port, x)

    def _further(self, more: Mapping[str, npt.ArrayLike], B: int) -> dict[str, npt.NDArray[Any]]:
        """What is read beside x, by name, of B sequences; raises InputError for other names and shapes."""
        names = [port.name for port in self._more]
        if more.keys() != set(names):
            given = ", ".join(more) or "nothing"
            raise InputError(f"beside {self._port.name} the network was given {given}; expected {', '.join(names)}")
        arrays = {port.name: _array(port, more[port.name]) for port in self._more}
        for name, array in arrays.items():
            if len(array) != B:
                raise InputError(f"{name} has {len(array)} sequences, and {self._port.name} {B}")
        return arrays

    def _numbers(self, B: int) -> int:
        """Of a whole state of so many sequences."""
        return sum(slots * B * size for slots, size in self.network.states.values())

    def _shaped(self, numbers: Array, B: int) -> States:
        """A whole state by name [L*D,B,size]: views of its numbers, which lie one state after another."""
        states: States = {}
        first = 0
        for name, (slots, size) in self.network.states.items():
            last = first + slots * B * size
            states[name], first = numbers[first:last].reshape(slots, B, size), last
        return states

    def checked_state(self, state: Mapping[str, npt.ArrayLike], B: int) -> States:
        """A state of B sequences; raises InputError for other names and shapes."""
        wanted = self.network.states
        if state.keys() != wanted.keys():
            raise InputError(f"state has {', '.join(state) or 'nothing'}; expected {', '.join(wanted)}")
        arrays = {name: np.asarray(state[name], np.float32) for name in wanted}
        for name, (slots, size) in wanted.items():
            if arrays[name].shape != (slots, B, size):
                raise InputError(f"state {name} has shape {list(arrays[name].shape)}; expected {[slots, B, size]}")
        return arrays

    # -- one step at a time

    def step(self, x: npt.ArrayLike) -> Any:
        """Takes one step from the state of the steps before it; the first from the start.

        Args:
            x: [B,...].

        Returns:
            The output [B,...].

        Raises:
            InputError: a network that needs whole sequences, an x that does not fit it, and where B is not that of the
                steps before.
        """
        self._check_stepwise()
        array = self.checked_input(np.asarray(x)[None])[0]
        if self._state is not None and len(array) != (B := self._sequences(self._state)):
            raise InputError(
                f"{self._port.name} has {len(array)} sequences and the state {B}: reset() before other sequences"
            )
        output, self._state = self.stepped(array, self._state)
        return output

    def stepped(self, x: npt.NDArray[Any], state: Mapping[str, Array] | None) -> tuple[npt.NDArray[Any], States]:
        """The output [B,...] and the state after one step x [B,...] that was checked."""
        if self._stepping is None:
            output, after = self._run({self._port.name: x[None]}, None if state is None else dict(state))
            return output[0], after
        before = None if state is None else np.concatenate([state[name].ravel() for name in self.network.states])
        try:
            output, numbers = self._stepping.step(x, before)
        except ValueError as error:
            raise InputError(str(error)) from error
        return output, self._shaped(numbers, len(x))

    def step_some(self, x: npt.NDArray[Any], states: States, places: Places, there: Marks) -> npt.NDArray[Any]:
        """Takes a step of K of N sequences.

        Args:
            x: [K,...].
            states: [L*D,N,size] by name; those of the K are replaced.
            places: [K], which of the N.
            there: [N], 1 for those that may be among the K.

        Returns:
            The output [K,...].

        Raises:
            InputError: places that `there` does not allow, or that come twice.
        """
        if self._stepping is None:
            check_places(places, there)
            parts = [slice(first, first + MOST) for first in range(0, len(places), MOST)]
            return np.concatenate([self._step_batch(x[part], states, places[part]) for part in parts])
        try:
            return self._stepping.step_some(x, list(states.values()), places, there)
        except ValueError as error:
            check_places(places, there)
            raise InputError(str(error)) from error

    def _step_batch(self, x: npt.NDArray[Any], states: States, places: Places) -> npt.NDArray[Any]:
        """The same of a few, in a batch whose size others have too: what is left of it repeats the last."""
        batch = 1 << (len(places) - 1).bit_length()
        rows = np.minimum(np.arange(batch), len(places) - 1)
        output, new = self.stepped(x[rows], {name: each[:, places[rows]] for name, each in states.items()})
        for name, values in new.items():
            states[name][:, places] = values[:, : len(places)]
        return output[: len(places)]

    @staticmethod
    def _sequences(state: States) -> int:
        """B of a state."""
        return int(next(iter(state.values())).shape[1])

    def streams(self, most: int) -> Streams:
        """So many streams at most, each with a state of its own, stepped together as they have input.

        Args:
            most: the streams at most.

        Returns:
            The streams, none of them open.

        Raises:
            InputError: a network that needs whole sequences, and `most` below 1.
        """
        self._check_stepwise()
        return Streams(self, most)

    def start(self, B: int) -> States:
        """The state before the first step."""
        states = self._shaped(np.empty(self._numbers(B), np.float32), B)
        for layer in self.network.layers:
            for place, direction in enumerate(layer.directions, start=layer.slot):
                for name, values in states.items():
                    start = direction.starts[name]
                    values[place] = self.model.weights[start] if isinstance(start, str) else start
        return states

    def _check_stepwise(self) -> None:
        for step in self.network.steps:
            if not is_stepwise(step):
                raise InputError(
                    f"this network has a step {type(step).__name__} that needs whole sequences: call run(x)"
                )

    @property
    def state(self) -> States | None:
        """A copy of the state [L*D,B,size] after the steps so far; None before the first."""
        return None if self._state is None else {name: value.copy() for name, value in self._state.items()}

    @state.setter
    def state(self, state: Mapping[str, npt.ArrayLike]) -> None:
        first = np.asarray(next(iter(state.values()), ()))
        B = first.shape[1] if first.ndim == 3 else 0
        self._state = self.checked_state({name: np.array(value, np.float32) for name, value in state.items()}, B)

    def reset(self) -> None:
        """Goes back to the start."""
        self._state = None

    def fork(self) -> Self:
        """Branches off what follows.

        Returns:
            A session of its own that goes on from the same state; the weights are shared.
        """
        other = type(self).__new__(type(self))
        vars(other).update(vars(self))
        return other


def _array(port: Port, x: npt.ArrayLike) -> npt.NDArray[Any]:
    """An input as its port says; raises InputError otherwise."""
    array = np.asarray(x)
    if not _fits(array.shape, port.shape):
        raise InputError(f"{port.name} has shape {list(array.shape)}; expected {_written(port)}")
    if port.dtype == "int64":
        if array.dtype.kind not in "iu":
            raise InputError(f"{port.name} is {array.dtype}; expected whole numbers {_written(port)}")
        return array.astype(np.int64, copy=False)
    if array.dtype.kind not in "fiu":
        raise InputError(f"{port.name} is {array.dtype}; expected numbers {_written(port)}")
    return array.astype(np.float32, copy=False)


def _fits(shape: tuple[int, ...], wanted: tuple[str | int, ...]) -> bool:
    if len(shape) != len(wanted):
        return False
    for there, size in zip(shape, wanted, strict=True):  # noqa: SIM110, three times as fast as all(...), at every step
        if size != there and not isinstance(size, str):
            return False
    return True


def _written(port: Port) -> str:
    return f"[{','.join(map(str, port.shape))}]"


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
