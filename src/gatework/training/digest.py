"""What the header of a checkpoint says of its content: that this is what was written. It needs no torch."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatework.errors import InputError
from gatework.training.progress import FORMAT


@dataclass(frozen=True)
class Content:
    """A tensor as a digest reads it: type as torch calls it ("torch.float32"), shape, bytes."""

    name: str
    type: str
    shape: tuple[int, ...]
    data: Any


def digest(progress: str, tensors: Iterable[Content]) -> str:
    """blake2b of the progress as JSON and of each tensor's name, type, shape and bytes, in the order of their names."""
    made = hashlib.blake2b(progress.encode(), digest_size=32)
    for tensor in tensors:
        made.update(f"\0{tensor.name}\0{tensor.type}\0{tensor.shape}\0".encode())
        made.update(tensor.data)
    return made.hexdigest()


def check_header(path: Path, header: Mapping[str, str], tensors: Iterable[Content]) -> None:
    """Raises InputError, naming the file, unless it is a checkpoint of this version whose content is what was written.

    tensors: those of the file, in the order of their names.
    """
    if not {"gatework", "progress", "digest"} <= header.keys():
        raise InputError(f"{path} is a safetensors file, but not a checkpoint that gatework wrote")
    if header["gatework"] != FORMAT:
        raise InputError(
            f"{path} is a {header['gatework']!r}, and this gatework reads {FORMAT!r}: use the version that wrote it"
        )
    if header["digest"] != digest(header["progress"], tensors):
        raise InputError(f"{path} is damaged: its content does not match its digest; use another checkpoint")
