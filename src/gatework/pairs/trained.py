"""A trained model of pairs in Python: it turns sources into targets, and says how well."""

from pathlib import Path
from typing import Any, Self

import numpy.typing as npt

from gatework.pairs.converter import Converter, Found, LossOf, Search
from gatework.pairs.data.encoded import Encoded, Whole
from gatework.pairs.description import Described
from gatework.pairs.evaluation import found_by, loss_by
from gatework.pairs.model import Network
from gatework.pairs.run import Run


class Trained(Converter):
    """A model and what it is, with torch."""

    def __init__(self, job: Described, model: Network) -> None:
        self.job, self.model = job, model

    @classmethod
    def load(cls, folder: Path, *, device: str = "cpu") -> Self:
        """Of a run folder; InputError, naming the file, where it is damaged."""
        run = Run.open(folder)
        return cls(run.job, run.model(device=device))

    def find(self, source: npt.NDArray[Any], lengths: Whole, search: Search) -> Found:
        """The best hypotheses of each source of a batch."""
        return found_by(self.model)(source, lengths, search)

    def loss(self, encoded: Encoded, targets: Whole) -> LossOf:
        """Of each of these targets -log p in nats, and its symbols."""
        return loss_by(self.model, self.job.end)(encoded, targets)
