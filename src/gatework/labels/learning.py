"""Learning of labels, and what a model says of sequences: its loss, scores, reports, predictions."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from gatework.errors import InputError
from gatework.labels.answers import AT_ONCE, Judgement, Scores, answers, report_of, scored
from gatework.labels.data.augment import Augmented
from gatework.labels.data.batches import Encoded, LabelBatches
from gatework.labels.data.sequences import Sequences
from gatework.labels.model import Network, SequenceModel
from gatework.labels.parts import Parts, class_weights
from gatework.labels.run import Job
from gatework.runs.overflow import check_answer
from gatework.runs.parts import IGNORED
from gatework.runs.weights import with_best
from gatework.training.events import Report, Result, no_report
from gatework.training.loop import train
from gatework.training.processes import World


@contextmanager
def _own_randomness() -> Iterator[None]:
    """Leaves torch's generators as they were."""
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        yield


def learn(
    job: Job,
    parts: Parts,
    folder: Path,
    *,
    world: World,
    report: Report = no_report,
    resume: bool = False,
    further: float | None = None,
    tensorboard: bool = False,
) -> tuple[Network, Result]:
    """Trains a model in a folder, or goes on with it; returns it with its best weights, on the CPU."""
    if world.size > 1:
        raise InputError(f"{world.size} processes: models of labels are trained by one")
    batches = _batches(job, parts.training)
    judging = parts.training if parts.validation is None and job.options.patience is not None else parts.validation
    with _own_randomness():
        model = job.untrained()
        weights = class_weights(job, parts.training)
        for module in model.modules():
            if isinstance(module, SequenceModel):
                module.class_weights = weights
        result = train(
            model,
            batches,
            job.options.settings(len(batches), job.plan.epochs),
            folder,
            evaluate=None if judging is None else lambda model: mean_loss(cast(Network, model), judging),
            report=report,
            resume=resume,
            further_minutes=further,
            world=world,
            tensorboard=tensorboard,
        )
    return with_best(model, result), result


def _batches(job: Job, training: Encoded) -> LabelBatches | Augmented:
    """The batches to learn from: of like sizes where their statistics enter, and changed at random, as planned."""
    size = job.options.batch_size
    if job.plan.normed:
        size = math.ceil(len(training) / math.ceil(len(training) / size))
    batches = LabelBatches(training, size, job.options.random_state)
    if job.plan.augment == "none":
        return batches
    return Augmented(batches, job.plan.augment.split("+"), job.options.random_state)


def mean_loss(model: Network, encoded: Encoded) -> float:
    """The mean loss over all targets."""
    device, total, count = next(model.parameters()).device, 0.0, 0
    for rows in encoded.sequences().in_order_of_length(AT_ONCE):
        inputs, targets = encoded.padded(torch.from_numpy(rows))
        loss, _ = model(tuple(each.to(device) for each in inputs), targets.to(device))
        size = int((targets != IGNORED).sum()) if encoded.tagged else len(rows)
        total, count = total + float(loss) * size, count + size
    return total / count


def scores(model: Network, encoded: Encoded, progress: Callable[[int, int], None] | None = None) -> Scores:
    """The scores of all sequences: see `gatework.labels.answers.scored`."""
    device = next(model.parameters()).device

    def run(x: npt.NDArray[Any], lengths: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        with torch.inference_mode():
            batch = model.scores((torch.from_numpy(x).to(device), torch.from_numpy(lengths).to(device)))
        check_answer(batch, model)
        made: npt.NDArray[Any] = batch.double().cpu().numpy()
        return made

    return scored(encoded.sequences(), run, progress)


def judged(job: Job, model: nn.Module, encoded: Encoded) -> Judgement:
    """What a model makes of labelled sequences."""
    return report_of(job, encoded, scores(cast(Network, model), encoded))


def predictions(
    job: Job, model: nn.Module, encoded: Encoded, progress: Callable[[int, int], None] | None = None
) -> Iterator[dict[str, Any]]:
    """Yields what a model predicts for each sequence: see `gatework.labels.answers.answers`."""
    return answers(job, scores(cast(Network, model), encoded, progress), encoded.tagged)


@dataclass(frozen=True)
class Trained:
    """A run's model as what scores sequences."""

    job: Job
    model: Network

    def scores(self, sequences: Sequences, progress: Callable[[int, int], None] | None = None) -> Scores:
        """As `scores`."""
        return scores(self.model, Encoded.of_sequences(sequences), progress)
