"""Text to token ids and back, at byte, character or word level; no text is lost in the splitting."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError
from gatework.runs.parts import UNKNOWN
from gatework.text.options import Level, check_level, check_size

Ids = npt.NDArray[np.unsignedinteger[Any]]

END = "<end>"  # nor so: how the end of a document is shown
LISTED = 20  # conditions that an error names at most
UNITS: dict[Level, str] = {"byte": "bytes", "char": "characters", "word": "word tokens"}
BYTES = tuple(map(chr, range(256)))

# Runs are bounded, so that a file without a single space is still read in little memory.
PIECE = re.compile(r"\s{1,100}|\w{1,100}|[^\w\s]")


@dataclass(frozen=True)
class Vocabulary:
    """The V tokens that a text is made of, and their ids: token k is `tokens[k]`.

    level: "byte" (always the 256 bytes, `tokens` showing them as Latin-1 characters), "char", or "word"
        (runs of white space, runs of letters and digits, single other signs).
    tokens: at char and word level the first is "<unk>", which stands for everything not listed.
    conditions: of a text that is made of documents, the K things that one may be written on. Two kinds of ids stand
        between documents: V is an end, and V + 1 + k an end and the beginning of a document of `conditions[k]`.

    Raises InputError for an unknown level, and for tokens and conditions that cannot be.
    """

    level: Level
    tokens: tuple[str, ...] = BYTES
    conditions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_level(self.level)
        if problem := _problem(self.level, self.tokens) or _problem_of_conditions(self.conditions):
            raise InputError(f"not a vocabulary of level {self.level}: {problem}")

    @classmethod
    def of(
        cls, level: Level, counts: Counter[str], size: int | None = None, conditions: Iterable[str] = ()
    ) -> Vocabulary:
        """Make the vocabulary of counted pieces: the most frequent, `size` tokens at most with "<unk>".

        size: default 1024 characters or 10000 words; does not apply to bytes.
        """
        size, named = check_size(level, size), tuple(sorted(conditions))
        if level == "byte":
            return cls("byte", conditions=named)
        ranked = sorted(counts, key=lambda piece: (-counts[piece], piece))
        return cls(level, (UNKNOWN, *ranked[: size - 1]), named)

    @property
    def unknown(self) -> int | None:
        """The id that stands for everything not listed; None for bytes, which are all listed."""
        return None if self.level == "byte" else 0

    @property
    def end(self) -> int | None:
        """The id that ends a document, one more than all tokens'; None for a text without documents."""
        return len(self) if self.conditions else None

    @property
    def span(self) -> int:
        """How many ids there are: tokens, and what stands between documents."""
        return len(self) + (1 + len(self.conditions) if self.conditions else 0)

    def begin(self, condition: str | None) -> int:
        """Give the id that a document of this condition begins with; InputError if there is no such condition."""
        if not self.conditions:
            raise InputError(f"condition {condition!r}: the model was trained on a text without any; leave it out")
        if condition not in self._begins:
            more = f" and {len(self.conditions) - LISTED:,} more" if len(self.conditions) > LISTED else ""
            there = ", ".join(self.conditions[:LISTED]) + more
            if condition is None:
                raise InputError(f"the model writes on a condition, and none was given; there are {there}")
            raise InputError(f"unknown condition {condition!r}; there are {there}")
        return self._begins[condition]

    def document(self, text: str, condition: str | None = None) -> Ids:
        """Give the ids of a text; of one that is a document of some condition its beginning first."""
        ids = self.encode(text)
        return ids if condition is None else np.concatenate([np.array([self.begin(condition)], ids.dtype), ids])

    def shown(self, token: int) -> str:
        """Give a token as it is listed, "<end>" for the end of a document."""
        return END if token == self.end else self.tokens[token]

    @property
    def unit(self) -> str:
        """What a token is called in messages: bytes, characters or word tokens."""
        return UNITS[self.level]

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger[Any]]:
        """The smallest little-endian unsigned integer that holds every id."""
        return np.dtype("<u1" if self.span <= 1 << 8 else "<u2" if self.span <= 1 << 16 else "<u4")

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, text: str) -> Ids:
        """Give the ids of a text, [n]; what is not listed becomes `unknown`."""
        if self.level == "byte":
            return np.frombuffer(_utf8(text), np.uint8).astype(self.dtype)
        return self.ids(PIECE.findall(text) if self.level == "word" else text)

    def ids(self, pieces: Sequence[str]) -> Ids:
        """Give the ids of characters (a str will do) or of words already split, [n]."""
        if isinstance(pieces, str):
            codes = _codepoints(pieces)
            known = self._by_codepoint
            return known[np.minimum(codes, len(known) - 1)]
        return np.fromiter(map(self._index.get, pieces, repeat(0)), self.dtype, len(pieces))

    def decode(self, ids: npt.ArrayLike) -> str:
        """Give the text of ids, [n]; bytes that are not UTF-8 become "\ufffd"."""
        array = np.asarray(ids).reshape(-1)
        wrong = array[(array < 0) | (array >= len(self))]
        if wrong.size:
            raise InputError(f"token {wrong[0]} is not in the vocabulary: ids are 0 to {len(self) - 1}")
        if self.level == "byte":
            return array.astype(np.uint8).tobytes().decode("utf-8", "replace")
        return "".join(self.tokens[token] for token in array.tolist())

    def decoder(self) -> Decoder:
        """Give a decoder that takes one id after the other, for text shown as it is written."""
        return Decoder(self)

    def to_json(self) -> dict[str, Any]:
        """Give the vocabulary as a dict for json."""
        listed = {} if self.level == "byte" else {"tokens": list(self.tokens)}
        return {"level": self.level, **listed, **({"conditions": list(self.conditions)} if self.conditions else {})}

    @classmethod
    def from_json(cls, data: object, name: str = "the vocabulary") -> Vocabulary:
        """Read what `to_json` gave; InputError, naming `name`, for anything else."""
        if not isinstance(data, dict) or not isinstance(level := data.get("level"), str):
            raise InputError(f'{name} is damaged: expected an object with "level" and "tokens"')
        listed: dict[str, Any] = {
            "tokens": data.get("tokens", BYTES if level == "byte" else None),
            "conditions": data.get("conditions", ()),
        }
        for key, values in listed.items():
            if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
                raise InputError(f'{name} is damaged: expected "{key}" to be a list of strings')
        try:
            return cls(cast(Level, level), tuple(listed["tokens"]), tuple(listed["conditions"]))
        except InputError as error:
            raise InputError(f"{name} is damaged: {error}") from None

    @cached_property
    def _index(self) -> dict[str, int]:
        return {token: index for index, token in enumerate(self.tokens)}

    @cached_property
    def _begins(self) -> dict[str | None, int]:
        return {condition: len(self) + 1 + k for k, condition in enumerate(self.conditions)}

    @cached_property
    def _by_codepoint(self) -> Ids:
        codes = _codepoints("".join(self.tokens[1:]))
        known = np.zeros(int(codes.max(initial=0)) + 2, self.dtype)  # the last for all code points above
        known[codes] = np.arange(1, len(self))
        return known


