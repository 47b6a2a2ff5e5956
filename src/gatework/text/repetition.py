"""Repetition in what a model writes: how much there is, and which token would go on with it."""

from collections.abc import Hashable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

WINDOW = 4096  # of the last tokens written, in which repetitions are looked for


def repeated(pieces: Sequence[Hashable], run: int) -> float:
    """The share of all runs of n pieces in a row that repeat an earlier one: 1 - distinct / all.

    run: n. 0 where there are fewer pieces. This is seq-rep-n of Welleck et al. (2020).
    """
    runs = [tuple(pieces[start : start + run]) for start in range(len(pieces) - run + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


class Written:
    """The last tokens written, [n], and for each how many tokens before it are also the last ones of all."""

    def __init__(self, tokens: Iterable[int] = ()) -> None:
        self.tokens = np.empty(0, np.int64)
        self.matched = np.empty(0, np.int64)
        for token in tokens:
            self.add(token)

    def add(self, token: int) -> None:
        """One token more."""
        goes_on = np.where(self.tokens == token, self.matched + 1, 0)
        self.matched = np.concatenate([[0], goes_on])[-WINDOW:]
        self.tokens = np.append(self.tokens, token)[-WINDOW:]

    def repeats(self, size: int) -> npt.NDArray[np.int64]:
        """How long a repetition each of `size` tokens would end, if it came next: 0 for one that is new."""
        lengths = np.zeros(size, np.int64)
        known = self.tokens < size  # what begins a document is not drawn
        np.maximum.at(lengths, self.tokens[known], self.matched[known] + 1)
        return lengths
