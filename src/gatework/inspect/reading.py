"""The text that a page shows and measures: its tokens, what each spells, and the character each ends on."""

from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from gatework.errors import InputError
from gatework.files.reading import BLOCK, Source, sources
from gatework.text.data.vocabulary import PIECE, Decoder, Ids, Vocabulary

CHARACTERS_A_WORD = 6  # to read of a text of words for each token that is wanted


@dataclass(frozen=True)
class Reading:
    """The first n tokens of a text.

    text: its characters. ids [n]; pieces [n]: what each token spells, "" for a byte inside a character; last [n]: the
    character of `text` that is read when the token is. whole: characters (at byte level bytes) of all the text.
    """

    name: str
    text: str
    ids: Ids
    pieces: tuple[str, ...]
    whole: int

    @property
    def last(self) -> "np.typing.NDArray[np.int64]":
        ends = np.fromiter(accumulate(map(len, self.pieces)), np.int64, len(self.pieces))
        return np.maximum(ends - 1, 0)

    def __len__(self) -> int:
        return len(self.ids)


def read(path: str, vocabulary: Vocabulary, limit: int) -> Reading:
    """The first `limit` tokens of a file, "-" for standard input.

    Raises InputError where there is no such file, no text in it, or no token that the model knows.
    """
    with sources(path) as files:
        if len(files) != 1:
            raise InputError(f"{path} is a folder of {len(files)} files: name the one to look at")
        reading = (_read_bytes if vocabulary.level == "byte" else _read_text)(files[0], vocabulary, limit)
    if len(reading) < 2:
        raise InputError(f"{reading.name} has {len(reading)} {vocabulary.unit}: a page needs 2 at least, better 10,000")
    if vocabulary.unknown is not None and bool((reading.ids == vocabulary.unknown).all()):
        raise InputError(
            f"{reading.name} has nothing that the model has ever seen: "
            f"give a text of {vocabulary.unit} like those it was trained on"
        )
    return reading


def _read_text(source: Source, vocabulary: Vocabulary, limit: int) -> Reading:
    wanted = limit * (CHARACTERS_A_WORD if vocabulary.level == "word" else 1)
    beginning, whole = "", 0
    for block in source.text(BLOCK):
        beginning += block[: max(0, wanted - len(beginning))]
        whole += len(block)
    pieces = tuple(PIECE.findall(beginning) if vocabulary.level == "word" else beginning)[:limit]
    return Reading(source.name, "".join(pieces), vocabulary.ids(pieces), pieces, whole)


def _read_bytes(source: Source, vocabulary: Vocabulary, limit: int) -> Reading:
    beginning = bytearray()
    for block in source.utf8(BLOCK):
        beginning += block[: max(0, limit - len(beginning))]
    decoder: Decoder = vocabulary.decoder()
    pieces = [decoder.decode(value) for value in beginning]
    if pieces:
        pieces[-1] += decoder.finish()
    ids = np.frombuffer(bytes(beginning), np.uint8).astype(vocabulary.dtype)
    return Reading(source.name, "".join(pieces), ids, tuple(pieces), source.size)
