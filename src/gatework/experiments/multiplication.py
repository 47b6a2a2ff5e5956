"""Multiplication (Hochreiter & Schmidhuber 1997, experiment 5): adding's sequences, and the product as the target."""

import torch

from gatework.experiments.adding import judge, marked_values, pairs
from gatework.experiments.experiment import Arm, Experiment, Progress, Size, Trial
from gatework.experiments.learning import Batch, Stop, Task, trial_of

WRONG = 13  # the stop rule: fewer of the last 2000 are wrong (140 in the paper's shorter training)


def draw(T: int, B: int, generator: torch.Generator) -> Batch:
    """B sequences of pairs (value in [0, 1], marker), and their targets X1 * X2, y [B,1]."""
    values, markers, lengths, marked = pairs(T, B, generator)
    one, two = marked_values(values, marked, neutral=1.0)
    return Batch(torch.stack([values, markers], -1), (one * two)[:, None], lengths)


def trial(arm: Arm, seed: int, size: Size, progress: Progress) -> Trial:
    T = arm.at(size)["T"]
    task = Task(lambda B, generator: draw(T, B, generator), judge, inputs=2, outputs=1)
    return trial_of(arm, task, Stop(wrong=WRONG), seed, size, progress)
