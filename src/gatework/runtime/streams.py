"""Many streams with states of their own, stepped together: the core takes those that have input as batches."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError
from gatework.runtime.packed import Array

# Sequences that are stepped at once, so that the core packs the weights for few batches; what is left of any number by
# taking these is none, or enough to be worth a batch.
BATCHES = (256, 64, 32, 16, 14, 12, 10, 8, 4, 2, 1)
ENOUGH = 8


class Stepper(Protocol):
    """What streams read of a `gatework.runtime.session.Session`."""

    def start(self, B: int) -> dict[str, Array]: ...

    def checked_input(self, x: npt.ArrayLike) -> npt.NDArray[Any]: ...

    def checked_state(self, state: Mapping[str, npt.ArrayLike], B: int) -> dict[str, Array]: ...

    def stepped(
        self, x: npt.NDArray[Any], state: Mapping[str, Array] | None
    ) -> tuple[npt.NDArray[Any], dict[str, Array]]: ...

    def step_some(
        self, x: npt.NDArray[Any], states: dict[str, Array], places: npt.NDArray[np.int64], batch: int
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
        self._there = np.zeros(most, bool)

    def __len__(self) -> int:
        return int(self._there.sum())

    def join(self, state: Mapping[str, npt.ArrayLike] | None = None) -> int:
        """The number of a new stream, which begins at the start or at a state [L*D,1,size]."""
        if not self._free:
            raise InputError(f"all {self.most} streams are taken: leave(number) makes room, or open more")
        begin = self._start if state is None else self._session.checked_state(state, 1)
        number = self._free.pop()
        self._there[number] = True
        for name, values in begin.items():
            self._states[name][:, number] = values[:, 0]
        return number

    def leave(self, number: int) -> None:
        """Ends a stream; its number goes to one that joins later."""
        self._check([number])
        self._there[number] = False
        self._free.append(number)

    def state(self, number: int) -> dict[str, Array]:
        """A copy of a stream's state [L*D,1,size]."""
        self._check([number])
        return {name: states[:, [number]] for name, states in self._states.items()}

    def step(self, numbers: Sequence[int] | npt.NDArray[Any], x: npt.ArrayLike) -> npt.NDArray[Any]:
        """The outputs [K,...] of a step of K streams with inputs x [K,...]; the others stand still."""
        places = self._check(numbers)
        inputs = self._session.checked_input(np.asarray(x)[None])
        if inputs.shape[1] != len(places):
            raise InputError(f"x has {inputs.shape[1]} inputs; expected one for each of {len(places)} streams")
        if not len(places):
            return self._session.stepped(inputs[0], None)[0]
        made = [
            self._session.step_some(inputs[0, part], self._states, places[part], batch)
            for part, batch in _parts(len(places))
        ]
        return made[0] if len(made) == 1 else np.concatenate(made)

    def _check(self, numbers: Sequence[int] | npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """The numbers as an array; raises InputError unless each is a stream that is there, once."""
        places = np.asarray(numbers, np.int64).reshape(-1)
        there = np.zeros(len(places), bool)
        inside = (places >= 0) & (places < self.most)
        there[inside] = self._there[places[inside]]
        if not there.all():
            raise InputError(f"stream {int(places[~there][0])} is not there: join() gives the number of a new one")
        if len(places) > 1 and np.bincount(places).max() > 1:
            raise InputError("a stream is named twice; a step takes each once")
        return places


@lru_cache(maxsize=1024)
def _parts(many: int) -> tuple[tuple[slice, int], ...]:
    """Parts of so many streams, and the batch that each is stepped in: as many, or a few more."""
    parts: list[tuple[slice, int]] = []
    first = 0
    while first < many:
        left = many - first
        size = next((each for each in BATCHES if each <= left and not 0 < left - each < ENOUGH), left)
        parts.append((slice(first, first + size), next(each for each in reversed(BATCHES) if each >= size)))
        first += size
    return tuple(parts)
