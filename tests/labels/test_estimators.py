import json
import pickle
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from label_toys import QUICK, sums, waves, words

import gatework as gw
from gatework.errors import InputError
from gatework.labels import learning as classify_learning
from gatework.training.events import Step, StopTraining, TrainingError

sklearn = pytest.importorskip("sklearn", reason="scikit-learn is not installed")


@pytest.fixture(scope="module")
def classifier() -> gw.SequenceClassifier:
    return gw.SequenceClassifier(**QUICK).fit(*waves())


@pytest.fixture(scope="module")
def tagger() -> gw.Tagger:
    return gw.Tagger(**QUICK).fit(*words())


# -- learning


@pytest.mark.parametrize("summary", ["last", "mean", "attention"])
def test_classes_are_learnt(summary: str) -> None:
    model = gw.SequenceClassifier(**QUICK, summary=summary).fit(*waves())
    assert model.score(*waves(seed=1)) > 0.9
    assert model.classes_.tolist() == ["fast", "slow"]


def test_numbers_are_learnt() -> None:
    model = gw.SequenceRegressor(**{**QUICK, "steps": 200}, dropout=0.0, cell="gru").fit(*sums(200))
    assert model.score(*sums(seed=1)) > 0.9
    assert model.predict(sums(seed=1)[0]).shape == (60,)


def test_tags_are_learnt(tagger: gw.Tagger) -> None:
    X, y = words(seed=1)
    assert tagger.score(X, y) > 0.95
    assert [len(tags) for tags in tagger.predict(X)] == [len(text) for text in X]


def test_texts_and_words_are_learnt() -> None:
    texts = [f"{first} it {end}" for first in ("take", "leave") for end in "abcdefghij"] * 3
    labels = [text[0] for text in texts]
    assert gw.SequenceClassifier(**QUICK).fit(texts, labels).score(texts, labels) == 1
    by_word = gw.SequenceClassifier(**QUICK, level="word").fit(texts, labels)
    assert by_word.predict(["leave all", "take what"]).tolist() == ["l", "t"]
    lists = [text.split() for text in texts]
    assert gw.SequenceClassifier(**QUICK).fit(lists, labels).score(lists, labels) == 1


def test_a_cell_of_ones_own_and_further_arguments() -> None:
    cell = gw.Cell("leaky", "z = sigmoid(W_z @ x + U_z @ h + b_z)\nh = z * h + (1 - z) * tanh(W @ x + U @ h + b)")
    model = gw.SequenceClassifier(**QUICK, cell=cell, recurrent={"zoneout": {"h": 0.05}}, bidirectional=False)
    assert model.fit(*waves()).score(*waves(seed=1)) > 0.9


def test_the_same_seed_learns_the_same_and_disturbs_nobody() -> None:
    state = torch.get_rng_state()
    options = {**QUICK, "steps": 5}
    first, again, other = (
        gw.SequenceClassifier(**options, random_state=seed).fit(*waves()).predict_proba(waves()[0])
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)
    gw.SequenceClassifier(**options, random_state=None).fit(*waves())


def test_padding_makes_no_difference(classifier: gw.SequenceClassifier) -> None:
    X, _ = waves(seed=2)
    padded = np.full((len(X), 15), 7.0)
    for row, x in zip(padded, X, strict=True):
        row[: len(x)] = x
    together = classifier.predict_proba(padded, lengths=[len(x) for x in X])
    assert together == pytest.approx(classifier.predict_proba(X), abs=1e-6)
    alone = np.concatenate([classifier.predict_proba([x]) for x in X])
    assert together == pytest.approx(alone, abs=1e-6)


def test_probabilities_add_up_and_the_likeliest_is_predicted(
    classifier: gw.SequenceClassifier, tagger: gw.Tagger
) -> None:
    X = waves(seed=2)[0]
    chances = classifier.predict_proba(X)
    assert chances.sum(1) == pytest.approx(np.ones(60))
    assert classifier.predict(X).tolist() == classifier.classes_[chances.argmax(1)].tolist()
    text = words()[0][0]
    assert tagger.predict_proba([text])[0].shape == (len(text), 2)
    assert tagger.predict_proba([text])[0].sum(1) == pytest.approx(np.ones(len(text)))


