"""How well a model knows a text: surprise of every token, bits per character, perplexity."""

import math
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gatework.files.encoding import is_text
from gatework.files.reading import BLOCK
from gatework.runs.overflow import check_answer
from gatework.runs.parts import IGNORED
from gatework.text.data.batches import ScoringBatches
from gatework.text.data.vocabulary import Vocabulary
from gatework.text.options import Level

SCORING_STEPS = 64  # between two hand-overs of the state; changes the memory needed and nothing else
Progress = Callable[[int, int], None]  # receives the tokens done and the tokens in all
Batch = tuple[Tensor, Tensor, Tensor]  # inputs [T,B], targets [T,B], lengths [B]
LARGEST_LOG = math.log(sys.float_info.max)
CODE_POINTS = 0x110000  # of Unicode: what an unknown character may be


class Predictor(Protocol):
    """What can be scored: logits [T,B,V] of the next tokens for inputs [T,B]."""

    def logits(self, inputs: Tensor, state: Any = None, lengths: Tensor | None = None) -> tuple[Tensor, Any]: ...

    def parameters(self) -> Iterator[Tensor]: ...

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]: ...


@dataclass(frozen=True)
class Score:
    """The surprise of a text whose first token is given.

    nats: the sum of -log p over `tokens` predictions; characters: what these tokens spell, 0 for bytes that are not
    UTF-8; unknown: how many are
    not in the vocabulary; level: "byte", "char" or "word".
    """

    level: Level
    nats: float
    tokens: int
    characters: int
    unknown: int

    @property
    def bits_per_token(self) -> float:
        return self.nats / math.log(2) / self.tokens

    @property
    def bits_per_character(self) -> float | None:
        """None for unknown words, and for bytes that are not UTF-8.

        An unknown character costs log2(1,114,112) = 20.1 bits more, to say which.
        """
        if self.characters == 0 or (self.level == "word" and self.unknown):
            return None
        return (self.nats / math.log(2) + self.unknown * math.log2(CODE_POINTS)) / self.characters

    @property
    def perplexity(self) -> float:
        """exp(mean surprise of a token); inf where that is beyond all floating point numbers."""
        mean = self.nats / self.tokens
        return math.exp(mean) if mean < LARGEST_LOG else math.inf

    def to_json(self) -> dict[str, Any]:
        figures = {name: getattr(self, name) for name in ("bits_per_token", "bits_per_character", "perplexity")}
        return asdict(self) | {name: value if value != math.inf else None for name, value in figures.items()}


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
    widths = torch.tensor([_token_width(vocabulary, token) for token in range(len(vocabulary) + 1)])
    nats, count, characters, unknown = 0.0, 0, 0, 0
    batches = ScoringBatches(tokens, streams, read.steps, name=name, unit=vocabulary.unit, end=vocabulary.end)
    with closing(read(model, batches)) as found:
        for lost, targets in found:
            check_answer(lost, model)
            real = targets[targets != IGNORED]
            nats += lost.double().sum().item()
            count += len(real)
            characters += int(widths[real].sum())
            unknown += 0 if vocabulary.unknown is None else int((real == vocabulary.unknown).sum())
            if progress is not None:
                progress(count, len(tokens) - 1)
    return Score(vocabulary.level, nats, count, characters if _spells(vocabulary, tokens) else 0, unknown)


def _spells(vocabulary: Vocabulary, tokens: "np.typing.NDArray[Any]") -> bool:
    """Whether the bytes of tokens spell characters; they may be cut out of a text anywhere."""
    if vocabulary.level != "byte":
        return True
    blocks = (tokens[start : start + BLOCK] for start in range(0, len(tokens), BLOCK))
    return is_text((block[block < len(vocabulary)].astype(np.uint8).tobytes() for block in blocks), cut=True)


def _token_width(vocabulary: Vocabulary, token: int) -> int:
    """How many characters a token spells: an end and a byte inside a character none, an unknown character one."""
    if token == len(vocabulary):
        return 0
    if vocabulary.level == "byte":
        return int(token & 0xC0 != 0x80)
    return 1 if token == vocabulary.unknown else len(vocabulary.tokens[token])


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
    with closing(read(model, batches)) as found:
        for nats, targets in found:
            check_answer(nats, model)
            for token, lost in zip(targets[:, 0].tolist(), nats[:, 0].tolist(), strict=True):
                yield vocabulary.shown(token), lost / math.log(2)
