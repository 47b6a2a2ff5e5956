"""Small texts, models and settings that the tests of the tasks share."""

import csv
import random
from pathlib import Path
from typing import Any

import gatework as gw
from gatework.text.options import Batching, Shape, Text
from gatework.text.train import Outcome, resume_text, train_text
from gatework.training.events import Event
from gatework.training.settings import Settings

CLOCKED = ("seconds", "tokens_per_second")
SMALL = Shape(hidden=8, embedding=5)
BATCHING = Batching(streams=3, steps=7)


def write_text(folder: Path, characters: int = 900, letters: str = "abcdef\n", name: str = "text.txt") -> Path:
    """A text of letters drawn evenly, always the same."""
    drawn = random.Random(7).choices(letters, k=characters)
    path = folder / name
    path.write_text("".join(drawn), encoding="utf-8")
    return path


def start(out: Path, text: Path | str, cell: str | gw.Cell = "lstm", **options: Any) -> Outcome:
    """Trains a small model; options go to the settings, the text or `train_text` itself, by name."""
    own = {name: options.pop(name) for name in Settings.__dataclass_fields__ if name in options}
    read = {name: options.pop(name) for name in Text.__dataclass_fields__ if name in options}
    settings = Settings(**({"steps": 12, "warmup": 2, "evaluate_every": 4, "save_every": 1000.0} | own))
    chosen = gw.cells[cell] if isinstance(cell, str) else cell
    options = {"shape": SMALL, "batching": BATCHING, "device": "cpu"} | options
    return train_text(Text((str(text),), **read), out, chosen, settings, **options)


def go_on(out: Path, report: Any = None, **changes: Any) -> Outcome:
    """Resumes a run on the CPU."""
    return resume_text(out, changes, device="cpu", **({} if report is None else {"report": report}))


def rows(run: Path) -> list[dict[str, str]]:
    """metrics.csv without what the clock decides."""
    with (run / "metrics.csv").open(newline="") as file:
        return [{name: value for name, value in row.items() if name not in CLOCKED} for row in csv.DictReader(file)]


def tree(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder: the bytes of its files, None for folders."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


class At:
    """A report that does something when an event of a kind comes for the `count`th time, and keeps all events."""

    def __init__(self, kind: type, count: int, action: Any) -> None:
        self.kind, self.count, self.action = kind, count, action
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, self.kind) and sum(isinstance(each, self.kind) for each in self.events) == self.count:
            self.action()
