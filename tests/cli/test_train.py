import json
import signal
from pathlib import Path

import pytest
from cli_toys import MODEL, SMALL, Command, interrupted, rows, tree

import gatework as gw
from gatework.cli.progress import TrainingProgress
from gatework.cli.values import own_cell
from gatework.text.run import Run

NEW = ["train", "text", "text.txt", "--out", "new"]


def test_training_tells_what_it_does_from_the_text_to_what_is_next(gatework: Command, place: Path) -> None:
    done = gatework(*NEW, *SMALL)
    assert (done.status, done.err) == (0, "")
    text, batches, model, *steps = done.lines
    assert text.startswith("1 file, 900 bytes, 900 characters; 900 tokens (0 unknown), vocabulary 8 (char level)")
    assert text.endswith("train 810, validation 45, test 45")
    assert batches == "38 batches of 3 streams x 7 steps; 11 characters fill no batch and are left out"
    assert model.startswith("lstm, 4, 6, engine='auto'")
    assert model.endswith("; 352 weights")
    assert steps[0].startswith("step 0: validation ")
    assert steps[1].startswith("epoch 1  step 1/8  ")
    assert "bits" in steps[1] and "characters/s" in steps[1] and "clipped)" in steps[1]
    assert steps[-6].startswith("step 8: validation ")
    assert steps[-5].startswith("finished at step 8, after 0:0")
    assert steps[-4].startswith("best validation ") and steps[-4].endswith("new/best.safetensors")
    assert steps[-3].startswith("validation text: ") and "bits per character, perplexity" in steps[-3]
    assert steps[-2].startswith("held-out text: ") and "bits per character, perplexity" in steps[-2]
    assert steps[-1] == "next: gatework sample new"


def test_the_options_reach_the_run(gatework: Command, place: Path) -> None:
    options = (
        "--level word --vocabulary 5 --splits 0.8,0.1,0.1 --cell peephole_lstm --hidden 5 --layers 2 --projection 3 "
        "--embedding 3 --tied --dropout 0.1 --variational --recurrent-dropout g=0.2 --recurrent-dropout i=0.1 "
        "--zoneout h=0.05 --residual --learned-start --init torch --engine reference --streams 2 --bptt 5 --steps 3 "
        "--epochs 4 --minutes 5 --learning-rate 0.1 --optimizer adam --weight-decay 0.2 --warmup 1 --decay none "
        "--clip 0 --accumulate 2 --evaluate-every 2 --patience 9 --save-every 7 --seed 3 --precision bfloat16 "
        "--device cpu --suffix .txt --exclude old --softmax full"
    )
    assert gatework("train", "text", "folder", "--out", "new", *options.split()).status == 0
    values = json.loads(Path("new/run.json").read_text())
    assert values["text"] == {
        "paths": ["folder"],
        "level": "word",
        "suffixes": [".txt"],
        "exclude": ["old"],
        "size": 5,
        "splits": [0.8, 0.1, 0.1],
    }
    assert (values["cell"]["name"], values["counts"]["files"]) == ("peephole_lstm", 1)
    assert values["batching"] == {"streams": 2, "steps": 5, "validate_on": 50_000}
    assert values["shape"] == {
        "hidden": 5,
        "layers": 2,
        "projection": 3,
        "embedding": 3,
        "tied": True,
        "softmax": "full",
        "dropout": 0.1,
        "variational": True,
        "recurrent_dropout": {"g": 0.2, "i": 0.1},
        "zoneout": {"h": 0.05},
        "residual": True,
        "initial": "learned",
        "init": "torch",
        "engine": "reference",
    }
    assert values["settings"] == {
        "steps": 3,
        "epochs": 4,
        "minutes": 5.0,
        "learning_rate": 0.1,
        "optimizer": "adam",
        "weight_decay": 0.2,
        "warmup": 1,
        "decay": "none",
        "final": 0.1,
        "clip": None,
        "accumulate": 2,
        "evaluate_every": 2,
        "patience": 9,
        "seed": 3,
        "precision": "bfloat16",
        "save_every": 7.0,
    }
    resumed = gatework("train", "text", "folder", "--out", "new", "--resume", *options.split())
    assert (resumed.status, resumed.err) == (0, ""), "the same command line again, with --resume"


