"""What a session keeps in memory: the file, mapped or read once, and the weights as the core packs them."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from text_toys import start, write_text

import gatework as gw
from gatework.exporting import model_of
from gatework.files.tensors import read_tensors
from gatework.runtime import Model, Session
from gatework.runtime.code import CODE
from gatework.runtime.model import DIGEST, with_digest
from gatework.runtime.packed import KEPT, SHAPES, kept
from gatework.text.options import Shape

H = 512
STATUS = Path("/proc/self/status")


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run, whose checkpoint also has what its optimizer keeps, and its file."""
    folder = tmp_path_factory.mktemp("run")
    start(folder / "folder", write_text(folder), shape=Shape(hidden=H, embedding=H), steps=1)
    Model.open(folder / "folder").save(folder / "file")
    return {name: folder / name for name in ("folder", "file")}


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_weights_and_the_file_that_the_core_steps_by_are_the_same_memory(paths: dict[str, Path], kind: str) -> None:
    model = Model.open(paths[kind])
    whole = np.frombuffer(model.file, np.uint8)
    assert model.source is not None and all(np.shares_memory(array, whole) for array in model.weights.values())
    assert bytes(model.file) == paths["file"].read_bytes()


def changed(path: Path, to: Path, **arrays: Any) -> Path:
    """A model's file with other tensors of these names."""
    read = read_tensors(path)
    texts = {name: text for name, text in read.metadata.items() if name != DIGEST}
    to.write_bytes(with_digest({**read.arrays, **arrays}, texts))
    return to


def test_a_file_by_another_version_is_written_anew_for_the_core(paths: dict[str, Path], tmp_path: Path) -> None:
    code = read_tensors(paths["file"]).arrays[CODE].copy()
    code[1] += 1  # the number of its operations
    older = Model.open(changed(paths["file"], tmp_path / "older.gw", **{CODE: code}))
    assert bytes(older.file) == paths["file"].read_bytes()
    halves = {"output.weight": older.weights["output.weight"].astype(np.float16)}
    narrow = Model.open(changed(paths["file"], tmp_path / "narrow.gw", **halves))
    assert read_tensors(narrow.path).types["output.weight"] == "F16"
    for model in (older, narrow):
        token = np.array([1])
        np.testing.assert_allclose(Session(model).step(token), Session(model).run(token[None])[0][0], atol=1e-5)


@pytest.mark.skipif(not STATUS.exists(), reason="memory is read from /proc")
@pytest.mark.parametrize(("kind", "copies"), [("folder", 2), ("file", 1)])
@pytest.mark.parametrize("use", ["s.step(np.array([1]))", "s.run(np.ones((9, 4), int))"])
def test_a_session_takes_the_packed_weights_and_a_folder_once_more(
    paths: dict[str, Path], kind: str, copies: int, use: str
) -> None:
    code = (
        "import re, numpy as np; from pathlib import Path; from gatework.runtime import TextSession\n"
        f"def own(): return int(re.search(r'RssAnon:\\s*(\\d+)', Path({str(STATUS)!r}).read_text())[1])\n"
        f"before = own(); s = TextSession({str(paths[kind])!r}); {use}; print(1024 * (own() - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert int(done.stdout) < (copies + 0.5) * paths["file"].stat().st_size


def test_large_weights_are_kept_packed_for_few_shapes() -> None:
    assert [kept(size) for size in (0, 1, KEPT // SHAPES, KEPT // 3, KEPT, 9 * KEPT)] == [SHAPES] * 3 + [3, 2, 2]
    session = Session(model_of(gw.LSTM(4, 3)))
    outputs = [session.run(np.ones((T, 2, 4)))[0] for T in range(1, 3 * SHAPES)]
    assert all(np.array_equal(one, outputs[-1][: len(one)]) for one in outputs)
