"""A model of labels without torch: the scores of sequences, and what they stand for."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatework.labels.answers import Scores, answers, scored
from gatework.labels.data.sequences import Sequences
from gatework.labels.description import TASK, Described, read
from gatework.runtime.model import Model
from gatework.runtime.session import Session


class LabelSession(Session):
    """A session of a model of labels: scaled numbers or token ids in, scores out; `job` says how they are read.

    The scores are those with torch to 1e-4: of each target one after the other where there are several.

    Args:
        model, threads, weights: as of a Session.

    Raises:
        InputError: as a Session does, and for a model of another task.
    """

    def __init__(self, model: str | Path | Model, *, threads: int = 1, weights: str = "float32") -> None:
        super().__init__(model, threads=threads, weights=weights)
        self.model.check_task(TASK, "labels")
        self.job: Described = read(self.model.path, self.model.about)

    def scores(self, sequences: Sequences, progress: Callable[[int, int], None] | None = None) -> Scores:
        """The scores of all sequences.

        Args:
            sequences: of the form that `job` was trained on.
            progress: called with how many sequences are done, and how many there are.

        Returns:
            Scores [N,K] of K classes or targets; of tags a list of [T,K], for each sequence one.

        Raises:
            InputError: where the scores are no longer finite.
        """
        return scored(sequences, self._scored, progress)

    def _scored(self, x: npt.NDArray[Any], lengths: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        found, _ = self.run(x, lengths=None if (lengths == len(x)).all() else lengths)
        self.check_answer(found)
        scores: npt.NDArray[Any] = found
        return scores

    def predictions(
        self, sequences: Sequences, progress: Callable[[int, int], None] | None = None
    ) -> Iterator[dict[str, Any]]:
        """What is predicted for each sequence.

        Args:
            sequences, progress: as of `scores`.

        Returns:
            An iterator over the answers, as `gatework predict` writes them: see `gatework.labels.answers.answers`.

        Raises:
            InputError: as `scores` does.
        """
        return answers(self.job, self.scores(sequences, progress), sequences.tagged)
