"""What estimators of labels are given by users of numpy, pandas and scikit-learn, and what they refuse in one line."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gatework as gw
from gatework import InputError

RANDOM = np.random.default_rng(0)
X = [RANDOM.normal(size=int(T)) for T in RANDOM.integers(1, 6, 24)]
Y = ["a", "b"] * 12


def classifier(**options: Any) -> gw.SequenceClassifier:
    return gw.SequenceClassifier(**{"hidden": 4, "steps": 2, **options})


def regressor() -> gw.SequenceRegressor:
    return gw.SequenceRegressor(hidden=4, steps=2)


@pytest.mark.parametrize(
    "options",
    [
        {"hidden": np.int64(4), "steps": np.int32(2), "batch_size": np.array(8), "random_state": np.uint8(3)},
        {"dropout": np.float32(0.1), "learning_rate": np.float64(0.01), "validation": np.float32(0.5)},
        {"class_weight": {"a": np.float32(2.0), np.str_("b"): np.int64(1)}},
    ],
)
def test_arguments_of_numpy_are_taken_and_kept(options: dict[str, Any], tmp_path) -> None:
    fitted = classifier(**options).fit(X, Y)
    fitted.save(tmp_path / "run")
    loaded = gw.SequenceClassifier.load(tmp_path / "run")
    assert np.array_equal(loaded.predict(X), fitted.predict(X))


@pytest.mark.parametrize(
    "y",
    [
        np.array(Y)[:, None],
        pd.DataFrame({"label": Y}),
        pd.Series(Y, dtype="category"),
        pd.Series(Y, dtype="string"),
        [np.str_(label) for label in Y],
    ],
    ids=["a column", "a table of one column", "categories", "strings", "numpy's texts"],
)
def test_labels_in_any_wrapping_are_the_same_labels(y: Any) -> None:
    assert np.array_equal(classifier().fit(X, y).predict(X), classifier().fit(X, Y).predict(X))


def test_a_column_of_numbers_is_numbers() -> None:
    y = np.arange(24.0)
    assert np.array_equal(regressor().fit(X, y[:, None]).predict(X), regressor().fit(X, y).predict(X))


def test_an_array_of_objects_that_are_numbers_is_numbers() -> None:
    rows = np.array([[1, 2.5], [3, 4]] * 4, object)
    plain = rows.astype(float)
    given, expected = (classifier().fit(x, Y[:8]).predict_proba(x) for x in (rows, plain))
    assert np.array_equal(given, expected)


def test_a_class_with_one_example_is_learned_and_predicted_among_the_others() -> None:
    fitted = classifier(validation=0.5, class_weight="balanced").fit([*X, np.ones(3)], [*Y, "c"])
    assert list(fitted.classes_) == ["a", "b", "c"]
    assert fitted.predict_proba(X).shape == (24, 3)


def test_a_label_that_was_not_there_is_scored_as_wrong() -> None:
    fitted = classifier().fit(X, Y)
    assert fitted.score(X[:2], ["new", "new"]) == 0


def test_a_sequence_of_one_step_has_a_label_and_a_tag() -> None:
    assert classifier().fit(X, Y).predict([[1.0]]).shape == (1,)
    assert gw.Tagger(hidden=4, steps=2).fit([[1.0], [2.0]], [["a"], ["b"]]).predict([[1.0]])[0].shape == (1,)


def test_numbers_far_from_those_learned_from_are_finite_to_the_network() -> None:
    tiny = [np.array([1e-38, 0.0]), np.array([3e-38, 1e-38])]
    chances = classifier().fit(tiny, ["a", "b"]).predict_proba([np.array([3e38, -3e38]), np.array([1.0])])
    assert np.isfinite(chances).all()


@pytest.mark.parametrize(("truth", "score"), [([5.0], 0.0), ([5.0, 5.0], 0.0)])
def test_the_share_of_no_variance_is_none_unless_all_is_right(truth: list[float], score: float) -> None:
    fitted = regressor().fit(X, np.arange(24.0))
    assert fitted.score(X[: len(truth)], truth) == score
    assert fitted.score(X[:1], fitted.predict(X[:1])) == 1.0


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "ids": (lambda: classifier().fit(X, [f"id {k}" for k in range(24)]), 'all 24 labels differ, such as "id 0" and'),
    "large": (
        lambda: regressor().fit(X, [1e300, -1e300] * 12),
        "the largest label is 1e+300; expected 1e-100 to 1e+100",
    ),
    "small": (lambda: regressor().fit(X, [1e-300, -1e-300] * 12), "the largest label is 1e-300; expected 1e-100"),
    "validation": (
        lambda: classifier(validation="x").fit(X, Y),
        "validation is 'x'; expected a share of the sequences",
    ),
    "no validation": (lambda: classifier(validation=None).fit(X, Y), "validation is None; expected a share"),
    "weight": (
        lambda: classifier(class_weight={"a": "2"}).fit(X, Y),
        "class_weight is {'a': '2'}; expected 'balanced'",
    ),
    "empty": (lambda: classifier().fit([*X, []], [*Y, "a"]), "X[24]: the sequence is empty: leave the row out"),
    "nothing": (lambda: classifier().fit(X, Y).predict([]), "X is empty; expected at least one sequence"),
    "no steps": (lambda: classifier().fit(X, Y).predict(np.zeros((2, 0))), "X[0]: the sequence is empty"),
    "gap": (lambda: classifier().fit([*X, [np.nan, -np.inf]], [*Y, "a"]), "X[24]: step 1 is -inf; expected"),
    "infinite": (lambda: classifier().fit(X, Y).predict([[1.0, np.inf]]), "X[0]: step 1 is inf"),
    "complex": (lambda: classifier().fit(np.ones((4, 3), complex), Y[:4]), "expected a number"),
    "tags": (lambda: gw.Tagger().fit([[1.0], [2.0]], [[np.nan], [1.0]]), "X[0]: the labels hold NaN; expected texts"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_learned_is_refused_in_one_line(case: str) -> None:
    attempt, said = REFUSED[case]
    with pytest.raises(InputError) as caught:
        attempt()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_gaps_in_sequences_are_learnt_from_and_kept_with_the_run(tmp_path) -> None:
    rows = [np.where(np.arange(6) == (k % 2) * 3, np.nan, RANDOM.normal(size=6)) for k in range(24)]
    fitted = classifier(steps=60, learning_rate=0.03).fit(rows, Y)
    assert fitted.score(rows, Y) == 1, "where the gap is says the label"
    fitted.save(tmp_path / "run")
    assert np.array_equal(gw.SequenceClassifier.load(tmp_path / "run").predict_proba(rows), fitted.predict_proba(rows))
