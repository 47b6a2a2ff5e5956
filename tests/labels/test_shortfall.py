"""A model that has not learnt its own training sequences says so, with a remedy."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from label_toys import sums, waves, write_waves

import gatework as gw
from gatework.labels.data.batches import Encoded
from gatework.labels.data.examples import given_examples
from gatework.labels.options import Options
from gatework.labels.parts import prepared
from gatework.labels.shortfall import nearest_neighbour, shortfall
from gatework.labels.train import train_labels
from gatework.training.events import Event, Notice


def encoded(X: object, y: object) -> Encoded:
    return prepared(given_examples(X, y, kind="class"), Options())[1].training


def test_the_nearest_other_sequence_is_compared_whatever_the_lengths() -> None:
    rising = [np.linspace(0, 1, T) for T in (5, 9, 14)]
    falling = [np.linspace(1, 0, T) for T in (6, 8, 20)]
    assert nearest_neighbour(encoded(rising + falling, ["up"] * 3 + ["down"] * 3)) == 1
    assert nearest_neighbour(encoded([[0.0], [0.1], [5.0], [5.1]], ["a", "b", "a", "b"])) == 0


def test_an_untrained_model_falls_short_and_says_of_what() -> None:
    job, parts = prepared(given_examples(*waves(), kind="class"), Options(hidden=4))
    X, y = np.tile(np.arange(60)[:, None] % 2 * 4.0, (1, 5)), ["slow", "fast"] * 30
    easy = encoded(X, y)
    said = shortfall(job, job.untrained().eval(), easy)
    assert said is not None
    assert "the nearest other sequence's label is right for 100.0%" in said
    assert 'train for longer, change the learning rate, or give it more hidden units, or try the branch "fcn"' in said
    assert parts.validation is None


def test_one_that_has_learnt_says_nothing() -> None:
    X, y = waves()
    model = gw.SequenceClassifier(hidden=8, steps=60, learning_rate=0.03).fit(X, y)
    assert shortfall(model.job_, model.model_, encoded(X, y)) is None


def test_tags_and_texts_are_compared_with_the_commonest_label_and_numbers_with_their_mean() -> None:
    job, parts = prepared(given_examples(["ab"] * 30, [["x", "x"]] * 29 + [["x", "y"]], kind="tag"), Options(hidden=4))
    model = job.untrained().eval()
    with_bias = dict(model.named_parameters())["output.bias"]
    with_bias.data.copy_(with_bias.new_tensor([0.0, 50.0]))
    said = shortfall(job, model, parts.training)
    assert said is not None and "always the commonest label is right for 98.3%" in said
    job, parts = prepared(given_examples(*sums(), kind="number"), Options(hidden=4))
    model = job.untrained().eval()
    dict(model.named_parameters())["output.bias"].data.fill_(9)
    said = shortfall(job, model, parts.training)
    assert said is not None and "of always predicting their mean" in said


def hopeless(**options: object) -> gw.SequenceClassifier:
    return gw.SequenceClassifier(hidden=4, learning_rate=1e-9, **options)  # type: ignore[arg-type]


def test_an_estimator_warns_where_no_end_was_named(capsys: pytest.CaptureFixture[str]) -> None:
    X, y = np.tile(np.arange(24)[:, None] % 2 * 4.0, (1, 5)), ["a", "b"] * 12
    with pytest.warns(UserWarning, match=r"accuracy on the training sequences is .*train for longer"):
        hopeless().fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hopeless(steps=2).fit(X, y)
    hopeless(steps=2, verbose=True).fit(X, y)
    assert "train for longer" in capsys.readouterr().out


def test_a_run_says_it_beside_its_figures(tmp_path: Path) -> None:
    heard: list[Event] = []
    options = Options(hidden=4, steps=2, learning_rate=1e-9)
    file = write_waves(tmp_path / "w.jsonl", 100)
    train_labels(str(file), tmp_path / "run", options, device="cpu", report=heard.append)
    assert any(isinstance(event, Notice) and "on the training sequences" in event.message for event in heard)
