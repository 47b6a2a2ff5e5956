"""What the import of the runtime imports: it is to take hardly longer than numpy's."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import gatework.runtime", {"numpy", "torch", "gatework.lowering"}),
        (
            "from gatework.runtime import Session",
            {"torch", "typer", "hashlib", "tempfile", "shutil", "importlib.metadata", "gatework.training.events"},
        ),
    ],
)
def test_what_is_not_needed_yet_is_not_imported(code: str, absent: set[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"], check=True, capture_output=True, text=True
    )
    modules = set(done.stdout.split())
    assert "gatework.runtime" in modules and not absent & modules
