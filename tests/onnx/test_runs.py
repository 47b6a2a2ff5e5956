"""Trained runs as ONNX: whole, with what a reader needs in the file."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_toys import needed, session
from text_toys import start, write_text

import gatework as gw
from gatework.cli import main
from gatework.text.options import Shape

LEAST = 1e-5  # of float32 log probabilities beside torch's float32


SHAPES = {
    "lstm": Shape(hidden=8, embedding=5, layers=2, residual=True),
    "gru": Shape(hidden=8, embedding=8, tied=True),
    "janet": Shape(hidden=8, embedding=None, initial="learned", zoneout={"h": 0.2}),
    "slstm": Shape(hidden=6, embedding=4, projection=3),
}


@pytest.mark.parametrize("cell", SHAPES)
def test_a_text_model_goes_on_from_its_states_token_by_token(cell: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    start(run, write_text(tmp_path), cell, shape=SHAPES[cell])
    gw.onnx.export(run, tmp_path / "model.onnx")
    ours, written = gw.load(run), needed("onnx").load(tmp_path / "model.onnx")
    about = {each.key: each.value for each in written.metadata_props}
    assert (about["task"], about["level"], about["equations"]) == ("text", "char", gw.cells[cell].equations)
    vocabulary = json.loads(about["vocabulary"])
    assert vocabulary == list(ours.vocabulary.tokens)
    text, found = "abcdef\nfedcba", []
    state, theirs = started(written), session(written)
    for letter in text:
        feeds = {"tokens": np.array([[vocabulary.index(letter)]])} | state
        log_p, *new = theirs.run(None, feeds)
        state = dict(zip(state, new, strict=True))
        found.append(log_p[0, 0])
    np.testing.assert_allclose(found, ours.log_probabilities(text), atol=LEAST)


def started(model: Any) -> dict[str, np.ndarray]:
    """The states of one stream before its first token, as a reader of the file makes them."""
    starts = json.loads({each.key: each.value for each in model.metadata_props}["start"])
    state = {}
    for value in model.graph.input[1:]:
        L, _, size = (each.dim_value for each in value.type.tensor_type.shape.dim)
        start = np.array(starts[value.name], np.float32).reshape(
            -1, 1, size if isinstance(starts[value.name], list) else 1
        )
        state[value.name] = np.broadcast_to(start, (L, 1, size)).copy()
    return state


def test_a_model_of_documents_is_refused_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "names.jsonl"
    lines = [{"text": word, "condition": kind} for kind in "xy" for word in ("abc", "bca", "cab") for _ in range(20)]
    path.write_text("\n".join(map(json.dumps, lines)))
    run = tmp_path / "run"
    start(run, path)
    with pytest.raises(gw.InputError, match="writes documents on conditions"):
        gw.onnx.export(run, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


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
    assert capsys.readouterr().err == "gatework: nothing to write: name the file, such as --onnx model.onnx\n"


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    """The exit status of `gatework export`."""
    monkeypatch.setattr("sys.argv", ["gatework", "export", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code
