"""Writing: tokens drawn one after another from a language model, the state carried."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from gatework.errors import InputError
from gatework.runs.overflow import check_answer
from gatework.text.data.vocabulary import Vocabulary, pieces
from gatework.text.options import RUN, Draw
from gatework.text.repetition import WINDOW, Written
from gatework.text.scoring import Predictor


def chances(draw: Draw, logits: Tensor) -> Tensor:
    """The distribution [V] that a token is drawn from, by temperature, top_k, top_p and min_p."""
    if draw.temperature == 0:
        return torch.nn.functional.one_hot(logits.argmax(), len(logits)).float()
    ranked, order = logits.double().sort(descending=True, stable=True)
    left = ((ranked - ranked[0]) / draw.temperature).softmax(0)  # the least temperature overflows nothing
    if draw.top_k is not None:
        left[draw.top_k :] = 0
    if draw.top_p is not None:
        before = left.cumsum(0) - left
        left[before >= draw.top_p * left.sum()] = 0
    left[left < draw.min_p * left[0]] = 0
    return torch.zeros_like(left).scatter(0, order, left / left.sum())


def sample(
    model: Predictor,
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
    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    if vocabulary.conditions or condition is not None:
        ids = [vocabulary.begin(condition), *vocabulary.encode(prompt).tolist()]
    else:
        ids = vocabulary.encode(prompt or _opening(vocabulary)).tolist()
    return _written(model, vocabulary, torch.tensor(ids)[:, None], length, draw, generator)


def _written(
    model: Predictor, vocabulary: Vocabulary, tokens: Tensor, length: int, draw: Draw, generator: torch.Generator
) -> Iterator[str]:
    """Yields the text after tokens [T,1], the state carried, up to the end of the document if there is one."""
    decoder = vocabulary.decoder()
    device, state = next(model.parameters()).device, None
    written = Written(tokens[-WINDOW:, 0].tolist() if draw.repetition > 1 else ())
    for _ in range(length):
        with torch.inference_mode():
            logits, state = model.logits(tokens.to(device), state)
        last = logits[-1, 0].double().cpu()  # [V]
        if vocabulary.unknown is not None:
            last[vocabulary.unknown] = -torch.inf
        check_answer(last.max(), model)  # -inf is a probability of 0, unless all are
        if draw.repetition > 1:
            over = written.repeats(len(last)) - RUN[vocabulary.level] + 1
            last -= math.log(draw.repetition) * torch.from_numpy(over.clip(min=0))
        token = int(torch.multinomial(chances(draw, last), 1, generator=generator))
        if token == vocabulary.end:
            break
        yield decoder.decode(token)
        tokens = torch.tensor([[token]])
        if draw.repetition > 1:
            written.add(token)
    yield decoder.finish()


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
