"""How good predicted labels are: accuracy, confusion table, F1 by label; of numbers the error."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gatework.errors import field

COMMONEST = 10  # confusions that are listed where the table would be too wide


@dataclass(frozen=True)
class ClassReport:
    """What became of N labels of K classes.

    confusion: [K,K], how often the class of the row was taken for that of the column. whole: of tagged sequences,
    how many have every tag right, and how many there are.
    """

    classes: tuple[Any, ...]
    confusion: npt.NDArray[np.int64]
    whole: tuple[int, int] | None = None

    @property
    def count(self) -> int:
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        return float(np.trace(self.confusion)) / self.count

    @property
    def most_frequent(self) -> float:
        """The accuracy of always the commonest label."""
        return float(self.confusion.sum(1).max()) / self.count

    @property
    def f1(self) -> npt.NDArray[np.float64]:
        """2 true / (rows + columns) of each class [K], the harmonic mean of precision and recall; nan if never met."""
        both = self.confusion.sum(0) + self.confusion.sum(1)
        shares: npt.NDArray[np.float64] = np.full(len(both), np.nan)
        np.divide(2.0 * np.diag(self.confusion), both, out=shares, where=both > 0)
        return shares

    @property
    def macro_f1(self) -> float:
        """The mean F1 of the classes that occur."""
        return float(np.nanmean(self.f1))

    def lines(self, width: int = 120) -> list[str]:
        """The figures and, as far as it fits the width, the table."""
        unit = "labels" if self.whole is None else "tags"
        lines = [
            f"accuracy {self.accuracy:.1%} of {self.count:,} {unit} (always the commonest: {self.most_frequent:.1%}), "
            f"mean F1 {self.macro_f1:.3f}"
        ]
        if self.whole is not None:
            lines.append(f"every tag right in {self.whole[0]:,} of {self.whole[1]:,} sequences")
        table = self._table()
        return lines + (table if max(map(len, table)) <= width else self._list())

    def _table(self) -> list[str]:
        """Rows: the true label; columns: the predicted one, and F1."""
        names = [field(str(value)) for value in self.classes]
        first = max(len("true"), *map(len, names))
        cells = [[str(count) if count else "." for count in row] for row in self.confusion]
        widths = [max(len(name), *(len(row[k]) for row in cells)) for k, name in enumerate(names)]

        def row(name: str, values: Sequence[str], last: str) -> str:
            return "  ".join([name.ljust(first), *map(str.rjust, values, widths), last.rjust(5)])

        head = row("true", names, "F1")
        body = [row(name, values, f1) for name, values, f1 in zip(names, cells, self._f1_words(), strict=True)]
        return [f"{'':{first}}  predicted", head, *body]

    def _list(self) -> list[str]:
        """F1 of each label, and what is confused most."""
        names = [field(str(value)) for value in self.classes]
        first, counts = max(map(len, names)), self.confusion.sum(1)
        lines = [f"{'true':{first}}  {'count':>6}  {'F1':>5}"]
        for name, count, f1 in zip(names, counts, self._f1_words(), strict=True):
            lines.append(f"{name:{first}}  {count:>6}  {f1:>5}")
        wrong = self.confusion - np.diag(np.diag(self.confusion))
        order = np.argsort(-wrong, axis=None, kind="stable")[:COMMONEST]
        pairs = [divmod(int(place), len(names)) for place in order if wrong.flat[place]]
        commonest = [f"{names[a]} for {names[b]} ({wrong[a, b]})".replace(" for ", " taken for ") for a, b in pairs]
        return [*lines, "commonest: " + ", ".join(commonest)] if commonest else lines

    def _f1_words(self) -> list[str]:
        return ["-" if math.isnan(value) else f"{value:.3f}" for value in self.f1]

    def to_json(self) -> dict[str, Any]:
        figures: dict[str, Any] = {
            "count": self.count,
            "accuracy": self.accuracy,
            "mean_f1": self.macro_f1,
            "classes": list(self.classes),
            "f1": [None if math.isnan(value) else value for value in self.f1.tolist()],
            "confusion": self.confusion.tolist(),
        }
        return figures if self.whole is None else figures | {"sequences": self.whole[1], "all_right": self.whole[0]}


def class_report(
    classes: Sequence[Any],
    true: npt.NDArray[np.integer[Any]],
    predicted: npt.NDArray[np.integer[Any]],
    lengths: npt.NDArray[np.integer[Any]] | None = None,
) -> ClassReport:
    """Counts the classes, given by number, that were predicted; lengths: of the sequences, where they are tags."""
    K = len(classes)
    confusion = np.bincount(true * K + predicted, minlength=K * K).reshape(K, K)
    whole = None
    if lengths is not None:
        right = np.logical_and.reduceat(true == predicted, np.cumsum(lengths) - lengths)
        whole = int(right.sum()), len(lengths)
    return ClassReport(tuple(classes), confusion, whole)


@dataclass(frozen=True)
class NumberReport:
    """How far predicted numbers are off: root of the mean square, mean absolute error, and R2.

    spread: the first figure for predicting their mean.
    """

    count: int
    rmse: float
    mae: float
    spread: float

    @property
    def r2(self) -> float | None:
        """1 - (rmse / spread)^2, the share of the variance that is explained; None where there is none."""
        return 1 - (self.rmse / self.spread) ** 2 if self.spread else None

    def lines(self, width: int = 120) -> list[str]:  # noqa: ARG002, as a ClassReport has it
        """The figures in one line."""
        explained = "" if self.r2 is None else f", R2 {self.r2:.3f}"
        return [
            f"root mean square error {self.rmse:.4g} (predicting the mean: {self.spread:.4g}), "
            f"mean absolute error {self.mae:.4g}{explained}, of {self.count:,} labels"
        ]

    def to_json(self) -> dict[str, Any]:
        return {"count": self.count, "rmse": self.rmse, "mae": self.mae, "spread": self.spread, "r2": self.r2}


def number_report(true: npt.NDArray[np.float64], predicted: npt.NDArray[np.float64]) -> NumberReport:
    """Compares numbers [N] with those that were predicted."""
    error = predicted - true
    return NumberReport(len(true), float(np.sqrt(np.mean(error**2))), float(np.abs(error).mean()), float(true.std()))


@dataclass(frozen=True)
class Calibration:
    """Whether probabilities are what they say: of labels predicted with about p, a share p should be right.

    confidence, right: of each of the bins between 0 and 1 [M], the mean probability of what was predicted and the share
    of it that is right; counts [M]: how many. log_loss: the mean surprise of the true label, in nats.
    """

    confidence: npt.NDArray[np.float64]
    right: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]
    log_loss: float

    @property
    def error(self) -> float:
        """The expected calibration error, sum_m counts_m / N |right_m - confidence_m| (Guo et al. 2017)."""
        return float(self.counts @ np.abs(self.right - self.confidence)) / int(self.counts.sum())

    def lines(self) -> list[str]:
        """The figures, and a row for each bin that has any."""
        M = len(self.counts)
        rows = [
            f"{m / M:>6.0%} to {(m + 1) / M:>4.0%}  {count:>8,}  {confidence:>6.1%}  {right:>6.1%}"
            for m, (count, confidence, right) in enumerate(zip(self.counts, self.confidence, self.right, strict=True))
            if count
        ]
        head = f"calibration: expected error {self.error:.3f}, log loss {self.log_loss:.4f} nats"
        return [head, f"{'probability':>14}  {'labels':>8}  {'mean':>6}  {'right':>6}", *rows]


def calibration(
    log_chances: npt.NDArray[np.float64], true: npt.NDArray[np.integer[Any]], bins: int = 10
) -> Calibration:
    """Compares log probabilities [N,K] with the true classes [N]."""
    chances = np.exp(log_chances)
    predicted, confidence = chances.argmax(-1), chances.max(-1)
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    some = np.maximum(counts, 1)
    right = np.bincount(place, predicted == true, bins) / some
    surprise = -log_chances[np.arange(len(true)), true]
    return Calibration(np.bincount(place, confidence, bins) / some, right, counts, float(surprise.mean()))
