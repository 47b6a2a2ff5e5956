"""A trained model of pairs in Python: it turns sources into targets, and says how well."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from gatework.pairs.answers import Candidate, candidates
from gatework.pairs.data.encoded import Encoded
from gatework.pairs.data.examples import Examples
from gatework.pairs.description import Described
from gatework.pairs.evaluation import Search, Told, nats, searched
from gatework.pairs.metrics import PairReport
from gatework.pairs.model import Network
from gatework.pairs.run import Run


@dataclass(frozen=True)
class Trained:
    """A model and what it is; every method reads sources as `gatework.pairs.data.examples` gives them."""

    job: Described
    model: Network

    @classmethod
    def load(cls, folder: Path, *, device: str = "cpu") -> Self:
        """Of a run folder; InputError, naming the file, where it is damaged."""
        run = Run.open(folder)
        return cls(run.job, run.model(device=device))

    @property
    def search(self) -> Search:
        """How the options search where nothing else is said."""
        return Search(self.job.options.beams, 1, self.job.options.length_normalisation)

    def convert(
        self, examples: Examples, search: Search | None = None, progress: Told | None = None
    ) -> list[list[Candidate]]:
        """The best targets of each source, the best first."""
        found = searched(self.model, self._encoded(examples), search or self.search, progress)
        return [candidates(self.job, each) for each in found]

    def score(self, examples: Examples, search: Search | None = None, progress: Told | None = None) -> PairReport:
        """How good the best target of each source is, beside those that are accepted."""
        assert examples.targets is not None
        predicted = [each[0].symbols for each in self.convert(examples, search, progress)]
        return PairReport.of(predicted, examples.targets, nats(self.model, self._encoded(examples), self.job.end))

    def _encoded(self, examples: Examples) -> Encoded:
        return Encoded.of(examples, self.job.inputs, self.job.outputs)
