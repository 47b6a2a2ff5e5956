"""Files, directories and standard input to blocks of bytes or characters."""

from __future__ import annotations

import codecs
import io
import json
import os
import re
import shlex
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path
from typing import IO, Any

from gatework.errors import InputError
from gatework.files.encoding import LONGEST, encoding_of, is_text

BLOCK = 1 << 20  # bytes read at a time
LINE = 1 << 28  # characters of a line that is read as a whole
SMALL = 1 << 26  # bytes that a pipe may hold whatever room the disk has
RESERVE = 1 << 30  # bytes that the copy of a pipe leaves free on the disk
STDIN = "-"
STDIN_NAME = "standard input"  # in errors
ARRAY = re.compile(r'\s*\[\s*(\{(?=\s*")|\[)')  # how an array of objects or of arrays begins, in JSON
DIGEST = 32  # hexadecimal digits
RECODE = "convert it to UTF-8"
RECODE_OR_LEAVE = f"{RECODE}, leave it out (--exclude), or read it with --level byte"

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Source:
    """One file to read, under the `name` that errors give it; `size` in bytes."""

    path: Path
    name: str
    size: int

    def blocks(self, size: int = BLOCK, advance: Advance | None = None, begin: int = 0) -> Iterator[bytes]:
        """Yield the bytes from `begin` on, at most `size` at a time; `advance` receives the length of each block."""
        with blamed("read", self.name):
            file = self.path.open("rb")
            file.seek(begin)
        if advance is not None and begin:
            advance(begin)
        with file:
            while True:
                with blamed("read", self.name):
                    block = file.read(size)
                if not block:
                    return
                yield block
                if advance is not None:
                    advance(len(block))

    def text(self, size: int = BLOCK, advance: Advance | None = None, remedy: str = RECODE_OR_LEAVE) -> Iterator[str]:
        """Yield the characters, newlines as they are; InputError, with a remedy, at the first byte not UTF-8.

        A byte order mark is no character: it says that the file is UTF-8, UTF-16 or UTF-32.
        """
        encoding, done = self.encoding
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            for block in self.blocks(size, advance, done):
                pending = len(decoder.getstate()[0])  # a character cut by the block before
                yield decoder.decode(block)
                done += len(block)
            pending = len(decoder.getstate()[0])
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            shown = error.object[error.start : error.end].hex(" ")
            offset = done - pending + error.start
            raise InputError(
                f"{self.name} is not {encoding.upper()}: bytes {shown} at offset {offset}; {remedy}"
            ) from None

    @property
    def encoding(self) -> tuple[str, int]:
        """The codec that its byte order mark asks for, UTF-8 without one, and the length of the mark."""
        return encoding_of(next(self.blocks(LONGEST), b""))

    def utf8(self, size: int = BLOCK, advance: Advance | None = None) -> Iterator[bytes]:
        """Yield the bytes as they are, but for a byte order mark; what one says to be UTF-16 or UTF-32, as UTF-8."""
        encoding, mark = self.encoding
        marked = bool(mark) and is_text(self.blocks(size, begin=mark), encoding)
        if marked and encoding != "utf-8":
            yield from (text.encode() for text in self.text(size, advance))
        else:
            yield from self.blocks(size, advance, begin=mark if marked else 0)

    def lines(self, size: int = BLOCK, advance: Advance | None = None, remedy: str = RECODE_OR_LEAVE) -> Iterator[str]:
        """The lines without their ends."""
        return lines_of(self.text(size, advance, remedy), self.name)

    def records(
        self, expected: str, size: int = BLOCK, advance: Advance | None = None
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """The JSON objects of a file that has one a line (JSONL): see `records_of`."""
        return records_of(self.text(size, advance, RECODE), self.name, expected)


def records_of(texts: Iterable[str], name: str, expected: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the JSON objects of a text that has one a line and comes in pieces, each with its place, for errors.

    expected: how an error says what a line should be. Raises InputError for one that is no object.
    """
    pieces = iter(texts)
    first = next(pieces, "")
    refuse_array(first, name)
    for number, line in enumerate(lines_of(chain([first], pieces), name), 1):
        if line.strip():
            place = f"{name}, line {number:,}"
            yield place, _record(line, place, expected)


def refuse_array(start: str, name: str, names: Sequence[str] = ()) -> None:
    """Raises InputError, with what makes lines of it, for a text that is one array of objects.

    start: the first characters of the text. names: of the values of each row where these are arrays too; without any
    such a text may be something else.
    """
    begins = ARRAY.match(start)
    if begins is None or (begins[1] == "[" and not names):
        return
    made = f" | {{{', '.join(f'{each}: .[{k}]' for k, each in enumerate(names))}}}" if begins[1] == "[" else ""
    file = "FILE" if name == STDIN_NAME else shlex.quote(name)
    raise InputError(f"{name} is one array; expected an object a line: jq -c '.[]{made}' {file} > rows.jsonl")


def lines_of(texts: Iterable[str], name: str) -> Iterator[str]:
    """Yield the lines without their ends; a line cut by a piece's end comes whole."""
    pieces: list[str] = []
    for text in texts:
        first, *others = text.split("\n")
        pieces.append(first)
        if others:
            yield "".join(pieces)
            yield from others[:-1]
            pieces = others[-1:]
        if sum(map(len, pieces)) > LINE:
            raise InputError(f"{name} has a line of more than {LINE:,} characters: expected shorter ones")
    if last := "".join(pieces):
        yield last


Mark = dict[str, Any]  # of a file as it was read: its "path", "size" in bytes, "mtime" in nanoseconds, "digest"


def marks(files: Iterable[Source]) -> list[Mark]:
    """What tells later whether the files are still what they were; pipes, which are gone then, have none."""
    return [_mark(source.path) for source in files if source.name == str(source.path)]


def marks_of(path: str | Path) -> list[Mark]:
    """The same of one path; none of what is no file."""
    return [_mark(Path(path))] if str(path) != STDIN and Path(path).is_file() else []


def changed(before: Iterable[Mark]) -> list[str]:
    """The paths of those files that are no longer what they were, or no longer there."""
    return [mark["path"] for mark in before if not _is_still(mark)]


def _mark(path: Path) -> Mark:
    with blamed("read", path):
        status = path.stat()
        return {
            "path": str(path.absolute()),
            "size": status.st_size,
            "mtime": status.st_mtime_ns,
            "digest": _digest(path),
        }


def _is_still(mark: Mark) -> bool:
    path = Path(mark["path"])
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size != mark["size"]:
            return False
        return bool(status.st_mtime_ns == mark["mtime"] or _digest(path) == mark["digest"])
    except OSError:
        return False


def _digest(path: Path) -> str:
    import hashlib  # noqa: PLC0415, slow to import, and most of what reads files needs none

    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:DIGEST]


def check_marks(values: Any) -> tuple[Mark, ...]:
    """Marks as they come from JSON; ValueError for anything else."""
    kinds = {"path": str, "size": int, "mtime": int, "digest": str}
    for mark in values:
        if not isinstance(mark, dict) or {name: type(value) for name, value in mark.items()} != kinds:
            raise ValueError("the files it was made from are not described as gatework does it")
    return tuple(values)


@contextmanager
def sources(
    paths: str | Path | Iterable[str | Path], suffixes: Sequence[str] = (), exclude: Sequence[str] = ()
) -> Iterator[list[Source]]:
    """Find the files to read, in a fixed order, for as long as the context lasts.

    paths: files, directories (read recursively, sorted by name; hidden and broken entries are skipped) and
        "-" for standard input. Pipes and standard input are spooled to a temporary file, since a text is
        read twice. A file reached twice is read once, so that held-out text is not also trained on.
    suffixes: which files of a directory to read, (".py",) or ("py",); default all. A file named by itself
        is read whatever its suffix.
    exclude: names of files and folders inside a directory to leave out, with * and ? as in a shell.

    Raises InputError for a missing path and for a directory without a matching file.
    """
    listed = [paths] if isinstance(paths, str | Path) else list(paths)
    if not listed:
        raise InputError('no text was given: name a file, a directory, or "-" for standard input')
    suffixes = tuple("." + suffix.lower().removeprefix(".") for suffix in suffixes)
    with ExitStack() as stack:
        by_path: dict[Path, Source] = {}
        for path in dict.fromkeys(listed):  # standard input, too, is read once
            for source in _at(path, suffixes, exclude, stack):
                by_path.setdefault(source.path.resolve(), source)
        yield list(by_path.values())


@contextmanager
def blamed(action: str, name: str | Path) -> Iterator[None]:
    """Turn an OSError inside the context into an InputError that names the file."""
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot {action} {name}: {error.strerror or error}") from error


@contextmanager
def intact(path: Path, remedy: str = "") -> Iterator[None]:
    """Turn what goes wrong with a file's content inside the context into an InputError that calls the file damaged."""
    try:
        yield
    except KeyError as error:
        raise InputError(f"{path} is damaged: {error} is missing{remedy}") from error
    except (TypeError, AttributeError, ValueError, IndexError, RuntimeError, ArithmeticError) as error:
        raise InputError(f"{path} is damaged: {error}{remedy}") from error


def _record(line: str, place: str, expected: str) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{place} is not JSON: {error.msg} at column {error.colno}; expected {expected}") from None
    except (RecursionError, ValueError):
        raise InputError(f"{place} is too deep, or has a number too long, to be read; expected {expected}") from None
    if not isinstance(values, dict):
        raise InputError(f"{place} is {line.strip()[:40]}; expected {expected}")
    return values


def _at(path: str | Path, suffixes: tuple[str, ...], exclude: Sequence[str], stack: ExitStack) -> list[Source]:
    if str(path) == STDIN:
        return [_spooled(_stdin(), STDIN_NAME, stack)]
    path = Path(path)
    try:
        status = path.stat()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: give an existing file or directory") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    if stat.S_ISDIR(status.st_mode):
        return _inside(path, suffixes, exclude)
    if stat.S_ISREG(status.st_mode):
        return [Source(path, str(path), status.st_size)]
    _refuse_device(status.st_mode, str(path))
    with blamed("read", path), path.open("rb") as pipe:
        return [_spooled(pipe, str(path), stack)]


def _stdin() -> IO[bytes]:
    """Standard input, which a terminal may be, but no other device."""
    if sys.stdin is None:
        raise InputError("standard input is closed: name a file, or send one to standard input")
    with suppress(io.UnsupportedOperation):
        status = os.fstat(sys.stdin.fileno())
        if not sys.stdin.isatty():
            _refuse_device(status.st_mode, STDIN_NAME)
    return sys.stdin.buffer


def _refuse_device(mode: int, name: str) -> None:
    """Raises InputError for what may have no end, or is nothing to read, by the mode that `stat` gives."""
    kinds = {stat.S_IFCHR: "a device", stat.S_IFBLK: "a device", stat.S_IFSOCK: "a socket"}
    if kind := kinds.get(stat.S_IFMT(mode)):
        raise InputError(f"{name} is {kind}: expected a file, a directory or a pipe")


def whole(path: Path, most: int) -> bytes:
    """All bytes of a file or a pipe; InputError where it cannot be read, is a device, or has more than `most`."""
    with blamed("read", path):
        _refuse_device(path.stat().st_mode, str(path))
        with path.open("rb") as file:
            data = file.read(most + 1)
    if len(data) > most:
        raise InputError(f"{path} has more than {most:,} bytes: expected a smaller file")
    return data


def _inside(root: Path, suffixes: tuple[str, ...], exclude: Sequence[str]) -> list[Source]:
    files = sorted(_walk(root, exclude))
    matching = [path for path in files if not suffixes or path.name.lower().endswith(suffixes)]
    if not matching:
        raise InputError(_nothing_in(root, files, suffixes))
    with blamed("read", root):
        return [Source(path, str(path), path.stat().st_size) for path in matching]


def _walk(root: Path, exclude: Sequence[str]) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        raise InputError(f"cannot read directory {error.filename}: {error.strerror}") from error

    def left_out(name: str) -> bool:
        return name.startswith(".") or any(fnmatchcase(name, pattern) for pattern in exclude)

    for folder, folders, names in os.walk(root, onerror=unreadable):  # no links to directories: they may loop
        folders[:] = [name for name in folders if not left_out(name)]
        for name in names:
            path = Path(folder, name)
            if not left_out(name) and path.is_file():
                yield path


def _nothing_in(root: Path, files: list[Path], suffixes: tuple[str, ...]) -> str:
    if not files:
        return f"directory {root} holds no file to read (hidden and excluded files are skipped): give one with text"
    kinds = Counter(path.suffix or "none" for path in files).most_common(5)
    there = ", ".join(f"{kind} ({count:,})" for kind, count in kinds)
    return (
        f"directory {root} holds no file ending in {' or '.join(suffixes)}; the suffixes there are {there}: "
        "choose among these with --suffix"
    )


def _spooled(stream: IO[bytes], name: str, stack: ExitStack) -> Source:
    import shutil  # noqa: PLC0415, slow to import, as is the next, and files need no copies
    import tempfile  # noqa: PLC0415

    with blamed("keep a temporary copy of", name):
        copy = tempfile.NamedTemporaryFile(prefix="gatework-")  # noqa: SIM115, the stack closes it
        stack.enter_context(copy)
        while block := stream.read(BLOCK):
            copy.write(block)
            if copy.tell() > SMALL and shutil.disk_usage(copy.name).free < RESERVE:
                raise InputError(
                    f"{name} has no end after {copy.tell():,} bytes, and the disk of {tempfile.gettempdir()} has "
                    "hardly room for more: end it, or name a larger disk in TMPDIR"
                )
        copy.flush()
    return Source(Path(copy.name), name, copy.tell())
