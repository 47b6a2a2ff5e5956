"""Trained runs as ONNX: whole, with what a reader needs in the file."""

import json
import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_toys import needed
from text_toys import start, write_text

import gatework as gw
from gatework.cli import main
from gatework.text.options import Shape

LEAST = 1e-5  # of float32 log probabilities beside torch's float32


SHAPES = {
    "lstm": Shape(hidden=8, embedding=5, layers=2, residual=True),
    "gru": Shape(hidden=8, embedding=8, tied=True),
    "janet": Shape(hidden=8, embedding=None, initial="learned", zoneout={"h": 0.2}),
    "lem": Shape(hidden=8, embedding=4, softmax="adaptive"),
    "slstm": Shape(hidden=6, embedding=4, projection=3),
}


@pytest.fixture
def example() -> dict[str, Any]:
    """The example that writes text with onnxruntime alone."""
    return runpy.run_path(str(Path(__file__).parents[2] / "examples" / "write_text_onnx.py"))


@pytest.mark.parametrize("cell", SHAPES)
def test_a_text_model_goes_on_from_its_states_token_by_token(
    cell: str, tmp_path: Path, example: dict[str, Any]
) -> None:
    run = tmp_path / "run"
    start(run, write_text(tmp_path), cell, shape=SHAPES[cell])
    gw.onnx.export(run, tmp_path / "model.onnx")
    ours, written = gw.load(run), needed("onnx").load(tmp_path / "model.onnx")
    about = {each.key: each.value for each in written.metadata_props}
    assert (about["task"], about["level"], about["equations"]) == ("text", "char", gw.cells[cell].equations)
    vocabulary = json.loads(about["vocabulary"])
    assert vocabulary == list(ours.vocabulary.tokens)
    text = "abcdef\nfedcba"
    writer = example["Writer"](str(tmp_path / "model.onnx"))
    found = [writer.read(vocabulary.index(letter)) for letter in text]
    np.testing.assert_allclose(found, ours.log_probabilities(text), atol=LEAST)


@pytest.mark.parametrize("level", ["char", "byte"])
def test_onnxruntime_alone_writes_what_gatework_writes(level: str, tmp_path: Path, example: dict[str, Any]) -> None:
    run = tmp_path / "run"
    text = write_text(tmp_path, letters="ab cdé\n")
    start(run, text, level=level, steps=30)
    gw.onnx.export(run, tmp_path / "model.onnx")
    written = example["main"](str(tmp_path / "model.onnx"), "ab", "200")
    likeliest = {"top_k": 1, "repetition": 1.0, "min_p": 0.0}
    assert written == gw.load(run).sample("ab", 200, **likeliest)


@pytest.mark.parametrize("cell", ["gru", "slstm"])
def test_a_model_of_documents_starts_from_its_condition(cell: str, tmp_path: Path, example: dict[str, Any]) -> None:
    path = tmp_path / "names.jsonl"
    lines = [{"text": word, "condition": kind} for kind in "xy" for word in ("abc", "bca", "cab") for _ in range(20)]
    path.write_text("\n".join(map(json.dumps, lines)))
    run = tmp_path / "run"
    start(run, path, cell, learning_rate=0.05)
    gw.onnx.export(run, tmp_path / "model.onnx")
    ours = gw.load(run)
    for condition in "yx":
        writer = example["Writer"](str(tmp_path / "model.onnx"), condition)
        found = [writer.read(token) for token in [writer.end, *writer.ids("abca")]]
        np.testing.assert_allclose(found, ours.log_probabilities("abca", condition=condition), atol=LEAST)
    starts = [example["Writer"](str(tmp_path / "model.onnx"), condition).states["h"] for condition in "xy"]
    assert not np.allclose(*starts)


def test_the_command_writes_a_run_and_says_what_goes_in_and_comes_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start(tmp_path / "run", write_text(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert command(monkeypatch, "run", "--onnx", "model.onnx") == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"model\.onnx: \d\.\d MB, opset 11, IR version 6", lines[0])
    assert lines[1:3] == [
        "  in: tokens [T,B], h [1,B,8], c [1,B,8]",
        " out: log_p [T,B,8], h_out [1,B,8], c_out [1,B,8]",
    ]
    assert command(monkeypatch, "run", "--onnx", "model.onnx", "--no-states", "--opset", "17") == 0
    assert "  in: tokens [T,B]\n out: log_p [T,B,8]\n" in capsys.readouterr().out
    assert command(monkeypatch, "run") == 2
    assert re.match(r"gatework: nothing to write: .*--onnx model\.onnx\n", capsys.readouterr().err)


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    """The exit status of `gatework export`."""
    monkeypatch.setattr("sys.argv", ["gatework", "export", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code
