"""Files of tensors: what is written is read by this reader and by safetensors; damaged ones raise, naming the file."""

import json
import random

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch

from gatework.errors import InputError
from gatework.files.tensors import TYPES, as_bytes, as_float32, read_tensors

ARRAYS = {
    "matrix": np.arange(6, dtype=np.float32).reshape(2, 3),
    "bytes": np.frombuffer(b"abc", np.uint8),
    "empty": np.zeros((0, 4), np.float32),
    "ids": np.array([-1, 1 << 40], np.int64),
    "number": np.array(2.5, np.float64),
    "flag": np.array([True, False]),
}


@pytest.mark.parametrize("mapped", [False, True])
def test_what_is_written_is_read(tmp_path, mapped):
    path = tmp_path / "a.safetensors"
    path.write_bytes(as_bytes(ARRAYS, {"about": "ü"}))
    read = read_tensors(path, mapped=mapped)
    assert read.metadata == {"about": "ü"}
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(read.arrays[name], array)
        assert read.arrays[name].dtype == array.dtype
        assert read.arrays[name].flags.aligned
    other = safetensors.numpy.load_file(path)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(other[name], array)


def test_what_torch_writes_is_read_as_float32(tmp_path):
    path = tmp_path / "a.safetensors"
    values = torch.tensor([1.5, -2.0, 3.25])
    kinds = {"half": torch.float16, "brain": torch.bfloat16, "double": torch.float64, "single": torch.float32}
    safetensors.torch.save_file({name: values.to(kind) for name, kind in kinds.items()}, path)
    for array in as_float32(read_tensors(path)).values():
        np.testing.assert_array_equal(array, values.numpy())


def written(header, numbers=b"", length=None):
    text = json.dumps(header).encode() if isinstance(header, dict) else header
    return (len(text) if length is None else length).to_bytes(8, "little") + text + numbers


def entry(**changes):
    return {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changes


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"1234",
        written({"a": entry()}, b"1234567"),
        written({"a": entry()}, b"123456789"),
        written({"a": entry()}, b"12345678", length=1 << 40),
        written({"a": entry(shape=[3])}, b"12345678"),
        written({"a": entry(shape=[-2])}, b"12345678"),
        written({"a": entry(shape=[2.0])}, b"12345678"),
        written({"a": entry(shape=2)}, b"12345678"),
        written({"a": entry(dtype="F33")}, b"12345678"),
        written({"a": entry(), "b": entry()}, b"12345678"),
        written({"a": entry(data_offsets=[8, 0])}, b"12345678"),
        written({"a": entry(data_offsets=[0])}, b"12345678"),
        written({"a": {}}, b"12345678"),
        written({"a": 1}),
        written({"__metadata__": {"a": 1}}),
        written({"__metadata__": []}),
        written(b"[]"),
        written(b"{"),
        written(b"\xff"),
        written(b"[" * 100_000),
    ],
)
def test_a_damaged_file_is_named(tmp_path, data):
    path = tmp_path / "a.safetensors"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.safetensors is damaged or no file of tensors"):
        read_tensors(path)


def test_changed_bytes_are_read_or_refused(tmp_path):
    path, rng = tmp_path / "a.safetensors", random.Random(0)
    path.write_bytes(as_bytes(ARRAYS, {}))
    whole = path.read_bytes()
    for _ in range(500):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data[: rng.choice([len(data), rng.randrange(len(data))])])
        try:
            read = read_tensors(path)
        except InputError:
            continue
        assert sum(array.nbytes for array in read.arrays.values()) <= len(data)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="nothing here"):
        read_tensors(tmp_path / "nothing here")


def test_every_type_has_its_own_size():
    sizes = {"BOOL": 1, "BF16": 2} | {name: int(name[1:]) // 8 for name in TYPES if name[1:].isdigit()}
    assert {name: np.dtype(code).itemsize for name, code in TYPES.items()} == sizes
