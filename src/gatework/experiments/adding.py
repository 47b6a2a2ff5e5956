"""Adding (Hochreiter & Schmidhuber 1997, experiment 4): the sum of two marked values, kept for a thousand steps."""

import torch
from torch import Tensor

from gatework.experiments.experiment import Arm, Experiment, Progress, Size, Trial
from gatework.experiments.learning import Batch, Judged, Stop, Task, trial_of

CORRECT = 0.04  # the error from which on a sequence counts as wrong


def draw(T: int, B: int, generator: torch.Generator) -> Batch:
    """B sequences of pairs (value in [-1, 1], marker), and their targets 0.5 + (X1 + X2) / 4, y [B,1]."""
    values, markers, lengths, marked = pairs(T, B, generator)
    values = 2 * values - 1
    one, two = marked_values(values, marked, neutral=0.0)
    return Batch(torch.stack([values, markers], -1), (0.5 + (one + two) / 4)[:, None], lengths)


def pairs(T: int, B: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Values from [0, 1] and markers, [1.1 T,B] each, lengths [B], and the places [2,B] of X1 and X2.

    Each length is drawn from T to 1.1 T. X1 is one of the first ten pairs, X2 one of the first T/2 - 1 that are
    still unmarked; both have the marker 1, but the first and the last pair always -1; the others have 0.
    """
    lengths = torch.randint(T, T + T // 10 + 1, (B,), generator=generator)
    first = torch.randint(10, (B,), generator=generator)
    second = torch.randint(T // 2 - 1, (B,), generator=generator)
    second = second + (second >= first)  # the place of X1 is left out
    marked, each = torch.stack([first, second]), torch.arange(B)
    values = torch.rand(T + T // 10, B, generator=generator)
    markers = torch.zeros_like(values)
    markers[marked, each] = 1.0
    markers[0] = markers[lengths - 1, each] = -1.0
    return values, markers, lengths, marked


def marked_values(values: Tensor, marked: Tensor, neutral: float) -> Tensor:
    """X1 and X2, [2,B]; the first pair, which cannot be seen to be marked, counts as `neutral`."""
    found = values.gather(0, marked)
    return torch.where(marked == 0, neutral, found)


def judge(outputs: Tensor, batch: Batch) -> Judged:
    """outputs [B,1]: the squared error is minimised, the absolute one reported."""
    error = (outputs - batch.y)[:, 0].abs()
    return Judged(error.square(), error, error >= CORRECT)


def trial(arm: Arm, seed: int, size: Size, progress: Progress) -> Trial:
    T = arm.at(size)["T"]
    task = Task(lambda B, generator: draw(T, B, generator), judge, inputs=2, outputs=1)
    return trial_of(arm, task, Stop(error=0.01), seed, size, progress)
