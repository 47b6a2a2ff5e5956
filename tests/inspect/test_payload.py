"""What a page is told of a text model is the model, its text and what Python finds there."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from inspect_toys import code, trained, write_code

import gatework as gw
from gatework.errors import InputError
from gatework.inspect.collect import collect
from gatework.inspect.model import Weights, layers_json, packed, stored
from gatework.inspect.payload import CHECKED
from gatework.layers.description import network_of, tensors_of
from gatework.text.run import Run


def test_a_payload_is_json_and_says_what_the_run_knows(place: Path) -> None:
    payload, _ = collect(place / "run", str(place / "code.py"))
    assert json.loads(json.dumps(payload, allow_nan=False))["text"] == payload["text"]
    assert (payload["kind"], payload["title"]) == ("text", "run")
    assert payload["text"]["measured"] == payload["text"]["whole"] == len(code())
    assert "".join(payload["text"]["pieces"]) == code()[payload["text"]["start"] :]
    assert payload["results"]["steps"] == 4
    assert payload["results"]["blind"] == pytest.approx(math.log2(len(payload["vocabulary"]["tokens"])), abs=1e-5)


@pytest.mark.parametrize("level", ["char", "byte", "word"])
@pytest.mark.parametrize("text", [code(20), "a é 😀 </script>\n" * 20], ids=["code", "signs"])
def test_the_tokens_spell_the_text_at_every_level(tmp_path: Path, level: str, text: str) -> None:
    path = tmp_path / "text.txt"
    path.write_text(text, encoding="utf-8")
    run = Run.open(trained(tmp_path / "run", path, level=level))
    payload, _ = collect(tmp_path / "run", str(path))
    assert "".join(payload["text"]["pieces"]) == text
    assert payload["text"]["ids"] == run.vocabulary.encode(text).tolist()
    assert len(payload["hypotheses"][0]["label"]["values"]) == len(payload["text"]["ids"])


def test_the_check_is_what_the_model_finds_along_the_stretch(place: Path) -> None:
    payload, _ = collect(place / "run", str(place / "code.py"))
    ids, at = torch.tensor(payload["text"]["ids"]), payload["check"]["at"]
    model = Run.open(place / "run").model().double()
    with torch.no_grad(), gw.record(model.recurrent, "h") as trace:
        log_p = model.logits(ids[:, None])[0][:, 0].log_softmax(-1)
    assert at[-1] < min(CHECKED, len(ids) - 1)
    assert payload["check"]["h"] == [pytest.approx(trace["l0.h"][t, 0].tolist(), abs=1e-6) for t in at]
    assert payload["check"]["p"] == pytest.approx([log_p[t, ids[t + 1]].item() for t in at], abs=1e-5)


def test_a_stretch_inside_the_text_begins_with_the_state_reached_there(place: Path, monkeypatch: object) -> None:
    monkeypatch.setattr("gatework.inspect.collect.SHOWN", 50)  # type: ignore[attr-defined]
    payload, _ = collect(place / "run", str(place / "code.py"))
    run = Run.open(place / "run")
    ids = torch.from_numpy(run.vocabulary.encode(code()).astype(np.int64))
    assert payload["text"]["start"] == len(ids) - 50
    with torch.no_grad():
        _, state = run.model().logits(ids[:-50, None])
    [[found]] = payload["text"]["start_state"]
    assert found == [pytest.approx(part[0, 0].tolist(), abs=1e-5) for part in state]


def test_the_bytes_hold_the_weights_by_name(place: Path) -> None:
    _, weights = collect(place / "run", str(place / "code.py"))
    listed, data = packed(weights)
    for entry in listed:
        count = math.prod(entry["shape"])
        found = np.frombuffer(data, "<f4", count, entry["offset"]).reshape(entry["shape"])
        assert (found == weights[entry["name"]].numpy()).all()
    assert {"recurrent.l0.W_f", "recurrent.l0.b_f", "embedding.weight", "output.weight", "output.bias"} <= {
        entry["name"] for entry in listed
    }


def test_large_weights_are_halved_and_measured_as_they_are_stored() -> None:
    weights = {"W": torch.randn(1100, 1000)}
    assert stored(weights) == torch.float16
    listed, data = packed(weights)
    assert (listed[0]["dtype"], len(data)) == ("float16", 2 * 1100 * 1000)


def test_tied_and_one_hot_models_name_the_weights_they_have(tmp_path: Path) -> None:
    text = write_code(tmp_path)
    tied, weights = collect(trained(tmp_path / "tied", text, embedding=8, tied=True), str(text))
    assert tied["model"]["head"]["weight"] == "embedding.weight"
    assert "output.weight" not in weights
    one_hot, weights = collect(trained(tmp_path / "hot", text, embedding=None), str(text))
    assert one_hot["model"]["embedding"] is None
    assert "embedding.weight" not in weights


def as_json(layer: gw.Recurrent) -> tuple[dict[str, Any], Weights]:
    network = network_of(layer)
    weights = tensors_of(layer, network)
    return layers_json(layer.cell, network, weights), weights


@pytest.mark.parametrize("cell", list(gw.cells))
def test_every_cell_is_told_as_json(cell: str) -> None:
    layer = gw.Recurrent(cell, 6, 6, 2, initial="learned")
    told, weights = as_json(layer)
    assert json.loads(json.dumps(told, allow_nan=False))["cell"] == cell
    names = {
        direction["weights"][parameter["name"]]
        for each in told["layers"]
        for direction in each["directions"]
        for parameter in direction["program"]["parameters"]
    }
    assert names <= set(weights)


def test_zoneout_is_told_as_what_the_state_moves_by() -> None:
    told, _ = as_json(gw.Recurrent("lstm", 3, 4, zoneout={"h": 0.1}))
    [direction] = told["layers"][0]["directions"]
    assert direction["inputs"] == pytest.approx({"zoneout h": 0.9})
    assert "zoneout h" in direction["program"]["inputs"]


def test_a_second_run_says_its_surprise_on_the_same_stretch(place: Path) -> None:
    trained(place / "rnn", place / "code.py", "rnn")
    payload, _ = collect(place / "run", str(place / "code.py"), beside=place / "rnn")
    alone, _ = collect(place / "rnn", str(place / "code.py"))
    other = payload["other"]
    assert (other["title"], other["cell"]) == ("rnn", "rnn")
    assert other["surprise"][0] is None
    assert len(other["surprise"]) == len(payload["text"]["ids"])
    assert np.mean(other["surprise"][1:]) == pytest.approx(alone["results"]["here"], abs=1e-3)
    assert other["flow"] == alone["flow"]


def test_runs_of_different_levels_are_not_compared(place: Path) -> None:
    trained(place / "bytes", place / "code.py", level="byte")
    with pytest.raises(InputError, match=r"reads characters and .* bytes: give --beside a run with the same --level"):
        collect(place / "run", str(place / "code.py"), beside=place / "bytes")


def test_text_that_cannot_be_read_is_refused(place: Path) -> None:
    (place / "empty.txt").write_text("")
    with pytest.raises(InputError, match=r"empty.txt has 0 characters: a page needs 2 at least"):
        collect(place / "run", str(place / "empty.txt"))
    (place / "greek.txt").write_text("αβγ" * 20)
    with pytest.raises(InputError, match="nothing that the model has ever seen"):
        collect(place / "run", str(place / "greek.txt"))
    with pytest.raises(InputError, match="does not exist"):
        collect(place / "run", str(place / "nowhere.txt"))


def test_two_tokens_are_enough(place: Path) -> None:
    (place / "two.txt").write_text("de")
    payload, _ = collect(place / "run", str(place / "two.txt"))
    assert payload["flow"] is None
    assert payload["hypotheses"] == []
    assert "too little" in " ".join(payload["findings"])


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        ("slstm", {}),
        ("nested_lstm", {"residual": True, "layers": 2}),
        ("lstm", {"projection": 3, "zoneout": {"c": 0.1}}),
        ("rnn", {"initial": "learned", "layers": 2}),
        ("gru", {"engine": "native"}),
    ],
    ids=lambda given: given if isinstance(given, str) else "-".join(given) or "plain",
)
def test_any_model_has_a_page(tmp_path: Path, cell: str, options: dict[str, object], monkeypatch: object) -> None:
    monkeypatch.setattr("gatework.inspect.collect.drawn", lambda *_: "")  # type: ignore[attr-defined]
    text = write_code(tmp_path)
    payload, _ = collect(trained(tmp_path / "run", text, cell, **options), str(text))
    assert json.dumps(payload, allow_nan=False)
    assert payload["flow"]["share"]["50"] >= 1
    assert any(unit["half_median"] for unit in payload["units"])


def test_documents_on_conditions_are_read_as_plain_text(tmp_path: Path) -> None:
    lines = [json.dumps({"text": code(3), "condition": name}) for name in "ab" * 60]
    (tmp_path / "texts.jsonl").write_text("\n".join(lines))
    run = trained(tmp_path / "run", tmp_path / "texts.jsonl", documents=True)
    payload, _ = collect(run, str(write_code(tmp_path)))
    assert payload["vocabulary"]["tokens"][-1] == "<end>"
    assert payload["text"]["measured"] == len(code())
