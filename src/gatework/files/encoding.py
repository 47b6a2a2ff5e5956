"""How bytes spell characters: by a name that users give, by the byte order mark of a file, or as UTF-8."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from itertools import chain

from gatework.errors import InputError

# The longest first: UTF-32's little-endian mark begins with UTF-16's.
MARKS = {
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
LONGEST = max(map(len, MARKS))
LATIN, UTF_16 = "latin-1 or cp1252 (--encoding latin-1)", "utf-16-le (--encoding utf-16-le)"
CONTINUES = 0b10  # the first two bits of a byte that goes on with a character


def encoding_of(start: bytes) -> tuple[str, int]:
    """The codec that a file's first bytes ask for, and how many of them do: UTF-8 and 0 without a byte order mark."""
    return next(((name, len(mark)) for mark, name in MARKS.items() if start.startswith(mark)), ("utf-8", 0))


def check_encoding(encoding: str) -> str:
    """An encoding of texts that Python knows; InputError for others."""
    try:
        known = codecs.lookup(encoding)._is_text_encoding
        "".encode(encoding)
    except (LookupError, ValueError, TypeError):
        known = False
    if not known:
        raise InputError(f"encoding is {encoding!r}: expected one such as utf-8, utf-16, latin-1 or cp1252")
    return encoding


def decoded(blocks: Iterable[bytes], name: str, encoding: str | None = None) -> Iterator[str]:
    """The characters of blocks of bytes, without a byte order mark.

    encoding: by default what the mark says, or UTF-8. Raises InputError, naming the file, for bytes of another one.
    """
    blocks = iter(blocks)
    start = next(blocks, b"")
    encoding = _chosen(start, name, encoding)
    decoder = codecs.getincrementaldecoder(encoding)()
    done, begun = 0, False
    for block in chain([start], blocks, [b""]):
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeError as error:
            raise InputError(_wrong(name, encoding, error, done + len(block))) from None
        done += len(block)
        yield text if begun else text.removeprefix("\ufeff")
        begun = begun or bool(text)


def _chosen(start: bytes, name: str, encoding: str | None) -> str:
    """The encoding of a text that begins with some bytes: the one given, or what its mark says, or UTF-8."""
    if encoding is not None:
        return check_encoding(encoding)
    marked, mark = encoding_of(start)
    if not mark and b"\0" in start[:4096]:
        raise InputError(f"{name} is not UTF-8, for it holds zero bytes: name its encoding, such as {UTF_16}")
    return marked


def _wrong(name: str, encoding: str, error: UnicodeError, end: int) -> str:
    """What is wrong with bytes that are not of an encoding; end: the offset of the end of those looked at."""
    here = ""
    if isinstance(error, UnicodeDecodeError):
        shown = error.object[error.start : error.end].hex(" ")
        here = f": bytes {shown} at offset {end - len(error.object) + error.start}"
    called = "UTF-8" if encoding.startswith("utf-8") else encoding
    return f"{name} is not {called}{here}; name its encoding, such as {LATIN}"


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
