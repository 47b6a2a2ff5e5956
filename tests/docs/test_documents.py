"""What the documents say is run: Python blocks, and console blocks with what they print."""

import io
import itertools
import os
import re
import runpy
import shlex
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from gatework.cli import main

PROGRESS = re.compile(r"^converting: [\d,]+ of [\d,]+\n", re.MULTILINE)  # of slow machines alone
ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
OF_THE_SHELL = re.compile(r"[|<>&;$`*?~\n]")
QUOTED = re.compile(r"'[^']*'|\"[^\"$`]*\"")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(document: Path, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(document.read_text()) if kind == language]


def commands(console: str) -> list[tuple[str, str]]:
    """A console block as (command, what it prints) pairs; a line that ends in a backslash goes on."""
    found = re.findall(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", console, re.MULTILINE)
    return [(command, printed.strip()) for command, printed in found]


def as_pattern(printed: str) -> str:
    """What a document shows as a pattern: `...` stands for anything, any number and any run of spaces for any other."""
    escaped = re.sub(r"(?:\\ )+", " +", re.escape(printed)).replace(r"\.\.\.", ".*")
    return re.sub(r"\d+(?:,\d+)*(?:\\\.\d+)?", r"[\\d,.]+", escaped)


def name(document: Path) -> str:
    """As a test is named by it: README.md, how/stream.md."""
    return str(document.relative_to(ROOT)).removeprefix("docs/")


def with_blocks(language: str) -> list[Path]:
    return [document for document in DOCUMENTS if blocks(document, language)]


@pytest.mark.parametrize("document", with_blocks("python"), ids=name)
def test_the_python_of_a_document_runs(document: Path) -> None:
    code = "\n".join(blocks(document, "python"))
    exec(compile(code, str(document), "exec"), {"__name__": "document"})


def ended(command: str) -> tuple[int, str]:
    """The exit status of a command and what it printed; a pipeline that needs no other art of the shell runs here."""
    words = shlex.split(command)
    if OF_THE_SHELL.search(QUOTED.sub("", command).replace(" | ", " ")):
        done = subprocess.run(
            ["bash", "-c", command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        return done.returncode, done.stdout
    *before, last = [list(stage) for bar, stage in itertools.groupby(words, lambda word: word == "|") if not bar]
    given, said = "", ""
    for stage in before:
        errors = io.StringIO()
        _, given = run_here(stage, given, errors)
        said += errors.getvalue()
    status, printed = run_here(last, given)
    return status, said + printed


def run_here(words: list[str], given: str, errors: io.StringIO | None = None) -> tuple[int, str]:
    """One command with its standard input: gatework and Python in this process, which has imported all they need."""
    if words[0] != "gatework" and words[:2] != ["python", "-c"]:
        done = subprocess.run(
            words, input=given, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        return done.returncode, done.stdout
    printed = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    sys.stdin = io.TextIOWrapper(io.BytesIO(given.encode()))
    with redirect_stdout(printed), redirect_stderr(errors or printed):
        status = status_of_main(words) if words[0] == "gatework" else exec(words[2], {"__name__": "__main__"}) or 0
    return status, printed.buffer.getvalue().decode()


def status_of_main(words: list[str]) -> int:
    sys.argv = words
    with pytest.raises(SystemExit) as end:
        main()
    assert isinstance(end.value.code, int)
    return end.value.code


@pytest.mark.slow
@pytest.mark.parametrize("document", with_blocks("console"), ids=name)
def test_the_commands_of_a_document_print_what_it_shows(
    document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for variable, value in {"PATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "120", "TERM": "dumb"}.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(sys, "stdin", sys.stdin)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for block in blocks(document, "console"):
        for command, printed in commands(block):
            status, told = ended(command)
            wrong = re.match(r"gatework.*: ", printed)
            assert (status == 2) if wrong else (status == 0), f"$ {command}\n{told}"
            told = re.sub(PROGRESS, "", told)
            assert re.fullmatch(as_pattern(printed), told.strip(), re.DOTALL), (
                f"$ {command}\nshown:\n{printed}\n\nprinted:\n{told}"
            )


def test_a_shown_number_stands_for_any_number_and_dots_for_anything() -> None:
    assert re.fullmatch(as_pattern("2.41 bits ... (3%)"), "1,034.7 bits and so on (100%)")
    assert re.fullmatch(as_pattern("lstm   2.4  7"), "lstm 1,034.7  1")
    assert not re.fullmatch(as_pattern("2.41 bits"), "many bits")


def test_the_generated_parts_are_what_the_registry_says() -> None:
    generate = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    remedy = "run: python docs/generate.py"
    readme = (ROOT / "README.md").read_text()
    assert generate["with_table"](readme) == readme, remedy
    assert (ROOT / "docs" / "cells.md").read_text() == generate["reference"](), remedy
    layers = (ROOT / "docs" / "layers.md").read_text()
    assert generate["with_tools"](layers) == layers, remedy
