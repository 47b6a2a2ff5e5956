"""One file per checkpoint: tensors as safetensors, the progress as JSON in its header, a digest over both."""

import json
from collections.abc import Container, Iterator, Mapping, Set
from dataclasses import asdict, dataclass
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from gatework.errors import InputError
from gatework.files.digest import Content, digest
from gatework.files.writing import parse_object, write_atomically
from gatework.training.digest import check_header
from gatework.training.progress import FORMAT, Progress, few


@dataclass(frozen=True)
class Checkpoint:
    """What one file holds: tensors by name (`model.*`, `optimizer.*`, `state.*`), and the progress."""

    path: Path
    tensors: dict[str, Tensor]
    progress: Progress

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin with `prefix.`, without it."""
        return {
            name.removeprefix(f"{prefix}."): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(f"{prefix}.")
        }


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], progress: Progress) -> None:
    """Write a checkpoint atomically: a process killed at any moment leaves the old file or the new one.

    Errors: InputError if the disk refuses; the old file is unchanged.
    """
    # Each tensor gets memory of its own: tied weights and views of one block are allowed in a model, not in a file.
    copies = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    text = json.dumps(asdict(progress), allow_nan=False)
    header = {"gatework": FORMAT, "progress": text, "digest": digest(text, _content(copies))}
    write_atomically(path, safetensors.torch.save(copies, header))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint and check it against its digest; nothing in the file is ever executed.

    Errors: InputError naming the file and what is wrong: missing, truncated, altered, foreign, of another version.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist: there is no checkpoint of a run in {path.parent}")
    try:
        header, tensors = _read(path)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except SafetensorError as error:
        raise InputError(f"{path} is damaged or no checkpoint: not a whole safetensors file ({error})") from error
    check_header(path, header, _content(tensors))
    try:
        progress = Progress.from_dict(parse_object(header["progress"]))
    except ValueError as error:
        raise InputError(f"{path} is damaged: {error}") from error
    return Checkpoint(path, tensors, progress)


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    with safe_open(path, framework="pt", device="cpu") as file:
        header = file.metadata() or {}
        # Copies, because the file behind the mapping may be replaced or shortened later.
        return header, {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118


def _content(tensors: Mapping[str, Tensor]) -> Iterator[Content]:
    """Tensors as a digest reads them."""
    for name in sorted(tensors):
        tensor = tensors[name]
        data = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data
        yield Content(name, str(tensor.dtype), tuple(tensor.shape), data)


def load_weights(path: Path, model: torch.nn.Module) -> Progress:
    """Put a checkpoint's weights into `model` and return its progress: all that using a trained model needs.

    Errors: InputError naming the file and what `check_tensors` refuses.
    """
    checkpoint = load_checkpoint(path)
    put_weights(checkpoint, model)
    return checkpoint.progress


def put_weights(checkpoint: Checkpoint, model: torch.nn.Module) -> None:
    """The same of a checkpoint that was read."""
    weights = checkpoint.part("model")
    check_tensors(checkpoint.path, weights, model.state_dict(), free=dict(model.named_buffers()))
    model.load_state_dict(weights)


def check_tensors(
    path: Path, tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor], free: Container[str] = ()
) -> None:
    """Raises InputError unless tensors are those wanted, by name, shape and type, and all their values finite.

    free: names of those that may hold any value: a buffer may have its reasons for an inf.
    """
    _check_names(path, tensors.keys(), wanted.keys())
    for name, tensor in tensors.items():
        _check_same(path, f"{name} has shape", list(tensor.shape), list(wanted[name].shape))
        _check_same(path, f"{name} is of type", _type(tensor), _type(wanted[name]))
        if name not in free and not bool((finite := torch.isfinite(tensor)).all()):
            raise InputError(f"{path} is damaged: {name} holds {tensor[~finite][0].item()}; use another checkpoint")


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def check_shapes(path: Path, model: torch.nn.Module) -> None:
    """Refuse a model of other names and shapes than a checkpoint's: one built on "meta", before one takes memory.

    Errors: InputError as of `load_weights`. What cannot be read, or is no checkpoint, is left to who loads it.
    """
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            if (file.metadata() or {}).get("gatework") != FORMAT:
                return
            shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError):
        return
    saved = {name.removeprefix("model."): shape for name, shape in shapes.items() if name.startswith("model.")}
    wanted = model.state_dict()
    _check_names(path, saved.keys(), wanted.keys())
    for name, shape in saved.items():
        _check_same(path, f"{name} has shape", shape, list(wanted[name].shape))


def _check_names(path: Path, present: Set[str], wanted: Set[str]) -> None:
    if missing := wanted - present:
        raise InputError(f"{path} does not fit this model: it lacks {few(missing)}")
    if surplus := present - wanted:
        raise InputError(f"{path} does not fit this model: it holds {few(surplus)}, which the model has not")


def _check_same(path: Path, what: str, present: object, needed: object) -> None:
    if present != needed:
        raise InputError(f"{path} does not fit this model: {what} {present}, and the model needs {needed}")
