"""A text of any size to a memory-mapped file of token ids, split for training, validation and test."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from gatework.data.documents import counted, encoded, in_any_order
from gatework.data.encoding import is_text
from gatework.data.reading import BLOCK, Advance, Source, blamed, sources
from gatework.data.vocabulary import (
    Ids,
    Level,
    Vocabulary,
    check_level,
    check_size,
    count,
    pieces,
)
from gatework.errors import InputError

Splits = tuple[float, float, float]
SPLITS: Splits = (0.9, 0.05, 0.05)


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
        names = [field.name for field in fields(cls)]
        known = {"documents": 0, **data} if isinstance(data, dict) else {}
        values: list[Any] = [known.get(each) for each in names]
        if not all(type(value) is int and value >= 0 for value in values):
            raise InputError(f"{name} are damaged: expected the whole numbers {', '.join(names)}")
        return cls(*values)


@dataclass(frozen=True, eq=False)
class Corpus:
    """A text as token ids, in a file that is mapped and not loaded.

    tokens: [n], read-only; `train`, `validation` and `test` are contiguous slices of it, in this order.
    """

    path: Path
    vocabulary: Vocabulary
    tokens: Ids
    splits: Splits
    counts: Counts

    @classmethod
    def open(cls, path: Path, vocabulary: Vocabulary, splits: Sequence[float], counts: Counts) -> Corpus:
        """Open what `prepare` wrote; InputError, naming the file, if it is not what was written."""
        checked = check_splits(splits)
        tokens = _mapped(path, vocabulary, counts.tokens)
        for start in range(0, len(tokens), BLOCK):
            largest = int(tokens[start : start + BLOCK].max())
            if largest >= vocabulary.span:
                raise InputError(
                    f"{path} is damaged: it holds token {largest}, the vocabulary has {vocabulary.span}; "
                    "prepare the text again"
                )
        return cls(path, vocabulary, tokens, checked, counts)

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


def prepare(
    paths: str | Path | Iterable[str | Path],
    out: Path,
    *,
    level: Level = "char",
    suffixes: Sequence[str] = (),
    exclude: Sequence[str] = (),
    size: int | None = None,
    splits: Sequence[float] = SPLITS,
    vocabulary: Vocabulary | None = None,
    documents: bool = False,
    condition: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    block: int = BLOCK,
) -> Corpus:
    """Read texts into the file `out` of token ids, block by block, and open it.

    paths, suffixes, exclude: what to read, as in `sources`.
    size: tokens in the vocabulary at most; default 1024 characters, 10000 words; bytes are always 256.
    splits: shares of the tokens for training, validation and test; they add up to 1.
    vocabulary: one to use as it is, instead of making one with `level` and `size`.
    documents: the files are JSONL, a line {"text": ..., "condition": ...} each. Where the vocabulary is made from
        them they are put in an order drawn once and for all, so that each part has documents of all conditions.
    condition: of a text that is none of these, but one document of a condition that the vocabulary has.
    progress: called with bytes done and bytes in all, both passes (count, encode) together.
    block: bytes read at a time; changes nothing else.

    `out` appears when it is complete, or not at all. Raises InputError for text that is missing, empty or
    not UTF-8 (byte level reads anything; a byte order mark, which is left out, may say UTF-16 or UTF-32), for options
    that make no sense, and if `out` cannot be written.
    """
    checked = check_splits(splits)
    check_level(level)
    check_size(level, size)
    with sources(paths, suffixes, exclude) as found:
        if any(source.path.resolve() == out.resolve() for source in found):
            raise InputError(f"{out} is a text to read and the file to write: choose another place to write")
        passes = 1 if vocabulary is not None or (level == "byte" and not documents) else 2
        advance = _meter(progress, passes * sum(source.size for source in found))
        made = vocabulary is None
        if vocabulary is None:
            vocabulary = _vocabulary(found, level, size, documents, block, advance)
        opening = [] if condition is None else [vocabulary.begin(condition)]
        counts = _encode(found, vocabulary, out, documents, opening, block, advance)
        if documents and made:
            _rearrange(out, vocabulary, counts)
    return Corpus(out, vocabulary, _mapped(out, vocabulary, counts.tokens), checked, counts)


def check_splits(splits: Sequence[float]) -> Splits:
    """Give the three shares as a tuple; InputError unless they add up to 1 with something to train on."""
    try:
        train, validation, test = map(float, splits)
    except (TypeError, ValueError):
        train, validation, test = 0.0, 0.0, 0.0
    if not (train > 0 and validation >= 0 and test >= 0 and math.isclose(train + validation + test, 1)):
        raise InputError(
            f"splits {splits}: expected three shares for training, validation and test that add up to 1, "
            "the first above 0, such as 0.9, 0.05, 0.05"
        )
    return train, validation, test


def _vocabulary(
    found: list[Source], level: Level, size: int | None, documents: bool, block: int, advance: Advance
) -> Vocabulary:
    if documents:
        counts, conditions = counted(level, found, block, advance)
        return Vocabulary.of(level, counts, size, conditions)
    counts = Counter()
    if level != "byte":
        for source in found:  # one by one: no word goes from one file into the next
            counts.update(count(level, source.text(block, advance)))
    return Vocabulary.of(level, counts, size)


def _encode(
    found: list[Source],
    vocabulary: Vocabulary,
    out: Path,
    documents: bool,
    opening: list[int],
    block: int,
    advance: Advance,
) -> Counts:
    """Write the ids to `out`: those of the opening, of the files one after the other, and the end of documents."""
    closing = [len(vocabulary)] if documents else []
    counts = Counts(len(found), 0, 0, len(opening) + len(closing), 0)

    def read(length: int) -> None:
        nonlocal counts
        counts = replace(counts, bytes=counts.bytes + length)
        advance(length)

    with _written_aside(out) as write:
        write(np.array(opening, vocabulary.dtype).tobytes())
        for source in found:
            for ids, characters in (encoded if documents else _encoded)(source, vocabulary, block, read):
                write(ids.tobytes())
                counts = replace(
                    counts,
                    characters=counts.characters + characters,
                    tokens=counts.tokens + ids.size,
                    unknown=counts.unknown + int(np.count_nonzero(ids == vocabulary.unknown)),
                    documents=counts.documents + documents,
                )
        if counts.tokens == len(opening) + len(closing):
            names = ", ".join(source.name for source in found[:3]) + (", ..." if len(found) > 3 else "")
            raise InputError(f"the text is empty: {names} holds no character; give one with text in it")
        write(np.array(closing, vocabulary.dtype).tobytes())
    spelled = vocabulary.level != "byte" or documents or all(is_text(source.utf8(block)) for source in found)
    return counts if spelled else replace(counts, characters=0)


def _encoded(source: Source, vocabulary: Vocabulary, block: int, advance: Advance) -> Iterator[tuple[Ids, int]]:
    """Yield the ids of one file and the number of characters they came from, block by block."""
    if vocabulary.level == "byte":
        for data in source.utf8(block, advance):
            ids = np.frombuffer(data, np.uint8)
            yield ids.astype(vocabulary.dtype, copy=False), _begun(ids)
        return
    for part in pieces(vocabulary.level, source.text(block, advance)):
        yield vocabulary.ids(part), sum(map(len, part))


def _begun(ids: Ids) -> int:
    """How many characters begin among bytes that are UTF-8."""
    return int(np.count_nonzero((ids & 0xC0) != 0x80))


def _rearrange(path: Path, vocabulary: Vocabulary, counts: Counts) -> None:
    """Put the documents of a file of ids in another order; the end of the last one stays where it is."""
    tokens = _mapped(path, vocabulary, counts.tokens)
    with _written_aside(path) as write:
        for document in in_any_order(tokens[:-1], len(vocabulary)):
            write(document.tobytes())
        write(tokens[-1:].tobytes())


@contextmanager
def _written_aside(path: Path) -> Iterator[Callable[[bytes], None]]:
    """Write a file that appears when the context ends well, and leaves nothing behind when it does not."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with blamed("write", path):
        file = aside.open("wb", buffering=0)
    try:
        with file:

            def write(data: bytes) -> None:
                rest = memoryview(data)
                with blamed("write", path):
                    while rest:
                        rest = rest[file.write(rest) :]

            yield write
            with blamed("write", path):
                os.fsync(file.fileno())
        with blamed("write", path):
            aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def _mapped(path: Path, vocabulary: Vocabulary, tokens: int) -> Ids:
    with blamed("read", path):
        size = path.stat().st_size
        expected = tokens * vocabulary.dtype.itemsize
        if size != expected or not size:
            raise InputError(
                f"{path} is damaged: it has {size:,} bytes where {tokens:,} tokens take {expected:,}; "
                "prepare the text again"
            )
        return np.memmap(path, vocabulary.dtype, mode="r")


def _meter(progress: Callable[[int, int], None] | None, total: int) -> Advance:
    done = 0

    def advance(length: int) -> None:
        nonlocal done
        done += length
        if progress is not None:
            progress(done, total)

    return advance
