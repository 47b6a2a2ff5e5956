"""What the tests of the command line share: the files they work on, and Ctrl-C."""

import csv
import os
import random
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gatework.cli.progress import TrainingProgress
from gatework.training.events import Step

QUIET = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "PYTHONWARNINGS": "error"}
MODEL = "--hidden 6 --embedding 4 --streams 3 --bptt 7 --device cpu"
SMALL = shlex.split(f"{MODEL} --steps 8 --warmup 2 --evaluate-every 4 --save-every 1000")


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Command = Callable[..., Done]

FILES = {
    "text.txt": "".join(random.Random(7).choices("abcdef\n", k=900)).encode(),
    "other.txt": b"fedcba" * 150,
    "empty.txt": b"",
    "one.txt": b"a",
    "short.txt": b"abcabcabcabcabcabcab",
    "latin.txt": "Gruß aus Köln\n".encode("latin-1") * 20,
    "folder/note.txt": b"abcdef\n" * 100,
    "folder/code.py": b"pass\n" * 100,
    "folder/old/draft.txt": b"abcdef\n" * 100,
    "foreign/thesis.tex": b"all I have",
    "mine.txt": b"h = tanh(W @ x + U @ h + b)\n",
    "misspelt.txt": b"# my cell\nh = sigmod(W @ x + U @ h + b)\n",
    "broken.txt": b"h = tanh(W @ x +\n",
    "prose.txt": b"Dear Sir or Madam\n",
    "doubtful.txt": b"q = tanh(V @ x)\nh = tanh(U @ h + b)\n",
}


def write_files(folder: Path) -> None:
    """Writes them; the folder `nothing` is empty."""
    (folder / "nothing").mkdir()
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def tree(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder: the bytes of its files, None for folders."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def rows(run: Path) -> list[dict[str, str]]:
    """metrics.csv without what the clock decides."""
    with (run / "metrics.csv").open(newline="") as file:
        clocked = ("seconds", "tokens_per_second")
        return [{name: value for name, value in row.items() if name not in clocked} for row in csv.DictReader(file)]


@contextmanager
def interrupted(at: int) -> Iterator[None]:
    """Presses Ctrl-C when a step is shown."""
    former = TrainingProgress.step

    def step(self: TrainingProgress, event: Step) -> None:
        former(self, event)
        if event.step == at:
            signal.raise_signal(signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingProgress, "step", step)
        yield


def torchrun(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.run(
        [*command, "-m", "gatework", *arguments], env=QUIET, capture_output=True, text=True, check=False, timeout=300
    )
