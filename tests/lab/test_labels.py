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
    assert data.words() == ["12", "12", "2", "3", "2"]


def test_without_a_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "SHIPPING", ("no_such_package",))
    with pytest.raises(InputError, match="pip install no_such_package"):
        labels.shipped()


def test_ranks_are_the_mean_of_places_that_tie() -> None:
    placed = labels.ranks(np.array([[0.9, 0.8, 0.9], [0.5, 0.6, 0.7]]))
    assert placed.tolist() == [[1.5, 3, 1.5], [3, 2, 1]]


def test_what_was_measured_is_kept_and_not_measured_again(
    package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fit(X: labels.Rows, y: list[str], seed: int) -> object:
        asked.append(seed)
        return lambda rows: ["a"] * len(rows)

    asked: list[int] = []
    keep, found = tmp_path / "rows.jsonl", []
    for _ in range(2):
        rows = labels.fitted(["Toy"], {"commonest": fit}, 2, keep)
        measures = labels.by_model(rows, ["Toy"], ["commonest"])
        found.append([accuracy for accuracy, _ in measures["Toy", "commonest"]])
    assert asked == [0, 1]
    assert found == [[0.5, 0.5]] * 2
    assert [json.loads(line)["seed"] for line in keep.read_text().splitlines()] == [0, 1]
    assert labels.kept(keep) == rows
    assert labels.kept(keep, folds=3) == [], "measured otherwise"
    labels._print(measures, ["Toy"], ["commonest"])
    assert "| Toy           | 0.500 ± 0.000 (2) | -                   |" in capsys.readouterr().out


def test_what_was_not_measured_is_left_out_of_the_comparison(capsys: pytest.CaptureFixture[str]) -> None:
    measures = {("A", "x"): [(0.9, 1.0), (0.7, 3.0)], ("A", "y"): [(0.6, 1.0)], ("GunPoint", "x"): [(0.5, 2.0)]}
    labels._print(measures, ["A", "GunPoint"], ["x", "y"])
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in capsys.readouterr().out.splitlines()]
    assert ["A", "0.800 ± 0.100 (2)", "0.600", "-"] in rows
    assert ["GunPoint", "0.500", "-", "1.000"] in rows, "and what was published"
    assert ["sets with all models: 1", "x", "y"] in rows
    assert ["mean rank", "1.00", "2.00"] in rows
    assert ["the first wins/ties/losses", "", "1/0/0"] in rows
    assert ["GunPoint", "2.0", "-"] in rows
    labels._print(measures, ["A", "GunPoint"], ["x", "y"], folds=3)
    assert "published" not in capsys.readouterr().out, "it is of the test part"


def test_the_critical_difference_is_that_of_the_literature() -> None:
    assert labels.critical_difference(4, 14) == pytest.approx(1.25, abs=0.005), "Demsar 2006, section 3.2.5"


def test_folds_of_the_training_part_leave_the_test_part_alone(package: Path) -> None:
    data = labels.problem(labels.shipped()["Toy"])
    parts = labels.in_folds(data, 3)
    assert sorted(str(x) for part in parts for x in part.X_test) == sorted(map(str, data.X))
    assert [sorted(part.y_test) for part in parts] == [["a", "a", "b", "b"]] * 3, "each class in each"

    def fit(X: labels.Rows, y: list[str], seed: int) -> labels.Predict:
        assert (len(X), len(y)) == (8, 8)
        return lambda rows: ["a"] * len(rows) if seed else ["c"] * len(rows)

    assert labels.cross_validated(fit, data, 3)["accuracy"] == pytest.approx(1 / 3), "a fold of three is all wrong"
    rows = labels.fitted(["Toy"], {"some": fit}, 5, None, folds=3)
    assert [row["folds"] for row in rows] == [3], "once, whatever the seeds"


def test_options_of_a_variant_and_sequences_scaled_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, object] = {}

    class Classifier:
        def __init__(self, **options: object) -> None:
            seen.update(options)

        def fit(self, X: labels.Rows, y: list[str]) -> "Classifier":  # noqa: ARG002, as the real one
            seen["X"] = X
            return self

        def predict(self, rows: labels.Rows) -> labels.Rows:
            return rows

    monkeypatch.setattr(labels, "SequenceClassifier", Classifier)
    rows = [np.array([[1.0], [3.0]], np.float32), np.array([[5.0], [5.0]], np.float32)]
    predict = labels.varied("epochs=20,augment=crop,scale=each")(rows, ["a", "b"], 7)
    scaled = seen.pop("X")
    assert seen == {"epochs": 20, "augment": "crop", "random_state": 7}
    assert [x.ravel().tolist() for x in scaled] == [[-1, 1], [0, 0]] == [x.ravel().tolist() for x in predict(rows)]
