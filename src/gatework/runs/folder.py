"""The folder of a run: what it holds, how it comes to be, how it is opened. Nothing in it is ever executed.

run.json            what the run is: task, cell, sizes, vocabulary, settings, versions
tokens.bin          the prepared text, memory-mapped
last.safetensors    the newest checkpoint; best.safetensors the one with the least validation loss
metrics.csv         one line a step; tensorboard/ where it is installed
results.json        the figures on held-out data, once the training has ended
"""

import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from gatework.cells import Cell
from gatework.errors import InputError
from gatework.files.reading import Mark, changed
from gatework.training import BEST, LAST, Notice, Report, load_weights, read_json, write_json
from gatework.training.checkpoint import check_shapes
from gatework.training.interruption import Interrupted, interruption, under_torchrun
from gatework.training.processes import anywhere

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Model = TypeVar("Model", bound=torch.nn.Module)

MAKER = "gatework run"
FORMAT = f"{MAKER} 1"
DESCRIPTION = "run.json"
RESULTS = "results.json"


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


def say_changed(files: Iterable[Mark], report: Report) -> None:
    """Names the files that are no longer what the run was made from, of which it has a copy."""
    for path in changed(files):
        report(
            Notice(
                f"{path} is not what it was when the run began, and the run goes on with what it read then; to learn "
                "from the file as it is now, start anew (--overwrite, or another folder)"
            )
        )


def first_process() -> bool:
    """Whether this is the process that writes: the only one, or torchrun's first."""
    return not under_torchrun() or os.environ.get("RANK") == "0"


def one_process(what: str) -> None:
    """Raises InputError where torchrun started several processes for what one does."""
    if under_torchrun() and (world := os.environ["WORLD_SIZE"]) != "1":
        raise InputError(f"{world} processes: {what} by one")


def _not_asked() -> bool:
    return False


@contextmanager
def first_alone(fabric: "Fabric") -> Iterator[None]:
    """All wait for what the first process does inside; where it fails, and says why, the others just end.

    A signal that comes to any of them meanwhile ends all: KeyboardInterrupt if there is one process, else Interrupted.
    """
    outcome = "failed"
    with nullcontext(_not_asked) if fabric.is_global_zero else interruption() as asked:
        try:
            yield
            outcome = "done"
        except KeyboardInterrupt:
            outcome = "interrupted"
            if fabric.world_size == 1:
                raise
        finally:
            outcome = fabric.broadcast(outcome)
    if outcome == "failed":
        sys.exit(2)
    if outcome == "interrupted" or anywhere(fabric, asked()):
        raise Interrupted


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


def check_built(untrained: Callable[..., torch.nn.Module], checkpoint: Path) -> None:
    """Refuses sizes that are not a checkpoint's, before a model of these sizes takes memory."""
    with torch.device("meta"):
        check_shapes(checkpoint, untrained(engine="auto"))


def weights_of(folder: Path) -> Path:
    """The checkpoint of a run that is used: the best weights, or the last where none were evaluated."""
    best = folder / BEST
    return best if best.exists() else folder / LAST


def trained(untrained: Callable[..., Model], folder: Path, device: str) -> Model:
    """A model with the run's best weights, or the last where none were evaluated, on a device, in evaluation mode.

    untrained: builds it, with the run's engine or another one.
    """
    path = weights_of(folder)
    check_built(untrained, path)
    model = untrained()
    load_weights(path, model)
    try:
        return model.to(device).eval()
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built for the device
        raise InputError(f"device {device!r} cannot be used: {str(error).splitlines()[0]}") from error
