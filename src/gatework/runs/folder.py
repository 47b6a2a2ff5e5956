"""The folder of a run: what it holds, how it comes to be, how it is opened. Nothing in it is ever executed.

run.json            what the run is: task, cell, sizes, vocabulary, settings, versions
tokens.bin          the prepared text, memory-mapped
last.safetensors    the newest checkpoint; best.safetensors the one with the least validation loss
metrics.csv         one line a step; tensorboard/ where it is installed
results.json        the figures on held-out data, once the training has ended
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gatework.cells import Cell, cells
from gatework.errors import InputError
from gatework.files.reading import intact
from gatework.files.writing import read_json, write_json

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
    from importlib.metadata import version  # noqa: PLC0415, slow to import, and reading a run needs none

    versions = {"gatework": version("gatework"), "torch": version("torch")}
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


@contextmanager
def damaged(run: Path) -> Iterator[None]:
    """What a run.json is wrong for, or the one file of an exported run, as one line that names it."""
    path, remedy = (run, "; export it again") if run.is_file() else (run / DESCRIPTION, "")
    with intact(path, remedy):
        yield


def cell_to_json(cell: Cell) -> dict[str, Any]:
    """A cell as JSON values; a number that JSON has not (-inf) as text."""
    return {
        "name": cell.name,
        "equations": cell.equations,
        "output": cell.output,
        "init": dict(cell.init),
        "start": {name: value if math.isfinite(value) else str(value) for name, value in cell.start.items()},
        "constants": dict(cell.constants),
        "words": dict(cell.words),
        "source": cell.source,
    }


def cell_from_json(values: Mapping[str, Any]) -> Cell:
    """What `cell_to_json` wrote; before it wrote words, those of the cell that gatework ships under this name."""
    values = dict(values)
    shipped = cells.get(values["name"])
    words = shipped.words if shipped is not None and shipped.equations == values["equations"] else {}
    values = {"words": words, **values}
    start = {name: float(value) for name, value in values.pop("start").items()}
    return Cell(values.pop("name"), values.pop("equations"), start=start, **values)
