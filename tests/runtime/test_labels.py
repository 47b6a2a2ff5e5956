"""A model of labels without torch: scores and predictions are those with it, of a folder or one file."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from label_toys import QUICK, sums, waves

import gatework as gw
from gatework.errors import InputError
from gatework.labels.answers import answers
from gatework.labels.data.batches import Encoded
from gatework.labels.data.examples import read_examples
from gatework.labels.data.sequences import Sequences
from gatework.labels.learning import scores
from gatework.labels.run import Run
from gatework.runtime import LabelSession, Model, TextSession


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs of each kind of labels, and beside each the file of its sequences."""
    folder = tmp_path_factory.mktemp("runs")
    X, y = waves(30)
    numbers, amounts = sums(30)
    texts = ["abcab", "xyzzy", "abba", "zyx"] * 6
    trained: dict[str, tuple[Any, list[Any], list[Any]]] = {
        "classes": (gw.SequenceClassifier(**QUICK, members=2), X, list(y)),
        "numbers": (gw.SequenceRegressor(**QUICK), numbers, list(amounts)),
        "texts": (gw.SequenceClassifier(**QUICK), texts, ["a", "x", "a", "x"] * 6),
        "tags": (gw.Tagger(**QUICK), texts, [list(text.upper()) for text in texts]),
        "targets": (
            gw.SequenceClassifier(**QUICK, members=2),
            X,
            [{"speed": each, "n": k % 3} for k, each in enumerate(y)],
        ),
        "sets": (gw.SequenceClassifier(**QUICK), texts, [set(text) for text in texts]),
        "amounts": (gw.SequenceRegressor(**QUICK), numbers, [{"one": each, "ten": 10 * each} for each in amounts]),
    }
    for name, (model, sequences, labels) in trained.items():
        model.fit(sequences, labels).save(folder / name)
        with (folder / f"{name}.jsonl").open("w") as file:
            for sequence, label in zip(sequences, labels, strict=True):
                text = isinstance(sequence, str)
                values = sequence if text else np.asarray(sequence, float).tolist()
                shown = sorted(label) if isinstance(label, set) else label
                file.write(json.dumps({"text" if text else "sequence": values, "label": shown}) + "\n")
    return {name: folder / name for name in trained}


KINDS = ("classes", "numbers", "texts", "tags", "targets", "sets", "amounts")


@pytest.mark.parametrize("kind", KINDS)
def test_scores_and_predictions_are_those_with_torch(runs: dict[str, Path], tmp_path: Path, kind: str) -> None:
    opened, file = Run.open(runs[kind]), tmp_path / "model.gw"
    job, model = opened.job, opened.model()
    examples = read_examples(
        str(runs[kind].with_suffix(".jsonl")), level="char", kind=job.kind, columns=getattr(job.targets, "names", None)
    )
    sequences = Sequences.of(examples, job.inputs, None, job.kind == "tag")
    expected = scores(model, Encoded.of(examples, job.inputs, None, job.kind == "tag"))
    Model.open(runs[kind]).save(file)
    for session in (LabelSession(runs[kind]), LabelSession(file, threads=2)):
        assert session.job.to_json() == job.to_json()
        found = session.scores(sequences)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
        predicted = list(session.predictions(sequences))
        wanted = list(answers(job, expected, job.kind == "tag"))
        if job.kind == "number":
            found_labels, labels = (list(map(_numbers, rows)) for rows in (predicted, wanted))
            np.testing.assert_allclose(found_labels, labels, rtol=1e-4)
        else:
            assert [row["label"] for row in predicted] == [row["label"] for row in wanted]


def _numbers(row: dict[str, Any]) -> list[float]:
    """What was predicted for a sequence, one number or several by name."""
    return list(row["label"].values()) if isinstance(row["label"], dict) else [row["label"]]


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_needs_no_torch(runs: dict[str, Path], kind: str) -> None:
    arguments = ["gatework", "predict", str(runs[kind]), str(runs[kind].with_suffix(".jsonl")), "--each"]
    block = "import sys; sys.modules.update(torch=None, safetensors=None);"
    code = f"{block} sys.argv = {arguments!r}; from gatework.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(runs[kind].with_suffix(".jsonl").read_text().splitlines())
    assert all("label" in json.loads(line) for line in done.stdout.splitlines())


def test_another_task_is_named(runs: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="is of task 'labels'; expected 'language', a model of text"):
        TextSession(runs["classes"])
