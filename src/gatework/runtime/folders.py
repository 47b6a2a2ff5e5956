"""Run folders: the network of a run, and the weights of its checkpoint."""

import hashlib
from importlib import import_module
from pathlib import Path

import numpy as np

from gatework.errors import InputError
from gatework.files.tensors import Tensors, as_float32, read_tensors
from gatework.network import Network
from gatework.runs.folder import read_description
from gatework.runtime.model import Model, checked
from gatework.training.progress import BEST, FORMAT, LAST

DESCRIPTIONS = {"language": "gatework.text.description", "labels": "gatework.labels.description"}  # by task, each alone


def read(folder: Path) -> Model:
    """The trained model of a run: its best weights, or the last where none were evaluated.

    Raises InputError, naming folder or file, where it is no such run, or damaged.
    """
    about = read_description(folder)
    task = str(about.get("task"))
    if task not in DESCRIPTIONS:
        known = ", ".join(DESCRIPTIONS)
        raise InputError(
            f"{folder} is a run of task {task!r}; expected {known}: others are opened with torch, by gw.load"
        )
    network: Network = import_module(DESCRIPTIONS[task]).network_of(folder, about)
    best = folder / BEST
    tensors = read_tensors(best if best.exists() else folder / LAST, what="checkpoint")
    _check_digest(tensors)
    weights = as_float32(tensors, {name: f"model.{name}" for name in tensors.part("model")})
    return Model(folder, task, network, checked(tensors.path, network, weights), about)


def _check_digest(tensors: Tensors) -> None:
    """Raises InputError unless a checkpoint's content is what was written: see gatework.training.checkpoint."""
    path, header = tensors.path, tensors.metadata
    if not {"gatework", "progress", "digest"} <= header.keys():
        raise InputError(f"{path} is a safetensors file, but not a checkpoint that gatework wrote")
    if header["gatework"] != FORMAT:
        raise InputError(
            f"{path} is a {header['gatework']!r}, and this gatework reads {FORMAT!r}: use the version that wrote it"
        )
    digest = hashlib.blake2b(header["progress"].encode(), digest_size=32)
    for name in sorted(tensors.arrays):
        array = tensors.arrays[name]
        digest.update(f"\0{name}\0torch.{_TORCH.get(tensors.types[name])}\0{array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    if header["digest"] != digest.hexdigest():
        raise InputError(f"{path} is damaged: its content does not match its digest; use another checkpoint")


_TORCH = {
    "F32": "float32",
    "F64": "float64",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "U8": "uint8",
    "BOOL": "bool",
}
