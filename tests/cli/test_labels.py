import json
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_toys import Command, interrupted, rows, tree

import gatework as gw
from gatework.cli import main
from gatework.labels.run import Run

SMALL = "--hidden 6 --steps 30 --learning-rate 0.03 --splits 0.6,0.2,0.2 --device cpu"
NEW = f"train labels waves.jsonl --out new {SMALL}"


def lines(path: str, *values: Any) -> None:
    Path(path).write_text("".join(f"{json.dumps(value)}\n" for value in values))


def waves(count: int, seed: int) -> list[dict[str, Any]]:
    """Slow and fast waves of 5 to 12 steps, from any phase."""
    rng, found = np.random.default_rng(seed), []
    for k in range(count):
        steps = rng.uniform(0, 6) + np.arange(rng.integers(5, 13)) * (0.3, 2.0)[k % 2]
        found.append({"sequence": np.sin(steps).tolist(), "label": ("slow", "fast")[k % 2]})
    return found


def write_files() -> None:
    lines("waves.jsonl", *waves(100, 0))
    lines("new_waves.jsonl", *waves(20, 1))
    lines("unlabelled.jsonl", *({"sequence": row["sequence"]} for row in waves(3, 1)))
    lines("sums.jsonl", *({"sequence": [k, k % 7], "label": k + k % 7} for k in range(60)))
    lines("tags.jsonl", *({"text": text, "label": list(text.upper())} for text in ("ab", "ba", "aab", "b") * 20))
    lines("unseen.jsonl", {"sequence": [1, 2], "label": "slow"}, {"sequence": [1, 2], "label": "sideways"})
    lines("wide.jsonl", {"sequence": [[1, 2]], "label": "slow"})
    lines("text.jsonl", {"text": "abc", "label": "slow"})
    lines("mixed.jsonl", {"text": "a", "label": "x"}, {"text": "b", "label": 3})
    lines("one.jsonl", {"text": "a", "label": "x"}, {"text": "b", "label": "x"})
    lines("unequal.jsonl", {"text": "abc", "label": ["x", "y"]})
    lines("two.jsonl", {"sequence": [1, "two"], "label": "x"})
    Path("infinite.jsonl").write_text('{"sequence": [1, Infinity], "label": "x"}\n')
    Path("broken.jsonl").write_text('{"text": "a", "label": "x"}\n{"text": \n')
    Path("empty.jsonl").write_text("")
    Path("mine.txt").write_text("h = tanh(W @ x + U @ h + b)\n")
    Path("broken.npz").write_bytes(b"PK no archive")
    np.savez("digits.npz", X=np.random.default_rng(0).normal(size=(40, 4, 3)), y=np.arange(40) % 4)
    Path("foreign").mkdir()
    Path("foreign/thesis.tex").write_text("all I have")


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files and a trained run, to be copied."""
    folder = tmp_path_factory.mktemp("labelled")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_files()
        patch.setattr(sys, "argv", ["gatework", *shlex.split(NEW), "--out", "run"])
        with pytest.raises(SystemExit) as end:
            main()
    assert end.value.code == 0
    return folder


@pytest.fixture
def place(labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh copy of that folder, which the command is called in."""
    shutil.copytree(labelled, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    return tmp_path / "place"


# -- training


def test_training_tells_what_it_does_from_the_file_to_what_is_next(gatework: Command, place: Path) -> None:
    done = gatework(*shlex.split(NEW))
    assert (done.status, done.err) == (0, "")
    told = done.lines
    assert told[0] == (
        "waves.jsonl: 100 sequences of 5 to 12 steps, 1 number a step; training 60, validation 20, test 20"
    )
    assert told[1] == "labels: 2 classes (fast, slow)"
    assert told[2].startswith("lstm, 1, 6, bidirectional=True, engine='auto'")
    assert told[2].endswith(" weights")
    assert told[3] == "chosen by the data: recurrent layers alone; summary last"
    assert told[4].startswith("step 0: validation loss 0.")
    assert "step 1/30  loss 0." in done.out and "steps/s" in done.out
    assert "finished at step 30, after 0:0" in done.out
    assert any(line.startswith("best validation loss 0.") and "new/best.safetensors" in line for line in told)
    report = told[told.index("held-out sequences:") :]
    assert report[1].startswith("accuracy ")
    assert report[1].split(" labels")[0].endswith("% of 20")
    assert report[3].split() == ["true", "fast", "slow", "F1"]
    assert [line.split()[0] for line in report[4:6]] == ["fast", "slow"]
    assert told[-1] == "next: gatework predict new FILE"


def test_the_options_reach_the_run(gatework: Command, place: Path) -> None:
    options = (
        "--cell gru --hidden 5 --layers 2 --one-way --summary attention+max --branch fcn --front none --members 2 "
        "--augment jitter --embedding 3 --dropout 0.1 --zoneout h=0.05 --recurrent-dropout n=0.2 --init torch "
        "--engine reference --epochs 4 --steps 3 --minutes 5 --batch 7 --learning-rate 0.1 --weight-decay 0.2 "
        "--patience 9 --seed 3 --level word --vocabulary 5 --splits 0.5,0.3,0.2"
    )
    assert gatework(*shlex.split(f"train labels text.jsonl --out new {options}")).status == 2, "one example"
    done = gatework(*shlex.split(f"train labels waves.jsonl --out new --device cpu {options}"))
    assert (done.status, done.err) == (0, "")
    run = Run.open(Path("new"))
    found = run.job.options
    assert (found.cell, found.hidden, found.layers, found.bidirectional, found.summary) == (
        "gru",
        5,
        2,
        False,
        "attention+max",
    )
    assert (found.branch, found.front, found.members, found.augment) == ("fcn", "none", 2, "jitter")
    assert found.recurrent == {"recurrent_dropout": {"n": 0.2}, "zoneout": {"h": 0.05}, "init": "torch"}
    assert (found.epochs, found.steps, found.minutes, found.patience) == (4, 3, 5.0, 9)
    assert (found.learning_rate, found.weight_decay, found.batch_size, found.random_state) == (0.1, 0.2, 7, 3)
    assert (found.embedding, found.dropout, found.level, found.vocabulary) == (3, 0.1, "word", 5)
    assert (found.validation, found.engine) == (0.3, "reference")
    values = json.loads(Path("new/run.json").read_text())
    assert (values["source"], values["splits"]) == ("waves.jsonl", [0.5, 0.3, 0.2])
    assert values["counts"] == {"training": 50, "validation": 30, "test": 20}


def test_numbers_are_regression_and_say_how_they_may_be_classes(gatework: Command, place: Path) -> None:
    done = gatework(*shlex.split(f"train labels sums.jsonl --out new {SMALL}"))
    assert done.status == 0
    assert "labels: numbers of mean 32.4" in done.out
    assert "--as classes takes each number as a class" in done.out
    assert "root mean square error " in done.out
    done = gatework(*shlex.split(f"train labels sums.jsonl --as classes --out other {SMALL}"))
    assert "classes (0, 2, 4, 6, 7" in done.out


def test_tags(gatework: Command, place: Path) -> None:
    done = gatework(*shlex.split(f"train labels tags.jsonl --out new {SMALL}"))
    assert "labels: 2 tags (A, B)" in done.out
    assert "every tag right in " in done.out
    assert gatework("predict", "new", "tags.jsonl", "--each").lines[0] == '{"label": ["A", "B"]}'


def test_arrays_and_standard_input(gatework: Command, place: Path) -> None:
    assert "labels: 4 classes (0, 1, 2, 3)" in gatework(*shlex.split(f"train labels digits.npz --out a {SMALL}")).out
    data = Path("waves.jsonl").read_bytes()
    done = gatework(*shlex.split(f"train labels - --out new {SMALL}"), stdin=data)
    assert done.status == 0
    assert rows(Path("new")) == rows(Path("run")), "the same sequences, the same losses"


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "cp1252"])
def test_lines_in_another_encoding(gatework: Command, place: Path, encoding: str) -> None:
    words = [{"text": ("öl", "süß")[k % 2], "label": ("flüssig", "weiß")[k % 2]} for k in range(40)]
    data = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in words).encode(encoding)
    Path("words.jsonl").write_bytes(data)
    done = gatework(*shlex.split(f"train labels words.jsonl --encoding {encoding} --out file {SMALL}"))
    assert (done.status, done.err) == (0, "")
    assert "labels: 2 classes (flüssig, weiß)" in done.out
    assert json.loads(Path("file/run.json").read_text())["encoding"] == encoding
    done = gatework(*shlex.split(f"train labels - --encoding {encoding} --out piped {SMALL}"), stdin=data)
    assert (done.status, rows(Path("piped"))) == (0, rows(Path("file")))
    assert gatework("train", "labels", "--resume", "--out", "file", "--steps", 40).status == 0
    for file, given in (("words.jsonl", None), ("-", data)):
        done = gatework("predict", "file", file, "--encoding", encoding, "--each", stdin=given)
        assert done.lines[0].startswith('{"label": "flüssig"')
    refused(gatework, place, "train labels words.jsonl --encoding ascii --out new", "words.jsonl is not ascii: bytes")
    refused(gatework, place, "predict file words.jsonl --encoding ascii", "words.jsonl is not ascii: bytes")


