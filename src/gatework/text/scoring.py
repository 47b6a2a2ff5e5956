"""A torch module reads a text: the surprise of every token."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gatework.runs.overflow import check_answer
from gatework.runs.parts import IGNORED
from gatework.text.data.batches import ScoringBatches
from gatework.text.data.vocabulary import Vocabulary
from gatework.text.score import SCORING_STEPS, Progress, Score, Surprise, listed, total

Batch = tuple[Tensor, Tensor, Tensor]  # inputs [T,B], targets [T,B], lengths [B]


class Predictor(Protocol):
    """What can be scored: logits [T,B,V] of the next tokens for inputs [T,B]."""

    def logits(self, inputs: Tensor, state: Any = None, lengths: Tensor | None = None) -> tuple[Tensor, Any]: ...

    def parameters(self) -> Iterator[Tensor]: ...

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]: ...


Surprises = Generator[tuple[Tensor, Tensor]]  # -log p [T,B] in nats and targets [T,B], batch by batch


def surprise(logits: Tensor, targets: Tensor) -> Tensor:
    """-log p [T,B] in nats of targets [T,B], from logits [T,B,V]; 0 where a stream has ended."""
    flat = F.cross_entropy(
        logits.flatten(0, 1).float(), targets.flatten().to(logits.device), reduction="none", ignore_index=IGNORED
    )
    return flat.reshape(targets.shape)


class Reader(Protocol):
    """How a model reads batches of so many steps: yields surprises and targets, batch by batch."""

    steps: int

    def __call__(self, model: Predictor, batches: Iterable[Batch]) -> Surprises: ...


class AsItIs:
    """Reads with the weights as they are, the state carried; 0 where a stream has ended."""

    steps = SCORING_STEPS

    def __call__(self, model: Predictor, batches: Iterable[Batch]) -> Surprises:
        device = next(model.parameters()).device
        state = None
        with torch.inference_mode():
            for inputs, targets, lengths in batches:
                logits, state = model.logits(inputs.to(device), state, lengths.to(device))
                yield surprise(logits, targets), targets


AS_IT_IS = AsItIs()


def mean_loss(model: Predictor, batches: ScoringBatches, progress: Progress | None = None) -> float:
    """The mean surprise in nats over all targets; of a process's share, what the mean over processes makes that."""
    lost, done = 0.0, 0
    for nats, targets in AS_IT_IS(model, batches):
        lost += nats.double().sum().item()
        done += int((targets != IGNORED).sum())
        if progress is not None:
            progress(done, batches.count)
    return lost / batches.share


def score(
    model: Predictor,
    vocabulary: Vocabulary,
    tokens: "np.typing.NDArray[Any]",
    streams: int = 1,
    *,
    name: str = "the text",
    progress: Progress | None = None,
    read: Reader = AS_IT_IS,
) -> Score:
    """Scores tokens [n] cut into so many streams, each of which starts without a past: documents are not cut.

    name: what the error for fewer than 2 tokens calls them; progress: called with tokens done and tokens in all.
    read: how the model reads; see `gatework.text.adaptation` for another way.
    """
    batches = ScoringBatches(tokens, streams, read.steps, name=name, unit=vocabulary.unit, end=vocabulary.end)
    with closing(_arrays(model, batches, read)) as surprises:
        return total(surprises, vocabulary, tokens, progress)


def each(
    model: Predictor,
    vocabulary: Vocabulary,
    tokens: "np.typing.NDArray[Any]",
    *,
    name: str = "the text",
    read: Reader = AS_IT_IS,
) -> Iterator[tuple[str, float]]:
    """Yields every token but the first, as text, with its surprise in bits; one stream, the state carried."""
    batches = ScoringBatches(tokens, 1, read.steps, name=name, unit=vocabulary.unit, end=vocabulary.end)
    with closing(_arrays(model, batches, read)) as surprises:
        yield from listed(surprises, vocabulary)


def _arrays(model: Predictor, batches: Iterable[Batch], read: Reader) -> Generator[Surprise]:
    """What a model's reading yields, as arrays; raises InputError where its weights overflow."""
    with closing(read(model, batches)) as found:
        for nats, targets in found:
            check_answer(nats, model)
            yield nats.detach().double().cpu().numpy(), targets.numpy()
