"""What a shell is told to offer, and that neither this nor a help waits for what trains models."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from cli_toys import Command

from gatework.cells import cells
from gatework.cli.commands import COMMANDS, function


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_their_own_help_begins_with(name: str) -> None:
    documented = inspect.getdoc(function(name))
    assert documented is not None
    assert documented.splitlines()[0] == COMMANDS[name].help


def offered(gatework: Command, monkeypatch: pytest.MonkeyPatch, *words: str) -> list[str]:
    """What bash offers for the last word."""
    monkeypatch.setenv("_GATEWORK_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", " ".join(["gatework", *words]))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    done = gatework()
    assert (done.status, done.err) == (0, "")
    return done.out.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("tr", ["train"]),
        ("train ", ["text", "labels", "pairs", "series"]),
        ("cells peep", ["peephole_lstm"]),
        ("verify lstm gru_", ["gru_reset_after"]),
        ("train text --cell gru_", ["gru_reset_after"]),
        ("train labels --cell gru_", ["gru_reset_after"]),
        ("train series --cell gru_", ["gru_reset_after"]),
        ("train text --level ", ["byte", "char", "word"]),
        ("train pairs --align ", ["attention", "ctc"]),
        ("convert runs/s", ["runs/sooner"]),
        ("train text --optimizer a", ["adam", "adamw"]),
        ("train labels --branch f", ["fcn"]),
        ("train text --learning", ["--learning-rate"]),
        ("sample ", ["run", "runs/later", "runs/sooner"]),
        ("sample ./r", ["./run", "./runs/later", "./runs/sooner"]),
        ("sample runs/s", ["runs/sooner"]),
        ("inspect run --beside runs/", ["runs/later", "runs/sooner"]),
        ("train text --from run", ["run", "runs/later", "runs/sooner"]),
        ("train text ", []),  # a shell completes paths itself
        ("cells --equations ", []),
    ],
)
def test_a_shell_offers_commands_options_choices_cells_and_runs(
    gatework: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: str, expected: list[str]
) -> None:
    for run in ("run", "runs/sooner", "runs/later"):
        (tmp_path / run).mkdir(parents=True)
        (tmp_path / run / "run.json").touch()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "text.txt").touch()
    monkeypatch.chdir(tmp_path)
    assert offered(gatework, monkeypatch, *words.split(" ")) == expected


def test_every_cell_is_offered(gatework: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert offered(gatework, monkeypatch, "cells", "") == list(cells)


def test_the_script_for_a_shell_is_shown(gatework: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.completion._get_shell_name", lambda: "bash")
    done = gatework("--show-completion")
    assert (done.status, done.err) == (0, "")
    assert "_GATEWORK_COMPLETE=complete_bash" in done.out and done.out.rstrip().endswith("gatework")


@pytest.mark.parametrize("words", ["--help", "cells lstm", "cells --help", "train text --help"])
def test_help_and_cells_need_no_library_that_is_slow_to_import(words: str) -> None:
    code = (
        "import sys; from gatework.cli import main; import atexit\n"
        "slow = {'torch', 'numpy', 'rich', 'narwhals', 'gatework.runs.folder'}\n"
        "atexit.register(lambda: print(slow & set(sys.modules), file=sys.stderr)); main()"
    )
    done = subprocess.run([sys.executable, "-c", code, *words.split()], check=True, capture_output=True, text=True)
    assert done.stdout and done.stderr.strip() == "set()"
