"""Writing files so that a reader finds the whole old one or the whole new one."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from gatework.errors import InputError
from gatework.files.reading import whole

MOST_JSON = 1 << 28  # bytes: more than a vocabulary of a million words, or ten thousands of series, take


def write_atomically(path: Path, data: bytes | memoryview) -> None:
    """Write `data` aside, bring it to the disk and rename it to `path`.

    Errors: InputError in one line for a full or read-only disk; the file that was there is left as it was.
    """
    try:
        write_aside(path.with_name(f".{path.name}.new"), path, data)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror or error}; what was there before is unchanged"
        ) from error


def write_aside(aside: Path, path: Path, data: bytes | memoryview, mode: int = 0o666) -> None:
    """As `write_atomically`, by a file of this name and these permissions; raises OSError as it comes."""
    try:
        _write_synced(aside, data, mode)
        aside.replace(path)
        _sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):  # nor is anything removed from a read-only disk
            aside.unlink()
        raise


def _write_synced(path: Path, data: bytes | memoryview, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), mode)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Bring a rename to the disk, where folders can be opened and synced (not on Windows, nor on every share)."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, if it is not there; InputError if that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {path}: {error.strerror or error}") from error


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write a JSON object atomically, one key a line.

    Errors: InputError if the disk refuses; ValueError for a number that JSON does not have (nan, inf).
    """
    write_atomically(path, (json.dumps(values, indent=2, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read the JSON object that `write_json` wrote.

    Errors: InputError naming the file: missing, unreadable, too large, not UTF-8, not JSON, not an object.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist: is {path.parent} the folder of a run?")
    if path.is_fifo():
        raise InputError(f"{path} is damaged: it is a pipe, and a file is expected")
    data = whole(path, MOST_JSON)
    try:
        return parse_object(data)
    except ValueError as error:
        raise InputError(f"{path} is damaged: {error}") from error


def parse_object(data: bytes | str) -> dict[str, Any]:
    """The JSON object in `data`; ValueError, in one line, for anything else."""
    try:
        values = json.loads(data, parse_constant=_refuse)
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from error
    except RecursionError:
        raise ValueError("not JSON that gatework wrote: nested too deeply") from None
    if not isinstance(values, dict):
        raise ValueError(f"a JSON object is expected, not a {type(values).__name__}")
    return values


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")
