import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cli_toys import rows
from pair_toys import QUICK, capitals, frames, reversals, write_pairs

import gatework as gw
from gatework.errors import InputError
from gatework.pairs.converter import Search, searched
from gatework.pairs.data.examples import given_examples
from gatework.pairs.data.tables import Columns
from gatework.pairs.evaluation import Validation, found_by, targets_of
from gatework.pairs.learning import learn
from gatework.pairs.metrics import PairReport, judge
from gatework.pairs.options import Options
from gatework.pairs.parts import prepared
from gatework.pairs.run import Job, Run
from gatework.pairs.train import Data, Outcome, resume_pairs, train_pairs
from gatework.pairs.trained import Trained
from gatework.training.checkpoint import load_checkpoint
from gatework.training.events import Event, Notice, Plan, Step, no_report
from gatework.training.events import Validation as Validated
from gatework.training.processes import World
from gatework.verify.comparison import compare

FILES = {"run.json", "data.safetensors", "last.safetensors", "best.safetensors", "metrics.csv", "results.json"}
SMALL = Options(**QUICK)
CPU = World(0, 1, torch.device("cpu"), "float32")
SPLITS = (0.7, 0.2, 0.1)


def start(file: Path, out: Path, options: Options = SMALL, **given: Any) -> Outcome:
    return train_pairs(Data(str(file), splits=SPLITS), out, options, device="cpu", **given)


def with_(**chosen: Any) -> Options:
    return Options(**{**QUICK, **chosen})


def at_step(number: int, action: Callable[[], None]) -> Callable[[Event], None]:
    def report(event: Event) -> None:
        if isinstance(event, Step) and event.step == number:
            action()

    return report


def stop() -> None:
    signal.raise_signal(signal.SIGINT)


