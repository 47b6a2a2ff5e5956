"""What the documents say is run: Python blocks, and console blocks with what they print."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
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


def with_blocks(language: str) -> list[Path]:
    return [document for document in DOCUMENTS if blocks(document, language)]


@pytest.mark.parametrize("document", with_blocks("python"), ids=lambda path: path.name)
def test_the_python_of_a_document_runs(document: Path) -> None:
    code = "\n".join(blocks(document, "python"))
    exec(compile(code, str(document), "exec"), {"__name__": "document"})


@pytest.mark.parametrize("document", with_blocks("console"), ids=lambda path: path.name)
def test_the_commands_of_a_document_print_what_it_shows(document: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    environment |= {"COLUMNS": "120", "TERM": "dumb"}
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for block in blocks(document, "console"):
        for command, printed in commands(block):
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=tmp_path,
                env=environment,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
            )
            wrong = "error" if re.match(r"gatework.*: ", printed) else ""
            assert (done.returncode == 2) if wrong else (done.returncode == 0), f"$ {command}\n{done.stdout}"
            assert re.fullmatch(as_pattern(printed), done.stdout.strip(), re.DOTALL), (
                f"$ {command}\nshown:\n{printed}\n\nprinted:\n{done.stdout}"
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
