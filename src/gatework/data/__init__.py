"""Raw input to batches."""

from gatework.data.corpus import SPLITS, Corpus, Counts
from gatework.data.streams import IGNORED, LanguageBatches, ScoringBatches, contiguous, share
from gatework.data.text import prepare
from gatework.data.vocabulary import UNKNOWN, Decoder, Level, Vocabulary

__all__ = [
    "IGNORED",
    "SPLITS",
    "UNKNOWN",
    "Corpus",
    "Counts",
    "Decoder",
    "LanguageBatches",
    "Level",
    "ScoringBatches",
    "Vocabulary",
    "contiguous",
    "prepare",
    "share",
]