def test_without_an_end_it_trains_for_one_epoch(gatework: Command, place: Path) -> None:
    done = gatework(*NEW, *MODEL.split())
    assert "finished at step 38" in done.out
    assert Run.open(Path("new")).settings.epochs == 1


def test_validation_comes_once_an_epoch_and_not_rarer_than_every_500_steps(gatework: Command, place: Path) -> None:
    assert "step 38: validation" in gatework(*NEW, *MODEL.split(), "--epochs", 2).out
    assert Run.open(Path("new")).settings.evaluate_every == 38
    done = gatework(*NEW, *MODEL.split(), "--steps", 1, "--streams", 1, "--bptt", 1, "--overwrite")
    assert done.status == 0
    assert Run.open(Path("new")).settings.evaluate_every == 500


def test_text_from_standard_input(gatework: Command, place: Path) -> None:
    done = gatework("train", "text", "-", "--out", "new", *SMALL, stdin=Path("text.txt").read_bytes())
    assert done.status == 0
    assert rows(Path("new")) == rows(Path("run")), "the same text, the same losses"


def test_text_from_folders_and_files_is_filtered_and_read_once(gatework: Command, place: Path) -> None:
    done = gatework("train", "text", "folder", "folder/note.txt", "other.txt", "--suffix", "txt", "--out", "a", *SMALL)
    assert "3 files, 2,300 bytes" in done.out
    done = gatework("train", "text", "folder", "--exclude", "old", "--exclude", "c*", "--out", "b", *SMALL)
    assert "1 file, 700 bytes" in done.out


@pytest.mark.parametrize(("level", "unit"), [("byte", "bytes"), ("char", "characters"), ("word", "word tokens")])
def test_each_level_has_its_unit(gatework: Command, place: Path, level: str, unit: str) -> None:
    done = gatework(*NEW, *SMALL, "--level", level)
    assert done.status == 0
    assert f"{unit} fill no batch" in done.out
    assert f" {unit}/s" in done.out
    assert f" {unit}" in done.out.splitlines()[-2]


def test_bytes_that_are_no_text_train_at_byte_level(gatework: Command, place: Path) -> None:
    assert gatework("train", "text", "latin.txt", "--level", "byte", "--out", "new", *SMALL).status == 0
    assert gatework("sample", "new", "--length", 30, "--temperature", 9, "--seed", 1).status == 0


def test_a_cell_of_ones_own(gatework: Command, place: Path) -> None:
    done = gatework(*NEW, *SMALL, "--equations", "mine.txt")
    assert done.status == 0
    assert "mine, 4, 6, engine=" in done.out
    assert gatework("sample", "new", "--length", 5).status == 0
    Path("mine.txt").unlink()
    assert gatework("train", "text", "--resume", "--out", "new", "--steps", 9).status == 0


@pytest.mark.parametrize(("file", "name"), [("my-cell 2.txt", "my_cell_2"), ("2nd.eq", "cell_2nd"), ("zelle", "zelle")])
def test_a_cell_is_named_after_its_file(tmp_path: Path, file: str, name: str) -> None:
    (tmp_path / file).write_text("h = tanh(W @ x + U @ h + b)")
    assert own_cell(tmp_path / file).name == name


def test_a_doubt_about_equations_is_a_note_of_one_line(gatework: Command, place: Path) -> None:
    done = gatework(*NEW, *SMALL, "--equations", "doubtful.txt")
    assert done.status == 0
    assert done.err.startswith("note: ")
    assert done.err.count("\n") == 1


def test_a_text_too_short_to_be_validated_on_says_so(gatework: Command, place: Path) -> None:
    done = gatework(*NEW, *SMALL, "--splits", "0.9,0.001,0.099")
    assert done.status == 0
    assert "no validation: of 900 characters none is left to validate on" in done.out
    assert "best validation" not in done.out


