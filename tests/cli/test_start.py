"""Commands that only show something start at once: they import no library that computes, reads tables or draws."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_toys import Command

HEAVY = {"torch", "numpy", "rich", "polars", "pandas", "narwhals", "pygments", "safetensors"}
COMPLETION = {"_GATEWORK_COMPLETE": "complete_bash", "COMP_WORDS": "gatework cells ls", "COMP_CWORD": "2"}


CODE = """
import sys
from gatework.cli import main
try:
    main()
finally:
    print(*sys.modules)
"""


def ended(*command: str, **environment: str) -> tuple[set[str], str]:
    """What is imported when the command has ended, and what it wrote on standard error."""
    line = [sys.executable, "-c", CODE, *command]
    done = subprocess.run(line, env=os.environ | environment, check=False, capture_output=True, text=True)
    return set(done.stdout.splitlines()[-1].split()), done.stderr


def imported(*command: str, **environment: str) -> set[str]:
    """What is imported when the command has ended well."""
    modules, error = ended(*command, **environment)
    assert not error
    return modules


@pytest.mark.parametrize("command", ["--help", "--version", "train text --help", "bench --help", "cells", "cells lstm"])
def test_showing_something_imports_nothing_heavy(command: str) -> None:
    modules = imported(*command.split())
    assert "gatework.cli" in modules and not HEAVY & modules


def test_completion_imports_nothing_heavy() -> None:
    modules = imported(**COMPLETION)
    assert "gatework.cli" in modules and not HEAVY & modules


@pytest.mark.parametrize("command", [f"{words} --help" for words in ("sample", "forecast", "train labels")])
def test_what_is_plain_needs_no_conversion_by_pydantic(command: str) -> None:
    assert not {"pydantic", "importlib.metadata"} & imported(*command.split())


def test_numbers_and_paths_need_no_conversion_by_pydantic(tmp_path: Path) -> None:
    words = "--length 8 --temperature 0.5 --top-k 5 --prompt é --seed 1"
    modules, error = ended("sample", str(tmp_path / "missing"), *words.split())
    assert "missing does not exist" in error and "pydantic" not in modules


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--length 1.5", "'--length'"),
        ("--length five", "'--length'"),
        ("--temperature warm", "'--temperature'"),
        ("--temperature 1e-1", "does not exist"),  # which typer reads
        ("--nonsense", "No such option: --nonsense"),
    ],
)
def test_what_is_no_such_value_is_refused_by_typer(gatework: Command, words: str, expected: str) -> None:
    done = gatework("sample", "missing", *words.split())
    assert done.status == 2 and expected in done.err and done.err.count("\n") == 1