@pytest.mark.parametrize("y", [np.array([3, 7] * 30), [True, False] * 30, np.array([0.5, 2] * 30)], ids=range(3))
def test_labels_come_back_as_they_were_given(y: Any) -> None:
    model = gw.SequenceClassifier(**{**QUICK, "steps": 2}).fit(waves()[0], y)
    assert model.predict(waves()[0]).dtype == np.asarray(y).dtype
    assert set(model.predict(waves()[0]).tolist()) <= set(np.asarray(y).tolist())


def test_a_table_of_pandas_is_taken_for_its_rows() -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    X = pandas.DataFrame(np.random.default_rng(0).normal(size=(30, 4)))
    y = pandas.Series(["a", "b", "c"] * 10)
    model = gw.SequenceClassifier(**{**QUICK, "steps": 2}).fit(X, y)
    assert model.predict(X).shape == (30,)
    assert 0 <= model.score(X, y) <= 1


def test_few_sequences_are_all_trained_on(capsys: pytest.CaptureFixture[str]) -> None:
    model = gw.SequenceClassifier(**{**QUICK, "steps": 2}, validation=0.1, verbose=True)
    model.fit(*waves(90))
    assert "validation" not in capsys.readouterr().out
    model.fit(*waves(100))
    told = capsys.readouterr().out
    assert "step 2: validation loss 0." in told
    assert "finished at step 2" in told


def test_a_report_hears_of_the_training_and_ends_it() -> None:
    heard: list[object] = []

    def report(event: object) -> None:
        heard.append(event)
        if isinstance(event, Step) and event.step == 3:
            raise StopTraining

    model = sklearn.base.clone(gw.SequenceClassifier(**{**QUICK, "steps": 2000}, report=report))
    assert model.fit(*waves(60)).predict(waves(60)[0]).shape == (60,)
    assert [event.step for event in heard if isinstance(event, Step)] == [1, 2, 3]


def test_the_best_weights_are_kept_and_patience_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)  # nothing can be learnt from these
    X, y = rng.normal(size=(100, 3)), rng.integers(0, 2, 100)
    gw.SequenceClassifier(**{**QUICK, "steps": 2000}, patience=2, validation=0.3, verbose=True).fit(X, y)
    assert "patience at step" in capsys.readouterr().out


# -- rare labels


def rare() -> tuple[np.ndarray, np.ndarray]:
    """One sequence in ten is of a class that its values, a little higher, do not tell for sure."""
    rng = np.random.default_rng(0)
    y = np.where(np.arange(300) % 10 == 0, "rare", "usual")
    return rng.normal(size=(300, 5)) + 0.6 * (y == "rare")[:, None], y


@pytest.mark.parametrize("weight", ["balanced", {"rare": 9}])
def test_class_weight_brings_rare_labels_out(weight: Any) -> None:
    X, y = rare()
    options = {**QUICK, "steps": 60}
    alike, weighed = (gw.SequenceClassifier(**options, class_weight=each).fit(X, y) for each in (None, weight))
    assert (weighed.predict(X) == "rare").sum() > 2 * (alike.predict(X) == "rare").sum()
    assert weighed.score(X[y == "rare"], y[y == "rare"]) > 0.5


def test_weights_by_label_survive_saving(tmp_path: Path) -> None:
    X, y = waves()
    numbers = [{"fast": 1, "slow": 2}[label] for label in y]
    model = gw.SequenceClassifier(**{**QUICK, "steps": 2}, class_weight={1: 2.0, 2: 1}).fit(X, numbers)
    model.save(tmp_path / "run")
    assert gw.SequenceClassifier.load(tmp_path / "run").class_weight == {1: 2.0, 2: 1}


@pytest.mark.parametrize(
    ("weight", "named"), [("even", "'even'"), ({"fast": 0}, "above 0"), ({"far": 1.0}, '"far" did not occur')]
)
def test_a_wrong_class_weight_is_named(weight: Any, named: str) -> None:
    with pytest.raises(InputError, match=named):
        gw.SequenceClassifier(**QUICK, class_weight=weight).fit(*waves())


