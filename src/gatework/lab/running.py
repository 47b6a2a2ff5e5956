"""Running an experiment: seed by seed, each network in turn."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gatework.lab.bench.machine import Machine
from gatework.lab.experiment import Arm, Experiment, Progress, Trial
from gatework.lab.results import Results


@dataclass(frozen=True)
class Begun:
    """A trial begins, the `number`th of `total`."""

    arm: Arm
    seed: int
    number: int
    total: int


@dataclass(frozen=True)
class Ended:
    """A trial has ended, and is in the results."""

    arm: Arm
    seed: int
    trial: Trial


def run(
    experiment: Experiment, arms: Sequence[Arm], seeds: int, results: Results, machine: Machine, progress: Progress
) -> Iterator[Begun | Ended]:
    """Fills the results with the seeds 0 ... seeds - 1 of the arms; those that are there already are passed over."""
    todo = [(arm, seed) for seed in range(seeds) for arm in arms if seed not in results.trials.get(arm.label, {})]
    for number, (arm, seed) in enumerate(todo, 1):
        yield Begun(arm, seed, number, len(todo))
        began = time.process_time()
        trial = experiment.trial(arm, seed, results.size, progress)
        trial = replace(trial, seconds=time.process_time() - began)
        if experiment.drawn_seeds is not None and seed >= experiment.drawn_seeds:
            trial = replace(trial, curve=(), traces={})
        results.add(arm, seed, trial, machine)
        yield Ended(arm, seed, trial)
