"""The scores of sequences, and what is said of them: reports beside their labels, predictions. It needs no torch."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from gatework.labels.data.sequences import Sequences
from gatework.labels.data.targets import Amounts, Classes, Several, Targets
from gatework.labels.description import Described
from gatework.labels.report import Calibration, ClassReport, NumberReport, calibration, class_report, number_report
from gatework.labels.several import SetReport, SeveralReport, set_report

AT_ONCE = 256  # sequences of a batch
Scores = npt.NDArray[np.float64] | list[npt.NDArray[np.float64]]  # [N,K], for tags a list of [T,K]
Judgement = ClassReport | NumberReport | SeveralReport | SetReport


class Labelled(Protocol):
    """Sequences with labels: see gatework.labels.data.sequences.Sequences."""

    @property
    def targets(self) -> Any: ...

    @property
    def lengths(self) -> Any: ...

    @property
    def tagged(self) -> bool: ...


class Run(Protocol):
    """What scores a batch: x [T,B,I] or tokens [T,B], 0 past their lengths [B] -> [B,K], for tags [T,B,K]."""

    def __call__(self, x: npt.NDArray[Any], lengths: npt.NDArray[np.int64]) -> npt.NDArray[Any]: ...


def scored(sequences: Sequences, run: Run, progress: Callable[[int, int], None] | None = None) -> Scores:
    """The scores of all sequences: [N,K], for tags a list of [T,K] each. progress: called with done and in all."""
    result: list[Any] = [None] * len(sequences)
    done = 0
    for rows in sequences.in_order_of_length(AT_ONCE):
        x, lengths = sequences.padded(rows)
        batch = run(x, lengths).astype(np.float64)
        for column, row in enumerate(rows.tolist()):
            result[row] = batch[: lengths[column], column] if sequences.tagged else batch[column]
        done += len(rows)
        if progress is not None:
            progress(done, len(sequences))
    return result if sequences.tagged else np.stack(result)


def report_of(job: Described, encoded: Labelled, outputs: Scores) -> Judgement:
    """The scores of labelled sequences beside their labels."""
    assert encoded.targets is not None
    targets, true = job.targets, np.asarray(encoded.targets)
    if not isinstance(targets, Several):
        return _report(targets, true, outputs, np.asarray(encoded.lengths) if encoded.tagged else None)
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


def calibrations(job: Described, encoded: Labelled, outputs: Scores) -> dict[str, Calibration]:
    """Whether the probabilities of labelled sequences, or of tags, are what they say: of each target by its name."""
    assert encoded.targets is not None
    true = np.asarray(encoded.targets)
    if not isinstance(job.targets, Several):
        return {"": _calibration(np.concatenate(outputs) if isinstance(outputs, list) else outputs, true)}
    parts = of_each(job.targets, outputs)
    if job.targets.sets:
        return {"": _calibration(np.concatenate(parts), true.T.flatten())}
    each = zip(job.targets.names, parts, true.T, strict=True)
    return {str(name): _calibration(part, column) for name, part, column in each}


def _calibration(logits: npt.NDArray[np.float64], true: npt.NDArray[np.int64]) -> Calibration:
    return calibration(logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True), true)


def answers(job: Described, outputs: Scores, tagged: bool) -> Iterator[dict[str, Any]]:
    """Yields what is predicted for each sequence as JSON values: its label, or tags; of a class its probability.

    Of several targets both are objects by their names; of sets the label is a list, and the probability that of each.
    """
    targets = job.targets
    for one in outputs:
        if isinstance(targets, Several):
            yield _set_answer(targets, one) if targets.sets else _several_answers(targets, one)
        elif tagged:
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
    by_name = {str(name): _answer(target, part) for name, target, part in parts}
    fields = next(iter(by_name.values()))
    return {each: {name: answer[each] for name, answer in by_name.items()} for each in fields}


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
