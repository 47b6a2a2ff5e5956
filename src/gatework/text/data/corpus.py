"""A text as a file of token ids, split for training, validation and test."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from gatework.errors import InputError
from gatework.files.reading import BLOCK, Mark, blamed
from gatework.runs.parts import Splits, check_splits
from gatework.text.data.vocabulary import Ids, Vocabulary


@dataclass(frozen=True)
class Counts:
    """What was read: files, bytes, characters, tokens, how many of these are unknown, and documents, if it is those.

    characters: 0 for bytes that are not UTF-8, which spell none.
    """

    files: int
    bytes: int
    characters: int
    tokens: int
    unknown: int
    documents: int = 0

    def to_json(self) -> dict[str, int]:
        """Give the counts as a dict for json; that of documents only where there are some."""
        return {name: value for name, value in asdict(self).items() if name != "documents" or value}

    @classmethod
    def from_json(cls, data: object, name: str = "the counts") -> Counts:
        """Read what `to_json` gave; InputError, naming `name`, for anything else."""
        names = [each.name for each in fields(cls)]
        known = {"documents": 0, **data} if isinstance(data, dict) else {}
        values: list[Any] = [known.get(each) for each in names]
        if not all(type(value) is int and value >= 0 for value in values):
            raise InputError(f"{name} are damaged: expected the whole numbers {', '.join(names)}")
        return cls(*values)


@dataclass(frozen=True, eq=False)
class Corpus:
    """A text as token ids, in a memory-mapped file.

    tokens: [n], read-only; `train`, `validation` and `test` are contiguous slices of it, in this order.
    unknown: what the vocabulary has not, counted, where it was not made from this text and the text was just read.
    files: of a text just read, see `gatework.files.reading.marks`.
    """

    path: Path
    vocabulary: Vocabulary
    tokens: Ids
    splits: Splits
    counts: Counts
    unknown: Counter[str] = field(default_factory=Counter)
    files: tuple[Mark, ...] = ()

    @classmethod
    def open(
        cls, path: Path, vocabulary: Vocabulary, splits: Sequence[float], counts: Counts, digest: str | None = None
    ) -> Corpus:
        """Open what `prepare` wrote; InputError, naming the file, if it is not what was written.

        digest: what `Corpus.digest` gave then; None for not asking.
        """
        checked = check_splits(splits)
        tokens = mapped(path, vocabulary, counts.tokens)
        for start in range(0, len(tokens), BLOCK):
            largest = int(tokens[start : start + BLOCK].max())
            if largest >= vocabulary.span:
                raise InputError(
                    f"{path} is damaged: it holds token {largest}, the vocabulary has {vocabulary.span}; "
                    "prepare the text again"
                )
        corpus = cls(path, vocabulary, tokens, checked, counts)
        if digest is not None and digest != corpus.digest():
            raise InputError(f"{path} is damaged: its content does not match its digest; prepare the text again")
        return corpus

    def digest(self) -> str:
        """A hash of the tokens."""
        checksum = hashlib.blake2b(digest_size=16)
        for start in range(0, len(self.tokens), BLOCK):
            checksum.update(self.tokens[start : start + BLOCK].tobytes())
        return checksum.hexdigest()

    @property
    def train(self) -> Ids:
        """The tokens to train on."""
        return self._part(0)

    @property
    def validation(self) -> Ids:
        """The tokens to validate on."""
        return self._part(1)

    @property
    def test(self) -> Ids:
        """The tokens held out to the end."""
        return self._part(2)

    def describe(self) -> str:
        """Say in one line what was read and how it is split."""
        counts, V, K = self.counts, len(self.vocabulary), len(self.vocabulary.conditions)
        files = "1 file" if counts.files == 1 else f"{counts.files:,} files"
        documents = f"{counts.documents:,} documents on {K:,} condition{'s' * (K != 1)}, " if counts.documents else ""
        spelled = f"{counts.characters:,} characters" if counts.characters else "not UTF-8"
        return (
            f"{files}, {documents}{counts.bytes:,} bytes, {spelled}; "
            f"{counts.tokens:,} tokens ({counts.unknown:,} unknown), "
            f"vocabulary {V:,} ({self.vocabulary.level} level); train {len(self.train):,}, "
            f"validation {len(self.validation):,}, test {len(self.test):,}"
        )

    def _part(self, index: int) -> Ids:
        train, validation, _ = self.splits
        n = len(self.tokens)
        ends = (0, round(n * train), round(n * (train + validation)), n)
        return self.tokens[ends[index] : ends[index + 1]]


def mapped(path: Path, vocabulary: Vocabulary, tokens: int) -> Ids:
    """Map a file of so many ids; InputError, naming it, for one of another size."""
    with blamed("read", path):
        size = path.stat().st_size
        expected = tokens * vocabulary.dtype.itemsize
        if size != expected or not size:
            raise InputError(
                f"{path} is damaged: it has {size:,} bytes where {tokens:,} tokens take {expected:,}; "
                "prepare the text again"
            )
        return np.memmap(path, vocabulary.dtype, mode="r")
