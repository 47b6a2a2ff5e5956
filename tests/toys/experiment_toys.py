"""A small experiment: which of two numbers a constant sequence holds."""

import torch
from torch import Tensor

from gatework.lab import Experiment, Progress, Size, Trial, Variant
from gatework.lab.learning import Batch, Judged, Stop, Task, trial_of

OPTIONS = {"hidden": 4, "batch": 20, "learning_rate": 0.1, "sequences": 600, "test": 32}


def draw(B: int, generator: torch.Generator) -> Batch:
    """x [3,B,1] of 1 or -1, and the same as target [B,1]."""
    sign = 2.0 * torch.randint(2, (B,), generator=generator) - 1
    return Batch(sign.expand(3, B)[..., None], sign[:, None])


def judge(outputs: Tensor, batch: Batch) -> Judged:
    error = (outputs - batch.y)[:, 0].abs()
    return Judged(error.square(), error, error >= 0.2)


TASK = Task(draw, judge, inputs=1, outputs=1)
STOP = Stop(error=0.1, window=40)


def trial(variant: Variant, seed: int, size: Size, progress: Progress) -> Trial:
    return trial_of(variant, TASK, STOP, seed, size, progress)


def toy(name: str = "signs", **changes: object) -> Experiment:
    """The experiment with another name, and what else is to differ."""
    values = {
        "title": "Telling signs apart",
        "task": "A constant sequence.",
        "criterion": "no error of 0.2 or more in the last 40",
        "source": "Nobody 1900, figures made up",
        "batched": "nothing",
        "variants": (
            Variant("lstm (today)", "lstm", OPTIONS, form="long"),
            Variant("rnn", "rnn", OPTIONS | {"sequences": 16}, "fails", "long"),
            Variant("lstm (today)", "lstm", OPTIONS, "7 sequences", "short", quick=False),
        ),
        "seeds": 2,
        "trial": trial,
    }
    return Experiment(name=name, **{**values, **changes})  # type: ignore[arg-type]
