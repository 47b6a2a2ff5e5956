"""Running an experiment: seed by seed, each network in turn."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gatework.lab.bench.machine import Machine
from gatework.lab.experiment import Experiment, Progress, Trial, Variant
from gatework.lab.results import Results


@dataclass(frozen=True)
class Begun:
    """A trial begins, the `number`th of `total`."""

    variant: Variant
    seed: int
    number: int
    total: int


@dataclass(frozen=True)
class Ended:
    """A trial has ended, and is in the results."""

    variant: Variant
    seed: int
    trial: Trial


def run(
    experiment: Experiment,
    variants: Sequence[Variant],
    seeds: int,
    results: Results,
    machine: Machine,
    progress: Progress,
) -> Iterator[Begun | Ended]:
    """Fills the results with seeds 0 ... seeds - 1 of the variants; those that are there already are passed over."""
    todo = [
        (variant, seed)
        for seed in range(seeds)
        for variant in variants
        if seed not in results.trials.get(variant.label, {})
    ]
    for number, (variant, seed) in enumerate(todo, 1):
        yield Begun(variant, seed, number, len(todo))
        began = time.process_time()
        trial = experiment.trial(variant, seed, results.size, progress)
        trial = replace(trial, seconds=time.process_time() - began)
        if experiment.drawn_seeds is not None and seed >= experiment.drawn_seeds:
            trial = replace(trial, curve=(), traces={})
        results.add(variant, seed, trial, machine)
        yield Ended(variant, seed, trial)