class Decoder:
    """Turns ids into text one at a time; bytes of an incomplete character wait for the rest."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    def decode(self, token: int) -> str:
        """Give the text that this id completes, "" while a character is still under way."""
        if self._vocabulary.level == "byte" and 0 <= token < 256:
            return self._utf8.decode(bytes([token]))
        return self._vocabulary.decode(token)

    def finish(self) -> str:
        """Give what is left at the end: "\ufffd" for a character that never became complete."""
        return self._utf8.decode(b"", final=True)


def count(level: Level, texts: Iterable[str]) -> Counter[str]:
    """Count the characters or words of a text that comes in blocks."""
    counts: Counter[str] = Counter()
    for part in pieces(level, texts):
        if isinstance(part, str):  # five times faster than Counter.update
            tally = np.bincount(_codepoints(part))
            counts.update({chr(code): int(tally[code]) for code in np.flatnonzero(tally)})
        else:
            counts.update(part)
    return counts


def pieces(level: Level, texts: Iterable[str]) -> Iterator[Sequence[str]]:
    """Split a text that comes in blocks; a word cut by a block's end comes whole, with the next block."""
    if level != "word":
        yield from texts
        return
    rest = ""
    for text in texts:
        words = PIECE.findall(rest + text)
        rest = words.pop() if words else ""
        yield words
    yield PIECE.findall(rest)


def unlisted(vocabulary: Vocabulary, part: Sequence[str], ids: Ids) -> Counter[str]:
    """Count the characters or words of a part that became `unknown` among its ids."""
    if vocabulary.unknown is None:
        return Counter()
    return Counter(part[place] for place in np.flatnonzero(ids == vocabulary.unknown).tolist())


def _problem(level: Level, tokens: tuple[str, ...]) -> str | None:
    if level == "byte":
        return None if tokens == BYTES else "expected the 256 bytes"
    if tokens[:1] != (UNKNOWN,):
        return f"expected {UNKNOWN} as the first token"
    if len(set(tokens)) != len(tokens):
        return f"the token {Counter(tokens).most_common(1)[0][0]!r} is listed twice"
    whole = PIECE if level == "word" else re.compile(".", re.DOTALL)
    surrogate = re.compile("[\ud800-\udfff]")  # half a character: cannot be written as UTF-8
    for token in tokens[1:]:
        if not whole.fullmatch(token) or surrogate.search(token):
            return f"the token {token!r} is not one {'word' if level == 'word' else 'character'}"
    return None


def _problem_of_conditions(conditions: tuple[str, ...]) -> str | None:
    if "" in conditions:
        return "a condition is empty"
    if len(set(conditions)) != len(conditions):
        return f"the condition {Counter(conditions).most_common(1)[0][0]!r} is listed twice"
    return None


def _codepoints(text: str) -> npt.NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.dtype("<u4"))


def _utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")  # a command line keeps foreign bytes so
    except UnicodeEncodeError as error:
        raise InputError(
            f"the text has {text[error.start]!r} at character {error.start}, which is not text: remove it"
        ) from None
