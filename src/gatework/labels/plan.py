"""What is chosen by the data where the options leave it to them: the shape of the network, and how it is trained."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from gatework.errors import InputError
from gatework.labels.data.examples import Examples
from gatework.labels.options import AUGMENTATIONS, SUMMARIES, Kind, Options, check_joined
from gatework.options import check, option

READ = 128  # steps that the recurrent layers read, about, of sequences that are longer
LEAST_STEPS = 12  # of sequences on average, for a convolutional branch
UPDATES, EPOCHS, LEAST_EPOCHS = 1500, 150, 60  # of training with a branch: aimed at, most, least where time is short
WORK = 3e11  # multiply-adds of the forward passes of a training: about half a minute of one core
MOST_MEMBERS = 5
FRONT_KERNEL = 5
BRANCH_KERNELS = (8, 5, 3)  # and the channels in units of H: 128, 256, 128 where H is 64
BRANCH_CHANNELS = (2, 4, 2)


@dataclass(frozen=True)
class Plan:
    """The shape of a network and its training, every field a JSON value.

    stages: convolutions of stride 2 before the recurrent layers. branch: what reads the sequence beside these.
    summary: of the recurrent layers' output. members: networks whose answers are averaged. augment: how training
    sequences are changed at random. epochs: of training where the options name no end; None for the options' rule.
    folds: of the cross-validation that chose the epochs; 0 where none did.
    """

    stages: int = option(0, most=16)
    branch: Literal["none", "fcn"] = "none"
    summary: str = "last"
    members: int = option(1, least=1, most=100)
    augment: str = "none"
    epochs: int | None = option(None, least=1)
    folds: int = option(0, most=100)

    def __post_init__(self) -> None:
        check(self)
        check_joined("summary", self.summary, SUMMARIES)
        if self.augment != "none":
            check_joined("augment", self.augment, AUGMENTATIONS)

    @classmethod
    def plain(cls, options: Options) -> Self:
        """What the options name, and nothing where they leave it to the data: also the plan of runs without one."""
        return cls(
            branch="fcn" if options.branch == "fcn" else "none",
            summary="last" if options.summary == "auto" else options.summary,
            members=options.members or 1,
            augment=options.augment,
        )

    @property
    def normed(self) -> bool:
        """Whether a batch's statistics enter the training, so that small batches harm it."""
        return self.branch != "none" or self.stages > 0

    def __str__(self) -> str:
        times = f"{2**self.stages} times by {self.stages} convolution{'s' if self.stages > 1 else ''} of stride 2"
        chosen = f", chosen by {self.folds}-fold cross-validation" if self.folds else ""
        parts = [
            f"sequences are shortened {times}" if self.stages else "",
            "convolutions beside the recurrent layers (LSTM-FCN)" if self.branch == "fcn" else "recurrent layers alone",
            f"summary {self.summary}",
            f"{self.members} networks averaged" if self.members > 1 else "",
            f"sequences changed at random by {self.augment}" if self.augment != "none" else "",
            f"{self.epochs:,} epochs{chosen}" if self.epochs is not None else "",
        ]
        return "; ".join(filter(None, parts))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """What `to_json` gave; TypeError or InputError for anything else."""
        return cls(**values)


def plan_of(options: Options, kind: Kind, examples: Examples) -> Plan:
    """The plan for training sequences; InputError where what the options name cannot be done with these."""
    if kind == "tag":
        return Plan()
    numbers = examples.form == "numbers"
    if options.augment != "none" and not numbers:
        raise InputError(f"augment is {options.augment!r}, and texts cannot be changed so: expected 'none'")
    steps = sum(map(len, examples.sequences)) / len(examples)
    asked = Plan.plain(options)
    stages = max(0, round(math.log2(steps / READ))) if options.front == "auto" else 0
    whole = kind in ("class", "set") and numbers and options.bidirectional and steps >= LEAST_STEPS
    branch: Literal["none", "fcn"] = "fcn" if asked.branch == "fcn" or (options.branch == "auto" and whole) else "none"
    if branch == "none":
        return Plan(stages, branch, asked.summary, asked.members, asked.augment)
    epochs, members = _effort(options, len(examples), steps / 2**stages)
    return Plan(
        stages,
        "fcn",
        "attention" if options.summary == "auto" else asked.summary,
        options.members or members,
        asked.augment,
        None if options.ends else epochs,
    )


def epoch_work(options: Options, N: int, steps: float) -> float:
    """Multiply-adds of one network's epoch over N sequences: the branch 64 H^2 a step, the layers about the rest."""
    return N * steps * 80 * options.hidden**2


def _effort(options: Options, N: int, steps: float) -> tuple[int, int]:
    """Epochs and members of a training with a branch over N sequences of so many steps."""
    batches = math.ceil(N / options.batch_size)
    work = epoch_work(options, N, steps)
    most = min(max(math.ceil(UPDATES / batches), 5), EPOCHS)
    epochs = max(min(most, LEAST_EPOCHS), min(most, int(WORK / work)))
    wanted = options.epochs or (options.steps and options.steps / batches) or epochs
    return epochs, min(max(int(WORK / (work * wanted)), 1), MOST_MEMBERS)
