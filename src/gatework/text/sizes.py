"""The sizes of a language model where none are named: from the text's length and the time, by docs/text.md."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from gatework.text.network import CUTOFFS, NARROWER
from gatework.text.options import Batching, Shape
from gatework.training.settings import Settings, ends_in_words

# What may be left open: fields of Shape, of Batching and of Settings (--bptt is `steps` of Batching).
OPEN = ("hidden", "layers", "init", "dropout", "streams", "bptt", "learning_rate", "final", "clip", "softmax")
SPEED = 40_000  # characters that a processor learns from in a second, about, with the default sizes
MANY_WORDS = 5000  # of a vocabulary, from which on its softmax is adaptive; measured at 10,000
PASSES = 2  # over a text, from which on dropout is of use
TRIED = 300 * SPEED  # characters that the longest tries of docs/text.md learnt from


@dataclass(frozen=True)
class Sizes:
    """Streams N, steps M between two updates, the learning rate, dropout; what no amount to learn from changed is here.

    final: of the rate, the share at the last update. init: how an LSTM's weights start.
    """

    streams: int
    bptt: int
    learning_rate: float
    dropout: float = 0.0
    layers: int = 1
    hidden: int = 256
    final: float = 0.0
    clip: float = 0.25
    init: str = "torch"


# Up to so many characters learnt from, all passes together: what was best in docs/text.md; beyond `TRIED` as there.
TABLE = (
    (2e6, Sizes(8, 64, 8e-3)),
    (8e6, Sizes(24, 64, 8e-3)),
    (float("inf"), Sizes(24, 64, 4e-3, dropout=0.1)),
)


def sizes(learnt: float, passes: float = PASSES) -> Sizes:
    """The sizes for so many characters that are learnt from, all of so many passes together."""
    wanted = next(wanted for most, wanted in TABLE if learnt <= most)
    return wanted if passes >= PASSES else replace(wanted, dropout=0.0)


class Choice(NamedTuple):
    """How a language model is trained, and its sizes."""

    settings: Settings
    shape: Shape
    batching: Batching


def fitted(
    choice: Choice, left_open: Collection[str], tokens: int, unit: str, processes: int = 1
) -> tuple[Choice, str]:
    """The same with the sizes that are left open, of `OPEN`, for a training part of so many tokens; and why, in words.

    processes: among which streams are shared evenly.
    """
    settings, shape, batching = choice
    learnt = _learnt(choice, tokens)
    wanted = sizes(learnt, learnt / max(1, tokens))
    settings = replace(settings, **_of(wanted, left_open, "learning_rate", "final", "clip"))
    shape = replace(shape, **_of(wanted, left_open, "hidden", "layers", "init", "dropout"))
    steps = wanted.bptt if "bptt" in left_open else batching.steps
    streams = batching.streams
    if "streams" in left_open:
        fitting = (tokens - 1) // steps  # so many streams the text is long enough for
        streams = max(1, min(wanted.streams, fitting) // processes) * processes
    chosen = Choice(settings, shape, replace(batching, streams=streams, steps=steps))
    return chosen, _why(chosen, tokens, unit, "as much" if learnt <= TRIED else "less")


def _of(wanted: Sizes, left_open: Collection[str], *names: str) -> dict[str, Any]:
    return {name: getattr(wanted, name) for name in names if name in left_open}


def words(choice: Choice, left_open: Collection[str], vocabulary: int) -> tuple[Choice, str | None]:
    """The same at word level, where a softmax that is left open follows the vocabulary's size; and why, in words."""
    shape = choice.shape
    if "softmax" not in left_open or shape.tied or vocabulary < MANY_WORDS:
        return choice, None
    if (shape.projection or shape.hidden) < NARROWER ** len(CUTOFFS):
        return choice, None
    why = f"sizes for a vocabulary of {vocabulary:,} words: an adaptive softmax, which learns more in the same time"
    return choice._replace(shape=replace(shape, softmax="adaptive")), f"{why}; --softmax full stays full"


def _learnt(choice: Choice, tokens: int) -> float:
    """How many tokens will be learnt from, all passes together; with minutes about so many."""
    settings, batching = choice.settings, choice.batching
    amounts = []
    if settings.minutes is not None:
        amounts.append(60 * SPEED * settings.minutes)
    if settings.epochs is not None:
        amounts.append(settings.epochs * tokens)
    if settings.steps is not None:
        amounts.append(settings.steps * settings.accumulate * batching.streams * batching.steps)
    return min(amounts)


def _why(choice: Choice, tokens: int, unit: str, tried: str) -> str:
    settings, shape, batching = choice
    time = ends_in_words(settings.minutes, settings.epochs, settings.steps)
    rate = f"{settings.learning_rate:g}" + ("" if settings.final else " falling to 0")
    layers = "1 layer" if shape.layers == 1 else f"{shape.layers} layers"
    begun = f", init {shape.init}" if isinstance(shape.init, str) else ""
    dropped = f" with dropout {shape.dropout:g}" if shape.dropout else ""
    return (
        f"sizes for {tokens:,} {unit} and {time}, the best of those tried with {tried} to learn from: "
        f"{batching.streams} streams x {batching.steps} steps, "
        f"{layers} of {shape.hidden} units{dropped}{begun}, learning rate {rate}, clip {settings.clip or 0:g}; "
        "any that is named stays"
    )
