import json
import math
import re
import signal
from dataclasses import asdict, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from text_toys import BATCHING, SMALL, At, go_on, rows, start, tree, write_text
from torch import nn

import gatework as gw
from gatework.cli.text_lines import score_line
from gatework.errors import InputError
from gatework.inspect.payload import text_results
from gatework.text import evaluation as language_evaluation
from gatework.text import train as language
from gatework.text.data.corpus import Corpus, Counts
from gatework.text.data.prepare import prepare
from gatework.text.data.vocabulary import Vocabulary
from gatework.text.evaluation import Evaluation, Telling, affordable, evaluation, held_out
from gatework.text.model import LanguageModel
from gatework.text.options import Batching, Shape
from gatework.text.run import Run
from gatework.text.scoring import score
from gatework.text.train import training_batches
from gatework.training.checkpoint import load_checkpoint
from gatework.training.events import Evaluating, Notice, Plan, Resumed, Saved, Step, Validation
from gatework.training.loop import train
from gatework.training.metrics import bits

FILES = {"run.json", "tokens.bin", "last.safetensors", "best.safetensors", "metrics.csv", "results.json"}
OWN = gw.Cell("mine", "z = sigmoid(W_z @ x + U_z @ h + b_z)\nh = z * h + (1 - z) * tanh(W @ x + U @ h + b)")


@pytest.fixture
def text(tmp_path: Path) -> Path:
    return write_text(tmp_path)


# -- learning


@pytest.mark.parametrize("cell", ["lstm", "full_peephole_lstm", OWN], ids=["lstm", "full_peephole_lstm", "own"])
def test_a_repeating_pattern_is_learnt(tmp_path: Path, cell: str | gw.Cell) -> None:
    path = tmp_path / "pattern.txt"
    path.write_text("abcabd\n" * 150)
    outcome = start(tmp_path / "run", path, cell, steps=150, evaluate_every=75, learning_rate=0.03, weight_decay=0.0)
    run = Run.open(tmp_path / "run")
    found = score(run.model(), run.vocabulary, run.corpus().train, BATCHING.streams)
    assert outcome.result.loss is not None
    assert bits(outcome.result.loss) < 0.1
    assert found.bits_per_token < 0.1


def test_random_text_is_learnt_to_its_entropy_and_not_below(tmp_path: Path) -> None:
    text = write_text(tmp_path, 3000)
    outcome = start(tmp_path / "run", text, "gru", steps=100, evaluate_every=50, learning_rate=0.01)
    assert outcome.test is not None
    assert 0.98 * math.log2(7) < outcome.test.bits_per_token < 1.05 * math.log2(7)


# -- what a run is


def test_a_run_folder_holds_all_that_is_needed_and_nothing_else(tmp_path: Path, text: Path) -> None:
    outcome = start(tmp_path / "runs" / "one", text)
    assert {path.name for path in (tmp_path / "runs" / "one").iterdir()} - {"tensorboard"} == FILES
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["one"], "nothing is left beside it"
    results = json.loads((tmp_path / "runs" / "one" / "results.json").read_text())
    assert outcome.test is not None
    assert outcome.validation is not None
    parts = {"validation": outcome.validation.to_json(), "test": outcome.test.to_json()}
    assert results == {"why": "finished", "step": 12, **parts}
    values = json.loads((tmp_path / "runs" / "one" / "run.json").read_text())
    assert values["text"]["paths"] == [str(text)]
    assert values["versions"]["torch"] == torch.__version__


def test_the_folder_of_a_run_has_the_rights_of_any_new_folder(tmp_path: Path, text: Path) -> None:
    start(tmp_path / "run", text, steps=1)
    (tmp_path / "other").mkdir()
    assert (tmp_path / "run").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_run_knows_again_what_it_was_told(tmp_path: Path, text: Path) -> None:
    shape = replace(SMALL, embedding=None, layers=2, dropout=0.1, zoneout={"h": 0.1}, initial="learned")
    start(tmp_path / "run", text, "gru", shape=shape, level="byte", splits=(0.8, 0.1, 0.1), exclude=("x",), seed=4)
    run = Run.open(tmp_path / "run")
    assert (run.cell, run.shape, run.batching) == (gw.cells["gru"], shape, BATCHING)
    assert (run.text.paths, run.text.level, run.text.splits) == ((str(text),), "byte", (0.8, 0.1, 0.1))
    assert (run.text.exclude, run.settings.seed) == (("x",), 4)
    assert len(run.corpus().tokens) == run.counts.tokens == 900


