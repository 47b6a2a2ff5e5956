"""A folder of the user's cache that nobody else can write: what lies there may be imported, or believed."""

import os
import stat
from pathlib import Path
from uuid import uuid4

from gatework.errors import InputError
from gatework.files.writing import write_aside


def private_folder() -> Path:
    """gatework/triton in $XDG_CACHE_HOME, ~/.cache by default, made where it is missing.

    Raises InputError for one that belongs to another user or that others may write.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "gatework" / "triton"
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise InputError(
            f"{folder} must be a folder of yours that no other user can write, since code is kept there: remove it, "
            "or let XDG_CACHE_HOME name another cache"
        )
    return folder


def write_privately(path: Path, data: bytes) -> None:
    """Writes a file whole or not at all, that nobody else can read or write; processes may write one at once."""
    write_aside(path.with_name(f".{uuid4().hex}.new"), path, data, 0o600)
