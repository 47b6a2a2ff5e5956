"""What is said of a language model: what it learns from, how well it knows a text."""

from gatework.runs.parts import UNKNOWN
from gatework.text.data.batches import LanguageBatches
from gatework.text.data.corpus import Corpus
from gatework.text.data.vocabulary import UNITS
from gatework.text.model import LanguageModel
from gatework.text.scoring import Score


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
    if len(corpus.validation) <= batches.streams:
        lines.append(
            f"no validation: {len(corpus.validation):,} {unit} for it are too few for {batches.streams} streams"
        )
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
