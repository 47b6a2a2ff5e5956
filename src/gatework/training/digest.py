"""What the header of a checkpoint says of its content: that this is what was written. It needs no torch."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from gatework.errors import InputError
from gatework.files.digest import Content, digest
from gatework.training.progress import FORMAT


def check_header(path: Path, header: Mapping[str, str], tensors: Iterable[Content]) -> None:
    """Raises InputError, naming the file, unless it is a checkpoint of this version whose content is what was written.

    tensors: those of the file, in the order of their names, types as torch calls them ("torch.float32").
    """
    if not {"gatework", "progress", "digest"} <= header.keys():
        raise InputError(f"{path} is a safetensors file, but not a checkpoint that gatework wrote")
    if header["gatework"] != FORMAT:
        raise InputError(
            f"{path} is a {header['gatework']!r}, and this gatework reads {FORMAT!r}: use the version that wrote it"
        )
    if header["digest"] != digest(header["progress"], tensors):
        raise InputError(f"{path} is damaged: its content does not match its digest; use another checkpoint")
