"""A trained network with its weights, read from a run folder or from a file that `gatework export` wrote."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gatework.errors import InputError
from gatework.files.tensors import Tensors, as_bytes, as_float32, read_tensors
from gatework.files.writing import parse_object, write_atomically
from gatework.network import Network
from gatework.runs.folder import read_description
from gatework.runtime.code import tensors_for_c
from gatework.runtime.packed import Array
from gatework.text import description as text
from gatework.text.data.vocabulary import Vocabulary
from gatework.training.progress import BEST, LAST

FORMAT = "gatework model 1"
FLOATS = ("F32", "F16", "BF16", "F64")
CHECKPOINT = "checkpoint 1"  # as gatework.training.checkpoint writes them


@dataclass(frozen=True)
class Model:
    """What was trained: its task, its network, the weights by name, and what else its run.json says."""

    path: Path
    task: str
    network: Network
    weights: Mapping[str, Array]
    about: Mapping[str, Any]

    @classmethod
    def open(cls, path: str | Path) -> "Model":
        """Reads a run folder or a model's file; nothing in either is executed.

        Raises InputError, naming folder or file, where it is neither, or damaged.
        """
        path = Path(path)
        return _of_folder(path) if path.is_dir() else _of_file(path)

    def save(self, path: Path) -> None:
        """Writes it as one file, which `open` reads."""
        write_atomically(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        """What the file has."""
        metadata = {
            "format": FORMAT,
            "task": self.task,
            "network": json.dumps(self.network.to_json()),
            "about": json.dumps(dict(self.about)),
        }
        return as_bytes({**self.weights, **self.for_c()}, metadata)

    def for_c(self) -> dict[str, Any]:
        """The tensors that C reads beside the weights, if it runs the network."""
        return tensors_for_c(self.network, {name: each.shape for name, each in self.weights.items()}, self._spelled())

    def _spelled(self) -> list[bytes]:
        """What each token of a language model spells, for C."""
        if self.task != text.TASK:
            return []
        vocabulary = Vocabulary.from_json(self.about["vocabulary"])
        if vocabulary.level == "byte":
            return [bytes([token]) for token in range(len(vocabulary))]
        return [token.encode() for token in vocabulary.tokens]


_NETWORKS: Mapping[str, Callable[[Path, Mapping[str, Any]], Network]] = {text.TASK: text.network_of}


def _of_folder(folder: Path) -> Model:
    about = read_description(folder)
    task = str(about.get("task"))
    if task not in _NETWORKS:
        raise InputError(f"{folder} is a run of task {task!r}; without torch runs of {', '.join(_NETWORKS)} are opened")
    network = _NETWORKS[task](folder, about)
    best = folder / BEST
    tensors = read_tensors(best if best.exists() else folder / LAST)
    _check_digest(tensors)
    weights = as_float32(tensors, {name: f"model.{name}" for name in tensors.part("model")})
    return Model(folder, task, network, _checked(tensors.path, network, weights), about)


def _of_file(path: Path) -> Model:
    if not path.exists():
        raise InputError(f"{path} does not exist: expected the folder of a run, or a file that gatework export wrote")
    tensors = read_tensors(path, mapped=True)
    if tensors.metadata.get("format") != FORMAT:
        raise InputError(f"{path} is no model that this gatework reads: expected format {FORMAT!r}")
    try:
        network = Network.from_json(parse_object(tensors.metadata["network"]))
        about = parse_object(tensors.metadata["about"])
        task = tensors.metadata["task"]
    except (KeyError, ValueError) as error:
        raise InputError(f"{path} is damaged: {error}") from error
    weights = as_float32(tensors, {name: name for name in tensors.arrays if tensors.types[name] in FLOATS})
    return Model(path, task, network, _checked(path, network, weights), about)


def _checked(path: Path, network: Network, weights: dict[str, Array]) -> dict[str, Array]:
    """The weights of a network; raises InputError where one is missing or has another shape, or holds no numbers."""
    for name, shape in network.shapes.items():
        if name not in weights:
            raise InputError(f"{path} is damaged, or not of this network: {name} is missing")
        if weights[name].shape != shape:
            there = list(weights[name].shape)
            raise InputError(f"{path} is damaged, or not of this network: {name} has shape {there}, not {list(shape)}")
    for name, values in weights.items():
        if name in network.starts:  # where a state may start at infinity
            continue
        if not np.isfinite(values).all():
            worst = values[~np.isfinite(values)].flat[0]
            raise InputError(f"{path} is damaged: {name} holds {worst}; use another checkpoint")
    return weights


def _check_digest(tensors: Tensors) -> None:
    """Raises InputError unless a checkpoint's content is what was written: see gatework.training.checkpoint."""
    path, header = tensors.path, tensors.metadata
    if header.get("gatework") != CHECKPOINT:
        raise InputError(f"{path} is a {header.get('gatework')!r}, and this gatework reads {CHECKPOINT!r}")
    digest = hashlib.blake2b(header.get("progress", "").encode(), digest_size=32)
    for name in sorted(tensors.arrays):
        array = tensors.arrays[name]
        digest.update(f"\0{name}\0torch.{_TORCH.get(tensors.types[name])}\0{array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    if header.get("digest") != digest.hexdigest():
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
