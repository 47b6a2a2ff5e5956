"""What turns sources into targets and says how well, whatever runs the network. It needs no torch."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from gatework.decoding.beam import usual_longest
from gatework.decoding.hypothesis import MOST_BEAMS, Hypothesis
from gatework.errors import InputError
from gatework.pairs.answers import Candidate, candidates
from gatework.pairs.data.encoded import Encoded, Whole
from gatework.pairs.data.examples import Examples
from gatework.pairs.description import Described
from gatework.pairs.metrics import Losses, PairReport

AT_ONCE = 256  # sources that are searched at once

Found = list[list[Hypothesis]]
Told = Callable[[int, int], None]  # called with how much is done, and how much there is


@dataclass(frozen=True)
class Search:
    """How hypotheses are searched: `best` of so many beams; see gatework.decoding.beam.beam_search.

    longest: symbols that each may have, whatever its source.
    """

    beams: int = 5
    best: int = 1
    length_normalisation: float = 1.0
    longest: int = 0

    def __post_init__(self) -> None:
        for name, value in (("beams", self.beams), ("best", self.best)):
            if value > MOST_BEAMS:
                raise InputError(f"{name} is {value:,}; expected {MOST_BEAMS:,} at most")

    @classmethod
    def of(cls, job: Described) -> Self:
        """How the options of a model search."""
        return cls(job.options.beams, 1, job.options.length_normalisation, job.longest)

    def bounds(self, lengths: Whole) -> list[int]:
        """The symbols that a target may have, for sources of these lengths."""
        return [max(usual, self.longest) for usual in usual_longest(lengths.tolist())]


LossOf = tuple[npt.NDArray[np.float64], Whole]
Loss = Callable[[Encoded, Whole], LossOf]  # of each of some targets, [B]: -log p in nats, and its symbols
Find = Callable[[npt.NDArray[Any], Whole, Search], Found]  # of sources [S,B] or [S,B,I] and their lengths [B]


def searched(find: Find, encoded: Encoded, search: Search, progress: Told | None = None) -> Found:
    """The best hypotheses of each source, in the order of the sources; progress: in symbols of these."""
    found: Found = [[] for _ in range(len(encoded))]
    order = np.argsort(encoded.source_lengths, kind="stable")
    done = 0
    for first in range(0, len(order), AT_ONCE):
        rows = order[first : first + AT_ONCE]
        source, lengths = encoded.sources(rows)
        for row, hypotheses in zip(rows.tolist(), find(source, lengths, search), strict=True):
            found[row] = hypotheses
        done += int(lengths.sum())
        if progress is not None:
            progress(done, len(encoded.source))
    return found


def losses_of(loss: Loss, encoded: Encoded) -> Losses:
    """How well the targets of each source are known."""
    order = np.argsort(encoded.target_lengths, kind="stable")
    nats, symbols = np.zeros(len(order)), np.zeros(len(order), np.int64)
    for first in range(0, len(order), AT_ONCE):
        targets = order[first : first + AT_ONCE]
        nats[targets], symbols[targets] = loss(encoded, targets)
    starts = encoded.targets_of[:-1]
    return Losses(np.add.reduceat(nats, starts), np.add.reduceat(symbols, starts))


class Converter(ABC):
    """A model of pairs with its weights; every method reads sources as `gatework.pairs.data.examples` gives them."""

    job: Described

    @abstractmethod
    def find(self, source: npt.NDArray[Any], lengths: Whole, search: Search) -> Found:
        """The best hypotheses of each source of a batch."""

    @abstractmethod
    def loss(self, encoded: Encoded, targets: Whole) -> LossOf:
        """Of each of these targets -log p in nats, and its symbols."""

    def convert(
        self, examples: Examples, search: Search | None = None, progress: Told | None = None
    ) -> list[list[Candidate]]:
        """The best targets of each source.

        Args:
            examples: the N sources.
            search: how many hypotheses are followed and returned; by default as the run says.
            progress: called with how many sources are done, and how many there are.

        Returns:
            For each source its candidates, the best first.

        Raises:
            InputError: where the scores are no longer finite.
        """
        found = searched(self.find, self._encoded(examples), search or Search.of(self.job), progress)
        return [candidates(self.job, each) for each in found]

    def score(self, examples: Examples, search: Search | None = None, progress: Told | None = None) -> PairReport:
        """How good the best target of each source is, beside those that are accepted.

        Args:
            examples: the N sources, with their targets.
            search, progress: as of `convert`.

        Returns:
            Exact matches, error rates of symbols and words, and the perplexity of the targets.

        Raises:
            InputError: as `convert` does.
        """
        assert examples.targets is not None
        predicted = [each[0].symbols for each in self.convert(examples, search, progress)]
        return PairReport.of(predicted, examples.targets, losses_of(self.loss, self._encoded(examples)))

    def _encoded(self, examples: Examples) -> Encoded:
        return Encoded.of(examples, self.job.inputs, self.job.outputs)
