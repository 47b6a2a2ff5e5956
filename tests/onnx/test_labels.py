"""Models of labels as ONNX: whole, from measured numbers or tokens to probabilities, tags and numbers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from label_toys import QUICK, sums, waves, words
from onnx_toys import RUNTIMES

import gatework as gw

LEAST = 1e-5  # of float32 probabilities beside torch's float32


def padded(rows: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Sequences [T,I] or [T] as one array [T,B,...], what is beyond their lengths anything but 0, and lengths [B]."""
    lengths = np.array([len(row) for row in rows])
    whole = np.full((lengths.max(), len(rows), *np.shape(rows[0])[1:]), 7, np.asarray(rows[0]).dtype)
    for place, row in enumerate(rows):
        whole[: len(row), place] = row
    return whole, lengths


def about(model: Any) -> dict[str, str]:
    return {each.key: each.value for each in model.metadata_props}


def answers(model: Any, x: np.ndarray, lengths: np.ndarray) -> dict[str, np.ndarray]:
    """What each runtime makes of sequences; onnx's evaluator where no operator reads lengths."""
    runtimes = RUNTIMES if not {n.op_type for n in model.graph.node} & {"LSTM", "GRU"} else ["onnxruntime"]
    return {name: RUNTIMES[name](model, {"x": x, "lengths": lengths})[0] for name in runtimes}


PLANS: dict[str, dict[str, Any]] = {
    "last": {"summary": "last", "branch": "none"},
    "bidirectional gru": {"cell": "gru", "bidirectional": True, "branch": "none", "summary": "last+mean+max"},
    "attention": {"cell": "janet", "summary": "attention", "branch": "none", "layers": 2},
    "branch and members": {
        "cell": "mingru",
        "branch": "fcn",
        "members": 3,
        "summary": "mean+max",
        "bidirectional": True,
    },
    "projected": {"recurrent": {"proj_size": 3, "zoneout": {"c": 0.1}, "initial": "learned"}, "branch": "none"},
}


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("opset", [None, 18])
def test_classes_of_measured_numbers(plan: str, opset: int | None, tmp_path: Path) -> None:
    X, y = waves(40)
    X = [np.stack([row, 1000 + 10 * row**2], -1) for row in X]
    X[3][2, 0] = np.nan  # a number that is missing
    for row in X[5:9]:
        row[1:3, 1] = 1e7  # and such that make the column one of orders of magnitude
    chosen = QUICK | {"steps": 20, "random_state": 0} | PLANS[plan]
    model = gw.SequenceClassifier(**chosen).fit(X, y)
    assert any(model.job_.inputs.missing) and any(model.job_.inputs.bent)
    written = gw.onnx.export(model, tmp_path / "model.onnx", opset=opset)
    assert json.loads(about(written)["labels"]) == ["fast", "slow"]
    assert [value.name for value in written.graph.output] == ["probabilities"]
    x, lengths = padded([row.astype(np.float32) for row in X[:7]])
    for name, found in answers(written, x, lengths).items():
        np.testing.assert_allclose(
            found, model.predict_proba([r.astype(np.float32) for r in X[:7]]), atol=LEAST, err_msg=name
        )