def test_a_state_that_starts_at_minus_infinity_survives_the_description(tmp_path: Path, text: Path) -> None:
    start(tmp_path / "run", text, "slstm", steps=2)
    assert Run.open(tmp_path / "run").cell == gw.cells["slstm"]
    assert go_on(tmp_path / "run", steps=3).result.step == 3


def test_the_trained_model_is_the_best_in_evaluation_mode(tmp_path: Path, text: Path) -> None:
    start(tmp_path / "run", text)
    run = Run.open(tmp_path / "run")
    model = run.model()
    best = load_checkpoint(tmp_path / "run" / "best.safetensors").part("model")
    assert not model.training
    assert all(torch.equal(tensor, best[name]) for name, tensor in model.state_dict().items())


def test_a_run_without_a_validation_uses_its_last_weights(tmp_path: Path, text: Path) -> None:
    outcome = start(tmp_path / "run", text, splits=(1.0, 0.0, 0.0))
    assert outcome.test is None
    assert outcome.result.best_path is None
    last = load_checkpoint(tmp_path / "run" / "last.safetensors").part("model")
    model = Run.open(tmp_path / "run").model()
    assert all(torch.equal(tensor, last[name]) for name, tensor in model.state_dict().items())
    assert not (tmp_path / "run" / "results.json").exists()


def test_a_model_is_not_put_on_a_device_that_is_not_there(tmp_path: Path, text: Path) -> None:
    start(tmp_path / "run", text, steps=1)
    with pytest.raises(InputError, match="device 'nonsense' cannot be used"):
        Run.open(tmp_path / "run").model(device="nonsense")


@pytest.mark.parametrize(("accumulate", "every"), [(1, 38), (5, 8)])
def test_validation_comes_once_an_epoch_where_nothing_else_is_said(
    tmp_path: Path, text: Path, accumulate: int, every: int
) -> None:
    start(tmp_path / "run", text, evaluate_every=None, steps=1, accumulate=accumulate)
    assert Run.open(tmp_path / "run").settings.evaluate_every == every


def test_validation_comes_every_500_steps_of_a_long_epoch(tmp_path: Path) -> None:
    text = write_text(tmp_path, 2000)
    start(tmp_path / "run", text, evaluate_every=None, steps=1, batching=Batching(1, 3))
    assert Run.open(tmp_path / "run").settings.evaluate_every == 500


# -- validation and shares


@pytest.mark.parametrize(("validate_on", "processes"), [(31, 2), (1_001, 2), (1_600, 2), (5_000, 5)])
def test_the_shares_of_the_validation_have_one_mean(tmp_path: Path, validate_on: int, processes: int) -> None:
    text = write_text(tmp_path, 20_000)
    start(tmp_path / "run", text, batching=Batching(4, 7, validate_on), splits=(0.8, 0.1, 0.1))
    run = Run.open(tmp_path / "run")
    corpus, model = run.corpus(), run.model()
    whole = evaluation(corpus, run.batching, 0, 1)
    shares = [evaluation(corpus, run.batching, rank, processes) for rank in range(processes)]
    assert whole is not None
    means = [share(model) for share in shares if share is not None]
    assert len(set(means)) > 1
    assert whole(model) == pytest.approx(sum(means) / processes, rel=1e-6)


