"""What narrow weights cost is measured on weights that are narrow, one sequence at a time."""

import sys
from pathlib import Path

import pytest
import torch
from text_toys import start, write_text
from torch import Tensor, nn

import gatework as gw
from gatework.lab import narrow
from gatework.runtime import TextSession


def test_a_language_model_is_scored_with_each_kind_of_weights(tmp_path: Path) -> None:
    text = write_text(tmp_path)
    start(tmp_path / "run", text)
    rows = {row.weights: row for row in narrow.language_model(tmp_path / "run", text.read_text())}
    assert list(rows) == ["float32", "bfloat16", "int8"]
    for weights, row in rows.items():
        session = TextSession(tmp_path / "run", weights=weights)
        assert row.figure == session.score(text.read_text()).bits_per_character
    figures = [row.figure for row in rows.values()]
    assert len(set(figures)) == 3
    assert max(figures) < min(figures) * 1.01
    weights = TextSession(tmp_path / "run").model.weights.values()
    assert rows["float32"].bytes == 4 * sum(each.size for each in weights)


def test_bytes_are_those_of_narrow_matrices_and_of_the_rest() -> None:
    matrices = [(8, 5), (8, 8)]
    stored = [narrow.stored(weights, matrices, 200) for weights in ("float32", "bfloat16", "int8")]
    assert stored == [800, 4 * 96 + 2 * 104, 4 * 96 + 104 + 4 * 16]


def test_a_figure_is_that_of_the_weights_beside_it() -> None:
    layer, x = gw.GRU(5, 7), torch.randn(9, 1, 5)
    network = nn.Sequential(layer)

    def output() -> Tensor:
        with torch.inference_mode():
            return layer(x)[0]

    for row in narrow.frozen(network, "toy", lambda: output().double().sum().item(), "in all"):
        assert row.figure == layer.frozen(row.weights)(x)[0].double().sum().item()


@pytest.mark.slow
def test_the_command_prints_all_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    text = write_text(tmp_path)
    start(tmp_path / "run", text)
    few = {"steps": 30, "hidden": 8}
    monkeypatch.setattr(narrow, "AHEAD", 5)
    digits, forecasts = narrow.classifier, narrow.forecaster
    monkeypatch.setattr(narrow, "classifier", lambda **options: digits(**options | few))
    monkeypatch.setattr(narrow, "forecaster", lambda: forecasts(**few))
    monkeypatch.setattr(sys, "argv", ["narrow", str(tmp_path / "run"), str(text)])
    narrow.main()
    rows = [line.split("|")[1:3] for line in capsys.readouterr().out.splitlines()[-9:]]
    models = ("text", "digits", "forecasts")
    assert [[cell.strip() for cell in row] for row in rows] == [[m, w] for m in models for w in narrow.STORED]
