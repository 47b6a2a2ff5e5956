"""How long to train on few sequences is chosen by cross-validation: a part held out of them would be too small."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from label_toys import QUICK, write_rows

import gatework as gw
from gatework.labels import trial
from gatework.labels.data.examples import given_examples
from gatework.labels.options import Options
from gatework.labels.parts import Parts, prepared
from gatework.labels.run import Job, Run
from gatework.labels.train import train_labels
from gatework.labels.trial import with_tried_epochs
from gatework.training.events import Notice, TrainingError
from gatework.training.processes import launch

CPU = launch(device="cpu")


def noise(count: int = 30, *, epochs: int = 30, learnable: bool = False, **options: Any) -> tuple[Job, Parts]:
    """Noise and labels that have nothing to do with it, or that say whether a step has been added to it."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(count, 14, 1)), rng.integers(0, 2, count)
    y[:2] = 0, 1
    if learnable:
        X[:, 7:, 0] += 3 * y[:, None]
    job, parts = prepared(
        given_examples(X, y.tolist(), kind="class"), Options(**{"hidden": 4, "learning_rate": 0.03, **options})
    )
    return replace(job, plan=replace(job.plan, epochs=epochs)), parts


def test_what_cannot_be_learnt_is_trained_for_less_long() -> None:
    notices: list[Any] = []
    job, parts = noise()
    chosen = with_tried_epochs(job, parts, CPU, notices.append)
    assert (chosen.plan.epochs, chosen.plan.folds) == (10, 3)
    assert str(chosen.plan).endswith("10 epochs, chosen by 3-fold cross-validation")
    assert notices == [Notice("how long to train is tried on 3 parts of the 30 training sequences")]
    other = replace(job, options=replace(job.options, random_state=7))
    assert with_tried_epochs(other, parts, CPU).plan == chosen.plan, "by the sequences, whatever the seed"


def test_what_can_be_learnt_is_trained_as_long_as_planned() -> None:
    job, parts = noise(epochs=9, learnable=True)
    assert with_tried_epochs(job, parts, CPU).plan.epochs == 9


def test_a_training_that_diverges_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    learn = trial.learn

    def fails_when_long(job: Job, *given: Any, **named: Any) -> Any:
        if job.plan.epochs == 3:
            raise TrainingError("the loss is nan")
        return learn(job, *given, **named)

    monkeypatch.setattr(trial, "learn", fails_when_long)
    assert with_tried_epochs(*noise(epochs=3, learnable=True), CPU).plan.epochs == 1


def test_every_sequence_is_predicted_by_a_model_that_has_not_seen_it() -> None:
    _, parts = noise()
    folds = trial._folds(parts.training)
    assert np.bincount(folds).tolist() == [10, 10, 10]
    targets = parts.training.targets.numpy()
    assert np.ptp([targets[folds == fold].sum() for fold in range(3)]) <= 1, "each class is spread over all"


@pytest.mark.parametrize(
    "given",
    [
        {"steps": 5},
        {"patience": 2},
        {"validation": 0.3, "count": 60},
        {"branch": "none"},
        {"count": 300},
        {"hidden": 999},
    ],
)
def test_nothing_is_tried_where_something_else_says_how_long(given: dict[str, Any]) -> None:
    job, parts = noise(**given)
    if not {"steps", "branch"}.isdisjoint(given):
        job = replace(job, plan=replace(job.plan, epochs=None))
    assert with_tried_epochs(job, parts, CPU) is job


def test_the_chosen_number_is_kept_with_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(12, 14, 1)), ["a", "b"] * 6
    monkeypatch.setattr("gatework.labels.plan.EPOCHS", 3)
    model = gw.SequenceClassifier(**{**QUICK, "steps": None}, members=1).fit(X, y)
    assert model.plan_.epochs in (1, 3)
    assert model.plan_.folds == 3
    model.save(tmp_path / "run")
    assert gw.SequenceClassifier.load(tmp_path / "run").plan_ == model.plan_


def test_a_training_in_a_folder_tries_too_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.random.default_rng(0).normal(size=(18, 14, 1))
    file, heard = write_rows(tmp_path / "x.jsonl", X, ["a", "b"] * 9, "sequence"), []
    monkeypatch.setattr("gatework.labels.plan.EPOCHS", 3)
    train_labels(str(file), tmp_path / "run", Options(hidden=4, members=1), device="cpu", report=heard.append)
    assert heard[0] == Notice("how long to train is tried on 3 parts of the 16 training sequences")
    plan = Run.open(tmp_path / "run").job.plan
    assert (plan.folds, plan.epochs in (1, 3)) == (3, True)
