import json
import math

import numpy as np
import pytest

from gatework.labels.report import calibration, class_report, number_report

TRUE = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 1, 1, 1, 0])


def test_the_figures_are_those_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    rng = np.random.default_rng(0)
    true, predicted = rng.integers(0, 5, 200), rng.integers(0, 5, 200)
    report = class_report("abcde", true, predicted)
    assert report.accuracy == metrics.accuracy_score(true, predicted)
    assert report.confusion.tolist() == metrics.confusion_matrix(true, predicted).tolist()
    assert report.f1 == pytest.approx(metrics.f1_score(true, predicted, average=None))
    assert report.macro_f1 == pytest.approx(metrics.f1_score(true, predicted, average="macro"))
    numbers, guesses = rng.normal(size=50), rng.normal(size=50)
    errors = number_report(numbers, guesses)
    assert errors.rmse == pytest.approx(metrics.root_mean_squared_error(numbers, guesses))
    assert errors.mae == pytest.approx(metrics.mean_absolute_error(numbers, guesses))
    assert errors.r2 == pytest.approx(metrics.r2_score(numbers, guesses))


def test_the_table_has_the_true_label_in_its_row() -> None:
    report = class_report(("cat", "dog", "a bird"), TRUE, PREDICTED)
    assert report.lines() == [
        "accuracy 66.7% of 6 labels (always the commonest: 50.0%), mean F1 0.489",
        "        predicted",
        "true    cat  dog  a bird     F1",
        "cat       2    1       .  0.667",
        "dog       .    2       .  0.800",
        "a bird    1    .       .  0.000",
    ]


def test_a_table_that_is_too_wide_becomes_a_list_of_confusions() -> None:
    report = class_report(("cat", "dog", "a bird"), TRUE, PREDICTED)
    assert report.lines(width=30)[1:] == [
        "true     count     F1",
        "cat          3  0.667",
        "dog          2  0.800",
        "a bird       1  0.000",
        "commonest: cat taken for dog (1), a bird taken for cat (1)",
    ]


def test_a_label_that_never_occurs_has_no_f1() -> None:
    report = class_report(("a", "b", "c"), np.array([0, 1]), np.array([0, 1]))
    assert math.isnan(report.f1[2])
    assert report.macro_f1 == 1.0
    assert report.lines()[-1].endswith("-")
    assert "commonest" not in report.lines(width=1)[-1]


def test_tags_tell_how_many_sequences_are_right_altogether() -> None:
    report = class_report(("a", "b", "c"), TRUE, PREDICTED, np.array([2, 3, 1]))
    assert report.whole == (1, 3)
    assert report.lines()[0].startswith("accuracy 66.7% of 6 tags")
    assert report.lines()[1] == "every tag right in 1 of 3 sequences"


def test_numbers_are_compared_with_predicting_their_mean() -> None:
    report = number_report(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0]))
    assert report.lines() == [
        "root mean square error 0.5774 (predicting the mean: 0.8165), mean absolute error 0.3333, R2 0.500, of 3 labels"
    ]
    assert number_report(np.ones(2), np.zeros(2)).r2 is None
    assert "R2" not in number_report(np.ones(2), np.zeros(2)).lines()[0]


def test_reports_are_json() -> None:
    report = class_report(("a", "b", "c"), np.array([0, 1]), np.array([0, 1]), np.array([1, 1]))
    values = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert values["f1"] == [1.0, 1.0, None]
    assert (values["sequences"], values["all_right"]) == (2, 2)
    assert json.loads(json.dumps(number_report(np.ones(2), np.zeros(2)).to_json(), allow_nan=False))["r2"] is None


def test_calibration_compares_probabilities_with_how_often_they_are_right() -> None:
    chances = np.array([[0.92, 0.08], [0.94, 0.06], [0.3, 0.7], [0.45, 0.55]])
    found = calibration(np.log(chances), np.array([0, 1, 1, 0]))
    assert found.counts.tolist() == [0, 0, 0, 0, 0, 1, 0, 1, 0, 2]
    assert found.right[[5, 7, 9]].tolist() == [0, 1, 0.5]
    assert found.confidence[9] == pytest.approx(0.93)
    assert found.error == pytest.approx((0.55 + 0.3 + 2 * 0.43) / 4)
    assert found.log_loss == pytest.approx(-np.log([0.92, 0.06, 0.7, 0.45]).mean())
    assert found.lines()[1:] == [
        "   probability    labels    mean   right",
        "   50% to  60%         1   55.0%    0.0%",
        "   70% to  80%         1   70.0%  100.0%",
        "   90% to 100%         2   93.0%   50.0%",
    ]


def test_a_sure_answer_is_in_the_last_bin() -> None:
    found = calibration(np.array([[0.0, -np.inf]]), np.array([0]))
    assert (found.counts[-1], found.error, found.log_loss) == (1, 0, 0)
