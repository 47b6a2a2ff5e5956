"""How the folder of a run comes to be: filled aside, then put in its place; what fails, or is killed, is undone."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from gatework.errors import InputError
from gatework.files.lock import Lock, refuse_locked
from gatework.files.reading import blamed
from gatework.runs.folder import is_run
from gatework.training.events import Event, Report, Saved
from gatework.training.interruption import interruption, termination
from gatework.training.progress import BEST, LAST

NEW, FORMER, PLACED = "new", "former", "placed"  # what lies aside: the run to be, the one it replaces, a mark


class NewRun:
    """A run on its way: `folder` is filled aside, `place` makes it the folder `out`.

    A run that was in `out` waits aside until there is a checkpoint, with which the new one becomes final: `keep`.
    """

    def __init__(self, out: Path, aside: Path, lock: Lock, replaced: Lock | None) -> None:
        self.out, self.aside, self.folder = out, aside, aside / NEW
        self.lock, self.replaced = lock, replaced

    def place(self) -> None:
        with blamed("make", self.out):
            (self.aside / PLACED).touch()
            if self.out.exists():
                self.out.rename(self.aside / FORMER)
                if self.replaced is not None:
                    self.replaced.folder = self.aside / FORMER
            self.folder.rename(self.out)
            self.lock.folder = self.out

    def keep(self) -> None:
        _settle(self.out, self.aside)

    def keeping(self, report: Report) -> Report:
        """The report, which also makes the run final at its first checkpoint."""

        def report_and_keep(event: Event) -> None:
            if isinstance(event, Saved):
                self.keep()
            report(event)

        return report_and_keep

    def close(self) -> None:
        """Keeps the run if it has a checkpoint; else all is as it was before."""
        with interruption():  # a second Ctrl-C does not disturb the clearing up
            _settle(self.out, self.aside)
        if self.replaced is not None:
            self.replaced.folder = self.out


@contextmanager
def new_run(out: Path, *, overwrite: bool = False, resumable: bool = True) -> Iterator[NewRun]:
    """A run to fill and place; if the block fails, or is ended, without a checkpoint, nothing on the disk has changed.

    With `overwrite` a run that is there gives way; any other folder is left alone. What a killed process left is
    removed first. Raises InputError where `out` exists and may not be replaced, or another process writes to it.
    """
    real = Path(os.path.realpath(out))  # a link stays, what it points to is replaced
    check_free(out, overwrite, resumable)
    above = [folder for folder in real.parents if not folder.exists()]
    with ExitStack() as stack:
        stack.enter_context(termination())
        stack.callback(_remove_empty, above)
        with blamed("make", out):
            real.parent.mkdir(parents=True, exist_ok=True)
        aside = stack.enter_context(_claimed(real))
        _refuse_taken(out, overwrite, resumable)  # another process may have been faster
        replaced = stack.enter_context(Lock(real, _in_use(out))) if is_run(real) else None
        with blamed("make", out):
            (aside / NEW).mkdir()
        new = NewRun(real, aside, stack.enter_context(Lock(aside / NEW, _in_use(out))), replaced)
        stack.callback(new.close)
        yield new


def check_free(out: Path, overwrite: bool = False, resumable: bool = True) -> None:
    """Refuses at once what `new_run` would refuse, and removes what a killed process left."""
    recover(out)
    _refuse_taken(out, overwrite, resumable)


def _refuse_taken(out: Path, overwrite: bool, resumable: bool) -> None:
    """Raises InputError unless a run can be made in `out`; resumable: whether the one there could be gone on with."""
    try:
        str(out).encode()
    except UnicodeEncodeError:
        raise InputError(f"{out} is not UTF-8, as checkpoints need it: name another folder") from None
    refuse_locked(out, _in_use(out))
    with blamed("make", out):
        if not out.exists():
            return
        if out.samefile(Path.cwd()):
            raise InputError(f"{out} is the folder you are in: name another one")
        if out.is_dir() and not any(out.iterdir()):
            return
    if not is_run(out):
        raise InputError(f"{out} exists and is no run: name another folder, or remove it yourself")
    if not overwrite:
        ways = "--resume goes on with it, --overwrite starts anew" if resumable else "overwrite it, or name another one"
        raise InputError(f"{out} exists: {ways}")


def recover(out: Path) -> None:
    """Removes what a process left that was killed while it made a run in `out`; what it replaced is back again."""
    out = Path(os.path.realpath(out))
    with blamed("make", out):
        left = aside_of(out).is_dir()
    if left:
        with _claimed(out):
            pass


@contextmanager
def open_to_write(run: Path) -> Iterator[None]:
    """A run that is there, for this process alone to write; others may read it.

    Raises InputError naming the process that has it.
    """
    with termination(), Lock(run, _in_use(run)):
        yield


def _in_use(out: Path) -> str:
    """How an error begins that says which process has a run."""
    return f"{out} is in use"


def aside_of(out: Path) -> Path:
    return out.with_name(f".{out.name}.gatework")


@contextmanager
def _claimed(out: Path) -> Iterator[Path]:
    """The folder aside of `out`, which one process has at a time; what another one left in it is settled."""
    aside = aside_of(out)
    with blamed("make", out):
        aside.mkdir(exist_ok=True)
    with Lock(aside, _in_use(out)):
        _settle(out, aside)
        try:
            yield aside
        finally:
            if not (aside / FORMER).exists():  # which could not be put back
                shutil.rmtree(aside, ignore_errors=True)


def _settle(out: Path, aside: Path) -> None:
    """Ends what was begun aside: a run in its place that has a checkpoint stays, else all is as it was before."""
    former, placed = aside / FORMER, (aside / PLACED).exists() and not (aside / NEW).exists()
    with blamed("restore", out):
        if placed and is_run(out) and not _has_checkpoint(out):
            shutil.rmtree(out)
        if former.exists():
            if _has_checkpoint(out):
                shutil.rmtree(former)
            else:
                former.rename(out)
    shutil.rmtree(aside / NEW, ignore_errors=True)


def _has_checkpoint(run: Path) -> bool:
    return any((run / name).exists() for name in (BEST, LAST))


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()
