"""Whether a model has learnt its own training sequences at least as well as what needs no network says them."""

import numpy as np
import numpy.typing as npt
import torch

from gatework.errors import field
from gatework.labels.data.augment import resampled
from gatework.labels.data.batches import Encoded
from gatework.labels.learning import judged
from gatework.labels.model import Network
from gatework.labels.report import ClassReport, NumberReport
from gatework.labels.run import Job
from gatework.labels.several import SetReport, SeveralReport

COMPARED = 500  # training sequences at most, the first ones: each is compared with all others
POINTS = 64  # at most, that a sequence is read at to be compared
FAR = 0.05  # below what needs no network, that is said
REMEDY = "train for longer, change the learning rate, or give it more hidden units"


def shortfall(job: Job, model: Network, training: Encoded) -> str | None:
    """One line where the training part is predicted far worse than by a constant or the nearest neighbour; or None."""
    known = training.take(np.arange(min(len(training), COMPARED)))
    report = judged(job, model, known)
    if isinstance(report, SeveralReport):
        each = {name: _shortfall(job, one, {}) for name, one in report.reports.items()}
        return next((f"target {field(name)}: {said}" for name, said in each.items() if said is not None), None)
    compared = not known.tagged and known.values.dim() == 2 and isinstance(report, ClassReport)
    return _shortfall(job, report, {"the nearest other sequence's label": nearest_neighbour(known)} if compared else {})


def _shortfall(job: Job, report: ClassReport | NumberReport | SetReport, others: dict[str, float]) -> str | None:
    """The same of one target; others: the accuracy of what needs no network, besides a constant."""
    if isinstance(report, NumberReport):
        if report.rmse <= report.spread:
            return None
        return (
            f"on the training sequences the error of {report.rmse:.4g} is above the {report.spread:.4g} of always "
            f"predicting their mean: {REMEDY}"
        )
    others = {"always the commonest label": report.most_frequent, **others}
    best = max(others, key=others.__getitem__)
    if report.accuracy >= others[best] - FAR:
        return None
    branch = ', or try the branch "fcn"' if job.plan.branch == "none" and job.kind != "tag" else ""
    return (
        f"the accuracy on the training sequences is {report.accuracy:.1%}, and {best} is right for {others[best]:.1%}: "
        f"{REMEDY}{branch}"
    )


def nearest_neighbour(encoded: Encoded) -> float:
    """The share of sequences of numbers whose nearest other one, by Euclidean distance, has their label.

    Each is read at the same number of points, evenly spread over its length.
    """
    assert encoded.targets is not None
    rows, labels = _evened(encoded), encoded.targets.numpy()
    squares = (rows**2).sum(1)
    distances = squares[:, None] + squares - 2 * rows @ rows.T
    np.fill_diagonal(distances, np.inf)
    return float(np.mean(labels[distances.argmin(1)] == labels))


def _evened(encoded: Encoded) -> npt.NDArray[np.float64]:
    """All sequences at P points each: [N,P*I]."""
    (x, lengths, *_), _ = encoded.padded(torch.arange(len(encoded)))
    share = torch.linspace(0, 1, min(POINTS, len(x)), dtype=torch.float64)[:, None]
    rows: npt.NDArray[np.float64] = resampled(x.double(), share * (lengths - 1)).transpose(0, 1).flatten(1).numpy()
    return rows
