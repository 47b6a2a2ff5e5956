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
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from gatework.cells import Cell
from gatework.errors import InputError
from gatework.training import read_json, write_json

FORMAT = "gatework run 1"
DESCRIPTION = "run.json"
RESULTS = "results.json"


@contextmanager
def new_run(out: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A folder to fill that becomes `out` when the block ends well, and vanishes when it does not.

    With `overwrite` a run that is there gives way, at the end and no sooner; any other folder is left alone.
    Raises InputError where `out` exists and may not be replaced.
    """
    check_free(out, overwrite)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise InputError(f"cannot make {out}: {error.strerror or error}; choose another folder with --out") from error
    try:
        yield aside
        aside.chmod(0o755)
        if out.exists():
            shutil.rmtree(out)
        aside.rename(out)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def check_free(out: Path, overwrite: bool) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / DESCRIPTION).is_file():
        raise InputError(f"{out} exists and is no run: choose another folder")
    if not overwrite:
        raise InputError(f"{out} exists: --resume goes on with it, --overwrite starts anew")


def describe(folder: Path, task: str, **values: Any) -> None:
    """Writes run.json into the folder of a new run."""
    versions = {"gatework": version("gatework"), "torch": torch.__version__}
    write_json(folder / DESCRIPTION, {"format": FORMAT, "task": task, "versions": versions, **values})


def description(run: Path, task: str) -> dict[str, Any]:
    """Reads run.json; raises InputError, naming the file, where it is not of this task."""
    path = run / DESCRIPTION
    if not run.is_dir():
        raise InputError(f"{run} does not exist: expected the folder of a run, made by gatework train ... --out {run}")
    values = read_json(path)
    if values.get("format") != FORMAT:
        raise InputError(f"{path} is no run that this gatework reads: expected format {FORMAT!r}")
    if values.get("task") != task:
        raise InputError(f"{run} is a run of task {values.get('task')!r}; expected {task!r}")
    return values


def first_process() -> bool:
    """Whether this is the process that writes: the only one, or torchrun's first."""
    return os.environ.get("RANK", "0") == "0"


def world_size() -> int:
    """How many processes torchrun started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


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
