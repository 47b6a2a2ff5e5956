import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from label_toys import sums, unclocked, words, write_rows, write_waves

import gatework as gw
from gatework.errors import InputError
from gatework.labels.data.examples import given_examples
from gatework.labels.learning import judged, learn, scores
from gatework.labels.options import Options
from gatework.labels.parts import counts, load_parts, prepared, save_parts
from gatework.labels.report import ClassReport, NumberReport
from gatework.labels.run import Run
from gatework.labels.train import Outcome, resume_labels, train_labels
from gatework.training.checkpoint import load_checkpoint
from gatework.training.events import Event, Step
from gatework.training.processes import World
from gatework.verify.comparison import compare

FILES = {"run.json", "data.safetensors", "last.safetensors", "best.safetensors", "metrics.csv", "results.json"}
SMALL = Options(hidden=6, steps=40, learning_rate=0.03)


def start(file: Path, out: Path, options: Options = SMALL, **given: Any) -> Outcome:
    return train_labels(str(file), out, options, splits=(0.6, 0.2, 0.2), device="cpu", **given)


def at_step(number: int, action: Callable[[], None]) -> Callable[[Event], None]:
    def report(event: Event) -> None:
        if isinstance(event, Step) and event.step == number:
            action()

    return report


def stop() -> None:
    signal.raise_signal(signal.SIGINT)


# -- precision


def test_in_bfloat16_the_losses_are_nearly_the_same_and_the_weights_stay_float32(tmp_path: Path) -> None:
    file = write_waves(tmp_path / "waves.jsonl")
    losses: dict[str, list[float]] = {"float32": [], "bfloat16": []}
    for precision, seen in losses.items():

        def report(event: Event, seen: list[float] = seen) -> None:
            if isinstance(event, Step):
                seen.append(event.loss)

        start(file, tmp_path / precision, replace(SMALL, precision=precision, steps=12), report=report)
    full, half = (torch.tensor(seen[:10]) for seen in losses.values())
    assert not torch.equal(half, full)
    compare(half, full, rms=0.02, peak=0.05, what="losses")
    weights = load_checkpoint(tmp_path / "bfloat16" / "best.safetensors").part("model")
    assert {weight.dtype for weight in weights.values()} == {torch.float32}


# -- parts


def test_the_scaling_knows_nothing_of_what_is_held_out() -> None:
    X = [[float(k), 1.0] for k in range(100)]
    _, parts = prepared(given_examples(X, [str(k % 2) for k in range(100)]), Options(validation=0.2), 0.3)
    assert counts(parts) == {"training": 50, "validation": 20, "test": 30}
    assert parts.training.values.mean().item() == pytest.approx(0, abs=1e-6)
    assert parts.test is not None
    assert abs(parts.test.values.mean().item()) > 1e-4


def test_too_few_sequences_to_choose_by_are_trained_on() -> None:
    examples = given_examples(["ab"] * 50, ["x", "y"] * 25)
    assert counts(prepared(examples, Options(validation=0.1))[1]) == {"training": 50, "validation": 0, "test": 0}
    assert counts(prepared(examples, Options(validation=0.2))[1]) == {"training": 40, "validation": 10, "test": 0}


def test_parts_are_the_same_from_their_file(tmp_path: Path) -> None:
    job, parts = prepared(given_examples(*words(), kind="tag"), Options(validation=0.3))
    save_parts(tmp_path / "data", parts)
    again = load_parts(tmp_path / "data", job)
    assert again.test is None
    assert torch.equal(again.training.values, parts.training.values)
    assert again.training.targets is not None
    assert parts.training.targets is not None
    assert torch.equal(again.training.targets, parts.training.targets)
    (tmp_path / "data").write_bytes((tmp_path / "data").read_bytes()[:-9])
    with pytest.raises(InputError, match="data is damaged"):
        load_parts(tmp_path / "data", job)


# -- a run


def test_a_run_learns_and_is_judged_on_what_it_has_not_seen(tmp_path: Path) -> None:
    outcome = start(write_waves(tmp_path / "waves.jsonl", 120), tmp_path / "run")
    assert isinstance(outcome.test, ClassReport)
    assert outcome.test.accuracy > 0.9
    assert outcome.test.count == 24
    assert {path.name for path in (tmp_path / "run").iterdir()} - {"tensorboard"} == FILES
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results == {"why": "finished", "step": 40, "test": outcome.test.to_json()}


def test_numbers_and_tags_are_judged_in_their_ways(tmp_path: Path) -> None:
    numbers = start(write_rows(tmp_path / "a", *sums(100), "sequence"), tmp_path / "numbers").test
    tags = start(write_rows(tmp_path / "b", *words(100), "text"), tmp_path / "tags").test
    assert isinstance(numbers, NumberReport)
    assert numbers.rmse < numbers.spread
    assert isinstance(tags, ClassReport)
    assert tags.whole is not None
    assert tags.accuracy > 0.8


