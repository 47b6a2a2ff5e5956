import errno
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from safetensors import safe_open
from torch import nn

from gatework.errors import InputError
from gatework.files.writing import read_json, write_json
from gatework.training.checkpoint import load_checkpoint, load_weights, save_checkpoint
from gatework.training.progress import Progress

TENSORS = {
    "model.weight": torch.arange(6.0).reshape(2, 3),
    "model.bias": torch.tensor([1.0, -0.0]),
    "state.0": torch.ones(1, 2, 3, dtype=torch.bfloat16),
    "optimizer.weight.step": torch.tensor(3.0),
    "state.1": torch.arange(5, dtype=torch.uint8)[None],
    "empty": torch.empty(0, 4),
}
PROGRESS = Progress(step=7, epoch=1, batch=2, batches=5, best=-0.25, planned=40, elapsed=1.5, fields=["h"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "last.safetensors"
    save_checkpoint(path, TENSORS, PROGRESS)
    return path


def test_a_checkpoint_comes_back_as_it_was(path: Path) -> None:
    checkpoint = load_checkpoint(path)
    assert checkpoint.progress == PROGRESS
    assert checkpoint.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert checkpoint.tensors[name].dtype == tensor.dtype
        assert torch.equal(checkpoint.tensors[name], tensor)
    assert checkpoint.part("model").keys() == {"weight", "bias"}


def test_other_programs_can_read_its_tensors(path: Path) -> None:
    assert torch.equal(safetensors.torch.load_file(path)["model.weight"], TENSORS["model.weight"])


def test_tied_weights_and_views_are_kept(tmp_path: Path) -> None:
    block = torch.arange(4.0)
    save_checkpoint(tmp_path / "c", {"model.a": block, "model.b": block, "model.c": block[1:3]}, Progress())
    tensors = load_checkpoint(tmp_path / "c").tensors
    assert torch.equal(tensors["model.b"], block)
    assert torch.equal(tensors["model.c"], block[1:3])


def test_a_file_cut_anywhere_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    for length in [0, 1, 7, 8, 9, 100, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"last\.safetensors is damaged or no checkpoint.*whole safetensors"):
            load_checkpoint(path)


def test_a_changed_byte_anywhere_is_refused(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    for position in [*range(0, 8), *range(8, len(whole), 7), len(whole) - 1]:
        changed = whole.copy()
        changed[position] ^= 0x81
        path.write_bytes(changed)
        with pytest.raises(InputError, match=r"last\.safetensors"):
            load_checkpoint(path)


def test_a_changed_weight_is_told_by_the_digest(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)
    with pytest.raises(InputError, match=r"damaged: its content does not match its digest"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("old", "name", "view"),
    [
        ("model.weight", "model.height", lambda tensor: tensor),
        ("model.weight", "model.weight", lambda tensor: tensor.reshape(3, 2)),
        ("model.weight", "model.weight", lambda tensor: tensor.view(torch.int32)),
        ("state.1", "state.1", lambda tensor: tensor.view(torch.bool)),
        ("empty", "empty", lambda tensor: tensor.reshape(4, 0)),
    ],
    ids=["name", "shape", "type", "type of one byte", "shape of nothing"],
)
def test_the_same_bytes_under_another_name_type_or_shape_are_told_by_the_digest(
    path: Path, old: str, name: str, view: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    with safe_open(path, framework="pt") as file:
        header = file.metadata()
    tensors = safetensors.torch.load_file(path)
    safetensors.torch.save_file(tensors, path, header)
    load_checkpoint(path)  # written so by another program it is the same checkpoint
    tensors[name] = view(tensors.pop(old))
    safetensors.torch.save_file(tensors, path, header)
    with pytest.raises(InputError, match=r"damaged: its content does not match its digest"):
        load_checkpoint(path)


def test_a_foreign_safetensors_file_is_refused(path: Path) -> None:
    safetensors.torch.save_file({"a": torch.ones(1)}, path, {"format": "pt"})
    with pytest.raises(InputError, match="is a safetensors file, but not a checkpoint that gatework wrote"):
        load_checkpoint(path)
    safetensors.torch.save_file({"a": torch.ones(1)}, path)
    with pytest.raises(InputError, match="not a checkpoint that gatework wrote"):
        load_checkpoint(path)


def test_another_version_of_the_format_is_named(path: Path) -> None:
    safetensors.torch.save_file({}, path, {"gatework": "checkpoint 9", "progress": "{}", "digest": ""})
    with pytest.raises(InputError, match="is a 'checkpoint 9', and this gatework reads 'checkpoint 1'"):
        load_checkpoint(path)


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("trapped",)


def test_a_pickle_is_refused_and_not_executed(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(InputError, match=r"last\.safetensors is damaged or no checkpoint"):
        load_checkpoint(path)
    torch.save({"a": torch.ones(1)}, path)
    with pytest.raises(InputError, match=r"last\.safetensors is damaged or no checkpoint"):
        load_checkpoint(path)
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"step": -1}, "step = -1"),
        ({"step": "7"}, "step = '7'"),
        ({"step": None}, "step = None"),
        ({"best": True}, "best = True"),
        ({"fields": ["__class__"]}, r"fields = \['__class__'\]"),
        ({"fields": "h"}, "fields = 'h'"),
        ({"written_by": []}, r"written_by = \[\]"),
        ({"more": 1}, "lacks or adds more"),
    ],
)
def test_progress_that_gatework_would_not_write_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, object], match: str
) -> None:
    monkeypatch.setattr("gatework.training.checkpoint.asdict", lambda progress: vars(progress) | change)
    save_checkpoint(path, TENSORS, PROGRESS)
    with pytest.raises(InputError, match=rf"last\.safetensors is damaged: its progress .*{match}"):
        load_checkpoint(path)


