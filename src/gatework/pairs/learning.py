"""Learning of pairs: a model trained in a folder, with its best weights at the end."""

from pathlib import Path

import torch

from gatework.pairs.data.batches import PairBatches
from gatework.pairs.evaluation import Validation
from gatework.pairs.model import Network
from gatework.pairs.parts import Parts
from gatework.pairs.run import Job
from gatework.runs.weights import with_best
from gatework.training.events import Report, Result
from gatework.training.loop import train
from gatework.training.metrics import error_rate
from gatework.training.processes import World

MEASURES = {name: error_rate(f"{name.removesuffix('s')} error rate") for name in ("symbols", "words")}


def learn(
    job: Job,
    parts: Parts,
    folder: Path,
    *,
    world: World,
    report: Report,
    resume: bool = False,
    further: float | None = None,
    tensorboard: bool = False,
) -> tuple[Network, Result]:
    """Trains a model in a folder, or goes on with it; returns it with its best weights, on the CPU."""
    batches = training_batches(job, parts, world)
    with torch.random.fork_rng(range(torch.cuda.device_count())):  # the caller's generators stay as they were
        model = job.untrained()
        result = train(
            model,
            batches,
            job.options.settings(len(batches)),
            folder,
            evaluate=Validation.of(parts.validation, job, world.rank, world.size),
            measure=MEASURES[job.options.criterion],
            report=report,
            resume=resume,
            further_minutes=further,
            world=world,
            tensorboard=tensorboard,
        )
    return with_best(model, result), result


def training_batches(job: Job, parts: Parts, world: World) -> PairBatches:
    """This process's share of the pairs to learn from."""
    assert job.options.batch is not None
    return PairBatches(
        parts.training,
        job.options.batch,
        job.options.random_state,
        end=job.end,
        process=world.rank,
        processes=world.size,
    )
