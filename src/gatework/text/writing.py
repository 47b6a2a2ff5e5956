"""Writing: tokens drawn one after another from what predicts the next, its state carried. It needs no torch."""

import math
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError
from gatework.text.data.vocabulary import Vocabulary, pieces
from gatework.text.options import RUN, Draw
from gatework.text.repetition import WINDOW, Written

Ids = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]


class Predict(Protocol):
    """What predicts: ids [T] and the state before them, None at first -> log p [V] of the next, and the state.

    log p may have any number added to all. It raises InputError where weights overflow.
    """

    def __call__(self, ids: Ids, state: Any) -> tuple[Numbers, Any]: ...


def chances(draw: Draw, log_p: npt.ArrayLike) -> Numbers:
    """The distribution [V] that a token is drawn from, by temperature, top_k, top_p and min_p."""
    values = np.asarray(log_p, np.float64)
    made = np.zeros(len(values))
    if draw.temperature == 0:
        made[values.argmax()] = 1.0
        return made
    order = np.argsort(-values, kind="stable")
    ranked = values[order]
    left = np.exp((ranked - ranked[0]) / draw.temperature)  # the least temperature overflows nothing
    left /= left.sum()
    if draw.top_k is not None:
        left[draw.top_k :] = 0
    if draw.top_p is not None:
        before = left.cumsum() - left
        left[before >= draw.top_p * left.sum()] = 0
    left[left < draw.min_p * left[0]] = 0
    made[order] = left / left.sum()
    return made


def write(
    predict: Predict,
    vocabulary: Vocabulary,
    prompt: str = "",
    length: int = 500,
    *,
    condition: str | None = None,
    draw: Draw = Draw(),
    seed: int | None = None,
) -> Iterator[str]:
    """Yields `length` tokens as text, as they are drawn, after the prompt; the unknown token is never drawn.

    condition: of a model that was trained on documents, what this one is written on; the prompt is its beginning, and
        where the model ends the document, the text ends.

    An empty prompt stands for a new line, or the commonest token where the vocabulary has none. One seed gives one
    text. A character whose bytes are not all written at the end comes as "\ufffd". Raises InputError, before
    anything is drawn, for a negative length or seed, a prompt that is not text, and a condition that is not there;
    and where the weights overflow.
    """
    if length < 0:
        raise InputError(f"length is {length}; expected 0 or more tokens")
    if seed is not None and not 0 <= seed < 1 << 63:
        raise InputError(f"seed is {seed}; expected a whole number of 0 or more (and below 2^63)")
    if vocabulary.conditions or condition is not None:
        ids = [vocabulary.begin(condition), *vocabulary.encode(prompt).tolist()]
    else:
        ids = vocabulary.encode(prompt or _opening(vocabulary)).tolist()
    return _written(predict, vocabulary, np.array(ids, np.int64), length, draw, np.random.default_rng(seed))


def _written(
    predict: Predict, vocabulary: Vocabulary, ids: Ids, length: int, draw: Draw, random: np.random.Generator
) -> Iterator[str]:
    """Yields the text after ids [T], the state carried, up to the end of the document if there is one."""
    decoder, state = vocabulary.decoder(), None
    written = Written(ids[-WINDOW:].tolist() if draw.repetition > 1 else ())
    for _ in range(length):
        log_p, state = predict(ids, state)
        values = np.array(log_p, np.float64)
        if vocabulary.unknown is not None:
            values[vocabulary.unknown] = -np.inf
        if draw.repetition > 1:
            over = written.repeats(len(values)) - RUN[vocabulary.level] + 1
            values -= math.log(draw.repetition) * over.clip(min=0)
        token = _drawn(chances(draw, values), random)
        if token == vocabulary.end:
            break
        yield decoder.decode(token)
        ids = np.array([token])
        if draw.repetition > 1:
            written.add(token)
    yield decoder.finish()


def _drawn(p: Numbers, random: np.random.Generator) -> int:
    """A place, drawn by its probability: the first up to which the sum exceeds a number drawn evenly from [0, 1)."""
    sums = p.cumsum()
    place = int(np.searchsorted(sums, random.random() * sums[-1], side="right"))
    return min(place, int(np.flatnonzero(p)[-1]))


def _opening(vocabulary: Vocabulary) -> str:
    """What a text begins after, when nothing is said: a new line, or the commonest token."""
    return "\n" if vocabulary.level == "byte" or "\n" in vocabulary.tokens else vocabulary.tokens[1]


def unseen(vocabulary: Vocabulary, text: str) -> list[str]:
    """The characters or words of a text that the vocabulary has not, each once."""
    if vocabulary.unknown is None:
        return []
    split = [piece for part in pieces(vocabulary.level, [text]) for piece in part]
    unknown = vocabulary.ids(split) == vocabulary.unknown
    return list(dict.fromkeys(piece for piece, new in zip(split, unknown, strict=True) if new))
