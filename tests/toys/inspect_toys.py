"""Small runs that tests of pages look into."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import gatework as gw
from gatework.text.options import Batching, Shape, Text
from gatework.text.train import train_text
from gatework.training.settings import Settings

LINES = ("def f(a, b):\n", "    return g(a[0], 'b c')\n", "# All is Well\n", 'x = "a (b"\n', "y = [1, (2, 3)]\n")


def code(lines: int = 60) -> str:
    """Lines of Python in any order, always the same."""
    return "".join(random.Random(3).choices(LINES, k=lines))


def write_code(folder: Path, lines: int = 60, name: str = "code.py") -> Path:
    path = folder / name
    path.write_text(code(lines), encoding="utf-8")
    return path


def trained(out: Path, text: Path, cell: str = "lstm", **options: Any) -> Path:
    """A run that was trained for a moment; options go to its shape, "level" and "documents" to the text."""
    read = {name: options.pop(name) for name in ("level", "documents") if name in options}
    shape = Shape(**{"hidden": 8, "embedding": 5, **options})
    settings = Settings(steps=4, warmup=1, save_every=1000.0)
    train_text(
        Text((str(text),), splits=(0.8, 0.1, 0.1), **read),
        out,
        gw.cells[cell],
        settings,
        shape=shape,
        batching=Batching(streams=2, steps=7),
        device="cpu",
    )
    return out


def months(T: int = 96, gaps: int = 0) -> pd.DataFrame:
    """A season of twelve months with a slope, and a column that is known in the future."""
    t = np.arange(T)
    y = 20 + 0.05 * t + 5 * np.sin(2 * np.pi * t / 12) + 0.3 * np.random.default_rng(0).normal(size=T)
    y[5 : 5 + gaps] = np.nan
    return pd.DataFrame({"ds": pd.date_range("2010-01-01", periods=T, freq="MS"), "y": y, "price": np.cos(t)})


def forecaster(table: pd.DataFrame, horizon: int = 4, **options: Any) -> gw.Forecaster:
    """A forecaster that is trained for a moment."""
    return gw.Forecaster(horizon, **{"steps": 5, "members": 2, "hidden": 4, **options}).fit(table)