def test_a_cell_of_ones_own(gatework: Command, place: Path) -> None:
    assert gatework(*shlex.split(f"{NEW} --equations mine.txt")).status == 0
    Path("mine.txt").unlink()
    assert gatework("predict", "new", "new_waves.jsonl").status == 0


# -- stopping and going on


def test_ctrl_c_saves_and_says_how_to_go_on(gatework: Command, place: Path) -> None:
    with interrupted(at=11):
        done = gatework(*shlex.split(NEW))
    assert (done.status, done.err) == (130, "gatework: interrupted\n")
    assert done.lines[-1] == "go on with: gatework train labels --resume --out new"
    assert gatework("predict", "new", "new_waves.jsonl").status == 0, "what was learnt so far is there"
    done = gatework(*done.lines[-1].removeprefix("go on with: gatework ").split())
    assert done.status == 0
    assert done.lines[0] == "going on after step 11 of new/last.safetensors"
    assert rows(Path("new")) == rows(Path("run"))


def test_a_finished_run_can_be_made_longer(gatework: Command, place: Path) -> None:
    assert "nothing was left to do" in gatework("train", "labels", "--resume", "--out", "run").out
    done = gatework("train", "labels", "--resume", "--out", "run", "--steps", 40)
    assert "finished at step 40" in done.out