def test_a_checkpoint_of_an_older_version_has_no_loss_of_untrained_weights(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = {name: value for name, value in vars(PROGRESS).items() if name != "untrained"}
    monkeypatch.setattr("gatework.training.checkpoint.asdict", lambda _: held)
    save_checkpoint(path, TENSORS, PROGRESS)
    assert load_checkpoint(path).progress == PROGRESS


def test_a_missing_checkpoint_or_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "last.safetensors", tmp_path):
        with pytest.raises(InputError, match="does not exist"):
            load_checkpoint(path)


def test_weights_go_into_a_model_of_their_shape_only(path: Path) -> None:
    model = nn.Linear(3, 2)
    assert load_weights(path, model).step == 7
    assert torch.equal(model.weight, TENSORS["model.weight"])
    for other, match in [
        (nn.Linear(4, 2), r"weight has shape \[2, 3\], and the model needs \[2, 4\]"),
        (nn.Linear(3, 2, bias=False), "it holds bias, which the model has not"),
        (nn.Sequential(nn.Linear(3, 2)), "it lacks 0.bias, 0.weight"),
    ]:
        with pytest.raises(InputError, match=rf"last\.safetensors does not fit this model: {match}"):
            load_weights(path, other)


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_full_disk_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    written: list[int] = []

    def full(descriptor: int, *data: bytes) -> int:
        if call == "write" and not written:  # the first bytes still find a place
            written.append(os.pwrite(descriptor, data[0][:10], 0))
            return 10
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(InputError, match=r"^cannot write .*last\.safetensors: No space left on device; "):
        save_checkpoint(path, TENSORS, Progress(step=8))
    monkeypatch.undo()
    assert load_checkpoint(path).progress.step == 7
    assert list(path.parent.iterdir()) == [path]


def test_an_abort_while_writing_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def aborted(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", aborted)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(path, TENSORS, Progress(step=8))
    assert load_checkpoint(path).progress.step == 7
    assert list(path.parent.iterdir()) == [path]


def test_a_checkpoint_is_on_the_disk_before_it_has_its_name(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (order.append("fsync"), fsync(descriptor))[1])
    monkeypatch.setattr(Path, "replace", lambda self, to: (order.append("replace"), replace(self, to))[1])
    save_checkpoint(path, TENSORS, PROGRESS)
    assert order == ["fsync", "replace", "fsync"]


def test_json_comes_back_as_it_was(tmp_path: Path) -> None:
    values = {"cell": "lstm", "vocabulary": ["a", "ß", "\udc80", "\n"], "sizes": {"H": 3}, "none": None}
    write_json(tmp_path / "run.json", values)
    assert read_json(tmp_path / "run.json") == values
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "run.json", {"loss": float("nan")})
    assert read_json(tmp_path / "run.json") == values


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "not JSON"),
        (b'{"a": 1', "not JSON"),
        (b'{"a": "\xff"}', "not UTF-8 at byte 7"),
        (b"[1]", "a JSON object is expected, not a list"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_damaged_json_is_refused_in_one_line(tmp_path: Path, data: bytes, match: str) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(data)
    with pytest.raises(InputError, match=rf"run\.json is damaged: .*{match}") as caught:
        read_json(path)
    assert "\n" not in str(caught.value)


def test_missing_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"run\.json does not exist: is .* the folder of a run\?"):
        read_json(tmp_path / "run.json")
    with pytest.raises(InputError, match="cannot read"):
        read_json(tmp_path)


def test_the_header_is_json(path: Path) -> None:
    size = int.from_bytes(path.read_bytes()[:8], "little")
    header = json.loads(path.read_bytes()[8 : 8 + size])
    assert json.loads(header["__metadata__"]["progress"])["step"] == 7
