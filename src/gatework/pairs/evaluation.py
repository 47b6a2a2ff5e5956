"""What a model makes of sources: hypotheses, their text; and how good they are, while it trains and at the end."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from gatework.pairs.converter import Find, Found, Search, Told, searched
from gatework.pairs.ctc_model import CTCModel
from gatework.pairs.data.batches import PairBatches, Source, as_tensors
from gatework.pairs.data.encoded import Encoded, Whole
from gatework.pairs.data.symbols import Text
from gatework.pairs.description import Described
from gatework.pairs.metrics import PairReport, judge
from gatework.pairs.model import Network
from gatework.pairs.options import Criterion
from gatework.runs.overflow import check_answer
from gatework.runs.parts import UNKNOWN

SYMBOLS_AT_ONCE = 32_768  # of sources and targets whose loss is computed at once
VALIDATED = 2000  # sources at most that a validation decodes


def found_by(model: Network) -> Find:
    """A model as what finds the targets of sources; it raises InputError where weights overflow."""
    device = next(model.parameters()).device

    def find(source: npt.NDArray[Any], lengths: Whole, search: Search) -> Found:
        tokens, ends = as_tensors(source, lengths)
        found = _search(model, (tokens.to(device), ends.to(device)), search.bounds(lengths), search)
        best = [each[0].log_probability if each else math.nan for each in found]
        check_answer(torch.tensor(best), model)
        return found

    return find


def _search(model: Network, source: Source, longest: list[int], search: Search) -> Found:
    if isinstance(model, CTCModel):
        return model.search(source, beams=search.beams, best=search.best)
    return model.search(
        source,
        beams=search.beams,
        best=search.best,
        length_normalisation=search.length_normalisation,
        longest=longest,
    )


def nats(model: Network, encoded: Encoded, end: int | None) -> float:
    """The mean loss of a target symbol, over all targets."""
    batches = PairBatches(encoded, SYMBOLS_AT_ONCE, end=end)
    device, total, count = next(model.parameters()).device, 0.0, 0
    with torch.no_grad():
        for (source, lengths), targets in (batches[k] for k in range(len(batches))):
            loss, _ = model((source.to(device), lengths.to(device)), targets.to(device))
            symbols = int((targets >= 0).sum())
            total, count = total + float(loss) * symbols, count + symbols
    return total / count


def targets_of(encoded: Encoded) -> list[list[tuple[int, ...]]]:
    """The accepted targets of each source, as numbers."""
    pieces = np.split(encoded.target, encoded.target_starts[1:-1])
    every = [tuple(piece.tolist()) for piece in pieces]
    return [every[first:last] for first, last in zip(encoded.targets_of, encoded.targets_of[1:], strict=False)]


def judged(job: Described, model: Network, encoded: Encoded, progress: Told | None = None) -> PairReport:
    """What a model makes of sources with targets, searched as its options say."""
    found = searched(found_by(model), encoded, Search.of(job), progress)
    predicted = [job.outputs.texts(each[0].tokens) for each in found]
    accepted = [[_texts(job, target) for target in targets] for targets in targets_of(encoded)]
    return PairReport.of(predicted, accepted, nats(model, encoded, job.end))


def _texts(job: Described, numbers: Sequence[int]) -> Text:
    """The symbols of a target, some of which may be none of the job's."""
    return tuple(job.outputs.symbols[number] if number >= 0 else UNKNOWN for number in numbers)


@dataclass(frozen=True)
class Validation:
    """The share of errors that greedy decoding makes of some sources, this process's share; called with the model.

    weight: how many times as many errors count as if all processes had as many sources.
    """

    encoded: Encoded
    criterion: Criterion
    search: Search
    weight: float = 1.0

    @classmethod
    def of(cls, part: Encoded, job: Described, rank: int = 0, processes: int = 1) -> "Validation | None":
        """Of a part, VALIDATED sources at most, evenly spread over it; None where it has fewer than processes."""
        if len(part) < processes:
            return None
        chosen = np.linspace(0, len(part) - 1, min(len(part), VALIDATED)).round().astype(np.intp)
        own = chosen[rank::processes]
        greedy = replace(Search.of(job), beams=1)
        return cls(part.take(own), job.options.criterion, greedy, len(own) * processes / len(chosen))

    def __call__(self, model: nn.Module) -> float:
        found = searched(found_by(cast(Network, model)), self.encoded, self.search)
        result = judge(cast(Any, [each[0].tokens for each in found]), cast(Any, targets_of(self.encoded)))
        errors = result.symbol_error_rate if self.criterion == "symbols" else result.word_error_rate
        return self.weight * errors
