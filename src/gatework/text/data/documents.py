"""Texts that are made of documents, each written on a condition: JSONL, a line {"text": ..., "condition": ...} each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError
from gatework.files.reading import BLOCK, Advance, Source
from gatework.text.data.vocabulary import Ids, Vocabulary, pieces, unlisted
from gatework.text.options import Level

EXPECTED = '{"text": "...", "condition": "..."}; --plain reads the file as it stands'


@dataclass(frozen=True)
class Document:
    """A text, what it was written on (an author, a kind, a label), and where it stands, for errors."""

    text: str
    condition: str
    place: str


def _documents(source: Source, size: int = BLOCK, advance: Advance | None = None) -> Iterator[Document]:
    """Yield the documents of a JSONL file; InputError, with the line, where one cannot be read."""
    for place, values in source.records(EXPECTED, size, advance):
        if missing := [name for name in ("text", "condition") if name not in values]:
            there = ", ".join(map(repr, values)) or "nothing"
            raise InputError(f"{place} has no {missing[0]!r}, but {there}: expected {EXPECTED}")
        condition = values["condition"]
        if type(condition) is int:  # labels are often numbers; a bool is none
            condition = str(condition)
        yield Document(_text(values["text"], f"{place}: text"), _text(condition, f"{place}: condition"), place)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{name} is {str(value)[:40]}; expected text")
    if not value:
        raise InputError(f"{name} is empty: leave the line out, or say what it is")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{name} has {value[error.start]!r} at character {error.start}, which is not text") from None
    return value


def counted(
    level: Level, files: list[Source], size: int = BLOCK, advance: Advance | None = None
) -> tuple[Counter[str], set[str]]:
    """Count the characters or words of the documents in files, and name their conditions."""
    counts: Counter[str] = Counter()
    conditions: set[str] = set()
    for source in files:
        for document in _documents(source, size, advance):
            conditions.add(document.condition)
            if level != "byte":
                for part in pieces(level, [document.text]):
                    counts.update(part)
    return counts, conditions


def encoded(
    source: Source,
    vocabulary: Vocabulary,
    size: int = BLOCK,
    advance: Advance | None = None,
    unknown: Counter[str] | None = None,
) -> Iterator[tuple[Ids, int]]:
    """Yield the ids of each document, its beginning first, and the number of its characters.

    unknown: counts what the vocabulary has not.
    """
    for document in _documents(source, size, advance):
        try:
            begin = np.array([vocabulary.begin(document.condition)], vocabulary.dtype)
        except InputError as error:
            raise InputError(f"{document.place}: {error}") from None
        ids = vocabulary.encode(document.text)
        if unknown is not None:
            parts = (piece for part in pieces(vocabulary.level, [document.text]) for piece in part)
            unknown.update(unlisted(vocabulary, [*parts], ids))
        yield np.concatenate([begin, ids]), len(document.text)


def beginnings(tokens: npt.NDArray[Any], end: int) -> npt.NDArray[np.int64]:
    """Find where documents begin among ids [n], block by block: at the ids above `end`."""
    indices = [np.flatnonzero(tokens[start : start + BLOCK] > end) + start for start in range(0, len(tokens), BLOCK)]
    return np.concatenate([np.empty(0, np.int64), *indices])


def in_any_order(tokens: Ids, end: int) -> Iterator[Ids]:
    """Yield the documents among ids [n] in an order drawn once and for all, so that every part has all conditions."""
    starts = beginnings(tokens, end)
    ends = np.append(starts[1:], len(tokens))
    for index in np.random.default_rng(0).permutation(len(starts)).tolist():
        yield tokens[starts[index] : ends[index]]
