"""Labels measured: every UCR and UEA set of classes that aeon and sktime ship, beside ROCKET, 1-NN DTW, a torch LSTM.

    python -m gatework.lab.labels --list                # the sets, and what they are
    python -m gatework.lab.labels                       # all sets and models; hours
    python -m gatework.lab.labels --sets GunPoint ArrowHead --models gatework ROCKET --seeds 1
    python -m gatework.lab.labels --keep rows.jsonl     # goes on where it was stopped; prints what the file has

Prints tables in Markdown: test accuracy (mean over seeds), mean rank, wins, ties and losses, seconds of a fit. All
learn from the sets' own training parts at their defaults, ROCKET with 2,000 kernels. Needs aeon (pip install aeon
sktime); sktime adds the sets that aeon lacks.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gatework.errors import InputError
from gatework.lab.bench.rivals import extra
from gatework.labels.estimators import SequenceClassifier

SHIPPING = ("aeon", "sktime")
KERNELS = 2000  # of ROCKET
UPDATES = 1500  # of the plain LSTM, as many as gatework's own rule
TIE = 0.0005  # of accuracy

Rows = list[NDArray[np.float32]]  # of [T,I]
Predict = Callable[[Rows], Any]  # an array, or a list, of the labels
Fit = Callable[[Rows, list[str], int], Predict]


@dataclass(frozen=True)
class Problem:
    """A set of labelled sequences as it was published, in a training and a test part."""

    X: Rows
    y: list[str]
    X_test: Rows
    y_test: list[str]

    def __str__(self) -> str:
        lengths = [len(x) for x in self.X + self.X_test]
        span = f"{min(lengths):,}" if min(lengths) == max(lengths) else f"{min(lengths):,} to {max(lengths):,}"
        counts = f"{len(self.y):,} | {len(self.y_test):,} | {len(set(self.y))}"
        return f"{counts} | {span} | {self.X[0].shape[1]}"


# -- data


def shipped() -> dict[str, tuple[Path, Path]]:
    """The training and test file of each set of classes without time stamps or missing values, by name."""
    found: dict[str, tuple[Path, Path]] = {}
    for package in SHIPPING:
        spec = find_spec(package)
        for place in () if spec is None else spec.submodule_search_locations or ():
            for path in sorted(Path(place, "datasets", "data").glob("*/*_TRAIN.ts")):
                test = path.with_name(path.name.replace("_TRAIN", "_TEST"))
                if path.parent.name not in found and test.exists() and _usable(path):
                    found[path.parent.name] = path, test
    if not found:
        raise InputError(f"there are no sets to measure on: pip install {' '.join(SHIPPING)}")
    return found


def _usable(path: Path) -> bool:
    head = path.read_text(errors="replace").lower().partition("@data")
    stamped, labelled = "@timestamps true" in head[0], "@classlabel true" in head[0]
    return labelled and not stamped and "?" not in head[2] and "nan" not in head[2]


def read(path: Path) -> tuple[Rows, list[str]]:
    """The sequences [T,I] and labels of a .ts file: of each line the columns, then the label, with colons between."""
    X, y = [], []
    for line in path.read_text().partition("@data")[2].split("\n"):
        if line.strip():
            *columns, label = line.strip().split(":")
            X.append(np.stack([np.array(column.split(","), np.float32) for column in columns], -1))
            y.append(label.strip())
    return X, y


def problem(files: tuple[Path, Path]) -> Problem:
    return Problem(*read(files[0]), *read(files[1]))


# -- models


def _gatework(**options: Any) -> Fit:
    def fit(X: Rows, y: list[str], seed: int) -> Predict:
        return SequenceClassifier(random_state=seed, **options).fit(X, y).predict

    return fit


def _padded(X: Rows, longest: int) -> NDArray[np.float32]:
    """[N,I,T], past a length 0."""
    rows = np.zeros((len(X), X[0].shape[1], longest), np.float32)
    for row, x in zip(rows, X, strict=True):
        row[:, : len(x)] = x[:longest].T
    return rows


def _convolved(name: str, **options: Any) -> Fit:
    """A classifier of aeon's module of random convolutions; shorter sequences are padded by zeros."""

    def fit(X: Rows, y: list[str], seed: int) -> Predict:
        kind = getattr(extra("aeon.classification.convolution_based"), name)
        longest = max(map(len, X))
        model = kind(random_state=seed, **options).fit(_padded(X, longest), np.array(y))
        return lambda rows: model.predict(_padded(rows, longest))

    return fit


def _nearest(X: Rows, y: list[str], seed: int) -> Predict:  # noqa: ARG001, it has no seed
    kind = extra("aeon.classification.distance_based").KNeighborsTimeSeriesClassifier
    model = kind(distance="dtw", n_neighbors=1).fit(_columns(X), np.array(y))
    return lambda rows: model.predict(_columns(rows))


def _columns(X: Rows) -> Any:
    """An array [N,I,T], or a list of [I,T] where lengths differ."""
    rows = [np.ascontiguousarray(x.T, np.float64) for x in X]
    return np.stack(rows) if len({len(x) for x in X}) == 1 else rows


