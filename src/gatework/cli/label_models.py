"""The model of labels that a command uses: without torch where that is enough, since it starts ten times as fast."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from gatework.cli.text_models import processors

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
    from gatework.runtime import LabelSession

    if not run.is_dir() or (device == "cpu" and _needs_no_torch(run)):
        return LabelSession(run, threads=processors())
    from gatework.labels.learning import Trained
    from gatework.labels.run import Run

    opened = Run.open(run)
    return Trained(opened.job, opened.model(device=device))


def _needs_no_torch(run: Path) -> bool:
    """Whether the core by itself runs what was trained into a folder."""
    from gatework.cells import find_cell
    from gatework.labels.data.targets import Several
    from gatework.labels.description import TASK, read
    from gatework.lowering.codes import lacking
    from gatework.runs.folder import description

    job = read(run, description(run, TASK))
    usual = job.options.engine in ("auto", "native") and not lacking(find_cell(job.options.cell).program)
    return usual and not isinstance(job.targets, Several)