def test_sizes_that_are_not_named_follow_the_text_and_are_said(gatework: Command, place: Path) -> None:
    done = gatework(*NEW, "--epochs", 1, "--embedding", 4)
    assert done.status == 0
    run = Run.open(Path("new"))
    assert done.lines[0].startswith(
        "sizes for 810 characters and 1 pass, the best of those tried with as much to learn from: "
    )
    assert f": {run.batching.streams} streams x " in done.lines[0]
    assert (run.shape.hidden, run.shape.layers) == (256, 1), "which go together with the embedding"
    resumed = gatework(*NEW, "--epochs", 2, "--embedding", 4, "--resume")
    assert (resumed.status, "sizes for" in resumed.out) == (0, False)
    assert Run.open(Path("new")).batching == run.batching


@pytest.mark.parametrize(
    "options",
    [
        "--steps 3",
        "--epochs 1 --hidden 6 --streams 3 --bptt 7",
        "--epochs 1 --projection 5 --streams 3 --bptt 7",
    ],
)
def test_where_nothing_is_left_open_nothing_is_said_of_sizes(gatework: Command, place: Path, options: str) -> None:
    Path("long.txt").write_bytes(b"abcdef\n" * 3000)
    done = gatework("train", "text", "long.txt", "--out", "new", "--embedding", "4", *options.split())
    assert done.status == 0
    assert "sizes for" not in done.out
    assert Run.open(Path("new")).settings.learning_rate == 4e-3


@pytest.mark.parametrize(("cell", "init"), [("lstm", "torch"), ("gru", None)])
def test_the_start_of_an_lstm_follows_and_other_cells_keep_their_own(
    gatework: Command, place: Path, cell: str, init: str | None
) -> None:
    assert gatework(*NEW, "--epochs", 1, "--cell", cell).status == 0
    run = Run.open(Path("new"))
    assert (run.shape.init, run.settings.clip, run.settings.final) == (init, 0.25, 0.0)


def test_a_rate_that_is_named_falls_and_is_clipped_as_ever(gatework: Command, place: Path) -> None:
    assert gatework(*NEW, "--epochs", 1, "--learning-rate", 0.01).status == 0
    settings = Run.open(Path("new")).settings
    assert (settings.learning_rate, settings.final, settings.clip) == (0.01, 0.1, 1.0)
    assert gatework(*NEW, "--epochs", 1, "--final", 0.5, "--overwrite").status == 0
    settings = Run.open(Path("new")).settings
    assert (settings.final, settings.clip) == (0.5, 0.25)


# -- stopping and going on


def test_ctrl_c_saves_and_says_how_to_go_on(gatework: Command, place: Path) -> None:
    with interrupted(at=3):
        done = gatework(*NEW, *SMALL)
    assert (done.status, done.err) == (130, "gatework: interrupted\n")
    assert "interrupted at step 3" in done.out
    assert done.lines[-1] == "go on with: gatework train text --resume --out new"
    assert not Path("new/results.json").exists()
    done = gatework(*done.lines[-1].removeprefix("go on with: gatework ").split())
    assert done.lines[0] == "going on after step 3 of new/last.safetensors"
    assert done.lines[-1] == "next: gatework sample new"
    assert rows(Path("new")) == rows(Path("run"))


def test_a_folder_with_a_blank_is_quoted_where_it_is_to_be_typed(gatework: Command, place: Path) -> None:
    done = gatework("train", "text", "text.txt", "--out", "my run", *SMALL)
    assert done.lines[-1] == "next: gatework sample 'my run'"


def test_the_same_command_line_with_resume_goes_on(gatework: Command, place: Path) -> None:
    with interrupted(at=5):
        gatework(*NEW, *SMALL)
    done = gatework(*NEW, *SMALL, "--resume")
    assert (done.status, done.err) == (0, "")
    assert rows(Path("new")) == rows(Path("run"))


