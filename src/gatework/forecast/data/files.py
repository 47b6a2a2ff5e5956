"""Files as people keep them, packed by gzip or zip and in any encoding, to lines of text, within bounds."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from gatework.errors import InputError
from gatework.files.encoding import decoded
from gatework.files.parquet import is_parquet
from gatework.files.reading import BLOCK, blamed

GZIP, SPREADSHEET = b"\x1f\x8b", b"\xd0\xcf\x11\xe0"
ZIP = (b"PK\x03\x04", b"PK\x05\x06")  # the latter where it is empty
LONGEST = 1 << 24  # characters of a line
UNPACKED, RATIO = 1 << 30, 100  # bytes that may come of any packed file, and of each of its bytes, where there are more
BOOKS = ("xl/workbook.xml", "xl/workbook.bin", "content.xml")  # inside a spreadsheet that is a zip archive


@dataclass(frozen=True)
class Stored:
    """A file under the name that messages give it."""

    path: Path
    name: str

    @property
    def kind(self) -> str:
        """ "parquet", "spreadsheet" or "text"; the last may be packed."""
        if is_parquet(self.path, self.name):
            return "parquet"
        with blamed("read", self.name), self.path.open("rb") as file:
            start = file.read(4)
        return "spreadsheet" if start == SPREADSHEET or (start in ZIP and self._is_book()) else "text"

    def _is_book(self) -> bool:
        with _damage_named(self.name), zipfile.ZipFile(self.path) as archive:
            return any(name in BOOKS for name in archive.namelist())

    def lines(self, encoding: str | None = None) -> Iterator[str]:
        """The lines of a text, each with its end, read as they are needed; unpacked where the file is packed.

        encoding: of the characters; by default what a byte order mark says, or UTF-8. Raises InputError, naming the
        file, for damage, bytes of another encoding, a line of more than 16 million characters, and a packed file that
        holds a hundred times its size.
        """
        with ExitStack() as stack:
            blocks = self._blocks(stack)
            yield from _lines_of(decoded(blocks, self.name, encoding), self.name)

    def _blocks(self, stack: ExitStack) -> Iterator[bytes]:
        with blamed("read", self.name):
            file = stack.enter_context(self.path.open("rb"))
            size = self.path.stat().st_size
        start = file.read(4)
        file.seek(0)
        if start in ZIP:
            return self._unpacked(stack.enter_context(_only_member(file, self.name, stack)), size)
        if start.startswith(GZIP):
            return self._unpacked(cast(IO[bytes], gzip.GzipFile(fileobj=file)), size)
        return self._read(file)

    def _read(self, stream: IO[bytes]) -> Iterator[bytes]:
        while True:
            with blamed("read", self.name), _damage_named(self.name):
                block = stream.read(BLOCK)
            if not block:
                return
            yield block

    def _unpacked(self, stream: IO[bytes], packed: int) -> Iterator[bytes]:
        total = 0
        for block in self._read(stream):
            total += len(block)
            if total > max(UNPACKED, RATIO * packed):
                raise InputError(
                    f"{self.name} holds more than {RATIO} times its {packed:,} bytes: unpack it yourself, should it be "
                    "what it seems to be"
                )
            yield block


@contextmanager
def _damage_named(name: str) -> Iterator[None]:
    """Turns what a packed file may be damaged by into an InputError that names the file."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{name} is damaged, or locked: {error}; unpack it yourself") from error


def _only_member(file: IO[bytes], name: str, stack: ExitStack) -> IO[bytes]:
    """The one file that an archive holds, opened."""
    with _damage_named(name):
        archive = stack.enter_context(zipfile.ZipFile(file))
        members = [
            each
            for each in archive.infolist()
            if not each.is_dir() and not any(part.startswith((".", "__MACOSX")) for part in Path(each.filename).parts)
        ]
        if len(members) != 1:
            few = ", ".join(repr(each.filename[:80]) for each in members[:3]) + (", ..." if len(members) > 3 else "")
            raise InputError(f"{name} holds {len(members):,} files{f', {few}' if members else ''}: expected one table")
        return archive.open(members[0])


def _lines_of(texts: Iterable[str], name: str) -> Iterator[str]:
    """The lines of a text that comes in pieces, each with its end: \\n, \\r\\n or \\r."""
    rest = ""
    for text in texts:
        *whole, rest = io.StringIO(rest + text, newline="") if rest or text else ("",)
        if len(rest) > LONGEST:
            raise InputError(f"{name} has a line of more than {LONGEST:,} characters: expected a row for each time")
        yield from whole
    if rest:
        yield rest
