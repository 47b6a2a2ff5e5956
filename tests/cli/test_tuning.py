"""`gatework train text --from RUN`: what it says, what it takes, what it refuses."""

from pathlib import Path

import pytest
from cli_toys import Command, tree

from gatework.text.run import Run

TUNE = ["train", "text", "--from", "run", "--out", "new", "--device", "cpu"]
QUICK = ["--steps", "4", "--evaluate-every", "2"]


def test_it_says_what_it_begins_with_and_what_is_new(gatework: Command, place: Path) -> None:
    Path("new.txt").write_text("abcdef\n" * 60 + "é☃é" * 5)
    done = gatework(*TUNE, "new.txt", *QUICK, "--learning-rate", "0.01")
    assert (done.status, done.err) == (0, "")
    began, text, batches, model, note, start, *_ = done.lines
    assert began == "begins with run/best.safetensors: its vocabulary, cell and sizes, and all that was not said anew"
    assert text.startswith("1 file, ") and "(15 unknown), vocabulary 8 (char level)" in text
    assert "of 3 streams x 7 steps" in batches
    assert model.startswith("lstm, 4, 6, ")
    assert note.startswith("note: 2 characters are new to the model, 15 in all: 'é' 10, '☃' 5; each is read as")
    assert start.startswith("step 0: validation ")
    assert done.lines[-1] == "next: gatework sample new"
    run = Run.open(Path("new"))
    assert (run.settings.learning_rate, run.settings.steps, run.text.paths) == (0.01, 4, ("new.txt",))
    assert gatework("sample", "new", "--length", "20", "--seed", "1").status == 0


def test_without_a_text_it_is_the_runs_own(gatework: Command, place: Path) -> None:
    done = gatework(*TUNE, *QUICK, "--dropout", "0.2", "--clip", "0", "--streams", "2")
    assert done.status == 0
    assert not any(line.startswith("note: ") for line in done.lines)
    run, old = Run.open(Path("new")), Run.open(Path("run"))
    assert run.text == old.text
    assert (run.shape.dropout, run.settings.clip, run.batching.streams) == (0.2, None, 2)
    assert run.settings.warmup == old.settings.warmup == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--hidden 7", "--hidden 7: the model of run has 6, and keeps it; leave out --hidden, or train anew"),
        ("--layers 2", "--layers 2: the model of run has 1,"),
        ("--cell gru", "--cell gru: the model of run has lstm,"),
        ("--level byte", "--level byte: the model of run has char,"),
        ("--vocabulary 9", "--vocabulary 9: the model of run has none,"),
        ("--embedding 9", "--embedding 9: the model of run has 4,"),
        ("--one-hot", "--one-hot True: the model of run has False,"),
        ("--learned-start", "--learned-start True: the model of run has False,"),
        ("--init chrono(9)", "--init chrono(9): the model of run has none,"),
        ("--documents", "--documents True: the model of run has False,"),
        ("--equations cell.txt", "--equations 'h = tanh(W @ x + U @ h + b)': the model of run has '"),
    ],
)
def test_what_the_weights_are_made_for_cannot_be_otherwise(
    gatework: Command, place: Path, options: str, said: str
) -> None:
    Path("cell.txt").write_text("h = tanh(W @ x + U @ h + b)")
    before = tree(place)
    done = gatework(*TUNE, "other.txt", *options.split())
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(f"gatework: {said}")
    assert done.err.count("\n") == 1
    assert tree(place) == before


def test_what_is_said_again_is_taken(gatework: Command, place: Path) -> None:
    assert gatework(*TUNE, *QUICK, "--hidden", "6", "--cell", "lstm", "--level", "char").status == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "none", "--out", "new"], "none does not exist: expected the folder of a run"),
        (["--from", "text.txt", "--out", "new"], "text.txt is no folder: expected the folder of a run"),
        (["--from", "run", "--out", "run", "--overwrite"], "run is the run to begin from: name another folder"),
        (["--from", "run", "--out", "run"], "run is the run to begin from: name another folder"),
    ],
)
def test_what_is_no_run_to_begin_from_is_one_line(
    gatework: Command, place: Path, arguments: list[str], said: str
) -> None:
    before = tree(place)
    done = gatework("train", "text", "other.txt", *arguments)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(f"gatework: {said}")
    assert tree(place) == before


def test_it_goes_on_with_the_same_origin_only(gatework: Command, place: Path) -> None:
    assert gatework(*TUNE, *QUICK).status == 0
    longer = ["train", "text", "--resume", "--out", "new", "--device", "cpu", "--steps", "6"]
    assert gatework(*longer, "--from", "run").status == 0
    done = gatework(*longer, "--from", "other")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("gatework: --from other: the run in new was started with run, and goes on with that")
