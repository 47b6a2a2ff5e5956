"""Labels measured: every UCR and UEA set of classes that aeon and sktime ship, beside ROCKET, 1-NN DTW, a torch LSTM.

    python -m gatework.lab.labels --list                # the sets, and what they are
    python -m gatework.lab.labels                       # all sets and models; hours
    python -m gatework.lab.labels --sets GunPoint ArrowHead --models gatework ROCKET --seeds 1
    python -m gatework.lab.labels --keep rows.jsonl     # goes on where it was stopped; with --kept nothing is fitted

    python -m gatework.lab.labels --folds 3 --models --also members=1,epochs=60 members=1,epochs=20   # to choose by

Prints tables in Markdown: test accuracy (mean and deviation over seeds, and how many), mean rank with the critical
difference, wins, ties and losses, seconds of a processor that a fit takes. All learn from the sets' own training parts
at their defaults, ROCKET with 2,000 kernels. With --folds the training parts are cut instead, each fold predicted by a
model of the others, so that the test parts have no say in a choice; --also adds gatework with other options, scale=each
among them, which standardises each sequence by itself. Needs aeon (pip install aeon sktime); sktime has sets that aeon
lacks.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gatework.errors import InputError
from gatework.lab.bench.report import table
from gatework.lab.bench.rivals import extra
from gatework.labels.estimators import SequenceClassifier

SHIPPING = ("aeon", "sktime")
KERNELS = 2000  # of ROCKET
UPDATES, LIMIT = 1500, 60.0  # of the plain LSTM: as many as gatework's own rule, in at most so many seconds
TIE = 0.0005  # of accuracy
CONSTANT = 1e-6  # the deviation up to which a column of one sequence is not scaled
# of LSTM-FCN by its least training loss: Results/train_loss_old_datasets.csv of its authors' titu1994/LSTM-FCN (GitHub)
PUBLISHED = {"ArrowHead": 0.89714, "GunPoint": 1.0, "ItalyPowerDemand": 0.9621, "OSULeaf": 0.98347}
# the studentized range at .05 over the square root of 2, of so many models (Demsar 2006, table 5)
STUDENTIZED = {2: 1.960, 3: 2.343, 4: 2.569, 5: 2.728, 6: 2.850, 7: 2.949, 8: 3.031, 9: 3.102, 10: 3.164}

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

    def words(self) -> list[str]:
        """How many sequences there are to learn from and to judge by, classes, steps, and columns."""
        lengths = [len(x) for x in self.X + self.X_test]
        span = f"{min(lengths):,}" if min(lengths) == max(lengths) else f"{min(lengths):,} to {max(lengths):,}"
        return [f"{len(self.y):,}", f"{len(self.y_test):,}", str(len(set(self.y))), span, str(self.X[0].shape[1])]


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


def varied(text: str) -> Fit:
    """gatework with options such as "epochs=20,members=1"; scale=each standardises each sequence by itself."""
    options: dict[str, Any] = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        options[name] = int(value) if value.isdecimal() else value
    scale = options.pop("scale", "columns")
    fit = _gatework(**options)
    return _standardised(fit) if scale == "each" else fit


def _standardised(fit: Fit) -> Fit:
    def each(X: Rows) -> Rows:
        return [(x - x.mean(0)) / np.where(x.std(0) > CONSTANT, x.std(0), 1) for x in X]

    def fitted(X: Rows, y: list[str], seed: int) -> Predict:
        predict = fit(each(X), y, seed)
        return lambda rows: predict(each(rows))

    return fitted


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
    per_epoch, end = -(-len(X) // 32), time.process_time() + LIMIT
    for _ in range(max(5, min(100, UPDATES // per_epoch))):
        if time.process_time() > end:
            break
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


def measured(fit: Fit, data: Problem, seed: int) -> dict[str, float]:
    """One fit, judged on the test part."""
    began = time.process_time()
    predict = fit(data.X, data.y, seed)
    seconds = time.process_time() - began
    right = np.mean(np.asarray(predict(data.X_test)) == np.asarray(data.y_test))
    return {"accuracy": float(right), "seconds": seconds}


def in_folds(data: Problem, count: int) -> list[Problem]:
    """The training part cut into folds with each class spread over all: each one to judge by, the others to learn."""
    rng, labels = np.random.default_rng(0), np.array(data.y)
    fold, before = np.empty(len(labels), int), 0
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        fold[rows] = (np.arange(len(rows)) + before) % count
        before += len(rows)

    def part(rows: NDArray[np.bool_]) -> tuple[Rows, list[str]]:
        return [data.X[k] for k in np.flatnonzero(rows)], [data.y[k] for k in np.flatnonzero(rows)]

    return [Problem(*part(fold != k), *part(fold == k)) for k in range(count)]


def cross_validated(fit: Fit, data: Problem, count: int) -> dict[str, float]:
    """As `measured`, over the folds of the training part, fold k by seed k: the share that is right, seconds in all."""
    parts = in_folds(data, count)
    rows = [measured(fit, part, k) for k, part in enumerate(parts)]
    right = sum(row["accuracy"] * len(part.y_test) for row, part in zip(rows, parts, strict=True))
    return {"accuracy": right / len(data.y), "seconds": sum(row["seconds"] for row in rows)}


def fitted(
    sets: Sequence[str], models: Mapping[str, Fit], seeds: int, keep: Path | None, folds: int = 0
) -> list[dict[str, Any]]:
    """A row for every fit that is asked for, those in the file `keep` not anew; with folds the training parts alone."""
    files, rows = shipped(), kept(keep, folds)
    done = {(row["set"], row["model"], row["seed"]) for row in rows}
    for name in sets:
        if name not in files:
            raise InputError(f"there is no set {name!r}; there are {', '.join(files)}")
        data = None
        for model, fit in models.items():
            for seed in range(1 if folds or model in SEEDLESS else seeds):
                if (name, model, seed) in done:
                    continue
                data = data or problem(files[name])
                figures = cross_validated(fit, data, folds) if folds else measured(fit, data, seed)
                rows.append({"set": name, "model": model, "seed": seed, "folds": folds, **figures})
                _keep(rows[-1], keep)
    return rows


def kept(keep: Path | None, folds: int = 0) -> list[dict[str, Any]]:
    """The rows of a file, if it is there, that were measured with so many folds."""
    rows = [] if keep is None or not keep.exists() else list(map(json.loads, keep.read_text().splitlines()))
    return [row for row in rows if row.get("folds", 0) == folds]


def by_model(rows: Sequence[Mapping[str, Any]], sets: Collection[str], models: Collection[str]) -> Measures:
    """The accuracy and seconds of every fit by set and model."""
    measures: Measures = {}
    for row in rows:
        if row["set"] in sets and row["model"] in models:
            measures.setdefault((row["set"], row["model"]), []).append((row["accuracy"], row["seconds"]))
    return measures


def _keep(row: Mapping[str, Any], keep: Path | None) -> None:
    """Shows a row, and adds it to the file."""
    line = json.dumps(row)
    print(line, file=sys.stderr, flush=True)
    if keep is not None:
        with keep.open("a") as file:
            file.write(f"{line}\n")


def ranks(accuracies: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rank of each model [M] on each set [S,M], 1 for the most accurate, the mean of places where they tie."""
    better = (accuracies[:, None, :] > accuracies[:, :, None] + TIE).sum(-1)
    alike = (np.abs(accuracies[:, None, :] - accuracies[:, :, None]) <= TIE).sum(-1)
    placed: NDArray[np.float64] = 1 + better + (alike - 1) / 2
    return placed


