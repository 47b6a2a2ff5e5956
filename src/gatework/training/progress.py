"""Where a run stands, as its checkpoints say in JSON."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self, get_type_hints

LAST = "last.safetensors"
BEST = "best.safetensors"
FORMAT = "checkpoint 1"  # of both


def weights_of(run: Path) -> Path:
    """The checkpoint of a run that is used: the best weights, or the last where none were evaluated."""
    best = run / BEST
    return best if best.exists() else run / LAST


@dataclass
class Progress:
    """Where a run stands: everything a resumed run needs beside the tensors.

    step: updates made; epoch, batch: the position in the data, the next batch to read; batches, accumulate: what
    that position was counted with. untrained: the validation loss before the first step; without validation, the loss
    of that step. best, best_step, waited: the least validation loss, its step, and the evaluations since. planned: the
    steps that a budget in minutes allows, plan_at: the step after which they are planned. budget: that budget's end,
    in seconds of the run. elapsed: seconds spent so far.
    clipped: steps clipped so far. step_seconds, evaluation_seconds, save_seconds: what one took, for the plan.
    fields: names of the carried state's parts. written_by: versions, threads and processes, which decide the last
    bits of the losses.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    batches: int = 0
    accumulate: int = 1
    untrained: float | None = None
    best: float | None = None
    best_step: int | None = None
    waited: int = 0
    planned: int | None = None
    plan_at: int | None = None
    budget: float | None = None
    elapsed: float = 0.0
    clipped: int = 0
    step_seconds: float = 0.0
    evaluation_seconds: float = 0.0
    save_seconds: float = 0.0
    fields: list[str] = field(default_factory=list)
    written_by: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The progress that `asdict` made; ValueError for missing, unknown or mistyped values."""
        values = {"untrained": None, **values}  # not in the checkpoints of older versions
        hints = get_type_hints(cls)
        names = {each.name for each in fields(cls)}
        if names != set(values):
            raise ValueError(f"its progress lacks or adds {few(names ^ set(values))}")
        for name, value in values.items():
            if not _fits(value, str(hints[name])):
                raise ValueError(f"its progress has {name} = {value!r}")
        return cls(**values)


def _fits(value: Any, hint: str) -> bool:
    """Whether a JSON value is what a field of `Progress` holds."""
    if value is None:
        return "None" in hint
    if "list" in hint:
        return isinstance(value, list) and all(isinstance(name, str) and _is_field(name) for name in value)
    if "dict" in hint:
        return isinstance(value, dict)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return False
    return "float" in hint or (isinstance(value, int) and value >= 0)


def _is_field(name: str) -> bool:
    """Whether a name may become a field of a named tuple: no keyword, no underscore in front."""
    return re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) is not None


def few(names: Iterable[str]) -> str:
    """Up to three names, and how many more there are."""
    ordered = sorted(names)
    more = f" and {len(ordered) - 3} more" if len(ordered) > 3 else ""
    return ", ".join(ordered[:3]) + more
