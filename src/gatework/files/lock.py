"""A folder that one process alone writes to: a lock that ends with its process."""

import errno
import json
import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from gatework.errors import InputError
from gatework.files.writing import parse_object

try:
    import fcntl
except ImportError:  # Windows: nothing is locked there
    fcntl = None  # type: ignore[assignment]

NAME = ".lock"
_HOW = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}  # a share that has none: go on without
_MOST = 1000  # bytes that are read of who holds a lock


class Lock:
    """The lock of a folder, held from here to the end of the context; `folder` is to be set where the folder moves.

    It is the system's own on an open file, so that it ends with the process, however that ends. The file says who
    holds it, and is gone afterwards.

    Errors: InputError naming the process that holds it, where and since when; `doing` says what it does to what.
    """

    def __init__(self, folder: Path, doing: str) -> None:
        self.folder = folder
        try:
            self._file = _taken(folder / NAME, doing)
            os.ftruncate(self._file, 0)
            os.write(self._file, json.dumps(_myself()).encode())
        except OSError as error:
            raise InputError(f"cannot write {folder / NAME}: {error.strerror or error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Let others write to the folder; where it is gone, or the lock is another's by now, there is nothing to do."""
        with suppress(OSError):
            if _is_still(self.folder / NAME, self._file):
                (self.folder / NAME).unlink()
        os.close(self._file)


def refuse_locked(folder: Path, doing: str) -> None:
    """Refuse a folder whose lock another process has; only reads.

    Errors: InputError as of a `Lock`.
    """
    try:
        file = os.open(folder / NAME, _HOW)
    except OSError:  # there is no lock, or none that this process could take
        return
    try:
        _lock(file, doing)
    finally:
        os.close(file)


def _taken(path: Path, doing: str) -> int:
    """The open file with the lock; one that was removed by its former holder is tried again."""
    while True:
        file = os.open(path, _HOW | os.O_CREAT, 0o666)
        try:
            _lock(file, doing)
        except BaseException:
            os.close(file)
            raise
        if _is_still(path, file):
            return file
        os.close(file)


def _lock(file: int, doing: str) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(f"{doing} by {_holder(file)}: wait for it, stop it, or name another folder") from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise


def _is_still(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False


def _myself() -> dict[str, object]:
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}


def _holder(file: int) -> str:
    try:
        values = parse_object(os.pread(file, _MOST, 0))
        return f"process {values['pid']} on {values['host']}, since {values['since']}"
    except (ValueError, KeyError):  # it has only just begun
        return "another process"
