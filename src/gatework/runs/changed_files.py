"""Files that are no longer what a run was made from."""

from collections.abc import Iterable

from gatework.files.reading import Mark, changed
from gatework.training.events import Notice, Report


def say_changed(files: Iterable[Mark], report: Report) -> None:
    """Names the files that are no longer what the run was made from, of which it has a copy."""
    for path in changed(files):
        report(
            Notice(
                f"{path} is not what it was when the run began, and the run goes on with what it read then; to learn "
                "from the file as it is now, start anew (--overwrite, or another folder)"
            )
        )
