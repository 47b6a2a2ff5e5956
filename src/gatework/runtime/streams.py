"""Many streams with states of their own, stepped together: the core takes those that have input as batches."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError
from gatework.runtime.packed import Array

Places = npt.NDArray[np.int64]  # numbers of streams
Marks = npt.NDArray[np.uint8]  # [N], 1 for each stream that is there


class Stepper(Protocol):
    """What streams read of a `gatework.runtime.session.Session`."""

    def start(self, B: int) -> dict[str, Array]: ...

    def checked_input(self, x: npt.ArrayLike) -> npt.NDArray[Any]: ...

    def checked_state(self, state: Mapping[str, npt.ArrayLike], B: int) -> dict[str, Array]: ...

    def stepped(
        self, x: npt.NDArray[Any], state: Mapping[str, Array] | None
    ) -> tuple[npt.NDArray[Any], dict[str, Array]]: ...

    def step_some(
        self, x: npt.NDArray[Any], states: dict[str, Array], places: Places, there: Marks
    ) -> npt.NDArray[Any]: ...


class Streams:
    """N streams at most, made by `session.streams(N)`: each joins, steps when it has input, and leaves.

    A step's outputs are those that a session of its own would give, to the rounding of other batches. One thread at a
    time.
    """

    def __init__(self, session: Stepper, most: int) -> None:
        if not isinstance(most, int) or most < 1:
            raise InputError(f"streams is {most!r}; expected a whole number of 1 or more")
        self._session, self.most = session, most
        self._start = session.start(1)
        self._states = {name: np.repeat(each, most, 1) for name, each in self._start.items()}  # [L*D,N,size]
        self._free = list(range(most - 1, -1, -1))
        self._there = np.zeros(most, np.uint8)

    def __len__(self) -> int:
        return int(self._there.sum())

    def join(self, state: Mapping[str, npt.ArrayLike] | None = None) -> int:
        """The number of a new stream, which begins at the start or at a state [L*D,1,size]."""
        if not self._free:
            raise InputError(f"all {self.most} streams are taken: leave(number) makes room, or open more")
        begin = self._start if state is None else self._session.checked_state(state, 1)
        number = self._free.pop()
        self._there[number] = 1
        for name, values in begin.items():
            self._states[name][:, number] = values[:, 0]
        return number

    def leave(self, number: int) -> None:
        """Ends a stream; its number goes to one that joins later."""
        check_places(_places([number]), self._there)
        self._there[number] = 0
        self._free.append(number)

    def state(self, number: int) -> dict[str, Array]:
        """A copy of a stream's state [L*D,1,size]."""
        check_places(_places([number]), self._there)
        return {name: states[:, [number]] for name, states in self._states.items()}

    def step(self, numbers: Sequence[int] | npt.NDArray[Any], x: npt.ArrayLike) -> npt.NDArray[Any]:
        """The outputs [K,...] of a step of K streams with inputs x [K,...]; the others stand still."""
        places, inputs = _places(numbers), self._session.checked_input(np.asarray(x)[None])[0]
        if len(inputs) != len(places):
            raise InputError(f"x has {len(inputs)} inputs; expected one for each of {len(places)} streams")
        if not len(places):
            return self._session.stepped(inputs, None)[0]
        return self._session.step_some(inputs, self._states, places, self._there)


def _places(numbers: Sequence[int] | npt.NDArray[Any]) -> Places:
    return np.asarray(numbers, np.int64, order="C").reshape(-1)


def check_places(places: Places, there: Marks) -> None:
    """Raises InputError unless each is a stream that is there, once."""
    inside = (places >= 0) & (places < len(there))
    known = np.where(inside, there[np.where(inside, places, 0)], 0)
    if not known.all():
        raise InputError(f"stream {int(places[known == 0][0])} is not there: join() gives the number of a new one")
    if len(places) > 1 and np.bincount(places).max() > 1:
        raise InputError("a stream is named twice; a step takes each once")
