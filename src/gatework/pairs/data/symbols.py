"""Texts as symbols and back, and the numbers that a network knows them by. All of it is JSON."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError
from gatework.runs.parts import UNKNOWN

Level = Literal["char", "byte", "word", "symbol"]
Text = tuple[str, ...]  # a source or a target, symbol by symbol
Ids = npt.NDArray[np.int32]

UNLISTED = -1  # the number of a target's symbol that training has not seen
MOST = 50_000  # symbols that are known at most
UNITS: dict[Level, str] = {"char": "characters", "byte": "bytes", "word": "words", "symbol": "symbols"}
JOINER = "\uffed"  # before a word or a sign that no space parts from the one before
BYTES = tuple(map(chr, range(256)))
_WORD = re.compile(r"(\s*)(\w+|[^\w\s])")


def split(text: str, level: Level) -> Text:
    """A text as symbols.

    "char": its characters; "byte": those of UTF-8, shown as Latin-1; "symbol": what stands between white space;
    "word": runs of letters and digits, and single other signs, with a joiner before what follows without a space.
    """
    match level:
        case "char":
            return tuple(text)
        case "byte":
            return tuple(text.encode("utf-8", "surrogateescape").decode("latin-1"))
        case "symbol":
            return tuple(text.split())
    pieces = _WORD.findall(text)
    return tuple(word if space or k == 0 else JOINER + word for k, (space, word) in enumerate(pieces))


def join(symbols: Iterable[str], level: Level) -> str:
    """The text that symbols stand for, white space between words and symbols as one space; bytes that are not UTF-8
    become "\ufffd".
    """
    if level == "char":
        return "".join(symbols)
    if level == "byte":
        return "".join(symbols).encode("latin-1").decode("utf-8", "replace")
    if level == "symbol":
        return " ".join(symbols)
    glued = (word[1:] if word.startswith(JOINER) and len(word) > 1 else f" {word}" for word in symbols)
    return "".join(glued).removeprefix(" ")


def check_level(level: str) -> None:
    """Raises InputError for a level that there is not."""
    if level not in get_args(Level):
        raise InputError(f"level is {level!r}; expected {', '.join(get_args(Level))}")


@dataclass(frozen=True)
class Symbols:
    """The symbols of one side of the pairs: the number of each is its place in `symbols`.

    unknown: whether the first, "<unk>", stands for all others, as it does of a source; of a target there is none.
    """

    level: Level
    symbols: tuple[str, ...]
    unknown: bool

    @classmethod
    def of_sources(cls, texts: Iterable[Text], level: Level, size: int | None = None) -> Self:
        """The `size` most frequent symbols of the training part, "<unk>" among them; the 256 bytes in any case."""
        ranked = BYTES if level == "byte" else _ranked(texts)
        return cls(level, (UNKNOWN, *ranked[: (size or MOST) - 1]), unknown=True)

    @classmethod
    def of_targets(cls, texts: Iterable[Text], level: Level, size: int | None = None) -> Self:
        """The same of targets, without "<unk>"."""
        ranked = BYTES if level == "byte" else _ranked(texts)
        return cls(level, ranked[: size or MOST], unknown=False)

    def __len__(self) -> int:
        return len(self.symbols)

    @cached_property
    def numbers(self) -> dict[str, int]:
        return {symbol: number for number, symbol in enumerate(self.symbols)}

    def encode(self, texts: Sequence[Text]) -> Ids:
        """The numbers of all symbols, one text after the other: 0, or of targets -1, for what is not listed."""
        known, other = self.numbers, 0 if self.unknown else UNLISTED
        every = chain.from_iterable(texts)
        return np.fromiter((known.get(symbol, other) for symbol in every), np.int32, sum(map(len, texts)))

    def texts(self, ids: Iterable[int]) -> Text:
        """The symbols of some numbers."""
        return tuple(self.symbols[number] for number in ids)

    def unseen(self, texts: Iterable[Text]) -> Counter[str]:
        """How often each symbol occurs that is not listed."""
        known = self.numbers
        return Counter(symbol for symbol in chain.from_iterable(texts) if symbol not in known)

    def to_json(self) -> dict[str, Any]:
        return {"level": self.level, "symbols": list(self.symbols), "unknown": self.unknown}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """What `to_json` gave; ValueError, TypeError or KeyError for anything else."""
        level, symbols, unknown = values["level"], tuple(values["symbols"]), values["unknown"]
        texts = all(isinstance(symbol, str) and symbol for symbol in symbols)
        if level not in get_args(Level) or not symbols or not texts or len(set(symbols)) < len(symbols):
            raise ValueError("its symbols are none")
        if type(unknown) is not bool or unknown != (symbols[0] == UNKNOWN):
            raise ValueError("its symbols do not say what stands for the unknown")
        return cls(level, symbols, unknown)


def _ranked(texts: Iterable[Text]) -> tuple[str, ...]:
    """The symbols, the most frequent first."""
    counts = Counter(chain.from_iterable(texts))
    counts.pop(UNKNOWN, None)
    return tuple(sorted(counts, key=lambda symbol: (-counts[symbol], symbol)))
