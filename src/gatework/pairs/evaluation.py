"""What a model makes of sources: hypotheses, their text; and how good they are, while it trains and at the end."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gatework.decoding.beam import NotFiniteError
from gatework.pairs.converter import Find, Found, Loss, LossOf, Search, Told, losses_of, searched
from gatework.pairs.ctc_model import CTCModel, ctc_losses
from gatework.pairs.data.batches import Source, as_tensors, batch
from gatework.pairs.data.encoded import Encoded, Whole
from gatework.pairs.data.symbols import Text
from gatework.pairs.description import Described
from gatework.pairs.metrics import PairReport, judge
from gatework.pairs.model import Network
from gatework.pairs.options import Criterion
from gatework.runs.overflow import check_answer
from gatework.runs.parts import IGNORED, UNKNOWN

VALIDATED = 2000  # sources at most that a validation decodes


def found_by(model: Network) -> Find:
    """A model as what finds the targets of sources; it raises InputError where weights overflow."""
    device = next(model.parameters()).device

    def find(source: npt.NDArray[Any], lengths: Whole, search: Search) -> Found:
        tokens, ends = as_tensors(source, lengths)
        try:
            found = _search(model, (tokens.to(device), ends.to(device)), search.bounds(lengths), search)
        except NotFiniteError:
            check_answer(torch.tensor(math.nan), model)
            raise
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


def loss_by(model: Network, end: int | None) -> Loss:
    """A model as what says how well it knows targets; end: their last symbol, None for CTC."""
    device = next(model.parameters()).device

    @torch.no_grad()
    def loss(encoded: Encoded, targets: Whole) -> LossOf:
        source, wanted = batch(encoded, encoded.source_of[targets], targets, end)
        symbols = wanted >= 0
        nats = _losses(model, (source[0].to(device), source[1].to(device)), wanted.to(device))
        return nats.double().cpu().numpy(), symbols.sum(0).numpy()

    return loss


def _losses(model: Network, source: Source, targets: Tensor) -> Tensor:
    """-log p of each target, in nats, [B]."""
    if isinstance(model, CTCModel):
        return ctc_losses(model.log_probabilities(source), source[1], targets, targets >= 0)
    logits, _ = model.logits(source, targets)
    each = F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORED, reduction="none")
    return each.view_as(targets).sum(0)


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
    return PairReport.of(predicted, accepted, losses_of(loss_by(model, job.end), encoded))


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
