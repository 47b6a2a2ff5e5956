"""A digest of texts and tensors, which says that a file's content is what was written. It needs no torch."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Content:
    """A tensor as a digest reads it: what the file calls its type, its shape, its bytes."""

    name: str
    type: str
    shape: tuple[int, ...]
    data: Any


def digest(text: str, tensors: Iterable[Content]) -> str:
    """blake2b of a text and of each tensor's name, type, shape and bytes, in the order of their names."""
    from hashlib import blake2b  # noqa: PLC0415, slow to import, and what imports this may open no file

    made = blake2b(text.encode(), digest_size=32)
    for tensor in tensors:
        made.update(f"\0{tensor.name}\0{tensor.type}\0{tensor.shape}\0".encode())
        made.update(tensor.data)
    return made.hexdigest()
