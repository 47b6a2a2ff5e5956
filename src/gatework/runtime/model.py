"""A trained network with its weights, read from a run folder or from a file that `gatework export` wrote."""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from gatework.errors import InputError
from gatework.files.digest import digest
from gatework.files.reading import intact
from gatework.files.tensors import Tensors, as_bytes, as_float32, contents, read_tensors, tensors_of, type_of
from gatework.files.writing import parse_object, write_atomically
from gatework.network import Network
from gatework.network.checks import check_keys
from gatework.runtime.code import tensors_for_c
from gatework.runtime.packed import Array

FORMAT = "gatework model 1"
FLOATS = ("F32", "F16", "BF16", "F64")
TEXTS = frozenset({"format", "task", "network", "about"})
AGAIN = "; export it again"
DIGEST = "digest"  # of all texts and tensors; files of before have none
DATA = "data"  # how the names of arrays begin that are no weights


@dataclass(frozen=True)
class Model:
    """What was trained: its task, its network, the weights by name, and what else its run.json says.

    path: of the run folder or the file that it was read from. task: "language", "labels", "pairs", "series" or "layer".
    about: the rest of run.json. data: other arrays that its use needs, such as the histories that a forecast goes on
    from. source: the file that all of these are views of, where there is one.
    """

    path: Path
    task: str
    network: Network
    weights: Mapping[str, Array]
    about: Mapping[str, Any]
    data: Mapping[str, Any] = field(default_factory=dict)
    source: Tensors | None = None

    @classmethod
    def open(cls, path: str | Path) -> "Model":
        """Reads a run folder or a model's file; nothing in either is executed.

        Args:
            path: of the folder or the file.

        Returns:
            The model.

        Raises:
            InputError: where it is neither, or damaged; it names folder or file.
        """
        path = Path(path)
        if not path.is_dir():
            return _of_file(path)
        model: Model = import_module("gatework.runtime.folders").read(path)  # whose jobs a file does without
        return model.in_one_piece()

    def check_task(self, task: str, what: str) -> None:
        """Raises InputError unless it was trained for this task; what: what such a model is of."""
        if self.task != task:
            raise InputError(f"{self.path} is of task {self.task!r}; expected {task!r}, a model of {what}")

    def in_one_piece(self) -> "Model":
        """The same whose arrays are views of the file that it would write, so that they lie in memory once."""
        source = tensors_of(self.path, memoryview(self.file))
        weights = {name: source.arrays[name] for name in self.weights}
        made = replace(self, weights=weights, data=source.part(DATA), source=source)
        vars(made)["for_c"] = self.for_c
        return made

    def save(self, path: Path) -> None:
        """Writes it as one file, which `open` reads.

        Args:
            path: of the file; one that is there is replaced.

        Raises:
            InputError: a disk that is full or read-only; the file that was there is left as it was.
        """
        write_atomically(path, self.file)

    @cached_property
    def file(self) -> bytes | memoryview:
        """What its file has: the one that its arrays are views of, unless it would be written otherwise."""
        if self.source is not None and self._is_written_so(self.source):
            return self.source.content
        metadata = {
            "format": FORMAT,
            "task": self.task,
            "network": json.dumps(self.network.to_json()),
            "about": json.dumps(dict(self.about)),
        }
        data = {f"{DATA}.{name}": array for name, array in self.data.items()}
        return with_digest({**self.weights, **data, **self.for_c}, metadata)

    def _is_written_so(self, source: Tensors) -> bool:
        """Whether a file has what C reads, as this version writes it, and a digest."""
        read = source.arrays
        same = (name in read and np.array_equal(read[name], array) for name, array in self.for_c.items())
        return DIGEST in source.metadata and all(same) and all(source.types[name] == "F32" for name in self.weights)

    @cached_property
    def for_c(self) -> dict[str, Any]:
        """The tensors that C reads beside the weights, if it runs the network."""
        with self.intact():
            tokens = self._spelled()
            return tensors_for_c(self.network, {name: each.shape for name, each in self.weights.items()}, tokens)

    def intact(self) -> AbstractContextManager[None]:
        """Guards code that reads from the model.

        Returns:
            A context in which what does not fit is an InputError that calls what this was read from damaged.
        """
        return intact(self.path, "" if self.path.is_dir() else AGAIN)

    def _spelled(self) -> list[bytes]:
        """What each token of a language model spells, for C: see gatework.text.data.vocabulary."""
        vocabulary = self.about.get("vocabulary")
        if vocabulary is None:
            return []
        if vocabulary["level"] == "byte":
            return [bytes([token]) for token in range(256)]
        return [token.encode() for token in vocabulary["tokens"]]


def _of_file(path: Path) -> Model:
    if not path.exists():
        raise InputError(f"{path} does not exist: expected the folder of a run, or a file that gatework export wrote")
    tensors = read_tensors(path, mapped=True, what="model")
    if tensors.metadata.get("format") != FORMAT:
        raise InputError(f"{path} is no model that this gatework reads: expected format {FORMAT!r}")
    with intact(path, AGAIN):
        check_keys("its header", tensors.metadata.keys(), TEXTS, TEXTS | {DIGEST})
        network = Network.from_json(parse_object(tensors.metadata["network"]))
        about = parse_object(tensors.metadata["about"])
        task = tensors.metadata["task"]
    _check_digest(tensors)
    floats = (name for name, kind in tensors.types.items() if kind in FLOATS)
    weights = as_float32(tensors, {name: name for name in floats if not name.startswith(f"{DATA}.")})
    with intact(path, AGAIN):
        check_shapes(network, weights)
        check_finite(network, weights)
    return Model(path, task, network, weights, about, tensors.part(DATA), tensors)


def with_digest(arrays: Mapping[str, Any], texts: Mapping[str, str]) -> bytes:
    """A model's file of these tensors and texts, with a digest of both."""
    types = {name: type_of(array) for name, array in arrays.items()}
    return as_bytes(arrays, {**texts, DIGEST: _digest(texts, arrays, types)})


def _digest(texts: Mapping[str, str], arrays: Mapping[str, Any], types: Mapping[str, str]) -> str:
    """Of the texts and tensors of a file."""
    return digest(json.dumps(dict(texts), sort_keys=True), contents(arrays, types))


def _check_digest(tensors: Tensors) -> None:
    """Raises InputError unless a file's content is what was written; one without a digest is from before these were."""
    texts = dict(tensors.metadata)
    written = texts.pop(DIGEST, None)
    if written not in (None, _digest(texts, tensors.arrays, tensors.types)):
        raise InputError(f"{tensors.path} is damaged: its content does not match its digest; export it again")


def check_shapes(network: Network, weights: Mapping[str, Array]) -> None:
    """Raises ValueError where a weight of a network is missing or has another shape."""
    if missing := sorted(network.weights - weights.keys()):
        raise ValueError(f"it lacks {missing[0]}")
    for name, shape in network.shapes.items():
        there = weights[name].shape
        if there != shape:
            raise ValueError(f"{name} has shape {list(there)}, and the model needs {list(shape)}")


def check_finite(network: Network, weights: Mapping[str, Array]) -> None:
    """Raises ValueError where a weight of a network holds what is no number."""
    for name, values in weights.items():
        if name in network.starts:  # where a state may start at infinity
            continue
        if not np.isfinite(values).all():
            raise ValueError(f"{name} holds {values[~np.isfinite(values)].flat[0]}")
