"""What estimators share: a training whose folder goes, a run made of a fitted model, what is printed meanwhile."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from gatework.errors import InputError
from gatework.runs.folder import describe
from gatework.runs.new_run import check_free, new_run
from gatework.training.checkpoint import save_checkpoint
from gatework.training.events import Event, Notice, Report, Stopped, TrainingError, Validation
from gatework.training.progress import BEST, Progress

_WIDTH = 72  # of the line that is written anew: room for the longest, so that nothing of one before is left


@contextmanager
def passing_run() -> Iterator[Path]:
    """The folder of a training that is removed at its end, and that no error names."""
    with tempfile.TemporaryDirectory(prefix="gatework-", ignore_cleanup_errors=True) as folder:
        try:
            yield Path(folder) / "run"
        except TrainingError as error:
            raise InputError(str(error).partition("; the last good checkpoint")[0]) from None


def save_run(folder: Path, task: str, model: torch.nn.Module, about: dict[str, Any], *, overwrite: bool) -> None:
    """Writes a fitted model as a run folder; about: what its run.json says.

    Raises InputError where the folder exists or cannot be written; then nothing has changed.
    """
    check_free(folder, overwrite, resumable=False)
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    with new_run(folder, overwrite=overwrite, resumable=False) as new:
        describe(new.folder, task, source=None, **about)
        save_checkpoint(new.folder / BEST, tensors, Progress())
        new.place()


def all_of(*reports: Report | None) -> Report:
    """What passes an event on to each that there is."""

    def report(event: Event) -> None:
        for each in reports:
            if each is not None:
                each(event)

    return report


def printing(judged: Callable[[float], str]) -> Report:
    """Prints what matters of a training: a line for each validation, in a notebook one line that is written anew.

    judged: how what validation measures is written.
    """
    anew, begun = _in_notebook(), False

    def say(line: str, passing: bool = False) -> None:
        nonlocal begun
        if passing and anew:
            print(f"\r{line:<{_WIDTH}}", end="", flush=True)
        else:
            print("\n" * begun + line)
        begun = passing and anew

    def report(event: Event) -> None:
        match event:
            case Validation():
                best = ", the best so far" if event.improved else ""
                say(f"step {event.step:,}: validation {judged(event.loss)}{best}", passing=True)
            case Stopped():
                say(f"{event.why} at step {event.step:,}, after {event.elapsed:.1f} s")
            case Notice():
                say(event.message)

    return report


def _in_notebook() -> bool:
    """Whether IPython runs this: in a notebook, or its own terminal."""
    shell = sys.modules.get("IPython")
    return shell is not None and shell.get_ipython() is not None
