"""The page of a run of labels in a browser: what it computes is what Python computes, for every kind of network."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from label_toys import QUICK, sums, waves, words, write_rows
from page_toys import Seen

import gatework as gw
from gatework.errors import InputError

SHORT: dict[str, Any] = {**QUICK, "steps": 3, "validation": 0.0}
NETWORKS: dict[str, dict[str, Any]] = {
    "last": {"summary": "last", "branch": "none", "members": 1},
    "attention and max": {"summary": "attention+max", "branch": "none", "members": 1, "cell": "gru", "layers": 2},
    "one way": {"summary": "mean", "branch": "none", "members": 1, "bidirectional": False},
    "branch, two": {"summary": "last", "branch": "fcn", "members": 2},
}


def shown(path: Path, show: Callable[..., Seen], run: Path, file: Path, **options: Any) -> Seen:
    gw.inspect(run, file, **options).write(path)
    seen = show(path)
    seen.page.wait_for_selector("body[data-ready=yes]")
    assert not seen.complaints
    return seen


@pytest.mark.parametrize("chosen", NETWORKS)
def test_networks_of_each_kind_are_those_of_python(chosen: str, show: Callable[..., Seen], tmp_path: Path) -> None:
    X, y = waves(20)
    model = gw.SequenceClassifier(**SHORT, **NETWORKS[chosen]).fit(X, y)
    model.save(tmp_path / "run")
    file = write_rows(tmp_path / "waves.jsonl", X, y, "sequence")
    seen = shown(tmp_path / "page.html", show, tmp_path / "run", file)
    assert seen.page.text_content("#check").startswith("Checked: on 3 sequences")
    assert len(seen.requests) == 1
    chances = model.predict_proba([X[0][: t + 1] for t in range(len(X[0]))])
    running = seen.page.evaluate("gatework.running.map((scores) => gatework.answer(scores).shares)")
    np.testing.assert_allclose(running, chances, atol=1e-4)


def test_long_sequences_are_shortened_and_the_page_says_so(show: Callable[..., Seen], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X, y = [rng.normal(size=T) for T in (501, 500, 480, 490)], ["a", "b", "a", "b"]
    model = gw.SequenceClassifier(**SHORT, branch="none", members=1).fit(X, y)
    model.save(tmp_path / "run")
    file = write_rows(tmp_path / "long.jsonl", X, y, "sequence")
    seen = shown(tmp_path / "page.html", show, tmp_path / "run", file)
    assert seen.page.text_content("#check").startswith("Checked: on 3 sequences")
    assert "2 convolutions of stride 2 shorten a sequence" in seen.page.text_content("#about")
    assert "of which one step stands for 4 of the input" in seen.page.text_content("#about")
    assert "at step" not in seen.page.text_content("#inside-note")
    assert " to " in seen.page.text_content("#inside-note")
    assert seen.page.evaluate("gatework.places[0].rows('h').length") == 126
    last = seen.page.evaluate("gatework.answer(gatework.running.at(-1)).shares")
    np.testing.assert_allclose(last, model.predict_proba(X[:1])[0], atol=1e-4)
    every = seen.page.evaluate("gatework.every")
    assert every > 1
    seen.page.press("#frame-box", "Home")
    seen.page.press("#frame-box", "ArrowRight")
    assert f"as after step 1, since every {every}th is run" in seen.page.text_content("#frame-note")


def test_numbers_are_predicted_step_by_step(show: Callable[..., Seen], tmp_path: Path) -> None:
    X, y = sums(20)
    model = gw.SequenceRegressor(**SHORT).fit(X, y)
    model.save(tmp_path / "run")
    file = write_rows(tmp_path / "sums.jsonl", X, y, "sequence")
    seen = shown(tmp_path / "page.html", show, tmp_path / "run", file)
    assert seen.page.text_content("#check").startswith("Checked")
    running = seen.page.evaluate("gatework.running.map((scores) => gatework.answer(scores).number)")
    np.testing.assert_allclose(running, model.predict([X[0][: t + 1] for t in range(len(X[0]))]), atol=1e-4)
    assert f"true: {y[0]:.3f}".replace("-", "\u2212") in seen.page.text_content("#answers")


def test_tags_stand_beside_the_true_ones_under_pointer_and_keys(show: Callable[..., Seen], tmp_path: Path) -> None:
    X, y = words(20)
    model = gw.Tagger(**SHORT).fit(X, y)
    model.save(tmp_path / "run")
    file = write_rows(tmp_path / "words.jsonl", X, y, "text")
    seen = shown(tmp_path / "page.html", show, tmp_path / "run", file)
    seen.page.select_option("#examples", "3")
    said = seen.page.eval_on_selector_all("#frame-tags span", "all => all.map((each) => each.textContent)")
    tags = list(model.predict([X[3]])[0])
    assert said == tags
    right = sum(a == b for a, b in zip(tags, y[3], strict=True))
    assert seen.page.text_content("#answers") == f"{right} of {len(X[3])} tags are right"
    seen.page.press("#frame-box", "Home")
    assert seen.page.text_content("#frame-note").startswith(f"step 1 of {len(X[3])}, {X[3][0]}: {tags[0]} ")
    seen.page.hover("#frame-source span >> nth=1")
    assert seen.page.text_content("#frame-note").startswith("step 2 of ")


@pytest.mark.parametrize("level", ["char", "word"])
def test_a_text_that_is_typed_has_its_label(level: str, show: Callable[..., Seen], tmp_path: Path) -> None:
    X, _ = words(20)
    X, y = [" ".join(text) for text in X], [text.count("a") > 2 for text in X]
    model = gw.SequenceClassifier(**SHORT, level=level).fit(X, y)
    model.save(tmp_path / "run")
    seen = shown(tmp_path / "page.html", show, tmp_path / "run", write_rows(tmp_path / "a.jsonl", X, y, "text"))
    for text in ("a b a", "b", "abé, a"):
        seen.page.fill("#source-box", text)
        chances = seen.page.evaluate("gatework.answer(gatework.values.scores[0]).shares")
        np.testing.assert_allclose(chances, model.predict_proba([text])[0], atol=1e-4)
    assert "has never seen" in seen.page.text_content("#answers")
    assert not seen.complaints


def test_each_of_several_targets_can_be_looked_at(show: Callable[..., Seen], tmp_path: Path) -> None:
    X, y = waves(20)
    labels = [{"speed": label, "length": "long" if len(x) > 8 else "short"} for x, label in zip(X, y, strict=True)]
    file = write_rows(tmp_path / "waves.jsonl", X, labels, "sequence")
    model = gw.SequenceClassifier(**SHORT).fit(X, labels)
    model.save(tmp_path / "run")
    seen = shown(tmp_path / "page.html", show, tmp_path / "run", file)
    assert [each.split(":")[0] for each in seen.page.locator("#answers li").all_text_contents()] == ["speed", "length"]
    seen.page.select_option("#heads", label="length")
    names = seen.page.eval_on_selector_all(".names span", "all => all.map((each) => each.textContent)")
    assert names[1:3] == ["long", "short"]
    assert seen.page.text_content("#check").startswith("Checked")


def test_sets_say_of_each_label_whether_it_is_there(show: Callable[..., Seen], tmp_path: Path) -> None:
    X, _ = words(20)
    labels = [sorted(set(text)) for text in X]
    labels[0] = []
    file = write_rows(tmp_path / "sets.jsonl", X, labels, "text")
    model = gw.SequenceClassifier(**SHORT).fit(X, [set(each) for each in labels])
    model.save(tmp_path / "run")
    seen = shown(tmp_path / "page.html", show, tmp_path / "run", file)
    answers = seen.page.locator("#answers li").all_text_contents()
    assert [each.split(":")[0] for each in answers] == ["a", "b"]
    assert all("true: False" in each for each in answers)


def test_a_file_is_asked_for_and_parts_may_be_left_out(show: Callable[..., Seen], tmp_path: Path) -> None:
    X, y = waves(20)
    gw.SequenceClassifier(**SHORT).fit(X, y).save(tmp_path / "run")
    file = write_rows(tmp_path / "waves.jsonl", X, y, "sequence")
    with pytest.raises(InputError, match="reads labelled sequences: name a file of them"):
        gw.inspect(tmp_path / "run")
    with pytest.raises(InputError, match="a run of labels, which has none"):
        gw.inspect(tmp_path / "run", file, unit="l0.c.1")
    without = shown(tmp_path / "a.html", show, tmp_path / "run", file, text=False)
    assert "holds no sequences" in without.page.text_content("#check")
    bare = shown(tmp_path / "b.html", show, tmp_path / "run", file, weights=False)
    assert "without the weights" in bare.page.text_content("#check")


def test_findings_say_how_many_labels_are_right(tmp_path: Path) -> None:
    X, y = waves(20)
    gw.SequenceClassifier(**SHORT, members=2, branch="fcn").fit(X, y).save(tmp_path / "run")
    said = gw.inspect(tmp_path / "run", write_rows(tmp_path / "waves.jsonl", X, y, "sequence")).findings
    assert said[0].startswith("accuracy ")
    assert said[1].startswith("Beside the recurrent layers stands a convolutional branch")
    assert said[2] == "The prediction is the mean of 2 such networks, each trained by itself"