def test_a_run_opens_as_an_estimator_that_scores_the_same(tmp_path: Path) -> None:
    file = write_waves(tmp_path / "waves.jsonl", 120)
    outcome = start(file, tmp_path / "run", Options(hidden=6, steps=40, cell="gru", recurrent={"zoneout": {"h": 0.1}}))
    run = Run.open(tmp_path / "run")
    parts = load_parts(tmp_path / "run" / "data.safetensors", run.job)
    assert parts.test is not None
    assert judged(run.job, run.model(), parts.test).to_json() == outcome.test.to_json()  # type: ignore[union-attr]
    estimator = gw.SequenceClassifier.load(tmp_path / "run")
    assert (estimator.cell, estimator.steps, estimator.recurrent) == ("gru", 40, {"zoneout": {"h": 0.1}})


def test_scores_come_in_the_order_of_the_sequences() -> None:
    job, parts = prepared(given_examples(*words(), kind="tag"), SMALL)
    model = job.untrained().eval()
    found = scores(model, parts.training)
    assert [len(one) for one in found] == parts.training.lengths.tolist()
    for k in (0, 7):
        alone = scores(model, parts.training.take(np.array([k])))
        assert alone[0] == pytest.approx(found[k], abs=1e-6)


def test_a_run_without_held_out_parts_uses_its_last_weights(tmp_path: Path) -> None:
    file = write_waves(tmp_path / "waves.jsonl")
    outcome = train_labels(str(file), tmp_path / "run", SMALL, splits=(1.0, 0.0, 0.0), device="cpu")
    assert (outcome.test, outcome.result.best_path) == (None, None)
    assert Run.open(tmp_path / "run").model() is not None


def test_patience_without_a_validation_part_goes_by_the_training_loss(tmp_path: Path) -> None:
    file, options = write_waves(tmp_path / "waves.jsonl"), replace(SMALL, patience=20)
    outcome = train_labels(str(file), tmp_path / "run", options, splits=(1.0, 0.0, 0.0), device="cpu")
    assert outcome.test is None
    assert outcome.result.best_path is not None
    assert outcome.result.best == pytest.approx(outcome.result.validation, rel=0.2)


# -- stopping and going on


def test_an_interrupted_run_goes_on_to_the_same_losses(tmp_path: Path) -> None:
    file = write_waves(tmp_path / "waves.jsonl")
    whole = start(file, tmp_path / "whole")
    stopped = start(file, tmp_path / "run", report=at_step(17, stop))
    assert (stopped.result.why, stopped.test) == ("interrupted", None)
    assert not (tmp_path / "run" / "results.json").exists()
    assert Run.open(tmp_path / "run").model() is not None, "what was learnt so far is there"
    file.unlink()
    resumed = resume_labels(tmp_path / "run", {}, device="cpu")
    assert resumed.test is not None
    assert whole.test is not None
    assert resumed.test.to_json() == whole.test.to_json()
    assert unclocked(tmp_path / "run") == unclocked(tmp_path / "whole")


def test_a_run_can_be_made_longer(tmp_path: Path) -> None:
    start(write_waves(tmp_path / "waves.jsonl"), tmp_path / "run")
    resumed = resume_labels(tmp_path / "run", {"steps": 50}, device="cpu")
    assert resumed.result.step == 50
    assert Run.open(tmp_path / "run").job.options.steps == 50


def test_time_ends_it(tmp_path: Path) -> None:
    file = write_waves(tmp_path / "waves.jsonl")
    outcome = start(file, tmp_path / "run", Options(hidden=6, steps=10**6, minutes=0.002))
    assert outcome.result.why == "time"
    assert outcome.test is not None


# -- nothing is left of what fails


@pytest.mark.parametrize("there", [False, True])
def test_a_failure_before_the_first_checkpoint_changes_nothing(tmp_path: Path, there: bool) -> None:
    file = write_waves(tmp_path / "waves.jsonl")
    if there:
        start(file, tmp_path / "run")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def fails(*_: Any) -> None:
        raise InputError("no")

    with pytest.raises(InputError, match="no"):
        start(file, tmp_path / "run", overwrite=True, on_start=fails)
    with pytest.raises(gw.EquationError, match="hidden_size"):
        start(file, tmp_path / "run", Options(cell="sru", hidden=6, steps=3), overwrite=True)
    with pytest.raises(InputError, match="device 'nonsense'"):
        train_labels(str(file), tmp_path / "run", SMALL, device="nonsense", overwrite=True)
    with pytest.raises(InputError, match="has no label"):
        start(write_rows(tmp_path / "waves.jsonl", ["a", "b"], [None, None], "text"), tmp_path / "run", overwrite=True)
    write_waves(file)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_options_are_judged_before_the_file_is_read(tmp_path: Path) -> None:
    with pytest.raises(gw.EquationError, match="'q'"):
        start(tmp_path / "missing", tmp_path / "run", Options(recurrent={"zoneout": {"q": 0.1}}))


def test_several_processes_are_refused(tmp_path: Path) -> None:
    job, parts = prepared(given_examples(*words(), kind="tag"), SMALL)
    with pytest.raises(InputError, match="2 processes: models of labels are trained by one"):
        learn(job, parts, tmp_path, world=World(0, 2, torch.device("cpu"), "float32"))