class _PlainLSTM(nn.Module):
    """What a tutorial of torch has: one LSTM layer, its last state, a linear layer."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.layer, self.output = nn.LSTM(width, 64), nn.Linear(64, classes)

    def forward(self, rows: Sequence[torch.Tensor]) -> torch.Tensor:
        _, (h, _) = self.layer(nn.utils.rnn.pack_sequence(list(rows), enforce_sorted=False))
        scores: torch.Tensor = self.output(h[0])
        return scores


def _torch_lstm(X: Rows, y: list[str], seed: int) -> Predict:
    torch.manual_seed(seed)
    classes = sorted(set(y))
    values = np.concatenate(X)
    mean, scale = values.mean(0), values.std(0) + 1e-8

    def scaled(rows: Rows) -> list[torch.Tensor]:
        return [torch.from_numpy((row - mean) / scale) for row in rows]

    rows, targets = scaled(X), torch.tensor([classes.index(label) for label in y])
    model = _PlainLSTM(X[0].shape[1], len(classes))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    per_epoch = -(-len(X) // 32)
    for _ in range(max(5, min(100, UPDATES // per_epoch))):
        for chosen in torch.split(torch.randperm(len(X)), 32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model([rows[k] for k in chosen]), targets[chosen]).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()

    def predict(tested: Rows) -> Sequence[str]:
        with torch.no_grad():
            return [classes[k] for k in model(scaled(tested)).argmax(-1)]

    return predict


PLAIN = {"summary": "last", "front": "none", "branch": "none", "members": 1, "augment": "none"}
MODELS: Mapping[str, Fit] = {
    "gatework": _gatework(),
    "gatework, layers alone": _gatework(**PLAIN),
    "torch LSTM": _torch_lstm,
    "1-NN DTW": _nearest,
    "ROCKET": _convolved("RocketClassifier", n_kernels=KERNELS),
    "MultiROCKET": _convolved("MultiRocketClassifier"),
}
SEEDLESS = ("1-NN DTW",)

# -- measuring


Measures = dict[tuple[str, str], list[tuple[float, float]]]  # (set, model) -> (accuracy, seconds of the fit) by seed


def measured(name: str, model: str, data: Problem, seed: int) -> dict[str, Any]:
    """One fit, judged on the test part."""
    began = time.perf_counter()
    predict = MODELS[model](data.X, data.y, seed)
    seconds = time.perf_counter() - began
    right = np.mean(np.asarray(predict(data.X_test)) == np.asarray(data.y_test))
    return {"set": name, "model": model, "seed": seed, "accuracy": float(right), "seconds": seconds}


def _all(sets: Sequence[str], models: Sequence[str], seeds: int, keep: Path | None) -> Measures:
    """Every fit that is asked for, those in the file `keep` not anew."""
    files = shipped()
    rows = [] if keep is None or not keep.exists() else list(map(json.loads, keep.read_text().splitlines()))
    done = {(row["set"], row["model"], row["seed"]) for row in rows}
    for name in sets:
        if name not in files:
            raise InputError(f"there is no set {name!r}; there are {', '.join(files)}")
        data = None
        for model in models:
            for seed in range(1 if model in SEEDLESS else seeds):
                if (name, model, seed) in done:
                    continue
                data = data or problem(files[name])
                rows.append(measured(name, model, data, seed))
                line = json.dumps(rows[-1])
                print(line, file=sys.stderr, flush=True)
                if keep is not None:
                    with keep.open("a") as file:
                        file.write(f"{line}\n")
    measures: Measures = {}
    for row in rows:
        if row["set"] in sets and row["model"] in models:
            measures.setdefault((row["set"], row["model"]), []).append((row["accuracy"], row["seconds"]))
    return measures


def ranks(accuracies: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rank of each model [M] on each set [S,M], 1 for the most accurate, the mean of places where they tie."""
    better = (accuracies[:, None, :] > accuracies[:, :, None] + TIE).sum(-1)
    alike = (np.abs(accuracies[:, None, :] - accuracies[:, :, None]) <= TIE).sum(-1)
    placed: NDArray[np.float64] = 1 + better + (alike - 1) / 2
    return placed


def _print(measures: Measures, sets: Sequence[str], models: Sequence[str]) -> None:
    """Accuracies, ranks, comparisons with the first model, seconds."""
    means = np.array([[np.mean(measures[name, model], axis=0) for model in models] for name in sets])  # [S,M,2]
    accuracies, seconds = means[..., 0], means[..., 1]
    head, rule = " | ".join(models), "---|" * (len(models) + 1)
    print(f"{torch.get_num_threads()} threads; mean over seeds\n\n| test accuracy | {head} |\n|{rule}")
    for name, row in zip(sets, accuracies, strict=True):
        print(f"| {name} | {' | '.join(f'{value:.3f}' for value in row)} |")
    print(f"| mean | {' | '.join(f'{value:.3f}' for value in accuracies.mean(0))} |")
    print(f"| mean rank | {' | '.join(f'{value:.2f}' for value in ranks(accuracies).mean(0))} |")
    ahead = accuracies[:, :1] - accuracies  # [S,M]
    counts = [f"{(a > TIE).sum()}/{(abs(a) <= TIE).sum()}/{(a < -TIE).sum()}" for a in ahead.T]
    print(f"| {models[0]} wins/ties/losses | {' | '.join(['', *counts[1:]])} |")
    print(f"| {models[0]} farthest behind | {' | '.join(['', *(f'{max(0, -a.min()):.3f}' for a in ahead.T[1:])])} |")
    print(f"\n| seconds of a fit | {head} |\n|{rule}")
    for name, row in zip(sets, seconds, strict=True):
        print(f"| {name} | {' | '.join(f'{value:.1f}' for value in row)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--sets", nargs="+")
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    if given.list:
        print("| set | training | test | classes | steps | columns |\n|---|---|---|---|---|---|")
        for name, files in shipped().items():
            print(f"| {name} | {problem(files)} |")
        return
    sets = given.sets or list(shipped())
    _print(_all(sets, given.models, given.seeds, given.keep), sets, given.models)


if __name__ == "__main__":
    main()
