"""Kernels from their text: a module in the user's private cache, by the hash of what it says.

Triton reads a kernel's source from a file. What lies there is compared with the text before it is imported, so that
nothing else ever runs.
"""

import hashlib
from functools import lru_cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from tempfile import mkdtemp
from types import ModuleType

from gatework.engines.triton.private import private_folder, write_privately
from gatework.engines.triton.source.pointwise import HEADER


def interpreting() -> bool:
    """Whether Triton interprets kernels, on the CPU, instead of compiling them."""
    return bool(import_module("triton").knobs.runtime.interpret)


def load(text: str) -> ModuleType:
    """The module of a text of kernels, with what they all use before it.

    Raises InputError where the cache may be written by others.
    """
    return _load(text, interpreting())


@lru_cache(maxsize=1024)
def _load(text: str, interpreted: bool) -> ModuleType:  # noqa: ARG001 (triton asks as it makes a kernel)
    whole = (HEADER + text).encode()
    name = f"kernels_{hashlib.sha256(whole).hexdigest()[:32]}"
    path = _written(f"{name}.py", whole)
    spec = spec_from_file_location(f"gatework_{name}", path)
    assert spec is not None
    module = module_from_spec(spec)
    exec(compile(whole, str(path), "exec"), module.__dict__)  # the text itself, whatever the file becomes
    return module


def _written(name: str, data: bytes) -> Path:
    """A file with this in it: that in the cache, or where none can be written one of this process alone."""
    try:
        path = private_folder() / name
        if not (path.is_file() and path.read_bytes() == data):
            write_privately(path, data)
    except OSError:
        path = Path(mkdtemp(prefix="gatework-")) / name
        write_privately(path, data)
    return path
