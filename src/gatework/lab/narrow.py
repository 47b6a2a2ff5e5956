"""What is lost where weights are stored narrow, and what is gained: accuracy, size, and the time of a step.

A language model that was trained, on a text that it has not seen; and trained here a classifier of scikit-learn's
digits, row by row, and a forecaster of a noisy logistic map, one step ahead. One sequence at a time.

    python -m gatework.lab.narrow RUN TEXT
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from gatework.forecast.forecaster import Forecaster
from gatework.forecast.model import ensemble_of
from gatework.lab.bench.report import table
from gatework.labels.estimators import SequenceClassifier
from gatework.layers import Recurrent
from gatework.network.steps import Linear
from gatework.runtime import TextSession

STORED = {"float32": 4, "bfloat16": 2, "int8": 1}  # bytes of a number; in int8 each row has a scale beside
STEPS, ROUNDS = 200, 40  # of one sequence, timed at a time; rounds, of which the best counts
SEEN, AHEAD = 400, 100  # values of the map that the forecaster learns from, and that it forecasts one after another


@dataclass(frozen=True)
class Row:
    """What one model comes to with weights stored in one way."""

    model: str
    weights: str
    figure: float
    unit: str
    bytes: int
    seconds: float

    def cells(self) -> list[str]:
        """As a row of the table."""
        size, step = f"{self.bytes / 1e3:,.0f}", f"{self.seconds * 1e6:.1f}"
        return [self.model, self.weights, f"{self.figure:.4f} {self.unit}", size, step]


COLUMNS = ["model", "weights", "how good", "kB", "a step, us"]


def language_model(run: str | Path, text: str) -> Iterator[Row]:
    """Bits per character of a text; matrices of layers and of the output are stored so, those of tokens as they are."""
    for weights in STORED:
        session = TextSession(run, weights=weights)
        network, tensors = session.network, session.model.weights
        named = [name for layer in network.layers for side in layer.directions for name in side.weights.values()]
        named += [step.weight for step in network.steps if isinstance(step, Linear)]
        matrices = [tensors[name].shape for name in named if tensors[name].ndim == 2]
        score = session.score(text)
        seconds = timed(partial(several, partial(session.step, [0]))) / STEPS
        figure, unit = score.bits_per_character or score.bits_per_token, "bits a character"
        every = sum(tensor.size for tensor in tensors.values())
        yield Row("text", weights, figure, unit, stored(weights, matrices, every), seconds)


def classifier(**options: Any) -> Iterator[Row]:
    """The share of digits named rightly, of every third, of a model that reads them row by row."""
    from sklearn.datasets import load_digits  # type: ignore[import-untyped]  # noqa: PLC0415, an extra
    from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]  # noqa: PLC0415

    pixels, y = load_digits(return_X_y=True)
    X, other, known, true = train_test_split(pixels.reshape(-1, 8, 8), y, test_size=1 / 3, stratify=y, random_state=0)
    model = SequenceClassifier(random_state=0, device="cpu", **options).fit(X, known)

    def right() -> float:
        return float(np.mean([model.predict(each[None])[0] == label for each, label in zip(other, true, strict=True)]))

    yield from frozen(model.model_, "digits", right, "right")


def forecaster(**options: Any) -> Iterator[Row]:
    """The error one step ahead of a noisy logistic map x' = 3.9 x (1 - x), as a part of that of the last value."""
    random, values = np.random.default_rng(0), [0.3]
    while len(values) < SEEN + AHEAD:
        values.append(3.9 * values[-1] * (1 - values[-1]))
    y = np.array(values) + 0.02 * random.standard_normal(len(values))
    model = Forecaster(horizon=1, **options).fit(y[:SEEN])

    def error() -> float:
        made = [model.forecasts(y[SEEN : SEEN + k] if k else None)[0].median[0] for k in range(AHEAD)]
        true, last = y[SEEN:], y[SEEN - 1 : -1]
        return float(np.abs(made - true).sum() / np.abs(last - true).sum())

    yield from frozen(ensemble_of(model.fitted.fitted), "forecasts", error, "of the last value's error")


def frozen(network: nn.Module, name: str, figure: Callable[[], float], unit: str) -> Iterator[Row]:
    """A figure of a trained module with the weights of its recurrent layers stored in each way."""
    layers = [each for each in network.modules() if isinstance(each, Recurrent)]
    matrices = [tuple(p.shape) for layer in layers for p in layer.parameters() if p.dim() == 2]
    every = sum(p.numel() for p in network.parameters())
    for weights in STORED:
        for layer in layers:
            layer.freeze(weights)
        calls = [partial(layer.frozen(weights), torch.randn(STEPS, 1, layer.input_size)) for layer in layers]
        seconds = sum(map(timed, calls)) / STEPS
        yield Row(name, weights, figure(), unit, stored(weights, matrices, every), seconds)


def stored(weights: str, matrices: list[tuple[int, ...]], every: int) -> int:
    """Bytes of so many numbers in all, of which those of some matrices are narrow."""
    narrow = sum(rows * columns for rows, columns in matrices)
    scales = sum(rows for rows, _ in matrices) if weights == "int8" else 0
    return narrow * STORED[weights] + 4 * (every - narrow + scales)


def several(step: Callable[[], Any]) -> None:
    for _ in range(STEPS):
        step()


def timed(call: Callable[[], Any]) -> float:
    """Seconds of processor time of a call, the best of several after a first one."""
    call()
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        call()
        best = min(best, time.process_time() - began)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a run of a language model")
    parser.add_argument("text", type=Path, help="a text that it was not trained on")
    given = parser.parse_args()
    torch.set_num_threads(1)
    text = language_model(given.run, given.text.read_text(encoding="utf-8"))
    rows = [*text, *classifier(summary="mean"), *forecaster()]
    print(table(COLUMNS, [row.cells() for row in rows]))


if __name__ == "__main__":
    main()
