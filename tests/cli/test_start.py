"""Commands that only show something start at once: they import no library that computes, reads tables or draws."""

import os
import subprocess
import sys

import pytest

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


def imported(*command: str, **environment: str) -> set[str]:
    """What is imported when the command has ended."""
    line = [sys.executable, "-c", CODE, *command]
    done = subprocess.run(line, env=os.environ | environment, check=True, capture_output=True, text=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("command", ["--help", "--version", "train text --help", "bench --help", "cells", "cells lstm"])
def test_showing_something_imports_nothing_heavy(command: str) -> None:
    modules = imported(*command.split())
    assert "gatework.cli" in modules and not HEAVY & modules


def test_completion_imports_nothing_heavy() -> None:
    modules = imported(**COMPLETION)
    assert "gatework.cli" in modules and not HEAVY & modules
