"""Folders that the system lets nobody write to: a run there is read as any other, what would write says that it cannot.

The superuser may write wherever a folder forbids it, and only gives that right up where a process does without.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli_toys import QUIET, SMALL, Command, tree

pytestmark = pytest.mark.slow

MOUNT = 'mount --bind "$0" "$0" && mount --options remount,bind,ro "$0" && exec "$@"'
SERIES = ["--horizon", "2", "--hidden", "2", "--members", "1", "--steps", "2"]
Sealed = Callable[..., subprocess.CompletedProcess[str]]


def prefix(way: str, folder: Path) -> list[str]:
    """What makes a command find the folder read-only: a mount that no other process sees, or its permissions."""
    root = os.geteuid() == 0
    if way == "mount":
        return ["unshare", *([] if root else ["--map-root-user"]), "--mount", "sh", "-c", MOUNT, str(folder)]
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)
    return ["setpriv", "--bounding-set=-dac_override"] if root else []


@pytest.fixture(params=["mount", "permissions"])
def sealed(gatework: Command, place: Path, request: pytest.FixtureRequest) -> Iterator[Sealed]:
    """Runs the command where the folder `sealed`, with runs in it, is read-only."""
    folder = place / "sealed"
    folder.mkdir()
    (place / "run").rename(folder / "text")
    (place / "data.csv").write_text("ds,y\n" + "".join(f"{k},{k * 7 % 5}\n" for k in range(40)))
    assert gatework("train", "series", "data.csv", "--out", "sealed/series", *SERIES).status == 0
    before = prefix(request.param, folder)

    def run(*command: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*before, *map(str, command)], env=QUIET, capture_output=True, text=True, check=False)

    try:
        probe = run("test", "!", "-w", folder)
    except FileNotFoundError as error:
        pytest.skip(f"no {error.filename} to make a folder read-only with")
    if probe.returncode:
        pytest.skip(f"no folder can be made read-only here by {request.param}: {probe.stderr.strip() or 'it is not'}")
    held = tree(folder)
    yield lambda *arguments: run(sys.executable, "-m", "gatework", *arguments)
    assert tree(folder) == held
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "text", "text.txt", "--out", "sealed/new", *SMALL], r"cannot make .*sealed/new"),
        (["train", "text", "--resume", "--out", "sealed/text", "--steps", 9], r"cannot write sealed/text/\.lock"),
        (["forecast", "sealed/series"], r"cannot write sealed/series/forecast\.csv"),
    ],
    ids=["new run", "resumed", "forecast"],
)
def test_what_would_write_there_ends_in_one_line(sealed: Sealed, arguments: list[object], said: str) -> None:
    done = sealed(*arguments)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert re.match(rf"gatework: {said}: (Read-only file system|Permission denied)", done.stderr)


def test_a_run_there_writes_text_and_forecasts_elsewhere(sealed: Sealed) -> None:
    sampled = sealed("sample", "sealed/text", "--length", 20, "--seed", 1)
    assert (sampled.returncode, sampled.stderr) == (0, "")
    assert len(sampled.stdout) > 20
    done = sealed("forecast", "sealed/series", "--out", "ahead.csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert Path("ahead.csv").stat().st_size
