"""How long to train on few sequences, chosen by cross-validation: a part held out of them would be too small."""

import math
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from gatework.labels.data.batches import Encoded
from gatework.labels.learning import learn, mean_loss
from gatework.labels.parts import Parts
from gatework.labels.plan import WORK, epoch_work
from gatework.labels.run import Job
from gatework.training.events import Notice, Report, TrainingError, no_report
from gatework.training.processes import World

FOLDS = 3
SHORTER = 3  # times fewer epochs than planned, that are tried beside these
CLEARLY = 2.0  # standard errors: by one alone UnitTest would train shorter, and is predicted worse then
DIVERGED = 1e3  # the loss of a sequence whose network diverged
MOST = 300  # sequences from which on a tenth of them is enough to choose by


def with_tried_epochs(job: Job, parts: Parts, world: World, report: Report = no_report) -> Job:
    """The job with a third of the planned epochs, where these predict folds that were not trained on clearly better.

    Clearly is by more than two standard errors of the difference. By the sequences alone, whatever the options' seed.
    Only where the plan settles the epochs, no part is set apart to choose by, and the trial takes no longer than a
    training may. Raises KeyboardInterrupt after the step in hand.
    """
    training, planned = parts.training, job.plan.epochs
    if planned is None or not _worthwhile(job, parts):
        return job
    report(Notice(f"how long to train is tried on {FOLDS} parts of the {len(training):,} training sequences"))
    shorter = math.ceil(planned / SHORTER)
    folds = _folds(training)
    few, many = (_held_out_losses(job, training, folds, epochs, world) for epochs in (shorter, planned))
    gain = many - few
    better = gain.mean() > CLEARLY * gain.std(ddof=1) / math.sqrt(len(gain))
    return replace(job, plan=replace(job.plan, epochs=shorter if better else planned, folds=FOLDS))


def _worthwhile(job: Job, parts: Parts) -> bool:
    N, plan = len(parts.training), job.plan
    if plan.epochs is None or parts.validation is not None or job.options.patience is not None:
        return False
    steps = float(parts.training.lengths.double().mean()) / 2**plan.stages
    work = epoch_work(job.options, N, steps) * plan.epochs * (1 + 1 / SHORTER) * (FOLDS - 1)
    return 2 * FOLDS <= N < MOST and work <= WORK


def _folds(training: Encoded) -> npt.NDArray[np.intp]:
    """The fold of each sequence [N]; each class is spread over all."""
    assert training.targets is not None
    shuffled = np.random.default_rng(0).permutation(len(training))
    targets = training.targets.numpy()
    order = shuffled if targets.ndim > 1 else shuffled[np.argsort(targets[shuffled], kind="stable")]
    folds = np.empty(len(order), np.intp)
    folds[order] = np.arange(len(order)) % FOLDS
    return folds


def _held_out_losses(
    job: Job, training: Encoded, folds: npt.NDArray[np.intp], epochs: int, world: World
) -> npt.NDArray[np.float64]:
    """The loss of each sequence [N] by a single network that was trained on the other folds; large if it diverged."""
    losses = np.full(len(training), DIVERGED)
    for fold in range(FOLDS):
        others = Parts(training.take(np.flatnonzero(folds != fold)), None, None)
        options = replace(job.options, random_state=fold)
        single = replace(job, options=options, plan=replace(job.plan, epochs=epochs, members=1))
        with tempfile.TemporaryDirectory(prefix="gatework-", ignore_cleanup_errors=True) as folder:
            try:
                model, result = learn(single, others, Path(folder) / "run", world=world)
            except TrainingError:
                continue
        if result.why == "interrupted":
            raise KeyboardInterrupt
        with torch.inference_mode():
            for row in np.flatnonzero(folds == fold):
                losses[row] = mean_loss(model, training.take(np.array([row])))
    return losses