# -- predicting


def test_a_labelled_file_is_judged(gatework: Command, place: Path) -> None:
    done = gatework("predict", "run", "new_waves.jsonl")
    assert (done.status, done.err) == (0, "")
    assert done.lines[0].startswith("accuracy ")
    assert done.lines[1].strip() == "predicted"


def test_an_unlabelled_file_is_answered_line_by_line(gatework: Command, place: Path) -> None:
    done = gatework("predict", "run", "unlabelled.jsonl")
    answers = [json.loads(line) for line in done.lines]
    assert [answer["label"] for answer in answers] == ["slow", "fast", "slow"]
    assert all(0.5 <= answer["probability"] <= 1 for answer in answers)
    model = gw.SequenceClassifier.load("run")
    X = [row["sequence"] for row in waves(3, 1)]
    assert model.predict(X).tolist() == [answer["label"] for answer in answers]
    assert model.predict_proba(X).max(1) == pytest.approx([answer["probability"] for answer in answers], abs=1e-5)


def test_a_report_says_whether_probabilities_are_what_they_say(gatework: Command, place: Path) -> None:
    done = gatework("predict", "run", "new_waves.jsonl", "--report")
    at = next(k for k, line in enumerate(done.lines) if line.startswith("calibration: expected error 0."))
    assert done.lines[at + 1].split() == ["probability", "labels", "mean", "right"]
    assert sum(int(line.split()[3]) for line in done.lines[at + 2 :]) == 20
    refused(gatework, place, "predict run unlabelled.jsonl --report", "--report: unlabelled.jsonl has no labels")


def test_predictions_go_to_a_file(gatework: Command, place: Path) -> None:
    done = gatework("predict", "run", "unlabelled.jsonl", "--out", "answers.jsonl")
    assert done.out == ""
    assert Path("answers.jsonl").read_text() == gatework("predict", "run", "unlabelled.jsonl").out
    done = gatework("predict", "run", "new_waves.jsonl", "--out", "answers.jsonl")
    assert done.lines[0].startswith("accuracy ")
    assert Path("answers.jsonl").read_text() == gatework("predict", "run", "new_waves.jsonl", "--each").out


def test_what_an_estimator_saved_predicts(gatework: Command, place: Path) -> None:
    gw.SequenceRegressor(hidden=4, steps=3, device="cpu").fit([[1, 2], [3]] * 20, [1.0, 2.0] * 20).save("mine")
    done = gatework("predict", "mine", "unlabelled.jsonl")
    assert all(isinstance(json.loads(line)["label"], float) for line in done.lines)


# -- what is given wrong: one line, status 2, nothing changed


def refused(gatework: Command, place: Path, arguments: str, *said: str) -> None:
    before = tree(place)
    done = gatework(*shlex.split(arguments))
    assert done.status == 2, done
    assert done.err.startswith("gatework")
    assert done.err.count("\n") == 1, "one line"
    for words in said:
        assert words in done.err
    assert tree(place) == before