# -- weights of sequences


def test_a_sequence_without_weight_might_not_be_there() -> None:
    X, y = rare()
    kept = y == "usual"
    X, y = np.concatenate([X[kept][:60], X[~kept]]), ["a", "b"] * 30 + ["a"] * int((~kept).sum())
    options = {**QUICK, "steps": 40, "validation": 0.0}
    pushed = gw.SequenceClassifier(**options).fit(X, y).predict_proba(X[:60])
    left_out = gw.SequenceClassifier(**options).fit(X, y, sample_weight=[1.0] * 60 + [0.0] * 30).predict_proba(X[:60])
    assert pushed[:, 0].mean() > left_out[:, 0].mean() + 0.05


def test_weights_are_relative() -> None:
    X, y = waves()
    options = {**QUICK, "steps": 3}
    alike, plain = (
        gw.SequenceClassifier(**options).fit(X, y, sample_weight=weight).predict_proba(X) for weight in ([7] * 60, None)
    )
    assert alike == pytest.approx(plain, abs=1e-5)
    gw.Tagger(**options).fit(*words(), sample_weight=np.arange(60))
    gw.SequenceRegressor(**options).fit(*sums(), sample_weight=np.arange(60))


@pytest.mark.parametrize("weight", [[1.0], [-1.0] * 60, [0] * 60, ["x"] * 60, [np.nan] * 60], ids=range(5))
def test_a_weight_that_cannot_be_is_refused(weight: Any) -> None:
    with pytest.raises(InputError, match=r"sample_weight is .*; expected 60 numbers of 0 or more, one for each seq"):
        gw.SequenceClassifier(**QUICK).fit(*waves(), sample_weight=weight)


# -- stopping


def test_ctrl_c_keeps_what_was_learnt_and_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    former = classify_learning.LabelBatches.__getitem__
    asked = []

    def pressed(self: Any, k: int) -> Any:
        asked.append(k)
        if len(asked) == 3:
            signal.raise_signal(signal.SIGINT)
        return former(self, k)

    monkeypatch.setattr(classify_learning.LabelBatches, "__getitem__", pressed)
    model = gw.SequenceClassifier(**QUICK)
    with pytest.raises(KeyboardInterrupt):
        model.fit(*waves())
    assert len(asked) == 3
    assert model.predict(waves()[0]).shape == (60,)


def test_a_thread_can_learn() -> None:
    model = gw.SequenceClassifier(**{**QUICK, "steps": 2})
    thread = threading.Thread(target=model.fit, args=waves())
    thread.start()
    thread.join()
    assert len(model.predict(waves()[0])) == 60


# -- as scikit-learn's users expect


@pytest.mark.parametrize("kind", [gw.SequenceClassifier, gw.SequenceRegressor, gw.Tagger])
def test_parameters_are_those_given_and_survive_cloning(kind: Any) -> None:
    model = kind(hidden=5, cell=gw.cells["gru"], recurrent={"zoneout": {"h": 0.1}})
    twin = sklearn.base.clone(model)
    assert twin.get_params() == model.get_params()
    assert twin.set_params(hidden=6, dropout=0.5).get_params()["dropout"] == 0.5
    assert (model.hidden, twin.hidden) == (5, 6)
    assert "summary" in model.get_params() or kind is gw.Tagger
    with pytest.raises(InputError, match=f"a {kind.__name__} has no argument 'hiden'; there are cell, hidden"):
        model.set_params(hiden=3)


def test_an_estimator_is_shown_by_what_is_unusual_of_it() -> None:
    assert repr(gw.SequenceClassifier()) == "SequenceClassifier()"
    assert repr(gw.Tagger(cell="gru", hidden=5)) == "Tagger(cell='gru', hidden=5)"


def test_scikit_learn_knows_what_they_are() -> None:
    assert sklearn.base.is_classifier(gw.SequenceClassifier())
    assert sklearn.base.is_regressor(gw.SequenceRegressor())
    assert not sklearn.base.is_classifier(gw.Tagger())


