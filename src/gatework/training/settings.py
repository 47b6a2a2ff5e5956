"""What a training run is asked to do, and the two numbers that follow from it: the rate and the plan."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

from gatework.errors import InputError
from gatework.options import check, option

#: Steps at full rate (warm-up included) before the decay may begin: what planning needs to measure the speed.
MEASURED = 10

LARGEST = 2**63 - 1  # of whole numbers

#: The part of the time left that a plan spends; the rest is for the noise of the machine.
CAUTION = 0.95


Precision = Literal["float32", "bfloat16"]
IN_HALF = "bfloat16 runs products in half."


@dataclass(frozen=True)
class Settings:
    """How long, how fast and how carefully to train; every field is a JSON value.

    The run ends at `steps`, after `epochs` or by `minutes`, whichever comes first. `minutes` alone is a budget:
    after the warm-up the loop measures its speed and plans the number of steps (see `train`).

    steps, epochs, minutes: at least one is needed.
    learning_rate: the rate after `warmup` steps of linear warm-up; `decay` "cosine" takes it down to
        `final` times that at the last step, "none" leaves it.
    optimizer: "adam" (`weight_decay` is an L2 penalty) or "adamw" (decoupled); biases and other vectors are
        never decayed.
    clip: the largest global norm of the gradient, None for off.
    accumulate: batches per step; the gradient is their mean. An epoch's last step takes what is left.
    evaluate_every: steps between evaluations, None for once an epoch; `patience` evaluations without a better
        loss end the run.
    precision: "float32" or "bfloat16" (autocast; weights and optimiser stay float32).
    seed: of the random numbers of each step (torch's default generators: dropout masks); the weights' start is
        the model's own affair.
    save_every: seconds between checkpoints.

    Errors: InputError naming the field, the value and what is expected.
    """

    steps: int | None = option(None, "Updates of the weights in all.", least=1, most=LARGEST)
    epochs: int | None = option(None, "Passes over the text.", least=1, most=LARGEST)
    minutes: float | None = option(
        None, "Time to train, with --resume from now on; alone, the schedule is planned to fit.", above=0
    )
    learning_rate: float = option(4e-3, "The rate after warm-up.", above=0)
    optimizer: Literal["adam", "adamw"] = option("adamw", "adamw decouples the weight decay.")
    weight_decay: float = option(0.01, "Of matrices; biases never decay.")
    warmup: int = option(100, "Updates of linear warm-up.", most=LARGEST)
    decay: Literal["cosine", "none"] = option("cosine", "How the rate falls after warm-up.")
    final: float = option(0.1, "Of the learning rate, the share at the last update.", most=1)
    clip: float | None = option(1.0, "Largest global norm of the gradient; 0 for no clipping.", above=0, off=0.0)
    accumulate: int = option(1, "Batches per update.", least=1, most=LARGEST)
    evaluate_every: int | None = option(
        None, "Updates between validations.  [default: an epoch, at most 500]", least=1, most=LARGEST
    )
    patience: int | None = option(None, "Stop after so many validations without a better one.", least=1, most=LARGEST)
    save_every: float = option(30.0, "Seconds between checkpoints.")
    seed: int = option(0, "Of weights and dropout.", most=LARGEST)
    precision: Precision = option("float32", IN_HALF)

    def __post_init__(self) -> None:
        check(self, _message)
        if self.steps is self.epochs is self.minutes is None:
            raise InputError("no end is set for the training: give steps, epochs or minutes")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Settings as `to_dict` wrote them."""
        known = [field.name for field in fields(cls)]
        if unknown := sorted(set(values) - set(known)):
            raise InputError(f"unknown setting {unknown[0]!r}: the settings are {', '.join(known)}")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return asdict(self)

    @property
    def planned(self) -> bool:
        """Whether `minutes` is the only end, so that the number of steps is planned on the way."""
        return self.steps is None and self.epochs is None

    @property
    def steady(self) -> int:
        """The first step at which the decay may act."""
        return max(self.warmup, MEASURED)

    def total(self, steps_per_epoch: int) -> int | None:
        """The number of steps that `steps` and `epochs` allow, None if neither is given."""
        ends = [] if self.steps is None else [self.steps]
        if self.epochs is not None:
            ends.append(self.epochs * steps_per_epoch)
        return min(ends, default=None)


def ends_in_words(minutes: float | None, epochs: int | None, steps: int | None) -> str:
    """What ends a training, "2 minutes or 100 steps"; "" where nothing does."""
    ends = {"minute": minutes, "pass": epochs, "step": steps}
    plural = {"minute": "minutes", "pass": "passes", "step": "steps"}
    return " or ".join(f"{end:g} {name if end == 1 else plural[name]}" for name, end in ends.items() if end is not None)


def _message(name: str, value: object, expected: str) -> str:
    return f"{name} = {value!r}: {expected} is expected"


def learning_rate(settings: Settings, step: int, total: int | None) -> float:
    """The rate of step number `step` (from 0) of `total`: a function of nothing else, so that resuming is exact.

    Up to `settings.steady` it does not depend on `total`, which a budget in minutes fixes only then.
    """
    peak = settings.learning_rate
    if step < settings.warmup:
        return peak * (step + 1) / settings.warmup
    if settings.decay == "none" or total is None or step < settings.steady:
        return peak
    way = min(1.0, (step - settings.steady) / max(1, total - settings.steady))
    return peak * (settings.final + (1 - settings.final) * 0.5 * (1 + math.cos(math.pi * way)))


def plan_steps(
    seconds: float,
    *,
    step: float,
    evaluation: float = 0.0,
    every: int = 1,
    save: float = 0.0,
    save_every: float = math.inf,
) -> int:
    """How many steps, at least 1, fit into `seconds`, a little on the safe side.

    step, evaluation, save: what one of each takes, in seconds. An evaluation comes after every `every` steps and
    one at the end, a checkpoint every `save_every` seconds and one at the end.
    """
    left = seconds * CAUTION - evaluation - save
    left *= save_every / (save_every + save) if math.isfinite(save_every) and save else 1.0
    each = step + evaluation / every
    return max(1, math.floor(left / each)) if each > 0 else 1
