"""The panel of labels reads what packages ship, and ranks as tables of the field do."""

import json
from pathlib import Path

import numpy as np
import pytest

from gatework.errors import InputError
from gatework.lab import labels

HEAD = "@problemName toy\n@timeStamps {stamps}\n@univariate false\n@classLabel true a b\n@data\n"


def write(place: Path, name: str, lines: str, stamps: str = "false") -> None:
    folder = place / "datasets" / "data" / name
    folder.mkdir(parents=True)
    for part in ("TRAIN", "TEST"):
        (folder / f"{name}_{part}.ts").write_text(HEAD.format(stamps=stamps) + lines)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that ships a set of two columns, one with time stamps and one with missing values."""
    place = tmp_path / "shipping_toys"
    place.mkdir()
    (place / "__init__.py").touch()
    rows = [f"{value},{value + 1},{value}:1,2,{k}:{'ab'[k % 2]}" for k, value in enumerate(np.linspace(0, 9, 12))]
    write(place, "Toy", "\n".join(rows) + "\n")
    write(place, "Stamped", "(0,1),(1,2):a\n", "true")
    write(place, "Missing", "1,?,3:a\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(labels, "SHIPPING", ("shipping_toys", "no_such_package"))
    return place


def test_sets_with_stamps_or_gaps_are_left_out(package: Path) -> None:
    assert list(labels.shipped()) == ["Toy"]


def test_columns_come_before_the_label(package: Path) -> None:
    data = labels.problem(labels.shipped()["Toy"])
    assert data.y == ["a", "b"] * 6
    assert data.X[0].tolist() == [[0, 1], [1, 2], [0, 0]]
    assert str(data) == "12 | 12 | 2 | 3 | 2"


def test_without_a_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "SHIPPING", ("no_such_package",))
    with pytest.raises(InputError, match="pip install no_such_package"):
        labels.shipped()


def test_ranks_are_the_mean_of_places_that_tie() -> None:
    placed = labels.ranks(np.array([[0.9, 0.8, 0.9], [0.5, 0.6, 0.7]]))
    assert placed.tolist() == [[1.5, 3, 1.5], [3, 2, 1]]


def test_what_was_measured_is_kept_and_not_measured_again(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fit(X: labels.Rows, y: list[str], seed: int) -> object:
        asked.append(seed)
        return lambda rows: ["a"] * len(rows)

    asked: list[int] = []
    monkeypatch.setattr(labels, "MODELS", {"commonest": fit})
    keep, found = tmp_path / "rows.jsonl", []
    for _ in range(2):
        measures = labels._all(["Toy"], ["commonest"], 2, keep)
        found.append([accuracy for accuracy, _ in measures["Toy", "commonest"]])
    assert asked == [0, 1]
    assert found == [[0.5, 0.5]] * 2
    assert [json.loads(line)["seed"] for line in keep.read_text().splitlines()] == [0, 1]
    labels._print(measures, ["Toy"], ["commonest"])
    assert "| Toy | 0.500 |" in capsys.readouterr().out