WRONG = [
    ("missing.jsonl", ["missing.jsonl does not exist"]),
    ("foreign", ["foreign is a directory"]),
    ("empty.jsonl", ["empty.jsonl is empty"]),
    ("broken.jsonl", ["broken.jsonl, line 2 is not JSON"]),
    ("broken.npz", ["broken.npz is damaged, or no .npz"]),
    ("two.jsonl", ['two.jsonl, line 1: step 1 is "two"; expected a number']),
    ("infinite.jsonl", ["infinite.jsonl, line 1: step 1 is inf"]),
    ("mixed.jsonl", ["mixed.jsonl, line 2: the label 3 is a number, and that of mixed.jsonl, line 1 is a text"]),
    ("unequal.jsonl", ["unequal.jsonl, line 1: 2 labels for a sequence of 3 steps"]),
    ("one.jsonl", ['all 2 labels are "x"; expected at least two kinds']),
    ("unlabelled.jsonl", ["unlabelled.jsonl, line 1 has no label"]),
    ("sums.jsonl --as tags", ["sums.jsonl, line 1: the label 0 is a number; expected a list of labels"]),
    ("waves.jsonl --as numbers", ['waves.jsonl, line 1: the label "slow" is a text; expected one number']),
]


@pytest.mark.parametrize(("file", "said"), WRONG, ids=[file for file, _ in WRONG])
def test_a_file_that_cannot_be_learnt_from(gatework: Command, place: Path, file: str, said: list[str]) -> None:
    refused(gatework, place, f"train labels {file} --out deep/new {SMALL}", *said)


OPTIONS = [
    ("--cell lsmt", ["unknown cell 'lsmt'; closest are lstm"]),
    ("--cell gru --equations mine.txt", ["--cell gru and --equations mine.txt: give one of them"]),
    ("--cell sru", ["input_size=1 and hidden_size=6; make them equal"]),
    ("--hidden 0", ["hidden is 0"]),
    ("--hidden 9000000", ["memory"]),
    ("--batch 0", ["batch_size is 0"]),
    ("--dropout 2", ["dropout is 2.0"]),
    ("--zoneout f=0.1", ["'f'"]),
    ("--summary first", ["summary is 'first'; expected last, mean, max or attention"]),
    ("--branch resnet", ["'--branch'", "'resnet'"]),
    ("--augment flip", ["augment is 'flip'; expected jitter, warp or crop"]),
    ("--members 0", ["members is 0"]),
    ("--splits 0.9,0.1", ["--splits 0.9,0.1: expected three shares"]),
    ("--as words", ["'--as'", "'words'"]),
    ("--epochs 0", ["epochs = 0"]),
    ("--seed -1", ["seed = -1"]),
    ("--engine steam", ["engine='steam' is not here"]),
    ("--device nonsense", ["device 'nonsense' cannot be used"]),
    ("--encoding klingon", ["encoding is 'klingon': expected one such as utf-8"]),
    ("--out run", ["run exists: --resume goes on with it, --overwrite starts anew"]),
    ("--out foreign --overwrite", ["foreign exists and is no run"]),
    ("--out run --overwrite --cell sru", ["make them equal"]),
]


@pytest.mark.parametrize(("options", "said"), OPTIONS, ids=[options for options, _ in OPTIONS])
def test_options_that_cannot_be(gatework: Command, place: Path, options: str, said: list[str]) -> None:
    refused(gatework, place, f"{NEW} {options}", *said)


USING = [
    ("train labels --out new", ["no file was given"]),
    ("train labels waves.jsonl", ["Missing option", "--out"]),
    ("train labels --resume --out missing", ["missing does not exist"]),
    ("train labels --resume --out run --hidden 7", ["--hidden: a run goes on with what it was started with"]),
    ("train labels waves.jsonl --resume --out run", ["FILE: a run goes on with what it was started with"]),
    ("train labels --resume --out run --encoding latin-1", ["--encoding: a run goes on with what it was started with"]),
    ("train labels --resume --overwrite --out run", ["give one of them"]),
    ("train text --resume --out run", ["run is a run of task 'labels'; expected 'language'"]),
    ("score run waves.jsonl", ["run was trained on labels: gatework predict run FILE"]),
    ("predict run", ["Missing argument", "FILE"]),
    ("predict missing waves.jsonl", ["missing does not exist"]),
    ("predict foreign waves.jsonl", ["foreign/run.json does not exist"]),
    ("predict run missing.jsonl", ["missing.jsonl does not exist"]),
    ("predict run text.jsonl", ["text.jsonl, line 1: a text read by its characters; the model was trained on numbers"]),
    ("predict run wide.jsonl", ["wide.jsonl, line 1: vectors of 2 numbers; the model was trained on vectors of 1"]),
    (
        "predict run unseen.jsonl",
        ['unseen.jsonl, line 2: the label "sideways" did not occur in training; the labels are "fast", "slow"'],
    ),
    ("predict run tags.jsonl", ["is a list of a text; expected one label"]),
    ("predict run unlabelled.jsonl --out no/where", ["cannot write no/where: no is no directory"]),
    ("predict run unlabelled.jsonl --device nonsense", ["device 'nonsense' cannot be used"]),
]


