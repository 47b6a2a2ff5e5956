"""Dynamic evaluation: a model goes on learning from the text that it reads, from each segment once it is scored."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gatework.runs.parts import IGNORED
from gatework.text.data.batches import ScoringBatches
from gatework.text.data.corpus import Corpus
from gatework.text.data.vocabulary import Ids, Vocabulary
from gatework.text.options import Level
from gatework.text.scoring import Batch, Predictor, Surprises, score, surprise

STEPS: dict[Level, int] = {"byte": 20, "char": 20, "word": 5}  # of a segment, as in the paper
PIECES = 200  # of the training text, that gradients are measured on
RATES = (0.0001, 0.0005, 0.002)  # that are tried
TRIED = 4000  # tokens of the validation part, at most, that they are tried on
LEAST = 0.1  # of the mean root: what is rarely used does not leap


@dataclass(frozen=True)
class Adaptation:
    """How a model learns from what it has scored (Krause et al. 2018), a weight w that began as w_0:

        w <- w - rate g / (s + LEAST mean(s)) + decay (s / mean(s)) (w_0 - w)

    g: gradient of the mean surprise of a segment by w. s: root of the mean of g^2 over pieces of the text that the
    model was trained on; mean(s): over all weights. The way back, decay s / mean(s), is 1 at most.
    """

    rate: float = 0.0005
    decay: float = 0.002


class Adaptive:
    """Reads as `gatework.text.scoring.AsItIs` does, with a step of learning after each batch of segments.

    training: the tokens that the model was trained on. measured: its `roots`, where they are known. The model's weights
    are changed while it reads, and at the end, however that comes, are what they were; nothing is random.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        training: Ids,
        how: Adaptation = Adaptation(),
        measured: Sequence[Tensor] | None = None,
    ) -> None:
        self.steps, self.end = STEPS[vocabulary.level], vocabulary.end
        self.training, self.how, self.measured = training, how, measured

    def __call__(self, model: Predictor, batches: Iterable[Batch]) -> Surprises:
        """Yields (-log p [T,B] in nats, targets [T,B]) batch by batch, 0 where a stream has ended."""
        weights = learning(model)
        rates, returns = self._rates(self.roots(model, weights) if self.measured is None else self.measured)
        before, state = [weight.detach().clone() for weight in weights], None
        try:
            for batch in batches:
                nats, gradients, state = _learnt(model, weights, batch, state)
                yield nats, batch[1]
                with torch.no_grad():
                    for step in zip(weights, gradients, rates, returns, before, strict=True):
                        _update(*step)
        finally:
            with torch.no_grad():
                for weight, was in zip(weights, before, strict=True):
                    weight.copy_(was)

    def _rates(self, roots: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """How far each weight goes for a gradient of 1, and what share of its way back."""
        mean = torch.cat([root.flatten() for root in roots]).mean().clamp(min=torch.finfo(roots[0].dtype).tiny)
        rates = [self.how.rate / (root + LEAST * mean) for root in roots]
        return rates, [(self.how.decay * root / mean).clamp_(max=1) for root in roots]

    def roots(self, model: Predictor, weights: Sequence[Tensor]) -> list[Tensor]:
        """The root of each weight's mean squared gradient, over pieces spread evenly over the training text."""
        pieces = max(1, min(PIECES, (len(self.training) - 1) // (2 * self.steps)))
        length = 2 * self.steps  # first for a state, then for a gradient
        *first, last = ScoringBatches(self.training, pieces, self.steps, length=length, end=self.end)
        state = None
        for inputs, _, lengths in first:
            with torch.no_grad():
                _, state = model.logits(inputs.to(weights[0].device), state, lengths.to(weights[0].device))
        squares = [torch.zeros_like(weight) for weight in weights]
        for piece in (last[2] > 0).nonzero().flatten().tolist():
            one = slice(piece, piece + 1)
            batch = last[0][:, one], last[1][:, one], last[2][one]
            own = None if state is None else type(state)(*(part[:, one] for part in state))
            _, gradients, _ = _learnt(model, weights, batch, own)
            for square, gradient in zip(squares, gradients, strict=True):
                if gradient is not None:
                    square.addcmul_(gradient, gradient)
        return [(square / pieces).sqrt_() for square in squares]


def adaptive(model: Predictor, corpus: Corpus, how: Adaptation = Adaptation()) -> Adaptive:
    """The learner for a model and the text that it was trained on.

    Its rate is the one of `RATES` with which the beginning of the validation part is scored best, as in the paper;
    that of `how` where there is no such part.
    """
    learner, tokens = Adaptive(corpus.vocabulary, corpus.train, how), corpus.validation[:TRIED]
    if len(tokens) < 2:
        return learner
    roots = learner.roots(model, learning(model))
    learners = [Adaptive(corpus.vocabulary, corpus.train, replace(how, rate=rate), roots) for rate in RATES]
    return min(learners, key=lambda each: score(model, corpus.vocabulary, tokens, read=each).bits_per_token)


def learning(model: Predictor) -> list[Tensor]:
    """The weights that a model learns by."""
    return [weight for weight in model.parameters() if weight.requires_grad]


def _learnt(
    model: Predictor, weights: Sequence[Tensor], batch: Batch, state: Any
) -> tuple[Tensor, tuple[Tensor | None, ...], Any]:
    """A batch's surprises [T,B], the gradient of their mean by each weight, and the state after it without its past."""
    (inputs, targets, lengths), device = batch, weights[0].device
    with torch.enable_grad():
        logits, state = model.logits(inputs.to(device), state, lengths.to(device))
        nats = surprise(logits, targets)
        gradients = torch.autograd.grad(nats.sum() / (targets != IGNORED).sum(), weights, allow_unused=True)
    return nats.detach(), gradients, type(state)(*(part.detach() for part in state))


def _update(weight: Tensor, gradient: Tensor | None, rate: Tensor, back: Tensor, before: Tensor) -> None:
    weight.addcmul_(back, before - weight)
    if gradient is not None:
        weight.addcmul_(rate, gradient, value=-1)
