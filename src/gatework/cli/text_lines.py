"""What is said of a language model: what it learns from, how well it knows a text, how much it repeats itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gatework.runs.parts import UNKNOWN
from gatework.text.data.vocabulary import UNITS
from gatework.text.options import RUN, Draw, Level
from gatework.text.repetition import repeated

if TYPE_CHECKING:
    from gatework.text.data.batches import LanguageBatches
    from gatework.text.data.corpus import Corpus
    from gatework.text.model import LanguageModel
    from gatework.text.score import Score
    from gatework.text.scoring import Reader

MUCH = 0.25  # of all runs, from which on repetition is said
STRONGER = 2.0  # a penalty for what the usual one does not help


def introduction(corpus: Corpus, batches: LanguageBatches, model: LanguageModel) -> list[str]:
    """What will be trained on what, and what of the text is left out."""
    unit = corpus.vocabulary.unit
    weights = sum(parameter.numel() for parameter in model.parameters())
    lines = [
        corpus.describe(),
        f"{len(batches):,} batches of {batches.streams} streams x {batches.steps} steps; "
        f"{batches.dropped:,} {unit} fill no batch and are left out",
        f"{model.recurrent.extra_repr()}; {weights:,} weights",
    ]
    if len(corpus.validation) < 2:
        lines.append(f"no validation: of {corpus.counts.tokens:,} {unit} none is left to validate on")
    return lines


def score_line(result: Score) -> str:
    """The figures of a score in one line."""
    unit = UNITS[result.level]
    figures: list[str] = []
    if result.bits_per_character is not None:
        figures.append(f"{result.bits_per_character:.3f} bits per character")
    if result.level != "char":
        figures.append(f"{result.bits_per_token:.3f} bits per {unit.removesuffix('s')}")
    figures.append(f"perplexity {result.perplexity:.2f} over {result.tokens:,} {unit}")
    if result.unknown:
        cost = " at 20.1 bits more each" if result.level == "char" else f", counted as {UNKNOWN}"
        figures.append(f"{result.unknown:,} of them unknown{cost}")
    return ", ".join(figures)


def repetition_line(pieces: Sequence[str], level: Level, draw: Draw) -> str | None:
    """How much of what was written repeats itself, and the remedy; None where that is little."""
    share = repeated([piece for piece in pieces if piece], RUN[level])
    if share < MUCH:
        return None
    stronger = STRONGER if draw.repetition >= Draw.repetition else Draw.repetition
    return (
        f"{share:.0%} of all runs of {RUN[level]} {UNITS[level]} repeat an earlier one; "
        f"--repetition {stronger:g} or a higher --temperature leads away from it"
    )


def learnt_line(learnt: Score, as_it_is: Score, learner: Reader) -> str:
    """The figures of a model that learns from what it has scored, beside those of the model as it is."""
    unit, per, before, after = UNITS[learnt.level], "character", as_it_is.bits_per_character, learnt.bits_per_character
    if before is None or after is None:
        per, before, after = unit.removesuffix("s"), as_it_is.bits_per_token, learnt.bits_per_token
    less = f"{abs(before - after):.3f} bits per {per} {'fewer' if after < before else 'more'}"
    return f"{score_line(learnt)}, learning from every {learner.steps} {unit} once they are scored: {less}"
