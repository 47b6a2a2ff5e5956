"""Tensors by name in one file, safetensors, as numpy's arrays: read and written without torch.

A file is the length of its header (8 bytes, little-endian), the header as JSON, and the numbers. The header has for
each tensor its type, shape and place; and under `__metadata__` texts by name. The numbers follow one another without
gaps. Source: the format as https://huggingface.co/docs/safetensors describes it.
"""

import json
import math
import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError, shown
from gatework.files.digest import Content
from gatework.files.reading import blamed
from gatework.files.writing import parse_object

MOST_HEADER = 100_000_000  # bytes, as the format allows
ALIGNMENT = 8
METADATA = "__metadata__"
ENTRY = frozenset({"dtype", "shape", "data_offsets"})  # of each tensor
TYPES = {
    "BOOL": "?",
    "U8": "u1",
    "I8": "i1",
    "U16": "<u2",
    "I16": "<i2",
    "U32": "<u4",
    "I32": "<i4",
    "U64": "<u8",
    "I64": "<i8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
    "BF16": "<u2",  # which numpy has not: the upper halves of float32
}
_NAMES = {np.dtype(code).str.lstrip("<>|="): name for name, code in TYPES.items() if name != "BF16"}

Tensor = npt.NDArray[Any]


@dataclass(frozen=True)
class Tensors:
    """What a file has: texts by name, tensors by name, the type that the file calls each of them, and all its bytes."""

    path: Path
    metadata: Mapping[str, str]
    arrays: Mapping[str, Tensor]
    types: Mapping[str, str]
    content: memoryview

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin with `prefix.`, without it."""
        start = f"{prefix}."
        return {name.removeprefix(start): each for name, each in self.arrays.items() if name.startswith(start)}


def read_tensors(path: Path, *, mapped: bool = False, what: str = "file of tensors") -> Tensors:
    """Reads a file, and runs nothing of it.

    mapped: the arrays are read-only views of the file, which must not be changed while they are in use; otherwise they
    are copies. what: what an error says was expected. Raises InputError, naming the file, where it is damaged.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist, or is no file: expected a {what} (safetensors)")
    return tensors_of(path, _content(path, mapped), what)


def tensors_of(path: Path, data: memoryview, what: str = "file of tensors") -> Tensors:
    """The same of a file's content, of which the arrays are views."""
    try:
        return _parsed(path, data)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{path} is damaged or no {what}: not a whole safetensors file ({error})") from error


def _content(path: Path, mapped: bool) -> memoryview:
    with blamed("read", path), path.open("rb") as file:
        if mapped and path.stat().st_size:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        return memoryview(file.read())


def _parsed(path: Path, data: memoryview) -> Tensors:
    length = int.from_bytes(data[:8], "little") if len(data) >= 8 else MOST_HEADER + 1
    if length > min(MOST_HEADER, len(data) - 8):
        raise ValueError(f"it has {len(data)} bytes, and its header is said to have more")
    header = parse_object(bytes(data[8 : 8 + length]))
    metadata = header.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise ValueError("its metadata are not texts by name")
    for name, entry in header.items():
        if not isinstance(entry, dict) or entry.keys() != ENTRY or entry["dtype"] not in TYPES:
            raise ValueError(f"{name} has {shown(entry)}; expected {', '.join(sorted(ENTRY))} of a known type")
    numbers = data[8 + length :]
    _check_places(header, len(numbers))
    arrays = {name: _array(numbers, entry) for name, entry in header.items()}
    return Tensors(path, metadata, arrays, {name: entry["dtype"] for name, entry in header.items()}, data)


def _check_places(header: Mapping[str, Any], size: int) -> None:
    """Raises ValueError unless the tensors follow one another from the first byte to the last."""
    places = sorted((int(first), int(last)) for first, last in (entry["data_offsets"] for entry in header.values()))
    edges = [(0, 0), *places, (size, size)]
    if any(before[1] != after[0] for before, after in pairwise(edges)) or any(last < first for first, last in places):
        raise ValueError("its tensors do not lie one after another to the end of the file")


def _array(numbers: memoryview, entry: Mapping[str, Any]) -> Tensor:
    shape, (first, last) = entry["shape"], entry["data_offsets"]
    if not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(f"a shape is {shape}")
    dtype = np.dtype(TYPES[entry["dtype"]])
    if math.prod(shape) * dtype.itemsize != last - first:
        raise ValueError(f"a tensor of shape {shape} lies in {last - first} bytes")
    array = np.frombuffer(numbers[first:last], dtype).reshape(shape)
    return np.require(array, requirements=["A"])


def as_bytes(arrays: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """A file of tensors: the largest elements first, so that each is aligned."""
    return b"".join(_pieces(arrays, metadata))


def _pieces(arrays: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Iterator[bytes | memoryview]:
    ordered = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    header: dict[str, Any] = {METADATA: dict(metadata)}
    end = 0
    for name in ordered:
        array, start = arrays[name], end
        end += array.nbytes
        header[name] = {"dtype": type_of(array), "shape": list(array.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    yield len(text).to_bytes(8, "little")
    yield text
    for name in ordered:
        yield _bytes(arrays[name])


def type_of(array: Tensor) -> str:
    """What a file calls the type of an array."""
    return _NAMES[array.dtype.str.lstrip("<>|=")]


def contents(arrays: Mapping[str, Tensor], types: Mapping[str, str]) -> Iterator[Content]:
    """Tensors as a digest reads them, in the order of their names, each with its type by name."""
    return (Content(name, types[name], arrays[name].shape, _bytes(arrays[name])) for name in sorted(arrays))


def _bytes(array: Tensor) -> memoryview:
    """An array's numbers as a file has them."""
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1).view(np.uint8).data


def as_float32(tensors: Tensors, names: Mapping[str, str] | None = None) -> dict[str, npt.NDArray[np.float32]]:
    """The floating-point tensors as float32, by their names, or by others; those of float32 are not copied."""
    wanted = {name: name for name in tensors.arrays} if names is None else names
    made: dict[str, npt.NDArray[np.float32]] = {}
    for name, stored in wanted.items():
        array, kind = tensors.arrays[stored], tensors.types[stored]
        if kind == "BF16":
            array = (array.astype(np.uint32) << 16).view(np.float32)
        made[name] = array.astype(np.float32, copy=False)
    return made