def test_ctrl_c_on_a_resumed_run(gatework: Command, place: Path) -> None:
    with interrupted(at=2):
        gatework(*NEW, *SMALL)
    with interrupted(at=6):
        assert "interrupted at step 6" in gatework("train", "text", "--resume", "--out", "new").out
    gatework("train", "text", "--resume", "--out", "new")
    assert rows(Path("new")) == rows(Path("run"))


def test_a_finished_run_says_that_nothing_is_left_to_do(gatework: Command, place: Path) -> None:
    before = tree(place / "run")
    done = gatework("train", "text", "--resume", "--out", "run")
    assert done.status == 0
    assert "nothing was left to do: a larger number of --steps" in done.out
    assert {
        name: data for name, data in tree(place / "run").items() if "tensorboard" not in name
    }.items() <= before.items()


def test_a_finished_run_can_be_made_longer(gatework: Command, place: Path) -> None:
    done = gatework("train", "text", "--resume", "--out", "run", "--steps", 12, "--evaluate-every", 2)
    assert "finished at step 12" in done.out
    assert "step 10: validation" in done.out
    assert "nothing was left" not in done.out


def test_time_is_up(gatework: Command, place: Path) -> None:
    done = gatework(*NEW, *SMALL, "--steps", 1_000_000, "--minutes", 0.002, "--decay", "none")
    assert done.status == 0
    assert "time is up at step" in done.out
    assert "held-out text: " in done.out
    assert done.lines[-1] == "go on with: gatework train text --resume --out new"


def test_ctrl_c_while_the_text_is_read_leaves_nothing(
    gatework: Command, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(place)
    monkeypatch.setattr(TrainingProgress, "reading", lambda *_: signal.raise_signal(signal.SIGINT))
    done = gatework(*NEW, *SMALL)
    assert (done.status, done.err) == (130, "gatework: interrupted\n")
    assert tree(place) == before


def test_overwrite_starts_anew(gatework: Command, place: Path) -> None:
    done = gatework("train", "text", "text.txt", "--out", "run", *SMALL, "--overwrite", "--cell", "gru")
    assert done.status == 0
    assert Run.open(Path("run")).cell.name == "gru"
    assert [path.name for path in place.iterdir() if path.name.startswith(".")] == []


def test_constants_and_starts_are_given_by_name(gatework: Command, place: Path) -> None:
    Path("slow.txt").write_text("h = (1 - dt) * h + dt * tanh(g_x * norm(W @ x + U @ h))")
    arguments = ["train", "text", "text.txt", "--out", "slow", "--equations", "slow.txt", *SMALL]
    done = gatework(*arguments, "--constant", "dt=0.25", "--init", "g_*=0.5")
    assert (done.status, done.err) == (0, "")
    run = Run.open(Path("slow"))
    assert dict(run.cell.constants) == {"dt": 0.25}
    assert run.shape.init == {"g_*": "0.5"}
    assert "constants   dt = 0.25" in gatework("cells", "--equations", "slow.txt", "--constant", "dt=0.25").out
    assert gatework(*arguments, "--overwrite", "--constant", "dx=1").status == 2


def test_a_constant_cannot_change_when_a_run_goes_on(gatework: Command, place: Path) -> None:
    new = ["train", "text", "text.txt", "--out", "waves", "--cell", "cornn", *SMALL]
    assert gatework(*new, "--constant", "dt=0.1").status == 0
    resume = ["train", "text", "--resume", "--out", "waves", "--steps", 12]
    refused = gatework(*resume, "--constant", "dt=0.2")
    assert refused.status == 2
    assert "--constant" in refused.err
    assert gatework(*resume, "--constant", "dt=0.1").status == 0


def test_verify_takes_the_constants_of_a_shipped_cell(gatework: Command) -> None:
    refused = gatework("verify", "cornn", "--constant", "omega=1")
    assert refused.status == 2
    assert "omega" in refused.err


def test_the_version_can_be_asked_for(gatework: Command) -> None:
    assert gatework("--version").out == f"gatework {gw.__version__}\n"
