"""Training: truncated backpropagation through time, checkpoints, metrics."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatework.files.writing import read_json, write_atomically, write_json
    from gatework.training.checkpoint import (
        BEST,
        LAST,
        Checkpoint,
        Progress,
        load_checkpoint,
        load_weights,
        save_checkpoint,
    )
    from gatework.training.events import (
        Evaluating,
        Event,
        Notice,
        Plan,
        Report,
        Result,
        Resumed,
        Saved,
        Step,
        Stopped,
        TrainingError,
        Validation,
    )
    from gatework.training.loop import train
    from gatework.training.metrics import bits
    from gatework.training.processes import launch
    from gatework.training.session import Batches, Evaluate
    from gatework.training.settings import Settings, learning_rate

__all__ = [
    "BEST",
    "LAST",
    "Batches",
    "Checkpoint",
    "Evaluate",
    "Evaluating",
    "Event",
    "Notice",
    "Plan",
    "Progress",
    "Report",
    "Result",
    "Resumed",
    "Saved",
    "Settings",
    "Step",
    "Stopped",
    "TrainingError",
    "Validation",
    "bits",
    "launch",
    "learning_rate",
    "load_checkpoint",
    "load_weights",
    "read_json",
    "save_checkpoint",
    "train",
    "write_atomically",
    "write_json",
]

_MODULES = {  # imported when asked for: whoever reads settings alone does not wait for torch
    "gatework.files.writing": ("read_json", "write_atomically", "write_json"),
    "gatework.training.checkpoint": (
        "BEST",
        "LAST",
        "Checkpoint",
        "Progress",
        "load_checkpoint",
        "load_weights",
        "save_checkpoint",
    ),
    "gatework.training.events": (
        "Evaluating",
        "Event",
        "Notice",
        "Plan",
        "Report",
        "Result",
        "Resumed",
        "Saved",
        "Step",
        "Stopped",
        "TrainingError",
        "Validation",
    ),
    "gatework.training.loop": ("train",),
    "gatework.training.metrics": ("bits",),
    "gatework.training.processes": ("launch",),
    "gatework.training.session": ("Batches", "Evaluate"),
    "gatework.training.settings": ("Settings", "learning_rate"),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
