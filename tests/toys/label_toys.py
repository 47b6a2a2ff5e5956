"""Small labelled sequences that are quickly learnt, for the tests of labels."""

import csv
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

Rows = list[np.ndarray[Any, Any]]

QUICK: dict[str, Any] = {"hidden": 8, "steps": 60, "learning_rate": 0.03, "device": "cpu"}


def waves(count: int = 60, seed: int = 0) -> tuple[Rows, list[str]]:
    """Slow and fast waves of 5 to 12 steps, from any phase."""
    rng = np.random.default_rng(seed)
    labels = ["slow" if k % 2 else "fast" for k in range(count)]
    rows = []
    for label in labels:
        steps, phase = np.arange(rng.integers(5, 13)), rng.uniform(0, 6)
        rows.append(np.sin(phase + steps * (0.3 if label == "slow" else 2.0)))
    return rows, labels


def sums(count: int = 60, seed: int = 0) -> tuple[Rows, list[float]]:
    """Vectors (value, mark), and the sum of the marked values: the adding problem (Hochreiter & Schmidhuber 1997)."""
    rng = np.random.default_rng(seed)
    rows = [np.stack([rng.uniform(-1, 1, T), rng.integers(0, 2, T)], -1) for T in rng.integers(2, 6, count)]
    return rows, [float((row[:, 0] * row[:, 1]).sum()) for row in rows]


def words(count: int = 60, seed: int = 0) -> tuple[list[str], list[list[str]]]:
    """Texts of a and b; the tag says whether a letter is the one before it again."""
    rng = np.random.default_rng(seed)
    texts = ["".join(rng.choice(list("ab"), rng.integers(2, 9))) for _ in range(count)]
    tags = [["new"] + ["same" if a == b else "new" for a, b in pairwise(text)] for text in texts]
    return texts, tags


def write_rows(path: Path, X: Any, y: Any, field: str) -> Path:
    """Lines of JSON."""
    rows = [{field: x.tolist() if hasattr(x, "tolist") else x, "label": label} for x, label in zip(X, y, strict=True)]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def write_waves(path: Path, count: int = 60) -> Path:
    return write_rows(path, *waves(count), "sequence")


def unclocked(run: Path) -> list[dict[str, str]]:
    """metrics.csv without what the clock decides."""
    with (run / "metrics.csv").open(newline="") as file:
        clocked = ("seconds", "tokens_per_second")
        return [{name: value for name, value in row.items() if name not in clocked} for row in csv.DictReader(file)]