def test_long_sequences_pass_convolutions_first(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = [np.cumsum(rng.normal(size=T)) for T in rng.integers(395, 405, 24)]
    model = gw.SequenceClassifier(**QUICK | {"steps": 4}, branch="none", cell="indrnn").fit(X, ["a", "b"] * 12)
    assert model.plan_.stages > 0
    written = gw.onnx.export(model, tmp_path / "model.onnx")
    x, lengths = padded([row[:, None].astype(np.float32) for row in X[:5]])
    for name, found in answers(written, x, lengths).items():
        np.testing.assert_allclose(found, model.predict_proba(X[:5]), atol=LEAST, err_msg=name)


def test_numbers_come_out_unscaled(tmp_path: Path) -> None:
    X, y = sums(40)
    model = gw.SequenceRegressor(**QUICK).fit(X, [100 + 20 * value for value in y])
    model.save(tmp_path / "run")
    written = gw.onnx.export(tmp_path / "run", tmp_path / "model.onnx")
    x, lengths = padded([row.astype(np.float32) for row in X[:9]])
    (found,) = answers(written, x, lengths).values()
    np.testing.assert_allclose(found[:, 0], model.predict(X[:9]), rtol=1e-5)


def test_tags_of_texts_come_out_for_each_step(tmp_path: Path) -> None:
    X, y = words(40)
    model = gw.Tagger(**QUICK, bidirectional=True).fit(X, y)
    written = gw.onnx.export(model, tmp_path / "model.onnx", operators=False)
    vocabulary = json.loads(about(written)["vocabulary"])
    tokens, lengths = padded([np.array([vocabulary.index(letter) for letter in text]) for text in X[:9]])
    tokens[tokens == 7] = 1  # any token may stand past a length
    for found in answers(written, tokens, lengths).values():
        for place, expected in enumerate(model.predict_proba(X[:9])):
            np.testing.assert_allclose(found[: lengths[place], place], expected, atol=LEAST)


def test_what_was_not_fitted_is_named(tmp_path: Path) -> None:
    with pytest.raises(gw.InputError, match="SequenceClassifier cannot be exported"):
        gw.onnx.export(gw.SequenceClassifier(), tmp_path / "model.onnx")


def exported(model: Any, X: list[Any], folder: Path, opset: int | None = None) -> dict[str, dict[str, np.ndarray]]:
    """What each runtime makes of sequences, by the names of the outputs."""
    written = gw.onnx.export(model, folder / "model.onnx", opset=opset)
    x, lengths = padded([np.asarray(row, np.float32).reshape(len(row), -1) for row in X])
    names = [output.name for output in written.graph.output]
    inputs = {"x": x, "lengths": lengths}
    return {name: dict(zip(names, run(written, inputs), strict=True)) for name, run in RUNTIMES.items()}


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("opset", [None, 18])
def test_several_targets_come_out_by_their_names(tmp_path: Path, members: int, opset: int | None) -> None:
    X, y = waves(40)
    thirds = [{"speed": each, "third": "abc"[k % 3]} for k, each in enumerate(y)]
    model = gw.SequenceClassifier(**QUICK | {"steps": 9}, members=members, cell="janet", branch="none").fit(X, thirds)
    expected = dict(zip(model.job_.targets.names, model.predict_proba(X[:7]), strict=True))
    for runtime, found in exported(model, X[:7], tmp_path, opset).items():
        assert set(found) == {f"probabilities.{name}" for name in expected}
        for name, shares in expected.items():
            np.testing.assert_allclose(found[f"probabilities.{name}"], shares, atol=LEAST, err_msg=runtime)
    written = about(gw.onnx.export(model, tmp_path / "model.onnx"))
    assert json.loads(written["labels"]) == {"speed": ["fast", "slow"], "third": ["a", "b", "c"]}


@pytest.mark.parametrize("members", [1, 2])
def test_of_sets_each_label_has_a_probability(tmp_path: Path, members: int) -> None:
    X, _ = waves(40)
    sets = [{name for bit, name in enumerate("abc") if k >> bit & 1} for k in range(40)]
    model = gw.SequenceClassifier(**QUICK | {"steps": 9}, members=members, cell="janet", branch="none").fit(X, sets)
    for runtime, found in exported(model, X[:7], tmp_path).items():
        np.testing.assert_allclose(found["probabilities"], model.predict_proba(X[:7]), atol=LEAST, err_msg=runtime)
    assert json.loads(about(gw.onnx.export(model, tmp_path / "model.onnx"))["labels"]) == ["a", "b", "c"]


def test_several_numbers_come_out_unscaled(tmp_path: Path) -> None:
    X, y = sums(40)
    pairs = [{"sum": 100 + 20 * value, "more": value / 1000} for value in y]
    model = gw.SequenceRegressor(**QUICK, members=2, cell="janet", branch="none").fit(X, pairs)
    for runtime, found in exported(model, X[:7], tmp_path).items():
        assert list(found) == ["value.sum", "value.more"]
        together = np.concatenate(list(found.values()), 1)
        np.testing.assert_allclose(together, model.predict(X[:7]), rtol=1e-5, err_msg=runtime)