def critical_difference(models: int, sets: int) -> float:
    """How far apart mean ranks must be to differ at the level of .05 (Nemenyi's test; Demsar 2006)."""
    return STUDENTIZED[models] * math.sqrt(models * (models + 1) / (6 * sets))


def _print(measures: Measures, sets: Sequence[str], models: Sequence[str], *, folds: int = 0) -> None:
    """Accuracies, ranks, comparisons with the first model, seconds."""
    what = f"accuracy, {folds} folds of the training part" if folds else "test accuracy"
    print(f"{torch.get_num_threads()} threads; mean over seeds, with the deviation between them and how many\n")
    lines = [_accuracies(measures, name, models) for name in sets]
    if not folds:
        lines = [[*line, f"{PUBLISHED[line[0]]:.3f}" if line[0] in PUBLISHED else "-"] for line in lines]
    print(table([what, *models, *([] if folds else ["LSTM-FCN, published"])], lines), "\n")
    whole = [name for name in sets if all((name, model) in measures for model in models)]
    if whole:
        means = [[np.mean([a for a, _ in measures[name, model]]) for model in models] for name in whole]
        print(table([f"sets with all models: {len(whole)}", *models], _comparisons(np.array(means))), "\n")
    if 1 < len(models) <= max(STUDENTIZED) and whole:
        print(f"mean ranks differ from {critical_difference(len(models), len(whole)):.2f} on (Nemenyi, .05)\n")
    seconds = [
        [name, *(_cell([s for _, s in measures.get((name, model), [])], "{:.1f}") for model in models)] for name in sets
    ]
    print(table(["seconds of a fit", *models], seconds))


def _accuracies(measures: Measures, name: str, models: Sequence[str]) -> list[str]:
    """A row: the set, and of each model the mean accuracy, its deviation and the number of seeds."""
    row = [name]
    for model in models:
        values = [accuracy for accuracy, _ in measures.get((name, model), [])]
        row.append(_cell(values, "{:.3f}") + (f" ± {np.std(values):.3f} ({len(values)})" if len(values) > 1 else ""))
    return row


def _cell(values: Sequence[float], form: str) -> str:
    return form.format(np.mean(values)) if values else "-"


def _comparisons(means: NDArray[np.float64]) -> list[list[str]]:
    """Rows: the mean accuracy [S,M] of each model, its mean rank, and the first model beside it."""
    ahead = means[:, :1] - means  # [S,M]
    counts = [f"{(a > TIE).sum()}/{(abs(a) <= TIE).sum()}/{(a < -TIE).sum()}" for a in ahead.T[1:]]
    return [
        ["mean", *(f"{value:.3f}" for value in means.mean(0))],
        ["mean rank", *(f"{value:.2f}" for value in ranks(means).mean(0))],
        ["the first wins/ties/losses", "", *counts],
        ["the first farthest behind", "", *(f"{max(0, -a.min()):.3f}" for a in ahead.T[1:])],
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--sets", nargs="+")
    parser.add_argument("--models", nargs="*", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--also", nargs="+", default=[], metavar="OPTION=VALUE,...")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--folds", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--kept", action="store_true")
    given = parser.parse_args()
    if given.list:
        columns = ["set", "training", "test", "classes", "steps", "columns"]
        print(table(columns, [[name, *problem(files).words()] for name, files in shipped().items()]))
        return
    sets = given.sets or list(shipped())
    models = {name: MODELS[name] for name in given.models} | {text: varied(text) for text in given.also}
    rows = kept(given.keep, given.folds) if given.kept else fitted(sets, models, given.seeds, given.keep, given.folds)
    _print(by_model(rows, sets, models), sets, list(models), folds=given.folds)


if __name__ == "__main__":
    main()