def test_no_more_than_was_said_is_validated_on(tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start(tmp_path / "run", text, steps=1)
    run, asked = Run.open(tmp_path / "run"), []
    monkeypatch.setattr(language_evaluation, "mean_loss", lambda _model, batches, _: asked.append(batches) or 0.0)
    for validate_on in (10, 1000):
        judge = evaluation(run.corpus(), Batching(3, 7, validate_on), 0, 1)
        assert judge is not None
        judge(nn.Identity())
    assert [sum(int(lengths.sum()) for *_, lengths in batches) for batches in asked] == [10, 44]


@pytest.mark.parametrize("world", [1, 2])
def test_a_validation_part_without_a_token_to_predict_is_none(world: int) -> None:
    for validate_on in (1, 100):
        assert len(long_part(2, 3, validate_on, world)) == world
        assert long_part(1, 3, validate_on, world) == []


def test_processes_share_the_streams(tmp_path: Path, text: Path) -> None:
    start(tmp_path / "run", text, steps=1)
    corpus = Run.open(tmp_path / "run").corpus()
    whole, *parts = (training_batches(corpus, Batching(4, 7), *place) for place in ((0, 1), (0, 2), (1, 2)))
    for k in range(len(whole)):
        inputs = torch.cat([part[k][0] for part in parts], dim=1)
        assert torch.equal(inputs, whole[k][0])
    with pytest.raises(InputError, match="3 streams cannot be shared evenly by 2 processes"):
        training_batches(corpus, Batching(3, 7), 0, 2)


@pytest.mark.parametrize(("characters", "streams"), [(100, 1), (19_000, 1), (20_000, 2), (1_400_000, 128)])
def test_the_test_part_is_read_as_streams_that_are_not_short(
    tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch, characters: int, streams: int
) -> None:
    start(tmp_path / "run", text, steps=1)
    run, asked = Run.open(tmp_path / "run"), []
    corpus = prepare(
        [write_text(tmp_path, characters, name="long.txt")], tmp_path / "tokens", vocabulary=run.vocabulary
    )
    monkeypatch.setattr(language_evaluation, "score", lambda *given, **_: asked.append(given[3]))
    held_out(run, corpus)
    assert asked == [streams]


def long_part(n: int, streams: int, validate_on: int, world: int = 1) -> list[Evaluation]:
    """How each process judges a validation part of n tokens that are numbered."""
    vocabulary = Vocabulary("char", ("<unk>", *map(chr, range(1 << 16, (1 << 16) + 2 * n))))
    tokens = np.arange(2 * n, dtype=vocabulary.dtype)
    corpus = Corpus(Path("x"), vocabulary, tokens, (0.5, 0.5, 0.0), Counts(1, 1, 1, len(tokens), 0))
    found = [evaluation(corpus, Batching(streams, 7, validate_on), rank, world) for rank in range(world)]
    return [each for each in found if each is not None]


@pytest.mark.parametrize(
    ("n", "streams", "validate_on", "pieces", "length"),
    [
        (9_001, 2, 6_000, 12, 500),
        (9_001, 2, 5_999, 11, 545),
        (9_001, 99, 8_999, 17, 529),
        (5_001, 5, 499, 1, 499),
        (90_001, 1, 89_999, 128, 703),
    ],
)
def test_a_long_validation_part_is_judged_by_pieces_spread_evenly_over_it(
    n: int, streams: int, validate_on: int, pieces: int, length: int
) -> None:
    (judge,) = long_part(n, streams, validate_on)
    assert (judge.pieces, judge.length) == (pieces, length)
    targets = torch.cat([targets for _, targets, _ in judge.batches]).T - n  # [B,T], numbered from the part's start
    assert targets.shape == (pieces, length)
    steps = targets[:, 1:] - targets[:, :-1]
    assert bool((steps == 1).all()), "each piece is read from its beginning on"
    apart = targets[1:, 0] - targets[:-1, 0]
    assert len(apart) == 0 or pieces * int(apart.min()) > n - 2 * pieces, "they are as far from each other as can be"
    assert len(apart) == 0 or int(apart.max() - apart.min()) <= 1
    assert judge.on == f"on {pieces} piece{'s' if pieces > 1 else ''} of {length:,} characters"


def test_a_part_that_is_read_whole_is_said_to_be_no_pieces() -> None:
    (judge,) = long_part(1_801, 7, 1_800)
    assert (judge.pieces, judge.length, judge.on, judge.batches.count) == (3, None, "", 1_800)


@pytest.mark.parametrize(("n", "validate_on"), [(901, 10_000), (9_001, 5_000)])
def test_what_is_validated_on_does_not_depend_on_the_streams(n: int, validate_on: int) -> None:
    first, *others = (long_part(n, streams, validate_on)[0] for streams in (1, 3, 32, 500))
    for other in others:
        assert all(map(torch.equal, [each[1] for each in first.batches], [each[1] for each in other.batches]))
        assert other.on == first.on


def test_processes_share_the_pieces() -> None:
    (whole,), halves = long_part(9_001, 2, 5_000), long_part(9_001, 2, 5_000, world=2)
    for ours, *theirs in zip(whole.batches, *(half.batches for half in halves), strict=True):
        assert torch.equal(ours[1], torch.cat([their[1] for their in theirs], dim=1))
    assert sum(half.batches.share for half in halves) == whole.batches.share == whole.batches.count


@pytest.mark.parametrize(
    ("minutes", "validate_on"),
    [(2.0, 5_000), (3.0, 10_000), (100.0, 20_000), (0.01, 5_000)],  # 60 s / 50 at 4,096 tokens a second
)
def test_short_of_time_less_is_validated_on(monkeypatch: pytest.MonkeyPatch, minutes: float, validate_on: int) -> None:
    seconds = count()
    monkeypatch.setattr(language_evaluation, "perf_counter", lambda: next(seconds))
    vocabulary = Vocabulary("byte")
    tokens = np.random.default_rng(0).integers(97, 99, 100_000).astype(vocabulary.dtype)
    corpus = Corpus(Path("x"), vocabulary, tokens, (0.5, 0.5, 0.0), Counts(1, 1, 1, len(tokens), 0))
    model = LanguageModel("lstm", 256, SMALL)
    found = affordable(model, corpus, Batching(4, 7, 20_000), minutes)
    assert found.validate_on == validate_on
    assert affordable(model, corpus, Batching(4, 7, 100), 100.0).validate_on == 100


def test_a_run_with_minutes_remembers_what_it_is_validated_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language_evaluation, "perf_counter", partial(next, count(0, 1000)))
    monkeypatch.setattr(language_evaluation, "PROBE", 30)
    told = At(Validation, 1, lambda: None)
    text = write_text(tmp_path, 2000)
    start(tmp_path / "run", text, minutes=5, steps=3, batching=Batching(3, 7, 60), report=told)
    assert Run.open(tmp_path / "run").batching == Batching(3, 7, 30)
    assert next(event.on for event in told.events if isinstance(event, Validation)) == "on 1 piece of 30 characters"
    go_on(tmp_path / "run", told, steps=4, minutes=9)
    assert Run.open(tmp_path / "run").batching == Batching(3, 7, 30), "or the best would not be comparable"


