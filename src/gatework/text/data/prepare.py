"""A text of any size to a memory-mapped file of token ids, split for training, validation and test."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from gatework.errors import InputError
from gatework.files.encoding import is_text
from gatework.files.reading import BLOCK, Advance, Source, blamed, marks, sources
from gatework.runs.parts import check_splits
from gatework.text.data.corpus import Corpus, Counts, mapped
from gatework.text.data.documents import counted, encoded, in_any_order
from gatework.text.data.vocabulary import Ids, Vocabulary, count, pieces, unlisted
from gatework.text.options import SPLITS, Level, check_level, check_size


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
    rearranged: bool = False,
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
        them, or they are to be `rearranged`, they are put in an order drawn once and for all, so that each part has
        documents of all conditions.
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
    with sources(paths, suffixes, exclude) as inputs:
        if any(source.path.resolve() == out.resolve() for source in inputs):
            raise InputError(f"{out} is a text to read and the file to write: choose another place to write")
        passes = 1 if vocabulary is not None or (level == "byte" and not documents) else 2
        advance = _meter(progress, passes * sum(source.size for source in inputs))
        files = marks(inputs)
        made = vocabulary is None
        if vocabulary is None:
            vocabulary = _vocabulary(inputs, level, size, documents, block, advance)
        opening = [] if condition is None else [vocabulary.begin(condition)]
        unknown: Counter[str] | None = None if made else Counter()
        counts = _encode(inputs, vocabulary, out, documents, opening, block, advance, unknown)
        if documents and (made or rearranged):
            _rearrange(out, vocabulary, counts)
    ids = mapped(out, vocabulary, counts.tokens)
    return Corpus(out, vocabulary, ids, checked, counts, unknown or Counter(), tuple(files))


def _vocabulary(
    files: list[Source], level: Level, size: int | None, documents: bool, block: int, advance: Advance
) -> Vocabulary:
    if documents:
        counts, conditions = counted(level, files, block, advance)
        return Vocabulary.of(level, counts, size, conditions)
    counts = Counter()
    if level != "byte":
        for source in files:  # one by one: no word goes from one file into the next
            counts.update(count(level, source.text(block, advance)))
    return Vocabulary.of(level, counts, size)


def _encode(
    files: list[Source],
    vocabulary: Vocabulary,
    out: Path,
    documents: bool,
    opening: list[int],
    block: int,
    advance: Advance,
    unknown: Counter[str] | None,
) -> Counts:
    """Write the ids to `out`: those of the opening, of the files one after the other, and the end of documents."""
    closing = [len(vocabulary)] if documents else []
    counts = Counts(len(files), 0, 0, len(opening) + len(closing), 0)

    def read(length: int) -> None:
        nonlocal counts
        counts = replace(counts, bytes=counts.bytes + length)
        advance(length)

    with _written_aside(out) as write:
        write(np.array(opening, vocabulary.dtype).tobytes())
        for source in files:
            for ids, characters in (encoded if documents else _encoded)(source, vocabulary, block, read, unknown):
                write(ids.tobytes())
                counts = replace(
                    counts,
                    characters=counts.characters + characters,
                    tokens=counts.tokens + ids.size,
                    unknown=counts.unknown + int(np.count_nonzero(ids == vocabulary.unknown)),
                    documents=counts.documents + documents,
                )
        if counts.tokens == len(opening) + len(closing):
            names = ", ".join(source.name for source in files[:3]) + (", ..." if len(files) > 3 else "")
            raise InputError(f"the text is empty: {names} holds no character; give one with text in it")
        write(np.array(closing, vocabulary.dtype).tobytes())
    spelled = vocabulary.level != "byte" or documents or all(is_text(source.utf8(block)) for source in files)
    return counts if spelled else replace(counts, characters=0)


def _encoded(
    source: Source, vocabulary: Vocabulary, block: int, advance: Advance, unknown: Counter[str] | None
) -> Iterator[tuple[Ids, int]]:
    """Yield the ids of one file and the number of characters they came from, block by block."""
    if vocabulary.level == "byte":
        for data in source.utf8(block, advance):
            ids = np.frombuffer(data, np.uint8)
            yield ids.astype(vocabulary.dtype, copy=False), _begun(ids)
        return
    for part in pieces(vocabulary.level, source.text(block, advance)):
        ids = vocabulary.ids(part)
        if unknown is not None:
            unknown.update(unlisted(vocabulary, part, ids))
        yield ids, sum(map(len, part))


def _begun(ids: Ids) -> int:
    """How many characters begin among bytes that are UTF-8."""
    return int(np.count_nonzero((ids & 0xC0) != 0x80))


def _rearrange(path: Path, vocabulary: Vocabulary, counts: Counts) -> None:
    """Put the documents of a file of ids in another order; the end of the last one stays where it is."""
    tokens = mapped(path, vocabulary, counts.tokens)
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
        with suppress(OSError):
            aside.unlink()
        raise


def _meter(progress: Callable[[int, int], None] | None, total: int) -> Advance:
    done = 0

    def advance(length: int) -> None:
        nonlocal done
        done += length
        if progress is not None:
            progress(done, total)

    return advance
