"""Learning of labels, and what a model says of sequences: its loss, scores, reports, predictions."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from gatework.errors import InputError
from gatework.labels.data.augment import Augmented
from gatework.labels.data.batches import Encoded, LabelBatches, in_order_of_length
from gatework.labels.data.targets import Amounts, Classes, Several, Targets
from gatework.labels.model import Network, SequenceModel
from gatework.labels.parts import Parts, class_weights
from gatework.labels.report import Calibration, ClassReport, NumberReport, calibration, class_report, number_report
from gatework.labels.run import Job
from gatework.labels.several import SetReport, SeveralReport, set_report
from gatework.runs.overflow import check_answer
from gatework.runs.parts import IGNORED
from gatework.training.checkpoint import load_weights
from gatework.training.events import Report, Result, no_report
from gatework.training.loop import train
from gatework.training.processes import World

AT_ONCE = 256  # sequences of a batch where nothing is learnt

Scores = npt.NDArray[np.float64] | list[npt.NDArray[np.float64]]  # [N,K], for tags a list of [T,K]
Judgement = ClassReport | NumberReport | SeveralReport | SetReport


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
    model = model.cpu().eval()
    if result.best_path is not None:
        load_weights(result.best_path, model)
    return model, result


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
    for rows in in_order_of_length(encoded, AT_ONCE):
        inputs, targets = encoded.padded(rows)
        loss, _ = model(tuple(each.to(device) for each in inputs), targets.to(device))
        size = int((targets != IGNORED).sum()) if encoded.tagged else len(rows)
        total, count = total + float(loss) * size, count + size
    return total / count


def scores(model: Network, encoded: Encoded, progress: Callable[[int, int], None] | None = None) -> Scores:
    """The scores of all sequences: [N,K], for tags a list of [T,K] each. progress: called with done and in all."""
    device, result = next(model.parameters()).device, [np.empty(0)] * len(encoded)
    done = 0
    with torch.inference_mode():
        for rows in in_order_of_length(encoded, AT_ONCE):
            (x, lengths, *_), _ = encoded.padded(rows)
            batch = model.scores((x.to(device), lengths.to(device))).double().cpu()  # [B,K] or [T,B,K]
            check_answer(batch, model)
            for column, row in enumerate(rows.tolist()):
                one = batch[: int(lengths[column]), column] if encoded.tagged else batch[column]
                result[row] = one.numpy()
            done += len(rows)
            if progress is not None:
                progress(done, len(encoded))
    return result if encoded.tagged else np.stack(result)


def judged(job: Job, model: nn.Module, encoded: Encoded) -> Judgement:
    """What a model makes of labelled sequences."""
    return report_of(job, encoded, scores(cast(Network, model), encoded))


def report_of(job: Job, encoded: Encoded, outputs: Scores) -> Judgement:
    """The scores of labelled sequences beside their labels."""
    assert encoded.targets is not None
    targets, true = job.targets, encoded.targets.numpy()
    if not isinstance(targets, Several):
        return _report(targets, true, outputs, encoded.lengths.numpy() if encoded.tagged else None)
    parts = of_each(targets, outputs)
    if targets.sets:
        there = np.stack([part.argmax(-1) for part in parts], 1)
        return set_report(targets.names, true.astype(bool), there.astype(bool))
    each = zip(targets.names, targets.each, true.T, parts, strict=True)
    reports = {str(name): _report(target, column, part) for name, target, column, part in each}
    if job.kind == "number":
        return SeveralReport(reports, None)
    right = np.stack([part.argmax(-1) for part in parts], 1) == true  # [N,M]
    return SeveralReport(reports, float(right.all(1).mean()))


def _report(
    targets: Classes | Amounts,
    true: npt.NDArray[Any],
    outputs: Scores,
    lengths: npt.NDArray[np.int64] | None = None,
) -> ClassReport | NumberReport:
    if isinstance(targets, Amounts):
        assert not isinstance(outputs, list)
        return number_report(targets.amounts(true.astype(np.float64)), targets.amounts(outputs[:, 0]))
    predicted = np.concatenate([one.argmax(-1) for one in outputs]) if isinstance(outputs, list) else outputs.argmax(-1)
    return class_report(targets.values, true, predicted, lengths)


def of_each(targets: Several, outputs: Any) -> list[npt.NDArray[np.float64]]:
    """The scores of each target, [N,K] of its classes or [N,1]."""
    return np.split(outputs, np.cumsum(targets.sizes)[:-1], -1)


def calibrations(job: Job, encoded: Encoded, outputs: Scores) -> dict[str, Calibration]:
    """Whether the probabilities of labelled sequences, or of tags, are what they say: of each target by its name."""
    assert encoded.targets is not None
    true = encoded.targets.numpy()
    if not isinstance(job.targets, Several):
        return {"": _calibration(np.concatenate(outputs) if isinstance(outputs, list) else outputs, true)}
    parts = of_each(job.targets, outputs)
    if job.targets.sets:
        return {"": _calibration(np.concatenate(parts), true.T.flatten())}
    each = zip(job.targets.names, parts, true.T, strict=True)
    return {str(name): _calibration(part, column) for name, part, column in each}


def _calibration(logits: npt.NDArray[np.float64], true: npt.NDArray[np.int64]) -> Calibration:
    return calibration(logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True), true)


def predictions(
    job: Job, model: nn.Module, encoded: Encoded, progress: Callable[[int, int], None] | None = None
) -> Iterator[dict[str, Any]]:
    """Yields what is predicted for each sequence as JSON values: its label, or tags; of a class its probability.

    Of several targets both are objects by their names; of sets the label is a list, and the probability that of each.
    """
    targets = job.targets
    for one in scores(cast(Network, model), encoded, progress):
        if isinstance(targets, Several):
            yield _set_answer(targets, one) if targets.sets else _several_answers(targets, one)
        elif encoded.tagged:
            assert isinstance(targets, Classes)
            yield {"label": [targets.values[number] for number in one.argmax(-1)]}
        else:
            yield _answer(targets, one)


def _answer(targets: Targets, scores: npt.NDArray[np.float64]) -> dict[str, Any]:
    """The label that scores [K] stand for and, of classes, its probability."""
    if isinstance(targets, Amounts):
        return {"label": float(targets.amounts(scores)[0])}
    assert isinstance(targets, Classes)
    chances = np.exp(scores - np.logaddexp.reduce(scores))
    return {"label": targets.values[int(scores.argmax())], "probability": round(float(chances.max()), 6)}


def _several_answers(targets: Several, scores: npt.NDArray[np.float64]) -> dict[str, Any]:
    parts = zip(targets.names, targets.each, of_each(targets, scores), strict=True)
    answers = {str(name): _answer(target, part) for name, target, part in parts}
    fields = next(iter(answers.values()))
    return {each: {name: answer[each] for name, answer in answers.items()} for each in fields}


def _set_answer(targets: Several, scores: npt.NDArray[np.float64]) -> dict[str, Any]:
    chances = presence(targets, scores)
    return {
        "label": [name for name, chance in zip(targets.names, chances, strict=True) if chance > 0.5],
        "probability": {str(name): round(float(p), 6) for name, p in zip(targets.names, chances, strict=True)},
    }


def presence(targets: Several, outputs: Any) -> npt.NDArray[np.float64]:
    """How likely each label of a set is there: [...,M] of scores [...,2M]."""
    pairs = [part[..., 1] - part[..., 0] for part in of_each(targets, outputs)]
    return 0.5 * (1 + np.tanh(0.5 * np.stack(pairs, -1)))