def test_events_say_what_validation_was_measured_on_and_count_the_scoring_at_the_end() -> None:
    (judge,) = long_part(9_001, 2, 6_000)
    told = At(Step, 9, lambda: None)
    telling = Telling(told, judge, rest=30_000)
    step = Step(1, 9, 1, 2.0, 1.0, False, 0.0, 0.1, tokens_per_second=1000.0, elapsed=1.0, left=4.0)
    for event in (step, replace(step, left=None), Validation(1, 1, 2.0, True, seconds=3.0, elapsed=4.0), step):
        telling(event)
    before, unknown, validation, after = told.events
    assert isinstance(validation, Validation)
    assert validation.on == "on 12 pieces of 500 characters"
    lefts = [event.left for event in (before, unknown, after) if isinstance(event, Step)]
    assert lefts == [4.0 + 30_000 / (3 * 1000.0), None, 4.0 + 30_000 / (6_000 / 3.0)]


def test_the_whole_validation_part_is_scored_at_the_end_and_evaluations_tell_how_far_they_are(
    tmp_path: Path, text: Path
) -> None:
    told = At(Evaluating, 1, lambda: None)
    outcome = start(tmp_path / "run", text, steps=2, batching=Batching(3, 7, validate_on=12), report=told)
    run = Run.open(tmp_path / "run")
    assert outcome.validation == score(run.model(), run.vocabulary, run.corpus().validation)
    assert outcome.validation.tokens == len(run.corpus().validation) - 1
    found = {event.what: (event.done, event.total) for event in told.events if isinstance(event, Evaluating)}
    assert found == {"validation": (12, 12), "validation text": (44, 44), "held-out text": (44, 44)}


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "utf-8-sig", "utf-16"])
def test_bytes_that_spell_no_characters_are_counted_as_bytes(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(("né" * 200 + "plain " * 100).encode(encoding))
    told: list[str] = []
    outcome = start(
        tmp_path / "run", path, level="byte", steps=1, on_start=lambda corpus, *_: told.append(corpus.describe())
    )
    assert outcome.validation is not None and outcome.test is not None
    spelled = encoding != "latin-1"
    assert ("1,000 characters" in told[0], "not UTF-8" in told[0]) == (spelled, not spelled)
    for part in (outcome.validation, outcome.test):  # all of it ASCII, where it is cut from
        assert (part.bits_per_character is not None) == spelled
        assert re.match("[0-9.]+ bits per byte, perplexity" if not spelled else "[0-9.]+ bits per ch", score_line(part))
    held = Run.open(tmp_path / "run").corpus().tokens.tobytes()
    assert held == path.read_bytes() if not spelled else held.decode() == "né" * 200 + "plain " * 100


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_is_no_character_of_the_vocabulary(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "text.txt").write_bytes(("abé\n" * 200).encode(encoding))
    start(tmp_path / "run", tmp_path / "text.txt", steps=1)
    assert sorted(Run.open(tmp_path / "run").vocabulary.tokens) == ["\n", "<unk>", "a", "b", "é"]


def test_a_scoring_that_is_interrupted_costs_nothing_that_was_learnt(tmp_path: Path, text: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    told = At(Evaluating, 3, interrupt)  # after those before and after the only step
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path / "run", text, steps=1, report=told)
    assert isinstance(told.events[-1], Notice) and "resuming scores again" in told.events[-1].message
    outcome = go_on(tmp_path / "run")
    assert (outcome.result.step, outcome.result.loss) == (1, None)
    assert outcome.validation is not None and outcome.test is not None


def test_a_run_without_a_test_part_has_results_all_the_same(tmp_path: Path, text: Path) -> None:
    start(tmp_path / "run", text, steps=1, splits=(0.9, 0.1, 0.0))
    assert json.loads((tmp_path / "run" / "results.json").read_text()).keys() == {"why", "step", "validation"}
    run = Run.open(tmp_path / "run")
    assert text_results(run, run.model(), torch.zeros(3))["bits"] is None


# -- resuming

DROPOUT = {
    "shape": replace(SMALL, dropout=0.3, recurrent_dropout={"g": 0.2}, zoneout={"c": 0.1}),
    "steps": 90,
    "evaluate_every": 20,
}  # 90 steps are two epochs and a part


def same_run(a: Path, b: Path) -> None:
    assert rows(a) == rows(b)
    for name in ("last.safetensors", "best.safetensors"):
        one, other = load_checkpoint(a / name).tensors, load_checkpoint(b / name).tensors
        assert one.keys() == other.keys()
        assert all(torch.equal(tensor, other[key]) for key, tensor in one.items())
    assert (a / "results.json").read_text() == (b / "results.json").read_text()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was never stopped."""
    folder = tmp_path_factory.mktemp("whole")
    start(folder / "run", write_text(folder), "lstm", **DROPOUT)
    return folder / "run"


def test_a_run_that_was_interrupted_resumes_bit_for_bit(tmp_path: Path, text: Path, whole: Path) -> None:
    stop = partial(signal.raise_signal, signal.SIGINT)
    first = At(Step, 25, stop)
    outcome = start(tmp_path / "run", text, "lstm", report=first, **DROPOUT)
    assert (outcome.result.why, outcome.result.step, outcome.test) == ("interrupted", 25, None)
    assert not (tmp_path / "run" / "results.json").exists()
    outcome = go_on(tmp_path / "run", At(Step, 30, stop))
    assert (outcome.result.why, outcome.result.step) == ("interrupted", 55)
    assert go_on(tmp_path / "run").result.why == "finished"
    same_run(whole, tmp_path / "run")


def test_a_run_of_fewer_steps_goes_on_to_more(tmp_path: Path, text: Path) -> None:
    options = DROPOUT | {"decay": "none"}  # a rate that falls would depend on the number of steps
    start(tmp_path / "whole", text, **options)
    start(tmp_path / "parts", text, **(options | {"steps": 33, "evaluate_every": 11}))
    go_on(tmp_path / "parts", steps=90, evaluate_every=20)
    assert [row["loss_nats"] for row in rows(tmp_path / "whole")] == [
        row["loss_nats"] for row in rows(tmp_path / "parts")
    ]


def test_a_run_stopped_by_time_resumes_bit_for_bit(
    tmp_path: Path, text: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = count()
    monkeypatch.setattr(language, "train", partial(train, clock=lambda: next(seconds)))
    outcome = start(tmp_path / "run", text, minutes=2, **DROPOUT)
    assert outcome.result.why == "time"
    assert outcome.test is not None, "what it has learnt so far"
    parts = 1
    while outcome.result.why == "time":
        outcome, parts = go_on(tmp_path / "run"), parts + 1
    assert parts > 2
    same_run(whole, tmp_path / "run")


def test_a_killed_process_loses_no_more_than_what_came_after_its_checkpoint(
    tmp_path: Path, text: Path, whole: Path
) -> None:
    class Killed(BaseException):
        pass

    def kill() -> None:
        raise Killed

    with pytest.raises(Killed):
        start(tmp_path / "run", text, report=At(Step, 40, kill), save_every=1e-9, **DROPOUT)
    assert load_checkpoint(tmp_path / "run" / "last.safetensors").progress.step == 39
    go_on(tmp_path / "run")
    same_run(whole, tmp_path / "run")


def test_what_is_changed_on_resuming_stays_changed(tmp_path: Path, text: Path) -> None:
    start(tmp_path / "run", text, steps=4)
    outcome = go_on(tmp_path / "run", At(Step, 2, partial(signal.raise_signal, signal.SIGINT)), steps=9)
    assert (outcome.result.why, outcome.result.step) == ("interrupted", 6)
    assert go_on(tmp_path / "run").result.step == 9


def test_a_new_end_takes_the_place_of_the_old_ones(tmp_path: Path, text: Path) -> None:
    start(tmp_path / "run", text, steps=None, epochs=1, minutes=60)
    assert go_on(tmp_path / "run", steps=45).result.step == 45, "an epoch has 38 steps"
    settings = Run.open(tmp_path / "run").settings
    assert (settings.steps, settings.epochs, settings.minutes) == (45, None, None)
    assert go_on(tmp_path / "run", epochs=2).result.step == 76


def test_an_end_said_again_changes_nothing(tmp_path: Path, text: Path) -> None:
    start(tmp_path / "run", text, steps=5, epochs=1)
    before = (tmp_path / "run" / "run.json").read_bytes()
    outcome = go_on(tmp_path / "run", steps=5)
    assert (outcome.result.step, outcome.result.loss) == (5, None)
    assert (tmp_path / "run" / "run.json").read_bytes() == before


def test_minutes_on_resuming_are_from_now_on(tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = count()
    monkeypatch.setattr(language, "train", partial(train, clock=lambda: next(seconds)))
    first = start(tmp_path / "run", text, steps=None, minutes=6).result
    assert first.total is not None, "the steps were planned"
    report = At(Plan, 1, lambda: None)
    second = go_on(tmp_path / "run", report, minutes=6).result
    assert second.step > first.step
    assert any(isinstance(event, Plan) for event in report.events)


def test_a_run_that_cannot_go_on_is_left_as_it_was(tmp_path: Path, text: Path) -> None:
    start(tmp_path / "run", text, steps=4)
    before = tree(tmp_path)
    for changes in ({"steps": -1}, {"seconds": 4}, {"device": "nonsense"}):
        with pytest.raises((InputError, TypeError)):
            language.resume_text(tmp_path / "run", {k: v for k, v in changes.items() if k != "device"}, device="x")
    (tmp_path / "run" / "last.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match=r"last\.safetensors is damaged"):
        go_on(tmp_path / "run", steps=9)
    before["run/last.safetensors"] = b""
    assert tree(tmp_path) == before, "the new number of steps is not written down"


# -- failing


def text_that_is_missing(tmp_path: Path) -> dict[str, Any]:
    return {"text": tmp_path / "missing.txt"}


def an_empty_text(tmp_path: Path) -> dict[str, Any]:
    return {"text": write_text(tmp_path, 0, name="empty.txt")}


def a_short_text(tmp_path: Path) -> dict[str, Any]:
    return {"text": write_text(tmp_path, 20, name="short.txt")}


def a_cell_for_equal_sizes(_: Path) -> dict[str, Any]:
    return {"cell": "sru"}


def a_cell_for_as_many_units_as_characters(_: Path) -> dict[str, Any]:
    return {"cell": "sru", "shape": Shape(hidden=4, embedding=None)}


def a_device_that_is_not_there(_: Path) -> dict[str, Any]:
    return {"device": "nonsense"}


def an_engine_that_is_not_there(_: Path) -> dict[str, Any]:
    return {"shape": replace(SMALL, engine="steam")}


def patience_without_validation(_: Path) -> dict[str, Any]:
    return {"patience": 2, "splits": (1.0, 0.0, 0.0)}


BAD = [
    (text_that_is_missing, "does not exist"),
    (an_empty_text, "the text is empty"),
    (a_short_text, "3 streams of 7 steps need 22 characters, it has 18"),
    (a_cell_for_equal_sizes, "input_size=5 and hidden_size=8"),
    (a_cell_for_as_many_units_as_characters, "input_size=8 and hidden_size=4"),
    (a_device_that_is_not_there, "device 'nonsense' cannot be used"),
    (an_engine_that_is_not_there, "engine='steam' is not here"),
    (patience_without_validation, "early stopping needs validation data"),
]


@pytest.mark.parametrize("there", ["nothing", "an empty folder", "a run"])
@pytest.mark.parametrize(("make", "said"), BAD, ids=[make.__name__ for make, _ in BAD])
def test_what_fails_at_the_start_changes_nothing(tmp_path: Path, text: Path, make: Any, said: str, there: str) -> None:
    out = tmp_path / "deep" / "run"
    if there == "an empty folder":
        out.mkdir(parents=True)
    if there == "a run":
        start(out, text, steps=1)
    options = {"text": text, "overwrite": there == "a run"} | make(tmp_path)
    before = tree(tmp_path)
    with pytest.raises(ValueError, match=said):
        start(out, **options)
    assert tree(tmp_path) == before


class Stop(BaseException):
    """Stands for Ctrl-C, a full disk, anything."""


def stop(*_: object, **__: object) -> None:
    raise Stop


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("place", ["prepare", "describe", "launch", "train"])
def test_whatever_stops_it_before_the_first_checkpoint_nothing_is_left(
    tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch, place: str, there: bool
) -> None:
    if there:
        start(tmp_path / "run", text, steps=1)
    before = tree(tmp_path)
    monkeypatch.setattr(language, place, stop)
    with pytest.raises(Stop):
        start(tmp_path / "run", text, overwrite=True)
    assert tree(tmp_path) == before


def test_after_the_first_checkpoint_the_run_stays(tmp_path: Path, text: Path) -> None:
    start(tmp_path / "run", text, steps=1)
    before = tree(tmp_path / "run")
    with pytest.raises(Stop):
        start(tmp_path / "run", text, overwrite=True, seed=2, report=At(Saved, 1, stop))
    assert Run.open(tmp_path / "run").settings.seed == 2
    assert tree(tmp_path / "run") != before
    assert [path.name for path in tmp_path.iterdir() if path.name != "text.txt"] == ["run"]
    assert go_on(tmp_path / "run").result.step == 12


# -- what may be written over


def test_a_run_is_not_overwritten_unasked(tmp_path: Path, text: Path) -> None:
    start(tmp_path / "run", text, steps=1)
    before = tree(tmp_path)
    with pytest.raises(InputError, match="--resume goes on with it, --overwrite starts anew"):
        start(tmp_path / "run", text)
    assert tree(tmp_path) == before


def test_overwriting_leaves_nothing_of_the_old_run(tmp_path: Path, text: Path) -> None:
    start(tmp_path / "run", text)
    (tmp_path / "run" / "notes").write_text("old")
    start(tmp_path / "run", text, overwrite=True, splits=(1.0, 0.0, 0.0))
    names = {path.name for path in (tmp_path / "run").iterdir()} - {"tensorboard"}
    assert names == {"run.json", "tokens.bin", "last.safetensors", "metrics.csv"}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "content", [{"thesis.tex": "all I have"}, {"run.json": '{"format": "another tool 1"}'}, {"run.json": "{"}]
)
def test_a_foreign_folder_is_never_touched(
    tmp_path: Path, text: Path, overwrite: bool, content: dict[str, str]
) -> None:
    (tmp_path / "mine").mkdir()
    for name, words in content.items():
        (tmp_path / "mine" / name).write_text(words)
    before = tree(tmp_path)
    with pytest.raises(InputError, match="exists and is no run"):
        start(tmp_path / "mine", text, overwrite=overwrite)
    assert tree(tmp_path) == before


def test_a_file_and_the_folder_one_is_in_are_no_place_for_a_run(
    tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="exists and is no run"):
        start(text, text, overwrite=True)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InputError, match="is the folder you are in"):
        start(Path(), text)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, text: Path) -> None:
    with pytest.raises(InputError, match="cannot make"):
        start(text / "run", text)


def test_a_link_to_a_folder_stays_a_link(tmp_path: Path, text: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    start(tmp_path / "link", text, steps=1)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "elsewhere" / "run.json").exists()


# -- run.json that is damaged


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The run.json of a small run."""
    folder = tmp_path_factory.mktemp("described")
    start(folder / "run", write_text(folder), steps=1)
    return (folder / "run" / "run.json").read_bytes()


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (["format"], None, "no run that this gatework reads"),
        (["format"], "gatework run 99", "no run that this gatework reads"),
        (["task"], "forecast", "a run of task 'forecast'"),
        (["cell"], None, "'cell' is missing"),
        (["cell"], "lstm", "dictionary"),
        (["cell", "equations"], None, "'equations' is missing"),
        (["cell", "equations"], "h = tanh(", "line 1"),
        (["cell", "equations"], 3, "string"),
        (["cell", "start"], {"h": "soon"}, "soon"),
        (["cell", "start"], {"h": []}, "number"),
        (["cell", "init"], {"b_q": 1}, "b_q"),
        (["cell", "output"], "q", "q"),
        (["shape"], [], "mapping"),
        (["shape", "hidden"], "eight", "hidden is 'eight'"),
        (["shape", "hidden"], -8, "hidden is -8"),
        (["shape", "embedding"], "5", "embedding is '5'"),
        (["shape", "dropout"], "much", "dropout is 'much'"),
        (["shape", "zoneout"], [1], "zoneout is"),
        (["shape", "width"], 5, "width"),
        (["batching", "streams"], 1.5, "streams is 1.5"),
        (["settings", "steps"], "many", "steps = 'many'"),
        (["settings", "speed"], 5, "unknown setting 'speed'"),
        (["text"], 7, "int"),
        (["text", "level"], "letter", "unknown level 'letter'"),
        (["text", "splits"], [1, 1, 1], "splits"),
        (["counts"], {"files": 1}, "counts"),
        (["counts", "tokens"], -1, "counts"),
        (["vocabulary"], None, "'vocabulary' is missing"),
        (["vocabulary", "tokens"], ["a", "a"], "<unk>"),
        (["vocabulary", "tokens"], "abc", "tokens"),
    ],
)
def test_a_damaged_description_is_refused_by_name(
    tmp_path: Path, described: bytes, keys: list[str], value: object, said: str
) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(described)
    assert Run.open(tmp_path).shape == SMALL
    values = json.loads(described)
    below = values
    for key in keys[:-1]:
        below = below[key]
    below.pop(keys[-1], None)
    if value is not None:
        below[keys[-1]] = value
    path.write_text(json.dumps(values))
    with pytest.raises(InputError, match=said) as error:
        Run.open(tmp_path)
    assert str(path) in str(error.value) or str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'"run"', b"\xff\xfe", b'{"format": NaN}', b"[" * 100_000])
