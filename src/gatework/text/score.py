"""How well a text was known, from the surprise of its tokens: bits per character, perplexity. It needs no torch."""

import math
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gatework.files.encoding import is_text
from gatework.files.reading import BLOCK
from gatework.runs.parts import IGNORED
from gatework.text.data.vocabulary import Vocabulary
from gatework.text.options import Level

SCORING_STEPS = 64  # between two hand-overs of the state; changes the memory needed and nothing else
Progress = Callable[[int, int], None]  # receives the tokens done and the tokens in all
Surprise = tuple[npt.NDArray[Any], npt.NDArray[np.int64]]  # -log p [T,B] in nats, targets [T,B]
LARGEST_LOG = math.log(sys.float_info.max)
CODE_POINTS = 0x110000  # of Unicode: what an unknown character may be


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


def total(
    surprises: Iterable[Surprise],
    vocabulary: Vocabulary,
    tokens: "npt.NDArray[Any]",
    progress: Progress | None = None,
) -> Score:
    """The score of tokens [n] whose surprises come block by block; progress: called with tokens done and in all."""
    widths = np.array([_token_width(vocabulary, token) for token in range(len(vocabulary) + 1)])
    nats, count, characters, unknown = 0.0, 0, 0, 0
    for lost, targets in surprises:
        real = targets[targets != IGNORED]
        nats += float(lost.sum(dtype=np.float64))
        count += len(real)
        characters += int(widths[real].sum())
        unknown += 0 if vocabulary.unknown is None else int((real == vocabulary.unknown).sum())
        if progress is not None:
            progress(count, len(tokens) - 1)
    return Score(vocabulary.level, nats, count, characters if _spells(vocabulary, tokens) else 0, unknown)


def listed(surprises: Iterable[Surprise], vocabulary: Vocabulary) -> Iterator[tuple[str, float]]:
    """Yields every token, as text, with its surprise in bits; of one stream."""
    for lost, targets in surprises:
        for token, nats in zip(targets[:, 0].tolist(), lost[:, 0].tolist(), strict=True):
            yield vocabulary.shown(token), nats / math.log(2)


def _spells(vocabulary: Vocabulary, tokens: "npt.NDArray[Any]") -> bool:
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
