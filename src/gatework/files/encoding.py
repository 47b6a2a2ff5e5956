"""How bytes spell characters: the byte order mark of a file, and whether bytes are UTF-8 at all."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator

# The longest first: UTF-32's little-endian mark begins with UTF-16's.
MARKS = {
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
LONGEST = max(map(len, MARKS))
CONTINUES = 0b10  # the first two bits of a byte that goes on with a character


def encoding_of(start: bytes) -> tuple[str, int]:
    """The codec that a file's first bytes ask for, and how many of them do: UTF-8 and 0 without a byte order mark."""
    return next(((name, len(mark)) for mark, name in MARKS.items() if start.startswith(mark)), ("utf-8", 0))


def is_text(blocks: Iterable[bytes], encoding: str = "utf-8", *, cut: bool = False) -> bool:
    """Whether bytes that come in blocks are text; cut: they may begin and end inside a character of UTF-8."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for block in _from_a_character_on(blocks) if cut else blocks:
            decoder.decode(block)
        decoder.decode(b"", final=not cut)
    except UnicodeDecodeError:
        return False
    return True


def _from_a_character_on(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Leave out up to three bytes at the beginning that go on with a character."""
    left = 3
    for block in blocks:
        while left and block and block[0] >> 6 == CONTINUES:
            block, left = block[1:], left - 1  # noqa: PLW2901
        left = 0 if block else left
        yield block
