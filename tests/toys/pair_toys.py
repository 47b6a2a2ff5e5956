"""Small pairs that are quickly learnt, for the tests of pairs."""

from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

QUICK: dict[str, Any] = {"hidden": 16, "layers": 1, "batch": 300, "learning_rate": 0.02, "steps": 60}

Texts = list[str]


def words(count: int, seed: int, letters: str = "abcd", longest: int = 5) -> Texts:
    """Different words in which no letter follows itself."""
    rng, made = np.random.default_rng(seed), dict[str, None]()
    while len(made) < count:
        drawn = rng.choice(list(letters), rng.integers(1, longest + 1))
        made["".join(letter for letter, _ in groupby(drawn))] = None
    return list(made)


def capitals(count: int = 120, seed: int = 0) -> tuple[Texts, Texts]:
    """Words, and the same in capital letters: what attention and CTC both learn."""
    X = words(count, seed)
    return X, [text.upper() for text in X]


def reversals(count: int = 120, seed: int = 0) -> tuple[Texts, Texts]:
    """Words, and the same backwards in capital letters."""
    X = words(count, seed)
    return X, [text[::-1].upper() for text in X]


def frames(count: int = 60, seed: int = 0) -> tuple[list[np.ndarray[Any, Any]], Texts]:
    """Steps up and down, each of 2 to 4 frames, with noise, and their names in order."""
    rng = np.random.default_rng(seed)
    X, y = [], []
    for _ in range(count):
        levels = rng.permutation([-2.0, 0.0, 2.0])[: rng.integers(1, 4)]
        held = np.repeat(levels, rng.integers(2, 5, len(levels)))
        X.append(np.stack([held, -held], -1) + rng.normal(0, 0.1, (len(held), 2)))
        y.append("".join({-2.0: "l", 0.0: "m", 2.0: "h"}[level] for level in levels))
    return X, y


def write_pairs(path: Path, X: Texts, y: Texts) -> Path:
    """A table with a tab between source and target."""
    path.write_text("".join(f"{source}\t{target}\n" for source, target in zip(X, y, strict=True)))
    return path