def test_a_description_that_is_no_json_object_is_refused_by_name(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "run.json").write_bytes(data)
    with pytest.raises(InputError, match=r"run\.json is damaged"):
        Run.open(tmp_path)


def test_a_folder_that_is_none_or_no_run_is_named(tmp_path: Path, text: Path) -> None:
    with pytest.raises(InputError, match="nowhere does not exist"):
        Run.open(tmp_path / "nowhere")
    with pytest.raises(InputError, match="is no folder"):
        Run.open(text)
    with pytest.raises(InputError, match=r"run\.json does not exist"):
        Run.open(tmp_path)


# -- what is told


def test_what_is_read_and_made_is_told(tmp_path: Path, text: Path) -> None:
    read: list[tuple[int, int]] = []
    told: list[Any] = []
    report = At(Step, 1, lambda: None)
    start(
        tmp_path / "run",
        text,
        report=report,
        reading=lambda done, total: read.append((done, total)),
        on_start=lambda *what: told.append(what),
    )
    assert read[-1] == (1800, 1800), "a text of characters is read twice"
    ((corpus, batches, model),) = told
    assert (corpus.counts.tokens, len(batches), model.vocabulary_size) == (900, 38, 8)
    kinds = [type(event) for event in report.events]
    assert kinds[0] is Saved
    assert (kinds.count(Step), kinds.count(Validation), kinds.count(Resumed)) == (12, 4, 0)


def test_a_run_is_described_by_values_that_json_has(described: bytes) -> None:
    values = json.loads(described)
    assert values["shape"] == asdict(SMALL)
    assert values["batching"] == asdict(BATCHING)
    assert values["cell"]["equations"] == gw.cells["lstm"].equations