def test_fitting_is_what_makes_them_fitted(classifier: gw.SequenceClassifier) -> None:
    from sklearn.utils.validation import check_is_fitted  # noqa: PLC0415

    check_is_fitted(classifier)
    with pytest.raises(sklearn.exceptions.NotFittedError):
        check_is_fitted(gw.SequenceClassifier())
    with pytest.raises(InputError, match="this SequenceClassifier is not fitted: call fit"):
        gw.SequenceClassifier().predict([[1.0]])


@pytest.mark.slow
def test_cross_validation_of_all_three() -> None:
    from sklearn.model_selection import cross_val_predict, cross_val_score  # noqa: PLC0415

    assert cross_val_score(gw.SequenceClassifier(**QUICK), *waves(), cv=3).mean() > 0.9
    assert cross_val_score(gw.SequenceClassifier(**QUICK), *waves(), cv=2, scoring="roc_auc").min() > 0.9
    assert cross_val_predict(gw.SequenceClassifier(**QUICK), *waves(), cv=2, method="predict_proba").shape == (60, 2)
    assert cross_val_score(gw.SequenceRegressor(**QUICK), *sums(), cv=2, scoring="neg_mean_absolute_error").max() < 0
    assert cross_val_score(gw.Tagger(**QUICK), *words(), cv=2).mean() > 0.8


@pytest.mark.slow
def test_a_grid_search_finds_what_learns() -> None:
    from sklearn.model_selection import GridSearchCV  # noqa: PLC0415

    grid = {"learning_rate": np.array([1e-7, 0.03]), "hidden": np.array([4, 8])}
    search = GridSearchCV(gw.SequenceClassifier(**QUICK), grid, cv=2).fit(*waves())
    assert search.best_params_["learning_rate"] == 0.03
    assert search.best_score_ > 0.9
    assert search.predict(waves(seed=1)[0]).shape == (60,)


def test_a_pipeline_ends_in_one(capsys: pytest.CaptureFixture[str]) -> None:
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 4)) + np.arange(60)[:, None] % 2 * 3, np.arange(60) % 2
    assert make_pipeline(StandardScaler(), gw.SequenceClassifier(**QUICK)).fit(X, y).score(X, y) > 0.9


def test_a_fitted_one_can_be_pickled(classifier: gw.SequenceClassifier) -> None:
    twin = pickle.loads(pickle.dumps(classifier))
    assert np.array_equal(twin.predict_proba(waves()[0]), classifier.predict_proba(waves()[0]))


def test_gatework_does_not_import_scikit_learn() -> None:
    code = "import sys, gatework as gw; gw.SequenceClassifier().get_params(); sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- keeping


def test_what_is_saved_predicts_the_same(classifier: gw.SequenceClassifier, tagger: gw.Tagger, tmp_path: Path) -> None:
    classifier.save(tmp_path / "waves")
    tagger.save(tmp_path / "tags")
    assert {path.name for path in (tmp_path / "waves").iterdir()} == {"run.json", "best.safetensors"}
    again = gw.SequenceClassifier.load(tmp_path / "waves")
    assert np.array_equal(again.predict_proba(waves()[0]), classifier.predict_proba(waves()[0]))
    assert (again.hidden, again.cell, again.classes_.tolist()) == (8, "lstm", ["fast", "slow"])
    texts = words()[0]
    tags = zip(gw.Tagger.load(tmp_path / "tags").predict(texts), tagger.predict(texts), strict=True)
    assert all(np.array_equal(ours, theirs) for ours, theirs in tags)
    assert again.fit(*waves()).score(*waves()) > 0.9, "what is loaded can learn anew"


def test_a_regressor_is_saved_with_its_scale(tmp_path: Path) -> None:
    X, y = sums()
    model = gw.SequenceRegressor(**{**QUICK, "steps": 5}).fit(X, [100 + 10 * label for label in y])
    model.save(tmp_path / "run")
    assert np.array_equal(gw.SequenceRegressor.load(tmp_path / "run").predict(X), model.predict(X))
    assert 90 < model.predict(X).mean() < 110


