"""How good several predicted labels of a sequence are: a report of each target, or of the labels of sets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gatework.errors import field
from gatework.labels.report import ClassReport, NumberReport


@dataclass(frozen=True)
class SeveralReport:
    """The report of each target by its name; right: of classes, the share of sequences with every target right."""

    reports: Mapping[str, ClassReport | NumberReport]
    right: float | None

    def lines(self, width: int = 120) -> list[str]:
        """The figures of each target under its name."""
        head = [] if self.right is None else [f"every target right in {self.right:.1%} of the sequences"]
        return head + [line for name, one in self.reports.items() for line in (f"{field(name)}:", *one.lines(width))]

    def to_json(self) -> dict[str, Any]:
        targets = {name: one.to_json() for name, one in self.reports.items()}
        return {"targets": targets} if self.right is None else {"all_right": self.right, "targets": targets}


@dataclass(frozen=True)
class SetReport:
    """What became of the sets of N sequences, of K labels.

    true, predicted, both: how many sequences have each label [K], were predicted to have it, and both. exact: how many
    sets are predicted whole; commonest: how often the commonest set occurs.
    """

    names: tuple[str, ...]
    count: int
    true: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]
    both: npt.NDArray[np.int64]
    exact: int
    commonest: int

    @property
    def accuracy(self) -> float:
        """The share of the N K decisions, whether a sequence has a label, that are right."""
        wrong = self.true + self.predicted - 2 * self.both
        return 1 - float(wrong.sum()) / (self.count * len(self.names))

    @property
    def most_frequent(self) -> float:
        """That share where each label is always, or never, predicted, whichever is right more often."""
        return float(np.maximum(self.true, self.count - self.true).mean()) / self.count

    @property
    def f1(self) -> npt.NDArray[np.float64]:
        """2 both / (true + predicted) of each label [K]; nan if never met."""
        return _shares(2 * self.both, self.true + self.predicted)

    @property
    def macro_f1(self) -> float:
        """The mean F1 of the labels that occur or are predicted."""
        return float(np.nanmean(self.f1))

    @property
    def micro_f1(self) -> float:
        """The F1 of all decisions together; nan where no label occurs or is predicted."""
        return float(_shares(2 * self.both.sum(), self.true.sum() + self.predicted.sum()))

    def lines(self, width: int = 120) -> list[str]:  # noqa: ARG002, as a ClassReport has it
        """The figures, and a row for each label."""
        first = max(len("label"), *(len(field(name)) for name in self.names))
        columns = zip(
            self.names,
            self.true,
            _shares(self.both, self.predicted),
            _shares(self.both, self.true),
            self.f1,
            strict=True,
        )
        rows = [
            "  ".join([f"{field(name):{first}}", f"{count:>6,}", f"{_word(p):>9}", f"{_word(r):>6}", f"{_word(f):>5}"])
            for name, count, p, r, f in columns
        ]
        return [
            f"sets predicted whole {self.exact / self.count:.1%} of {self.count:,} (always the commonest set: "
            f"{self.commonest / self.count:.1%}), F1 of all labels {self.micro_f1:.3f}, mean F1 {self.macro_f1:.3f}",
            f"{'label':{first}}  {'count':>6}  precision  recall  {'F1':>5}",
            *rows,
        ]

    def to_json(self) -> dict[str, Any]:
        return {
            "count": self.count,
            "exact": self.exact / self.count,
            "accuracy": self.accuracy,
            "micro_f1": _known(self.micro_f1),
            "mean_f1": _known(self.macro_f1),
            "labels": list(self.names),
            "f1": list(map(_known, self.f1.tolist())),
        }


def set_report(names: tuple[Any, ...], true: npt.NDArray[np.bool_], predicted: npt.NDArray[np.bool_]) -> SetReport:
    """Compares which of K labels sequences have, bool [N,K], with what was predicted."""
    _, counts = np.unique(true, axis=0, return_counts=True)
    return SetReport(
        tuple(map(str, names)),
        len(true),
        true.sum(0),
        predicted.sum(0),
        (true & predicted).sum(0),
        int((true == predicted).all(1).sum()),
        int(counts.max()),
    )


def _shares(parts: Any, wholes: Any) -> npt.NDArray[np.float64]:
    """parts / wholes, nan where the whole is 0."""
    shares: npt.NDArray[np.float64] = np.full(np.shape(wholes), np.nan)
    np.divide(parts, wholes, out=shares, where=np.asarray(wholes) > 0)
    return shares


def _word(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3f}"


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