@pytest.mark.parametrize(("arguments", "said"), USING, ids=[arguments for arguments, _ in USING])
def test_what_the_commands_cannot_do(gatework: Command, place: Path, arguments: str, said: list[str]) -> None:
    refused(gatework, place, arguments, *said)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-9] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("harm", [truncated, flipped])
@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("predict run new_waves.jsonl", "best.safetensors"),
        ("train labels --resume --out run --steps 40", "last.safetensors"),
        ("train labels --resume --out run --steps 40", "data.safetensors"),
        ("predict run new_waves.jsonl", "run.json"),
    ],
)
def test_a_damaged_file_is_named(
    gatework: Command, place: Path, harm: Callable[[Path], None], command: str, name: str
) -> None:
    if name == "run.json" and harm is flipped:
        Path("run/run.json").write_text('{"format": "gatework run 1", "task": "labels"}')
    else:
        harm(Path("run", name))
    refused(gatework, place, command, f"run/{name} is damaged")


# -- several labels


def several(count: int, *, sets: bool) -> list[dict[str, Any]]:
    """Waves with their speed and whether they are high, as targets by name or as a set."""
    found = []
    for k, row in enumerate(waves(count, 0)):
        high, slow = k % 3 == 0, row["label"] == "slow"
        label: Any = "|".join(["high"] * high + ["slow"] * slow) if sets else {"speed": row["label"], "high": str(high)}
        found.append({"sequence": [value + 5 * high for value in row["sequence"]], "label": label})
    return found


def test_several_targets_are_objects_in_the_file_and_in_the_answers(gatework: Command, place: Path) -> None:
    lines("targets.jsonl", *several(60, sets=False))
    done = gatework(*shlex.split(f"train labels targets.jsonl --out new {SMALL}"))
    assert (done.status, done.err) == (0, "")
    assert "labels: 2 targets: speed (2 classes), high (2 classes)" in done.lines
    assert "every target right in " in done.out and "\nspeed:\naccuracy " in done.out
    results = json.loads(Path("new/results.json").read_text())
    assert results["test"]["targets"].keys() == {"speed", "high"}
    answer = json.loads(gatework("predict", "new", "targets.jsonl", "--each").lines[0])
    assert answer["label"].keys() == answer["probability"].keys() == {"speed", "high"}
    done = gatework("predict", "new", "targets.jsonl", "--report")
    assert done.out.count("calibration: expected error ") == 2
    assert gatework(*shlex.split("train labels --resume --out new --steps 40")).status == 0


def test_sets_of_labels_are_lists_or_texts_with_bars(gatework: Command, place: Path) -> None:
    lines("sets.jsonl", *several(60, sets=True))
    done = gatework(*shlex.split(f"train labels sets.jsonl --as sets --out new {SMALL}"))
    assert (done.status, done.err) == (0, "")
    assert "labels: sets of 2 labels (high, slow), 0.83 on the mean" in done.lines
    assert "sets predicted whole " in done.out
    answer = json.loads(gatework("predict", "new", "sets.jsonl", "--each").lines[0])
    assert answer["label"] == [name for name, chance in answer["probability"].items() if chance > 0.5]
    done = gatework("predict", "new", "sets.jsonl", "--report")
    assert done.out.count("calibration: expected error ") == 1
    lines("new.jsonl", {"sequence": [1, 2], "label": "low"})
    done = gatework("predict", "new", "new.jsonl")
    assert (done.status, done.err) == (
        2,
        'gatework: new.jsonl, line 1: the label "low" did not occur in training; the labels are "high", "slow"\n',
    )


def test_several_numbers_are_judged_one_by_one(gatework: Command, place: Path) -> None:
    rows = [{"sequence": [k, k % 7], "label": {"sum": k + k % 7, "rest": k % 7}} for k in range(60)]
    lines("numbers.jsonl", *rows)
    done = gatework(*shlex.split(f"train labels numbers.jsonl --out new {SMALL}"))
    assert "labels: 2 targets: sum (mean 32.4" in done.out
    assert done.out.count("root mean square error ") == 2
    assert json.loads(gatework("predict", "new", "numbers.jsonl", "--each").lines[0])["label"].keys() == {"sum", "rest"}
