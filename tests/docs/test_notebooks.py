"""The notebooks run from top to bottom, and show what they are to show."""

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "notebooks"
SHOWN = {
    "forecast": ["image/png"],
    "language_model": ["image/png", "text/html"],
    "new_cell": ["image/svg+xml", "image/png", "image/png", "image/png"],
}
NOTEBOOKS = {name: json.loads((FOLDER / f"{name}.ipynb").read_text("utf-8")) for name in SHOWN}


def code(name: str) -> list[dict[str, Any]]:
    return [cell for cell in NOTEBOOKS[name]["cells"] if cell["cell_type"] == "code"]


def test_all_are_tested() -> None:
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(SHOWN)


@pytest.mark.parametrize("name", SHOWN)
def test_it_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    display = ModuleType("IPython.display")
    display.SVG = str  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    sources = ("".join(cell["source"]).replace("%matplotlib inline\n", "") for cell in code(name))
    space: dict[str, Any] = {"__name__": "notebook"}
    for number, source in enumerate(sources, 1):
        exec(compile(source, f"{name}, cell {number}", "exec"), space)


@pytest.mark.parametrize("name", SHOWN)
def test_it_was_run_in_order_and_shows_its_pictures(name: str) -> None:
    assert [cell["execution_count"] for cell in code(name)] == list(range(1, len(code(name)) + 1))
    outputs = [output for cell in code(name) for output in cell["outputs"]]
    assert all(output["output_type"] in ("stream", "display_data", "execute_result") for output in outputs)
    kinds = [kind for output in outputs for kind in output.get("data", ()) if kind != "text/plain"]
    assert kinds == SHOWN[name]


@pytest.mark.parametrize("name", ["forecast", "language_model"])
def test_progress_is_one_line(name: str) -> None:
    printed = ["".join(output["text"]) for cell in code(name) for output in cell["outputs"] if "text" in output]
    assert not any("\r" in text for text in printed)
    assert sum(text.count("step ") for text in printed) <= 3