def test_a_saved_one_is_not_overwritten_unasked(classifier: gw.SequenceClassifier, tmp_path: Path) -> None:
    classifier.save(tmp_path / "run")
    with pytest.raises(InputError, match="run exists"):
        classifier.save(tmp_path / "run")
    classifier.save(tmp_path / "run", overwrite=True)
    with pytest.raises(InputError, match="is not fitted: there is nothing to save"):
        gw.Tagger().save(tmp_path / "other")


def harmed(folder: Path, **values: Any) -> None:
    path = folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_folder_that_is_damaged_or_another_kind(classifier: gw.SequenceClassifier, tmp_path: Path) -> None:
    classifier.save(tmp_path / "good")
    with pytest.raises(
        InputError, match=re.escape("is a run of a SequenceClassifier, not of a Tagger: open it by gw.S")
    ):
        gw.Tagger.load(tmp_path / "good")
    for k, values in enumerate(
        [
            {"kind": "number"},
            {"kind": "what"},
            {"inputs": {"form": "numbers", "mean": [0], "scale": [0]}},
            {"targets": {"classes": ["a"], "dtype": "<U1"}},
            {"targets": {"classes": ["a", "b"], "dtype": "nonsense"}},
            {"targets": {}},
            {"options": {"cell": 3}},
            {"options": {}},
        ]
    ):
        folder = tmp_path / str(k)
        shutil.copytree(tmp_path / "good", folder)
        harmed(folder, **values)
        with pytest.raises(InputError, match=f"{folder}/run.json is damaged"):
            gw.SequenceClassifier.load(folder)
    path = tmp_path / "good" / "best.safetensors"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"best\.safetensors is damaged"):
        gw.SequenceClassifier.load(tmp_path / "good")


# -- what cannot be used


@pytest.mark.parametrize(
    ("kind", "X", "y", "said"),
    [
        (gw.SequenceClassifier, ["a", "b"], None, "y is None; expected a label for each sequence"),
        (gw.SequenceClassifier, ["a", "b"], ["x", "x"], 'all 2 labels are "x"; expected at least two kinds'),
        (gw.SequenceClassifier, ["a", "b"], ["x"], "y has 1 labels, X 2 sequences"),
        (gw.SequenceClassifier, ["a", "b"], [["x"], ["y"]], "is a list of a text; expected one label"),
        (gw.SequenceRegressor, ["a", "b"], ["x", "y"], 'X[0]: the label "x" is a text; expected one number'),
        (gw.SequenceRegressor, ["a", "b"], [1, 1], "all 2 labels are 1.0; expected numbers that differ"),
        (gw.SequenceRegressor, ["a", "b"], [1, np.nan], "X[1]: the label is nan"),
        (gw.Tagger, ["a", "b"], ["x", "y"], "expected a list of labels, one a step"),
        (gw.Tagger, ["ab", "b"], [["x"], ["y"]], "X[0]: 1 labels for a sequence of 2 steps"),
    ],
    ids=range(9),
)
def test_labels_that_cannot_be_learnt(kind: Any, X: Any, y: Any, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        kind(**QUICK).fit(X, y)


def test_other_sequences_than_in_training(classifier: gw.SequenceClassifier) -> None:
    with pytest.raises(
        InputError, match=re.escape("X[0]: a text read by its characters; the model was trained on num")
    ):
        classifier.predict(["abc"])
    with pytest.raises(
        InputError, match=re.escape("X[0]: vectors of 2 numbers; the model was trained on vectors of 1")
    ):
        classifier.predict(np.zeros((3, 4, 2)))


def test_a_loss_that_runs_away_is_told_without_a_folder_that_is_gone() -> None:
    with pytest.raises(InputError, match="lower the learning rate") as error:
        gw.SequenceRegressor(**{**QUICK, "learning_rate": 1e30}).fit(*sums())
    assert "checkpoint" not in str(error.value)
    assert not isinstance(error.value, TrainingError)
