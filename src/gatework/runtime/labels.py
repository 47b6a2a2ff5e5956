"""A model of labels without torch: the scores of sequences, and what they stand for."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gatework.errors import InputError
from gatework.labels.answers import Scores, answers
from gatework.labels.data.sequences import Sequences
from gatework.labels.description import TASK, Described, read
from gatework.runtime.model import Model
from gatework.runtime.session import Session

AT_ONCE = 256  # sequences of a batch


class LabelSession(Session):
    """A session of a model of labels: scaled numbers or token ids in, scores out; `job` says how they are read.

    Arguments as of a Session.
    """

    def __init__(self, model: str | Path | Model, *, threads: int = 1, weights: str = "float32") -> None:
        super().__init__(model, threads=threads, weights=weights)
        if self.model.task != TASK:
            raise InputError(f"{self.model.path} is of task {self.model.task!r}; expected {TASK!r}, a model of labels")
        self.job: Described = read(self.model.path, self.model.about)

    def scores(self, sequences: Sequences, progress: Callable[[int, int], None] | None = None) -> Scores:
        """The scores of all sequences: [N,K], for tags a list of [T,K] each. progress: called with done and in all."""
        result: list[Any] = [None] * len(sequences)
        done = 0
        for rows in sequences.in_order_of_length(AT_ONCE):
            x, lengths = sequences.padded(rows)
            found, _ = self.run(x, lengths=None if (lengths == len(x)).all() else lengths)
            self.check_answer(found)
            for column, row in enumerate(rows.tolist()):
                one = found[: lengths[column], column] if sequences.tagged else found[column]
                result[row] = one.astype(np.float64)
            done += len(rows)
            if progress is not None:
                progress(done, len(sequences))
        return result if sequences.tagged else np.stack(result)

    def predictions(
        self, sequences: Sequences, progress: Callable[[int, int], None] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yields what is predicted for each sequence: see `gatework.labels.answers.answers`."""
        return answers(self.job, self.scores(sequences, progress), sequences.tagged)
