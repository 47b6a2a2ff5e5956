"""What the data choose, what the user names instead, and that it is kept with the run."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from label_toys import waves, words

import gatework as gw
from gatework.errors import InputError
from gatework.labels.data.examples import given_examples
from gatework.labels.model import Ensemble, SequenceModel
from gatework.labels.options import Options
from gatework.labels.parts import prepared
from gatework.labels.plan import Plan, plan_of


def plan(steps: int, count: int = 40, *, kind: str = "class", **options: Any) -> Plan:
    X = np.random.default_rng(0).normal(size=(count, steps, 1)).astype(np.float32)
    y: Any = [float(k) if kind == "number" else str(k % 2) for k in range(count)]
    if kind == "set":
        y = [{"a"} if k % 2 else {"a", "b"} for k in range(count)]
    if kind == "tag":
        y = [["a", "b"] * (steps // 2)] * count
    return plan_of(Options(**options), kind, given_examples(X, y, kind=kind))  # type: ignore[arg-type]


@pytest.mark.parametrize(("steps", "stages"), [(24, 0), (150, 0), (251, 1), (427, 2), (1460, 4)])
def test_long_sequences_are_shortened_to_about_as_many_steps(steps: int, stages: int) -> None:
    assert plan(steps).stages == stages
    assert plan(steps, front="none").stages == 0


def test_classes_of_whole_sequences_of_numbers_have_a_branch() -> None:
    assert plan(24).branch == "fcn"
    assert plan(8).branch == "none", "too short"
    assert plan(24, bidirectional=False).branch == "none", "read from the start only"
    assert plan(24, kind="number").branch == "none"
    assert plan(24, kind="set").branch == "fcn"
    assert plan(24, branch="none").branch == "none"
    assert plan(8, kind="number", branch="fcn").branch == "fcn"
    texts = given_examples(["a text of some length"] * 10, ["a", "b"] * 5)
    assert plan_of(Options(), "class", texts).branch == "none"


def test_a_label_a_step_stays_with_the_recurrent_layers_alone() -> None:
    assert plan(400, kind="tag") == Plan()
    assert plan(400, kind="tag", branch="fcn", members=3) == Plan()
    fancy = Plan(stages=2, branch="fcn", summary="max")
    tagger = SequenceModel(Options(hidden=4), 3, (2,), tokens=False, kind="tag", plan=fancy)
    plain = SequenceModel(Options(hidden=4), 3, (2,), tokens=False, kind="tag")
    assert tagger.state_dict().keys() == plain.state_dict().keys()


def test_effort_falls_as_the_work_of_an_epoch_grows() -> None:
    small, large = plan(24), plan(150, 2000)
    assert small.members > large.members == 1
    assert small.epochs is not None and large.epochs is not None
    assert small.epochs > large.epochs
    assert plan(24, members=2).members == 2
    assert plan(24, epochs=7).epochs is None, "the user's end counts"


def test_what_is_named_is_not_chosen() -> None:
    named = plan(150, summary="last+max", augment="jitter", members=3, branch="fcn", front="none")
    assert (named.summary, named.augment, named.members, named.stages) == ("last+max", "jitter", 3, 0)


def test_texts_cannot_be_warped() -> None:
    with pytest.raises(InputError, match=r"augment is 'warp', and texts cannot be changed so: expected 'none'"):
        gw.SequenceClassifier(augment="warp", steps=2).fit(["ab", "ba"] * 5, ["x", "y"] * 5)


def test_the_plan_is_one_sentence() -> None:
    assert str(Plan()) == "recurrent layers alone; summary last"
    said = str(Plan(2, "fcn", "attention", 3, "jitter+warp", 120))
    assert said == (
        "sequences are shortened 4 times by 2 convolutions of stride 2; convolutions beside the recurrent layers "
        "(LSTM-FCN); summary attention; 3 networks averaged; sequences changed at random by jitter+warp; 120 epochs"
    )


@pytest.mark.parametrize(
    "wrong", [{"stages": -1}, {"members": 10**9}, {"branch": "resnet"}, {"summary": "first"}, {"augment": "x"}]
)
def test_a_plan_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"{next(iter(wrong))} is"):
        Plan(**wrong)
    assert Plan.from_json(json.loads(json.dumps(Plan(1, "fcn").to_json()))) == Plan(1, "fcn")


# -- networks averaged


def test_networks_that_are_averaged_differ_and_their_probabilities_are() -> None:
    job, parts = prepared(given_examples(*waves(), kind="class"), Options(hidden=4, members=3))
    model = job.untrained().eval()
    assert isinstance(model, Ensemble)
    batch, targets = parts.training.padded(torch.arange(5))
    each = torch.stack([member.scores(batch).softmax(-1) for member in model.members])  # type: ignore[operator]
    assert not torch.allclose(each[0], each[1])
    assert torch.allclose(model.scores(batch).exp(), each.mean(0), atol=1e-6)
    loss, _ = model(batch, targets)
    assert loss.item() == pytest.approx(-each.mean(0)[torch.arange(5), targets].log().mean().item(), abs=1e-5)


def test_in_training_each_network_learns_by_itself() -> None:
    job, parts = prepared(given_examples(*waves(), kind="class"), Options(hidden=4, members=2, dropout=0.0))
    model = job.untrained().train()
    batch, targets = parts.training.padded(torch.arange(5))
    losses = [member(batch, targets)[0].item() for member in model.members]  # type: ignore[union-attr]
    assert model(batch, targets)[0].item() == pytest.approx(sum(losses) / 2)


# -- kept with the run

SHAPED: dict[str, Any] = {"hidden": 4, "steps": 6, "members": 2, "branch": "fcn", "summary": "last+max"}


def test_a_shaped_classifier_is_saved_and_predicts_the_same(tmp_path: Path) -> None:
    X, y = waves()
    model = gw.SequenceClassifier(**SHAPED, augment="jitter+warp+crop").fit(X, y)
    model.save(tmp_path / "run")
    again = gw.SequenceClassifier.load(tmp_path / "run")
    assert again.plan_ == model.plan_ == Plan(0, "fcn", "last+max", 2, "jitter+warp+crop")
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    alone = np.concatenate([model.predict_proba([x]) for x in X])
    assert alone == pytest.approx(model.predict_proba(X), abs=1e-5), "padding makes no difference"


def test_a_run_of_before_there_were_plans_predicts_the_same(tmp_path: Path) -> None:
    X, _ = words()
    y = ["same" if "aa" in text or "bb" in text else "new" for text in X]
    model = gw.SequenceClassifier(hidden=4, steps=6, summary="attention").fit(X, y)
    model.save(tmp_path / "run")
    path = tmp_path / "run" / "run.json"
    values = json.loads(path.read_text())
    del values["plan"]
    for name in ("front", "branch", "members", "augment"):
        del values["options"][name]
    path.write_text(json.dumps(values))
    assert np.array_equal(gw.SequenceClassifier.load(tmp_path / "run").predict_proba(X), model.predict_proba(X))


def test_a_regressor_averages_numbers() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 20, 1))
    y = X.mean((1, 2)) * 10
    model = gw.SequenceRegressor(**{**SHAPED, "steps": 80}, learning_rate=0.02).fit(X, y)
    assert model.plan_.members == 2
    assert model.score(X, y) > 0.5
