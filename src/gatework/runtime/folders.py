"""Run folders: the network of a run, and the weights of its checkpoint."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from gatework.errors import InputError
from gatework.files.digest import Content
from gatework.files.reading import intact
from gatework.files.tensors import Tensors, as_float32, contents, read_tensors
from gatework.network import Network
from gatework.runs.folder import read_description
from gatework.runtime.model import Model, check_finite, check_shapes
from gatework.training.digest import check_header
from gatework.training.progress import weights_of

DESCRIPTIONS = {  # by task, each imported alone
    "language": "gatework.text.description",
    "labels": "gatework.labels.description",
    "pairs": "gatework.pairs.network",
    "series": "gatework.forecast.run",
}


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
    described = import_module(DESCRIPTIONS[task])
    network: Network = described.network_of(folder, about)
    tensors = read_tensors(weights_of(folder), what="checkpoint")
    check_header(tensors.path, tensors.metadata, _content(tensors))
    weights = as_float32(tensors, {name: f"model.{name}" for name in tensors.part("model")})
    parts = getattr(described, "PARTS", ())  # of checkpoints, that a use needs beside the weights
    data = {name: array for name, array in tensors.arrays.items() if name.partition(".")[0] in parts}
    try:
        check_shapes(network, weights)
    except ValueError as error:
        raise InputError(f"{tensors.path} does not fit this model: {error}") from error
    with intact(tensors.path, "; use another checkpoint"):
        check_finite(network, weights)
    return Model(folder, task, network, weights, about, data)


def _content(tensors: Tensors) -> Iterator[Content]:
    """Tensors as the digest of a checkpoint reads them."""
    return contents(tensors.arrays, {name: f"torch.{_TORCH.get(kind)}" for name, kind in tensors.types.items()})


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
