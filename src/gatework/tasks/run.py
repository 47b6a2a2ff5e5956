"""The folder of a run: what it holds, how it comes to be, how it is opened. Nothing in it is ever executed.

run.json            what the run is: task, cell, sizes, vocabulary, settings, versions
tokens.bin          the prepared text, memory-mapped
last.safetensors    the newest checkpoint; best.safetensors the one with the least validation loss
metrics.csv         one line a step; tensorboard/ where it is installed
results.json        the figures on held-out data, once the training has ended
"""

import math
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from gatework.cells import Cell
from gatework.data.reading import blamed
from gatework.errors import InputError
from gatework.training import BEST, LAST, load_weights, read_json, write_json
from gatework.training.processes import under_torchrun

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Model = TypeVar("Model", bound=torch.nn.Module)

MAKER = "gatework run"
FORMAT = f"{MAKER} 1"
DESCRIPTION = "run.json"
RESULTS = "results.json"


class NewRun:
    """A run on its way: `folder` is filled aside, `place` makes it the folder `out`, `keep` makes that final.

    Until then a run that was in `out` waits aside, and `undo` puts everything back as it was.
    """

    def __init__(self, out: Path, aside: Path) -> None:
        self.out, self.folder, self.former = out, aside / "new", aside / "former"
        self.placed = self.kept = False

    def place(self) -> None:
        with blamed("make", self.out):
            if self.out.exists():
                self.out.rename(self.former)
            self.folder.rename(self.out)
            self.placed = True

    def keep(self) -> None:
        self.kept = True
        shutil.rmtree(self.former, ignore_errors=True)

    def undo(self) -> None:
        if self.kept:
            return
        if self.placed:
            shutil.rmtree(self.out, ignore_errors=True)
        if self.former.exists():
            self.former.rename(self.out)


@contextmanager
def new_run(out: Path, *, overwrite: bool = False, resumable: bool = True) -> Iterator[NewRun]:
    """A run to fill, place and keep; if the block fails before that, nothing on the disk has changed.

    With `overwrite` a run that is there gives way; any other folder is left alone.
    Raises InputError where `out` exists and may not be replaced.
    """
    check_free(out, overwrite, resumable)
    real = Path(os.path.realpath(out))  # a link stays, what it points to is replaced
    above = [folder for folder in real.parents if not folder.exists()]
    with blamed("make", out):
        real.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{real.name}.", dir=real.parent))
    new = NewRun(real, aside)
    try:
        new.folder.mkdir()
        yield new
        new.keep()
    finally:
        new.undo()
        shutil.rmtree(aside, ignore_errors=True)
        for folder in above:  # those made here go again if they are empty
            with suppress(OSError):
                folder.rmdir()


def check_free(out: Path, overwrite: bool = False, resumable: bool = True) -> None:
    """Raises InputError unless a run can be made in `out`; resumable: whether the one there could be gone on with."""
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


def is_run(folder: Path) -> bool:
    """Whether a folder is a run of this or another version, so that it may be overwritten."""
    try:
        return str(read_json(folder / DESCRIPTION).get("format")).startswith(f"{MAKER} ")
    except InputError:
        return False


def describe(folder: Path, task: str, **values: Any) -> None:
    """Writes run.json into the folder of a new run."""
    versions = {"gatework": version("gatework"), "torch": torch.__version__}
    write_json(folder / DESCRIPTION, {"format": FORMAT, "task": task, "versions": versions, **values})


def amend(run: Path, **values: Any) -> None:
    """Replaces values in the run.json of a run."""
    path = run / DESCRIPTION
    write_json(path, read_json(path) | values)


def description(run: Path, task: str) -> dict[str, Any]:
    """Reads run.json; raises InputError, naming the file, where it is not of this task."""
    values = read_description(run)
    if values.get("task") != task:
        raise InputError(f"{run} is a run of task {values.get('task')!r}; expected {task!r}")
    return values


def read_description(run: Path) -> dict[str, Any]:
    """Reads run.json of any task; raises InputError, naming the folder or the file, where it is none."""
    path = run / DESCRIPTION
    if not run.is_dir():
        what = "is no folder" if run.exists() else "does not exist"
        raise InputError(f"{run} {what}: expected the folder of a run, as gatework train makes it")
    values = read_json(path)
    if values.get("format") != FORMAT:
        raise InputError(f"{path} is no run that this gatework reads: expected format {FORMAT!r}")
    return values


def first_process() -> bool:
    """Whether this is the process that writes: the only one, or torchrun's first."""
    return not under_torchrun() or os.environ.get("RANK") == "0"


@contextmanager
def first_alone(fabric: "Fabric") -> Iterator[None]:
    """All wait for what the first process does inside; where it fails, and says why, the others just end."""
    done = False
    try:
        yield
        done = True
    finally:
        done = fabric.broadcast(done)
    if not done:
        sys.exit(2)


def cell_to_json(cell: Cell) -> dict[str, Any]:
    """A cell as JSON values; a number that JSON has not (-inf) as text."""
    return {
        "name": cell.name,
        "equations": cell.equations,
        "output": cell.output,
        "init": dict(cell.init),
        "start": {name: value if math.isfinite(value) else str(value) for name, value in cell.start.items()},
        "constants": dict(cell.constants),
        "source": cell.source,
    }


def cell_from_json(values: Mapping[str, Any]) -> Cell:
    """What `cell_to_json` wrote."""
    values = dict(values)
    start = {name: float(value) for name, value in values.pop("start").items()}
    return Cell(values.pop("name"), values.pop("equations"), start=start, **values)


def weights_of(folder: Path) -> Path:
    """The checkpoint of a run that is used: the best weights, or the last where none were evaluated."""
    best = folder / BEST
    return best if best.exists() else folder / LAST


def trained(model: Model, folder: Path, device: str) -> Model:
    """A model with the run's best weights, or the last where none were evaluated, on a device, in evaluation mode."""
    load_weights(weights_of(folder), model)
    try:
        return model.to(device).eval()
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built for the device
        raise InputError(f"device {device!r} cannot be used: {str(error).splitlines()[0]}") from error
