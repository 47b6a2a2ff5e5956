"""The memory that a session takes: `python -m gatework.lab.resident RUN`, RUN a run of text.

Each line is measured in a process of its own: megabytes that lie in memory beside those of before the session was
opened, its own and those of mapped files.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from gatework.lab.bench.report import table
from gatework.runtime import Model, TextSession

TOKENS, SEQUENCES = 100, 8
USES: dict[str, Callable[[TextSession], object]] = {
    "opened": TextSession.reset,
    "one step after another": lambda session: session.sample(length=2, seed=1),
    "sequences": lambda session: session.run(np.ones((TOKENS, SEQUENCES), np.int64)),
    "both": lambda session: (session.sample(length=2, seed=1), session.run(np.ones((TOKENS, SEQUENCES), np.int64))),
}


def resident() -> dict[str, int]:
    """Bytes of this process that lie in memory: its own, and of files."""
    status = Path("/proc/self/status").read_text()
    return {name: 1024 * int(re.search(rf"{name}:\s*(\d+)", status)[1]) for name in ("RssAnon", "RssFile")}  # type: ignore[index]


def measured(path: Path, use: str) -> list[str]:
    """Megabytes that a session takes in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "gatework.lab.resident", str(path), use], check=True, capture_output=True, text=True
    )
    return done.stdout.split()


def lines(run: Path) -> Iterator[list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.gw"
        Model.open(run).save(file)
        print(f"a model of {file.stat().st_size / 1e6:.1f} MB\n")
        for name, path in (("run folder", run), ("one file", file)):
            for use in USES:
                yield [name, use, *measured(path, use)]


def main() -> None:
    """Prints the table; with a use as well, the megabytes of that alone."""
    path, *use = sys.argv[1:]
    if not use:
        print(table(["", "used for", "own MB", "of files"], list(lines(Path(path)))))
        return
    before = resident()
    session = TextSession(path)
    USES[use[0]](session)
    after = resident()
    print(*(f"{(after[name] - before[name]) / 1e6:.1f}" for name in after))


if __name__ == "__main__":
    main()
