"""Streams of documents, cut where these begin, so that each piece is a sequence with a start of its own."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Pieces:
    """Streams [T,B] cut where documents begin: a batch [M,S] of S pieces, the longest of which has M steps.

    A piece goes from the first step or a beginning to the next beginning or the last step. The pieces stand stream by
    stream, in the order of time.

    condition: [S], of the document that a piece begins; below 0 where it goes on with one. stream, length: [S]. last:
    [B], the piece in which each stream ends. place: [T*B], where in [M*S] each step goes.
    """

    condition: npt.NDArray[np.int64]
    stream: Places
    length: npt.NDArray[np.int64]
    last: Places
    place: Places
    steps: int

    @classmethod
    def of(cls, conditions: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64] | None = None) -> Self:
        """The pieces of streams in which a document of condition [T,B] begins at each step where that is not below 0.

        lengths: [B], after which nothing begins.
        """
        T, B = conditions.shape
        time = np.arange(T)[:, None]
        inside = np.ones((T, B), bool) if lengths is None else time < lengths
        cut = (conditions >= 0) & inside
        cut[:1] = True
        stream, first = np.nonzero(cut.T)  # [S]
        piece = cut.T.ravel().cumsum().reshape(B, T).T - 1  # [T,B]
        step = time - first[piece]  # [T,B], within the piece
        length = np.bincount(piece[inside], minlength=len(first))
        condition = np.where(inside[first, stream], conditions[first, stream], -1)
        return cls(condition, stream, length, piece[-1], (step * len(first) + piece).ravel(), int(step.max()) + 1)

    def cut(self, streams: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Ids [T,B] as [M,S], 0 after the end of a piece."""
        pieces = np.zeros(self.steps * len(self.stream), streams.dtype)
        pieces[self.place] = streams.ravel()
        return pieces.reshape(self.steps, -1)

    def join(self, pieces: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """What was made of the pieces, [M,S,...], as [T,B,...]."""
        joined = pieces.reshape(-1, *pieces.shape[2:])[self.place]
        return joined.reshape(-1, len(self.last), *pieces.shape[2:])
