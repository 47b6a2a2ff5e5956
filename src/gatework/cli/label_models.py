"""The model of labels that a command uses: without torch where that is enough."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from gatework.cli.without_torch import opened, processors

if TYPE_CHECKING:
    from gatework.labels.answers import Scores
    from gatework.labels.data.sequences import Sequences
    from gatework.labels.description import Described


class Predicts(Protocol):
    """What scores sequences, with torch or without."""

    @property
    def job(self) -> "Described": ...

    def scores(self, sequences: "Sequences", progress: Callable[[int, int], None] | None = None) -> "Scores": ...


def predictor(run: Path, device: str) -> Predicts:
    """The model of a run folder, or of a model's file."""
    if (model := opened(run, device)) is not None:
        from gatework.runtime import LabelSession

        return LabelSession(model, threads=processors())
    from gatework.labels.learning import Trained
    from gatework.labels.run import Run

    folder = Run.open(run)
    return Trained(folder.job, folder.model(device=device))
