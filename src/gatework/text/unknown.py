"""What a text has that a model has never seen, in words."""

from gatework.runs.parts import UNKNOWN
from gatework.text.data.corpus import Corpus

SHOWN = 12  # characters or words that are named
MANY = 0.1  # share of unknown tokens from which a remedy is named


def new_to_the_model(corpus: Corpus) -> str | None:
    """The characters or words of a text that its vocabulary has not, how often each; None where it has everything."""
    new = corpus.unknown.most_common()
    if not new:
        return None
    kind = "character" if corpus.vocabulary.level == "char" else "word"
    are = f"1 {kind} is" if len(new) == 1 else f"{len(new):,} {kind}s are"
    named = ", ".join(f"{piece!r} {count:,}" for piece, count in new[:SHOWN])
    more = f" and {len(new) - SHOWN:,} more" if len(new) > SHOWN else ""
    return f"{are} new to the model, {corpus.counts.unknown:,} in all: {named}{more}"


def unknown_line(corpus: Corpus) -> str | None:
    """The same, and how a model that learns from the text reads them."""
    if (new := new_to_the_model(corpus)) is None:
        return None
    line = f"{new}; each is read as {UNKNOWN}, and never written"
    if corpus.counts.unknown < MANY * corpus.counts.tokens:
        return line
    return f"{line} (a model that is to know them is trained anew; one of --level byte knows every character)"
