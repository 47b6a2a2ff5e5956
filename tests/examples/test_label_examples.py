"""The examples of labels run, and learn what they say they learn."""

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

from gatework.labels.data.examples import read_examples

EXAMPLES = Path(__file__).parents[2] / "examples"
QUICK: dict[str, Any] = {"steps": 60, "hidden": 24, "learning_rate": 0.03, "device": "cpu"}


@pytest.mark.parametrize(("name", "least"), [("digits_by_rows", 0.6), ("letters_by_name", 0.5), ("tag_python", 0.8)])
def test_an_example_learns_even_where_it_is_short(name: str, least: float, capsys: pytest.CaptureFixture[str]) -> None:
    if name == "digits_by_rows":
        pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    assert runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"](**QUICK) > least
    assert "%" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["letters_by_name", "tag_python"])
def test_an_example_writes_its_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [name, str(tmp_path / "rows.jsonl")])
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    examples = read_examples(tmp_path / "rows.jsonl")
    assert len(examples) > 1000
    assert examples.labels is not None
