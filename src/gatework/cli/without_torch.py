"""The model that a command uses without torch, where that is enough, since it starts ten times as fast."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from gatework.errors import InputError

if TYPE_CHECKING:
    from gatework.runtime import Model

THREADS = "OMP_NUM_THREADS"  # which torch obeys too


def opened(run: Path, device: str) -> "Model | None":
    """The model of a run folder or of a model's file; None where the run asks for what only torch has."""
    from gatework.runtime import Model

    if run.is_dir() and device != "cpu":
        return None
    model = Model.open(run)
    if run.is_dir():
        return None if _needs_torch(model) else model
    if device != "cpu":
        raise InputError(f"device is {device!r}, and a model's file runs on the CPU; leave --device out")
    return model


def _needs_torch(model: "Model") -> bool:
    """Whether the core lacks an operation of a network, or its run asks for another engine."""
    from gatework.lowering.codes import lacking

    parts = (values for values in model.about.values() if isinstance(values, dict))
    engine = next((values["engine"] for values in parts if "engine" in values), "auto")
    directions = (direction for layer in model.network.layers for direction in layer.directions)
    return engine not in ("auto", "native") or any(lacking(direction.program) for direction in directions)


def processors() -> int:
    """How many threads share the work of many streams: those that the environment allows, or all processors."""
    asked = os.environ.get(THREADS, "")
    return int(asked) if asked.isdecimal() and int(asked) > 0 else os.cpu_count() or 1
