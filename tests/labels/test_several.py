"""Several targets of a sequence, and sets of labels: learnt, predicted, scored, reported, kept with the run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from label_toys import QUICK, waves

import gatework as gw
from gatework.errors import InputError
from gatework.labels.data.examples import given_examples, read_examples
from gatework.labels.data.targets import Several, targets_from_json, targets_of
from gatework.labels.learning import judged, predictions
from gatework.labels.model import SequenceModel
from gatework.labels.options import Options
from gatework.labels.parts import class_weights, load_parts, prepared, save_parts
from gatework.labels.several import SetReport, SeveralReport, set_report
from gatework.labels.shortfall import shortfall

Rows = list[np.ndarray[Any, Any]]


def marks(count: int = 80, seed: int = 0) -> tuple[Rows, np.ndarray[Any, Any]]:
    """Vectors of three numbers, and which of their columns have a 1 somewhere."""
    rng = np.random.default_rng(seed)
    rows = [(rng.random((T, 3)) < 0.15).astype(float) for T in rng.integers(3, 8, count)]
    return rows, np.stack([row.max(0) for row in rows]).astype(int)


def classes() -> tuple[Rows, np.ndarray[Any, Any]]:
    """Waves, and of each its speed and its sign on the mean."""
    X, speed = waves(80)
    return X, np.stack([speed, ["up" if x.mean() > 0 else "down" for x in X]], 1)


def amounts(count: int = 120) -> tuple[Rows, np.ndarray[Any, Any]]:
    """Rows of two columns, the sum of one and a thousand times that of the other."""
    X = np.random.default_rng(0).normal(size=(count, 5, 2))
    return list(X), X.sum(1) * [1, 1000]


@pytest.fixture(scope="module")
def sets() -> gw.SequenceClassifier:
    return gw.SequenceClassifier(**{**QUICK, "steps": 200}, summary="max").fit(*marks())


# -- estimators, by scikit-learn's conventions


def test_columns_of_0_and_1_are_labels_that_a_sequence_has_or_has_not(sets: gw.SequenceClassifier) -> None:
    X, y = marks(seed=1)
    predicted = sets.predict(X)
    assert (predicted.shape, predicted.dtype.kind) == (y.shape, "i")
    assert sets.score(X, y) == np.mean((predicted == y).all(1)) > 0.9, (
        "every label of a sequence, as scikit-learn has it"
    )
    assert np.array_equal(sets.predict_proba(X) > 0.5, predicted == 1)
    assert sets.classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize("wrap", [np.asarray, lambda y: y.astype(bool), lambda y: y.tolist(), pd.DataFrame])
def test_an_indicator_matrix_in_any_wrapping_is_the_same(wrap: Callable[[Any], Any]) -> None:
    X, y = marks(30)
    plain, other = (gw.SequenceClassifier(**{**QUICK, "steps": 3}).fit(X, labels) for labels in (y, wrap(y)))
    assert np.array_equal(plain.predict_proba(X), other.predict_proba(X))
    assert other.score(X, wrap(y)) == plain.score(X, y)


def test_sets_are_taken_and_come_back_as_a_matrix() -> None:
    X, y = marks(40)
    named = [{name for name, there in zip("cab", row, strict=True) if there} for row in y]
    model = gw.SequenceClassifier(**{**QUICK, "steps": 3}).fit(X, named)
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert model.predict(X).shape == (40, 3)
    assert model.score(X, named) == model.score(X, y[:, [1, 2, 0]]), "a matrix has the columns of classes_"
    assert model.score(X[:1], [set()]) in (0, 1)


def test_several_classes_are_predicted_by_column() -> None:
    X, y = classes()
    model = gw.SequenceClassifier(**{**QUICK, "steps": 200}, summary="mean").fit(X, y)
    assert [known.tolist() for known in model.classes_] == [["fast", "slow"], ["down", "up"]]
    assert model.predict(X).shape == (80, 2)
    assert model.score(X, y) == np.mean((model.predict(X) == y).all(1)) > 0.9
    first, second = model.predict_proba(X)
    assert first.sum(1) == pytest.approx(np.ones(80))
    assert model.predict(X)[:, 1].tolist() == model.classes_[1][second.argmax(1)].tolist()


def test_classes_that_are_all_0_or_1_where_they_are_judged_are_still_classes(tmp_path: Path) -> None:
    X, y = marks(40)
    y = y[:, :2] + [[0, 1]]  # 0 and 1, 1 and 2
    model = gw.SequenceClassifier(**{**QUICK, "steps": 2}).fit(X, y)
    assert model.plan_ == model.job_.plan and [known.tolist() for known in model.classes_] == [[0, 1], [1, 2]]
    assert model.score(X[:2], [[0, 1], [1, 1]]) in (0, 0.5, 1)
    rows = [{"sequence": X[0].tolist(), "label": {"0": 0, "1": 1}}]
    (tmp_path / "x.jsonl").write_text(json.dumps(rows[0]))
    assert read_examples(tmp_path / "x.jsonl", kind="class", columns=("0", "1")).labels == [(0, 1)]


def test_several_numbers_are_each_scaled_and_scored_alike() -> None:
    X, y = amounts()
    model = gw.SequenceRegressor(**{**QUICK, "steps": 300}, summary="mean", dropout=0.0).fit(X, y)
    predicted = model.predict(X)
    each = 1 - ((y - predicted) ** 2).sum(0) / ((y - y.mean(0)) ** 2).sum(0)
    assert each.min() > 0.9
    assert model.score(X, y) == pytest.approx(each.mean())
    table = pd.DataFrame(y, columns=["small", "large"])
    model = gw.SequenceRegressor(**{**QUICK, "steps": 2}).fit(X, table)
    assert model.score(X, table[["large", "small"]]) == pytest.approx(model.score(X, table)), "by name, not by place"


def test_scikit_learn_judges_by_parts_of_a_matrix() -> None:
    selection = pytest.importorskip("sklearn.model_selection", reason="scikit-learn is not installed")
    X, y = marks(30)
    model = gw.SequenceClassifier(**{**QUICK, "steps": 2})
    assert selection.cross_val_score(model, X, y, cv=2).shape == (2,)
    tags = model.__sklearn_tags__()
    assert tags.target_tags.multi_output and tags.classifier_tags.multi_label


@pytest.mark.parametrize("make", [marks, classes])
def test_a_saved_classifier_of_several_labels_predicts_the_same(
    make: Callable[[], tuple[Rows, Any]], tmp_path: Path
) -> None:
    X, y = make()
    model = gw.SequenceClassifier(**{**QUICK, "steps": 3}, members=2, class_weight="balanced").fit(X, y)
    model.save(tmp_path / "run")
    again = gw.load(tmp_path / "run")
    assert np.array_equal(again.predict(X), model.predict(X))
    assert again.score(X, y) == model.score(X, y)


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "alike": (
        lambda: gw.SequenceClassifier().fit(marks()[0], np.tile([1, 0, 1], (80, 1))),
        "all 80 sets of labels are [0, 2]; expected several",
    ),
    "constant": (
        lambda: gw.SequenceRegressor().fit(amounts()[0], pd.DataFrame({"a": range(120), "b": 2.0})),
        'target "b": all 120 labels are 2.0; expected numbers that differ',
    ),
    "weights": (
        lambda: gw.SequenceClassifier(class_weight={"fast": 2}, steps=1).fit(*classes()),
        "class_weight is {'fast': 2}, and there are several targets: expected 'balanced' or None",
    ),
    "texts as numbers": (
        lambda: gw.SequenceRegressor().fit(*classes()),
        'X[0]: the target 0 is "fast"; expected a number',
    ),
    "tags": (lambda: gw.Tagger().fit(["ab"], [{"a": 1}]), "expected a list of labels, one a step"),
    "mixed set": (
        lambda: gw.SequenceClassifier().fit(["ab", "cd"], [{"a"}, {1}]),
        "X[1]: the labels are [1]; expected all texts, or all whole numbers",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_learned_is_refused_in_one_line(case: str) -> None:
    attempt, said = REFUSED[case]
    with pytest.raises(InputError) as caught:
        attempt()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_targets_than_the_trained_ones_are_refused(sets: gw.SequenceClassifier) -> None:
    X, y = marks(4)
    with pytest.raises(InputError, match=r"the targets are 0, 1; the model was trained on 0, 1, 2"):
        sets.score(X, y[:, :2])
    with pytest.raises(InputError, match=r'X\[1\]: the label "a" did not occur in training; the labels are 0, 1, 2'):
        sets.score(X, [set(), {"a"}, set(), set()])
    single = gw.SequenceClassifier(**{**QUICK, "steps": 2}).fit(*waves())
    with pytest.raises(InputError, match="the model was trained on one label a sequence"):
        single.score(waves()[0], [["slow", "up"]] * 60)


# -- files


def written(folder: Path, labels: list[Any]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(f"{json.dumps({'text': 'abc', 'label': label})}\n" for label in labels))
    return path


@pytest.mark.parametrize("labels", [["b|a", "", " c "], [["a", "b"], [], ["c"]]])
def test_sets_in_a_file_are_texts_or_lists(tmp_path: Path, labels: list[Any]) -> None:
    examples = read_examples(written(tmp_path, labels), kind="set")
    assert (examples.kind, examples.labels) == ("set", [{"a", "b"}, set(), {"c"}])
    targets = targets_of(examples)
    assert isinstance(targets, Several)
    assert targets.names == ("a", "b", "c")
    assert targets.encode(examples).tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    ("labels", "kind", "expected"),
    [
        ([{"x": 1.5, "y": 2}, {"y": 3, "x": 0}], None, "number"),
        ([{"x": "a", "y": "b"}, {"x": "b", "y": "b"}], None, "class"),
        ([{"x": 1, "y": 2}, {"x": 3, "y": 3}], "class", "class"),
        ([{"x": True, "y": False}, {"x": False, "y": False}], None, "set"),
        ([{"x": 1, "y": 0}, {"x": 0, "y": 0}], None, "set"),
        ([{"x": 1, "y": 0}, {"x": 0, "y": 0}], "number", "number"),
        ([[1.5, 2], [3, 4]], "number", "number"),
    ],
)
def test_targets_by_name_are_of_the_kind_of_their_values(
    tmp_path: Path, labels: list[Any], kind: Any, expected: str
) -> None:
    examples = read_examples(written(tmp_path, labels), kind=kind)
    assert (examples.kind, examples.several) == (expected, True)
    if isinstance(labels[0], dict) and expected != "set":
        assert examples.labels[1] == tuple(labels[1][name] for name in examples.columns), "whatever their order"


def test_targets_are_found_by_name_whatever_their_order_in_a_file(tmp_path: Path) -> None:
    targets = targets_of(read_examples(written(tmp_path, [{"x": "a", "y": "c"}, {"x": "b", "y": "d"}])))
    other = read_examples(written(tmp_path, [{"y": "d", "x": "a"}]))
    assert isinstance(targets, Several)
    assert targets.encode(other).tolist() == [[0, 1]]


def test_an_archive_has_targets_in_columns(tmp_path: Path) -> None:
    X = np.zeros((6, 4, 1))
    for y, kind in (
        (np.arange(12.0).reshape(6, 2), "number"),
        (np.eye(6, 3, dtype=int), "set"),
        (np.ones((6, 4)), "tag"),
    ):
        np.savez(tmp_path / "x.npz", X=X, y=y)
        if kind != "tag":
            assert read_examples(tmp_path / "x.npz").kind == kind
    np.savez(tmp_path / "x.npz", X=X, y=np.arange(24).reshape(6, 4))
    assert read_examples(tmp_path / "x.npz").kind == "tag", "as many columns as steps"


# -- parts, loss, report


@pytest.mark.parametrize("kind", ["class", "number"])
def test_prepared_targets_are_the_same_from_disk(tmp_path: Path, kind: Any) -> None:
    for X, y in (marks(), classes()) if kind == "class" else (amounts(),):
        job, parts = prepared(given_examples(X, y, kind=kind), Options(hidden=4, validation=0.2))
        save_parts(tmp_path / "parts", parts)
        again = load_parts(tmp_path / "parts", job)
        assert torch.equal(again.training.targets, parts.training.targets)
        assert targets_from_json(json.loads(json.dumps(job.targets.to_json()))) == job.targets


def test_targets_out_of_range_are_damage(tmp_path: Path) -> None:
    job, parts = prepared(given_examples(*marks(), kind="class"), Options(hidden=4))
    parts.training.targets[0, 0] = 2
    save_parts(tmp_path / "parts", parts)
    with pytest.raises(InputError, match=r"training\.targets holds numbers that are not from 0 to 1"):
        load_parts(tmp_path / "parts", job)


def test_the_loss_of_several_classes_is_the_mean_of_theirs_by_weight() -> None:
    model = SequenceModel(Options(hidden=4), 3, (2, 3), tokens=False, kind="class")
    scores, targets = torch.randn(5, 5), torch.tensor([[0, 2], [1, 1], [1, 0], [0, 0], [1, 2]])
    each = [torch.nn.functional.cross_entropy(scores[:, :2], targets[:, 0]).item()]
    each.append(torch.nn.functional.cross_entropy(scores[:, 2:], targets[:, 1]).item())
    assert model.loss(scores, targets).item() == pytest.approx(sum(each) / 2)
    model.class_weights = torch.tensor([0.0, 0.0, 1.0, 1.0, 1.0])
    assert model.loss(scores, targets).item() == pytest.approx(each[1] / 2)


def test_balanced_weights_count_presence_and_absence_alike() -> None:
    y = np.zeros((100, 2), int)
    y[:10, 0] = y[:50, 1] = 1
    job, parts = prepared(given_examples(np.zeros((100, 3, 1)), y, kind="class"), Options(class_weight="balanced"))
    assert class_weights(job, parts.training).tolist() == pytest.approx([50 / 90, 5, 1, 1])


def test_a_report_of_sets_counts_decisions_and_whole_sets() -> None:
    true = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [1, 0, 0]], bool)
    predicted = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0]], bool)
    report = set_report(("a", "b", "c"), true, predicted)
    assert (report.exact, report.commonest, report.accuracy) == (2, 2, 1 - 2 / 12)
    assert report.most_frequent == pytest.approx((3 / 4 + 3 / 4 + 1) / 3)
    assert report.micro_f1 == pytest.approx(2 * 3 / (4 + 4))
    assert report.macro_f1 == pytest.approx(0.5), "of those that occur or are predicted"
    assert report.lines()[0].startswith("sets predicted whole 50.0% of 4 (always the commonest set: 50.0%)")
    assert report.lines()[3].split() == ["b", "1", "0.000", "0.000", "0.000"]
    assert report.to_json()["f1"] == [1.0, 0.0, None]


def test_each_target_is_reported_and_a_shortfall_names_it() -> None:
    job, parts = prepared(given_examples(*classes(), kind="class"), Options(hidden=4))
    model = job.untrained().eval()
    report = judged(job, model, parts.training)
    assert isinstance(report, SeveralReport)
    assert list(report.reports) == ["0", "1"]
    assert report.lines()[0].startswith("every target right in ")
    model.output.weight.data.zero_()
    model.output.bias.data = torch.tensor([9.0, 0, 0, 9])  # always fast, always up
    assert judged(job, model, parts.training).reports["0"].accuracy == 0.5
    job, parts = prepared(given_examples(*amounts(), kind="number"), Options(hidden=4))
    model = job.untrained().eval()
    model.output.bias.data = torch.tensor([0.0, 9.0])
    assert str(shortfall(job, model, parts.training)).startswith("target 1: on the training sequences the error of ")


def test_predictions_are_objects_by_name_and_lists() -> None:
    job, parts = prepared(given_examples(*classes(), kind="class"), Options(hidden=4))
    answer = next(predictions(job, job.untrained().eval(), parts.training))
    assert answer["label"].keys() == answer["probability"].keys() == {"0", "1"}
    assert answer["label"]["1"] in ("down", "up")
    job, parts = prepared(given_examples(*marks(), kind="class"), Options(hidden=4))
    assert isinstance(judged(job, job.untrained().eval(), parts.training), SetReport)
    answer = next(predictions(job, job.untrained().eval(), parts.training))
    assert answer["label"] == [k for k in range(3) if answer["probability"][str(k)] > 0.5]