def notices(told: list[Event]) -> list[str]:
    return [event.message for event in told if isinstance(event, Notice)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_pairs(tmp_path / "pairs.tsv", *reversals())


# -- precision


def test_in_bfloat16_the_losses_are_nearly_the_same_and_the_weights_stay_float32(tmp_path: Path) -> None:
    file = write_pairs(tmp_path / "pairs.tsv", *reversals())
    losses: dict[str, list[float]] = {"float32": [], "bfloat16": []}
    for precision, seen in losses.items():

        def report(event: Event, seen: list[float] = seen) -> None:
            if isinstance(event, Step):
                seen.append(event.loss)

        start(file, tmp_path / precision, with_(precision=precision, steps=12), report=report)
    full, half = (torch.tensor(seen[:10]) for seen in losses.values())
    assert not torch.equal(half, full)
    compare(half, full, rms=0.02, peak=0.05, what="losses")
    weights = load_checkpoint(tmp_path / "bfloat16" / "best.safetensors").part("model")
    assert {weight.dtype for weight in weights.values()} == {torch.float32}


# -- a run


@pytest.mark.parametrize("align", ["attention", "ctc"])
def test_a_run_learns_and_is_judged_on_what_it_has_not_seen(tmp_path: Path, align: str) -> None:
    path = write_pairs(tmp_path / "pairs.tsv", *capitals())
    outcome = start(path, tmp_path / "run", with_(align=align))
    assert isinstance(outcome.test, PairReport)
    assert (outcome.test.sources, outcome.result.why) == (12, "finished")
    assert outcome.test.symbol_error_rate < 0.5
    assert outcome.result.best is not None and outcome.result.best < 0.3
    assert {each.name for each in (tmp_path / "run").iterdir()} - {"tensorboard"} == FILES
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert (results["why"], results["step"]) == ("finished", 60)
    assert results["test"]["exact"] == outcome.test.exact


def test_a_run_scores_the_same_once_it_is_opened(file: Path, tmp_path: Path) -> None:
    outcome = start(file, tmp_path / "run")
    trained = Trained.load(tmp_path / "run")
    parts = Run.open(tmp_path / "run").parts()
    pieces = np.split(parts.test.source, parts.test.source_starts[1:-1])
    texts = [trained.job.inputs.texts(piece) for piece in pieces]  # type: ignore[union-attr]
    examples = given_examples(["".join(text) for text in texts], ["".join(text)[::-1].upper() for text in texts])
    assert trained.score(examples) == outcome.test


def test_frames_are_learnt_by_ctc(tmp_path: Path) -> None:
    X, y = frames()
    lengths = [len(x) for x in X]
    array = np.zeros((len(X), max(lengths), 2))
    for k, x in enumerate(X):
        array[k, : len(x)] = x
    np.savez(tmp_path / "frames.npz", X=array, y=y, lengths=lengths)
    outcome = start(tmp_path / "frames.npz", tmp_path / "run", with_(align="ctc", steps=80))
    assert outcome.test is not None and outcome.test.exact > 0.8
    assert Run.open(tmp_path / "run").job.form == "frames"


def test_columns_are_named(tmp_path: Path) -> None:
    X, y = reversals(40)
    lines = ["id,word,backwards", *(f"{k},{a},{b}" for k, (a, b) in enumerate(zip(X, y, strict=True)))]
    (tmp_path / "pairs.csv").write_text("\n".join(lines))
    data = Data(str(tmp_path / "pairs.csv"), Columns("word", "backwards"), splits=SPLITS)
    assert train_pairs(data, tmp_path / "run", with_(steps=2), device="cpu").result.step == 2


def test_a_source_with_several_targets_is_right_with_any(tmp_path: Path) -> None:
    X, y = capitals()
    path = write_pairs(tmp_path / "pairs.tsv", [*X, *X], [*y, *(text[::-1] for text in y)])
    outcome = start(path, tmp_path / "run")
    assert outcome.test is not None and outcome.test.sources == 12
    parts = Run.open(tmp_path / "run").parts()
    assert max(map(len, targets_of(parts.test))) == 2
    accepted = targets_of(parts.test)
    assert judge([each[-1] for each in accepted], accepted).exact.all()  # type: ignore[arg-type]


def test_without_held_out_parts_the_last_weights_count(file: Path, tmp_path: Path) -> None:
    data = Data(str(file), splits=(1.0, 0.0, 0.0))
    outcome = train_pairs(data, tmp_path / "run", with_(steps=3), device="cpu")
    assert (outcome.test, outcome.result.best_path) == (None, None)
    assert Run.open(tmp_path / "run").model() is not None


def test_sizes_that_nobody_named_are_said(file: Path, tmp_path: Path) -> None:
    told: list[Event] = []
    start(file, tmp_path / "run", Options(steps=2), report=told.append)
    assert sum(line.startswith("sizes for ") for line in notices(told)) == 1
    assert Run.open(tmp_path / "run").job.options.hidden is not None


# -- the same numbers


def test_the_same_seed_learns_the_same_and_disturbs_nobody(file: Path, tmp_path: Path) -> None:
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    for name, seed in (("one", 3), ("two", 3), ("other", 4)):
        start(file, tmp_path / name, with_(random_state=seed, steps=10))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert rows(tmp_path / "one") == rows(tmp_path / "two") != rows(tmp_path / "other")


@pytest.mark.parametrize("chosen", [{}, {"align": "ctc"}, {"input_feeding": True, "scheduled_sampling": 0.3}], ids=str)
def test_an_interrupted_run_goes_on_to_the_same_numbers(tmp_path: Path, chosen: dict[str, Any]) -> None:
    path, options = write_pairs(tmp_path / "pairs.tsv", *capitals()), with_(steps=40, **chosen)
    whole = start(path, tmp_path / "whole", options)
    stopped = start(path, tmp_path / "run", options, report=at_step(17, stop))
    assert (stopped.result.why, stopped.test) == ("interrupted", None)
    assert not (tmp_path / "run" / "results.json").exists()
    path.unlink()
    resumed = resume_pairs(tmp_path / "run", {}, device="cpu")
    assert resumed.test == whole.test
    assert rows(tmp_path / "run") == rows(tmp_path / "whole")
    tensors = [Run.open(tmp_path / run).model().state_dict() for run in ("run", "whole")]
    assert all(torch.equal(tensors[0][name], tensors[1][name]) for name in tensors[0])


def test_a_run_can_be_made_longer(file: Path, tmp_path: Path) -> None:
    start(file, tmp_path / "run", with_(steps=5))
    told: list[Event] = []
    assert resume_pairs(tmp_path / "run", {"steps": 8}, device="cpu", report=told.append).result.step == 8
    assert "the learning rate follows a schedule of 8 steps from here on" in notices(told)
    assert Run.open(tmp_path / "run").job.options.steps == 8


def test_minutes_are_planned(file: Path, tmp_path: Path) -> None:
    told: list[Event] = []
    outcome = start(file, tmp_path / "run", with_(steps=None, minutes=0.1), report=told.append)
    assert any(isinstance(event, Plan) for event in told) or outcome.result.why == "time"
    assert outcome.test is not None


def test_a_source_has_the_same_target_in_any_company(file: Path, tmp_path: Path) -> None:
    start(file, tmp_path / "run")
    trained = Trained.load(tmp_path / "run")
    X = reversals(60, seed=5)[0]
    together = trained.convert(given_examples(X), Search(beams=3, best=2))
    for k in range(0, 60, 7):
        (alone,) = trained.convert(given_examples([X[k]]), Search(beams=3, best=2))
        assert [each.text for each in alone] == [each.text for each in together[k]]
        scores = [each.log_probability for each in together[k]]
        assert [each.log_probability for each in alone] == pytest.approx(scores, abs=1e-5)


# -- what the best weights are chosen by


@pytest.mark.parametrize("criterion", ["symbols", "words"])
def test_validation_measures_errors_by_greedy_search(criterion: str) -> None:
    described, parts, _ = prepared(given_examples(*reversals()), with_(criterion=criterion), SPLITS)
    model = Job(**vars(described)).untrained().eval()
    measure = Validation.of(parts.validation, described)
    assert measure is not None
    found = searched(found_by(model), parts.validation, Search(beams=1, longest=described.longest))
    result = judge([each[0].tokens for each in found], targets_of(parts.validation))  # type: ignore[arg-type, misc]
    expected = result.symbol_error_rate if criterion == "symbols" else result.word_error_rate
    assert measure(model) == pytest.approx(expected)


def test_the_best_weights_are_those_with_the_least_errors(file: Path, tmp_path: Path) -> None:
    told: list[Event] = []
    outcome = start(file, tmp_path / "run", report=told.append)
    measured = {event.step: event.loss for event in told if isinstance(event, Validated)}
    assert outcome.result.best == min(loss for step, loss in measured.items() if step)
    run = Run.open(tmp_path / "run")
    judged = Validation.of(run.parts().validation, run.job)
    assert judged is not None and judged(run.model()) == outcome.result.best


def test_patience_ends_it(file: Path, tmp_path: Path) -> None:
    outcome = start(file, tmp_path / "run", with_(learning_rate=1e-9, steps=400, patience=3))
    assert outcome.result.why == "patience"
    assert outcome.result.step < 400


# -- several processes


def test_processes_share_each_batch_and_the_validation() -> None:
    described, parts, _ = prepared(given_examples(*reversals()), SMALL, SPLITS)
    shares = [Validation.of(parts.validation, described, rank, 2) for rank in (0, 1)]
    sources = [targets_of(share.encoded) for share in shares if share is not None]
    assert list(map(len, sources)) == [12, 12]
    assert sorted([*sources[0], *sources[1]]) == sorted(targets_of(parts.validation))
    model = Job(**vars(described)).untrained().eval()
    whole = Validation.of(parts.validation, described)
    assert whole is not None
    mean = sum(share(model) for share in shares if share is not None) / 2
    assert mean == pytest.approx(whole(model), rel=0.2)
    assert Validation.of(parts.validation.take(np.arange(1)), described, 0, 2) is None


# -- nothing is left of what fails


@pytest.mark.parametrize("there", [False, True])
def test_a_failure_before_the_first_checkpoint_changes_nothing(file: Path, tmp_path: Path, there: bool) -> None:
    if there:
        start(file, tmp_path / "run", with_(steps=2))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def fails(*_: Any) -> None:
        raise InputError("no")

    with pytest.raises(InputError, match="no"):
        start(file, tmp_path / "run", overwrite=True, on_start=fails)
    with pytest.raises(gw.EquationError, match="input_size"):
        start(file, tmp_path / "run", with_(cell="sru", embedding=5), overwrite=True)
    with pytest.raises(InputError, match="device 'nonsense'"):
        train_pairs(Data(str(file)), tmp_path / "run", SMALL, device="nonsense", overwrite=True)
    file.write_text("only\n")
    with pytest.raises(InputError, match="line 1 has 1 column"):
        start(file, tmp_path / "run", overwrite=True)
    write_pairs(file, *reversals())
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_cell_whose_input_is_as_wide_as_its_state(file: Path, tmp_path: Path) -> None:
    assert start(file, tmp_path / "run", with_(cell="sru", steps=2)).result.step == 2


def test_learning_leaves_no_model_in_training(file: Path, tmp_path: Path) -> None:
    described, parts, _ = prepared(given_examples(*reversals()), with_(steps=2), SPLITS)
    model, _ = learn(Job(**vars(described)), parts, tmp_path / "run", world=CPU, report=no_report)
    assert not model.training
