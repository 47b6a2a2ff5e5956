"""SequenceClassifier, SequenceRegressor, Tagger: models of labelled sequences with the methods of scikit-learn.

scikit-learn itself is not needed: an estimator is whatever has get_params, set_params, fit, predict, score and, for
its meta-estimators, __sklearn_tags__, which only scikit-learn calls.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatework.cells import Cell
from gatework.errors import InputError, shown
from gatework.labels.answers import of_each, presence
from gatework.labels.data.batches import Encoded
from gatework.labels.data.examples import Examples, given_examples
from gatework.labels.data.targets import Amounts, Classes, Several, check_several
from gatework.labels.description import TASK
from gatework.labels.learning import learn, scores
from gatework.labels.model import Network, check_model
from gatework.labels.options import Kind, Options
from gatework.labels.parts import prepared
from gatework.labels.run import Job, Run
from gatework.labels.shortfall import shortfall
from gatework.labels.trial import with_tried_epochs
from gatework.layers.check import flag
from gatework.runs.fitting import all_of, passing_run, printing, save_run
from gatework.runs.parameters import FieldParameters, chosen, tags
from gatework.training.events import Report
from gatework.training.processes import launch

CLASSES: dict[Kind, str] = {
    "class": "SequenceClassifier",
    "set": "SequenceClassifier",
    "number": "SequenceRegressor",
    "tag": "Tagger",
}


@dataclass(kw_only=True, eq=False, repr=False)
class SequenceEstimator(FieldParameters):
    """What the three estimators share: see SequenceClassifier."""

    cell: str | Cell = Options.cell
    hidden: int = Options.hidden
    layers: int = Options.layers
    bidirectional: bool = Options.bidirectional
    embedding: int = Options.embedding
    level: str = Options.level
    vocabulary: int | None = Options.vocabulary
    dropout: float = Options.dropout
    recurrent: Mapping[str, Any] | None = None
    epochs: int | None = Options.epochs
    steps: int | None = Options.steps
    minutes: float | None = Options.minutes
    batch_size: int = Options.batch_size
    learning_rate: float = Options.learning_rate
    weight_decay: float = Options.weight_decay
    validation: float = Options.validation
    patience: int | None = Options.patience
    random_state: int | None = Options.random_state
    engine: str = Options.engine
    device: str = "auto"
    verbose: bool = False
    report: Report | None = None

    kind: ClassVar[Kind]

    # -- learning

    def fit(self, X: Any, y: Any, lengths: Any = None, sample_weight: Any = None) -> Self:
        """Learns from sequences X and labels y.

        Args:
            X: sequences: a list of arrays of any lengths, of texts, or of lists of words; or one array.
            y: a label for each sequence, for a Tagger a list (or row of an array) of them; several targets as an
                array or table, whose columns, where all are 0 or 1, say which labels a sequence has; sets of labels.
            lengths: how many steps of each row of an array count, from the first; by default all.
            sample_weight: how much each sequence counts in the loss, beside what class_weight says; by default alike.

        Shapes:
            X: a list of N arrays [T] or [T,I], or an array [N,T] or [N,T,I]; y, lengths, sample_weight: [N]; y of M
                targets: [N,M].

        Returns:
            The estimator itself.

        Raises:
            InputError: for what cannot be used, naming the row.
            KeyboardInterrupt: after the step in hand, with what was learnt so far.
        """
        flag("verbose", self.verbose)
        options = self._options()
        check_model(options, self.kind)
        if y is None:
            raise InputError("y is None; expected a label for each sequence")
        examples = given_examples(X, y, lengths=lengths, level=options.level, kind=self.kind)
        job, parts = prepared(examples, options, weights=_weights(sample_weight, len(examples)))
        world = launch(device=self.device)
        report = all_of(printing("loss {:.4f}".format) if self.verbose else None, self.report)
        with passing_run() as folder:
            job = with_tried_epochs(job, parts, world, report)
            if self.verbose:
                print(f"chosen by the data: {job.plan}")
            model, result = learn(job, parts, folder, world=world, report=report)
        self._take(job, model.to(world.device))
        if result.why == "interrupted":
            raise KeyboardInterrupt
        self._say_shortfall(parts.training)
        return self

    def _say_shortfall(self, training: Encoded) -> None:
        """Warns where the training sequences were not learnt; where an end was named, only if it is to be verbose."""
        ended = bool(self.job_.options.ends)
        if ended and not self.verbose:
            return
        if (said := shortfall(self.job_, self.model_, training)) is not None:
            if ended:
                print(said)
            else:
                warnings.warn(said, UserWarning, stacklevel=3)

    def _options(self) -> Options:
        """What was chosen, checked; a random_state of None is drawn."""
        return Options(**chosen(self, Options))

    def _take(self, job: Job, model: Network) -> None:
        """Becomes the fitted estimator of this job."""
        self.job_, self.model_, self.plan_ = job, model, job.plan
        if isinstance(job.targets, Classes) or (isinstance(job.targets, Several) and job.targets.sets):
            self.classes_: Any = job.targets.array
        elif isinstance(job.targets, Several) and job.kind == "class":
            self.classes_ = [cast(Classes, one).array for one in job.targets.each]

    # -- using

    def _examples(self, X: Any, lengths: Any, y: Any = None) -> Examples:
        if not self.__sklearn_is_fitted__():
            raise InputError(f"this {type(self).__name__} is not fitted: call fit, or load a run")
        level = self.job_.inputs.form if self.job_.inputs.form == "word" else "char"
        columns = self.job_.targets.names if isinstance(self.job_.targets, Several) else None
        examples = given_examples(X, y, lengths=lengths, level=level, kind=self.job_.kind, columns=columns)
        check_several(self.job_.targets, examples)
        return examples

    def _true(self, X: Any, y: Any, lengths: Any) -> npt.NDArray[Any]:
        """The labels of examples as `predict` gives them."""
        examples, targets = self._examples(X, lengths, y), self.job_.targets
        if not isinstance(targets, Several):
            return np.asarray(examples.labels)
        if targets.sets:
            return targets.encode(examples)
        columns = cast(tuple[str, ...], examples.columns)
        rows = cast(list[tuple[Any, ...]], examples.labels)
        return _table([[row[columns.index(name)] for row in rows] for name in targets.names])

    def _scores(self, X: Any, lengths: Any) -> Any:
        examples = self._examples(X, lengths)
        return scores(self.model_, Encoded.of(examples, self.job_.inputs, None, self.kind == "tag"))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    # -- keeping

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Writes the fitted estimator as a run folder, which `load` and `gatework predict` read.

        Args:
            folder: the folder to make.
            overwrite: replace a run that is there.

        Raises:
            InputError: before `fit`, and where the folder exists or cannot be written; then nothing has changed.
        """
        if not self.__sklearn_is_fitted__():
            raise InputError(f"this {type(self).__name__} is not fitted: there is nothing to save")
        save_run(Path(folder), TASK, self.model_, self.job_.to_json(), overwrite=overwrite)

    @classmethod
    def load(cls, folder: str | Path, *, device: str = "cpu") -> Self:
        """Reads the estimator that `save` or `gatework train labels` wrote; nothing in the folder is executed.

        Args:
            folder: the run folder.
            device: where the model computes.

        Returns:
            The fitted estimator.

        Raises:
            InputError: naming the file, for a run that is damaged or of another estimator.
        """
        run = Run.open(Path(folder))
        if (name := CLASSES[run.job.kind]) != CLASSES[cls.kind]:
            raise InputError(f"{folder} is a run of a {name}, not of a {cls.__name__}: open it by gw.{name}.load")
        estimator = cls.with_options(run.job.options)
        estimator._take(run.job, run.model(device=device))
        return estimator

    # -- what scikit-learn asks of an estimator

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn (1.6 and later) wants to know, in its own words."""
        kinds = {"class": "classifier", "number": "regressor"}
        found = tags(kinds.get(self.kind), required=True, three_d_array=True, string=True)
        found.target_tags.multi_output = self.kind != "tag"
        if self.kind == "class":
            found.classifier_tags.multi_label = True
        return found


@dataclass(kw_only=True, eq=False, repr=False)
class SequenceClassifier(SequenceEstimator):
    """Learns one label for each sequence, by recurrent layers of any cell (many-to-one).

    The class of greatest softmax(W s + b), s a summary of the output of the recurrent layers over time. Of several
    targets the same for each; a set has those labels whose presence is likelier than their absence.

    Numbers are scaled by the mean and deviation of each column of the training part. After fit: classes_, and
    plan_, what the data chose of what was "auto".

    Args:
        cell: of the recurrent layers: a name of `gw.cells`, a `gw.Cell` or equations.
        hidden: units H of each layer.
        layers: how many there are.
        bidirectional: they read from both ends.
        summary: "last" (each direction's last output), "mean", "max", "attention" (a mean whose weights are learnt), or
            several, "last+max". Steps past a sequence's length count nowhere.
        front: "auto" shortens sequences of more than about 180 steps by causal convolutions of stride 2; "none".
        branch: "fcn" for convolutions beside the recurrent layers (LSTM-FCN); "auto" for classes of sequences of
            numbers that are read from both ends and have 12 steps or more; "none".
        members: networks whose probabilities are averaged; None for 1, with a branch up to 5 as time allows.
        augment: how training sequences of numbers are changed at random, "jitter", "warp", "crop", or several,
            "jitter+warp"; "none".
        embedding: for texts: units that stand for a token.
        level: for texts: whether a token is a "char" or a "word".
        vocabulary: for texts: how many tokens are known at most, the commonest.
        dropout: of embeddings, between layers and before the output.
        recurrent: further arguments of gw.Recurrent by name, {"zoneout": {"h": 0.05}}.
        epochs, steps, minutes: the end of training; without any, as many epochs (5 to 100; with a branch to 150, as
            time allows) as make 1500 updates.
        batch_size: sequences of an update.
        learning_rate: the highest; it rises for 30 % of the updates, then falls to 0 (one cycle).
        weight_decay: of AdamW.
        validation: share of the sequences by which the best weights are chosen, where that is 10 or more; by default
            all are learnt from and the last weights count.
        patience: stop after so many of 20 validations without a better one, on the training sequences where none are
            set apart.
        class_weight: how much each label counts in the loss: None (each sequence alike), "balanced" (each label alike,
            however rare), or numbers by label.
        random_state: seed of weights, dropout, order and validation part; None draws one.
        engine: what executes the cell, as in gw.Recurrent.
        device: where it is executed.
        verbose: prints each validation.
        report: called with each event of the training, see `gatework.training.events`; `StopTraining` ends it.

    Shapes:
        Sequences [T] or [T,I] each, or [N,T] or [N,T,I] with lengths [N]; N labels, or [N,M] of M targets, or of M
        labels that are 1 or 0 (multi-label), or N sets; K classes.

    Raises:
        InputError: from `fit`, for an argument that cannot be used.

    Source:
        One cycle: Smith & Topin 2019 (arXiv:1708.07120). AdamW: Loshchilov & Hutter 2019 (arXiv:1711.05101).
        Attention as a summary: Bahdanau, Cho & Bengio 2015 (arXiv:1409.0473).
        Front: Xiao & Cho 2016 (arXiv:1602.00367). Branch: Karim et al. 2018 (arXiv:1709.05206).
        Members: Ismail Fawaz et al. 2019 (arXiv:1903.06602).
    """

    summary: str = Options.summary
    front: str = Options.front
    branch: str = Options.branch
    members: int | None = Options.members
    augment: str = Options.augment
    class_weight: str | Mapping[Any, float] | None = Options.class_weight
    kind = "class"

    def predict_proba(self, X: Any, lengths: Any = None) -> Any:
        """Predicts how likely each class is.

        Args:
            X, lengths: sequences, as in `fit`.

        Returns:
            The probability of each of classes_: [N,K]; of several targets a list of these, of sets [N,M], the
            probability that each label is there.

        Raises:
            InputError: before `fit`, and for sequences that cannot be used.
        """
        outputs, targets = self._scores(X, lengths), self.job_.targets
        if not isinstance(targets, Several):
            return _softmax(outputs)
        return presence(targets, outputs) if targets.sets else [_softmax(part) for part in of_each(targets, outputs)]

    def predict(self, X: Any, lengths: Any = None) -> npt.NDArray[Any]:
        """Predicts the likeliest label of each sequence.

        Args:
            X, lengths: sequences, as in `fit`.

        Returns:
            The labels: [N]; of several targets [N,M]; of sets [N,M], 1 where the label of classes_ is there, else 0.

        Raises:
            InputError: before `fit`, and for sequences that cannot be used.
        """
        outputs, targets = self._scores(X, lengths), self.job_.targets
        if not isinstance(targets, Several):
            labels: npt.NDArray[Any] = self.classes_[outputs.argmax(-1)]
            return labels
        best = [part.argmax(-1) for part in of_each(targets, outputs)]
        if targets.sets:
            return np.stack(best, 1)
        return _table([classes[one] for classes, one in zip(self.classes_, best, strict=True)])

    def score(self, X: Any, y: Any, lengths: Any = None) -> float:
        """Measures the accuracy.

        Args:
            X, y, lengths: sequences and labels, as in `fit`.

        Returns:
            The share of sequences whose label is predicted; of several, or a set, every one.

        Raises:
            InputError: before `fit`, and for sequences or labels that cannot be used.
        """
        right = self._true(X, y, lengths) == self.predict(X, lengths)
        return float(np.mean(right.all(1) if right.ndim > 1 else right))


@dataclass(kw_only=True, eq=False, repr=False)
class SequenceRegressor(SequenceEstimator):
    """Learns a number for each sequence, by the mean square error.

    Args:
        Those of SequenceClassifier, but class_weight.

    Shapes:
        Sequences as of SequenceClassifier; N numbers, or [N,M] of M targets.

    Raises:
        InputError: from `fit`, for an argument that cannot be used.
    """

    summary: str = Options.summary
    front: str = Options.front
    branch: str = Options.branch
    members: int | None = Options.members
    augment: str = Options.augment
    kind = "number"

    def predict(self, X: Any, lengths: Any = None) -> npt.NDArray[np.float64]:
        """Predicts the number of each sequence.

        Args:
            X, lengths: sequences, as in `fit`.

        Returns:
            The numbers: [N]; of several targets [N,M].

        Raises:
            InputError: before `fit`, and for sequences that cannot be used.
        """
        outputs, targets = self._scores(X, lengths), self.job_.targets
        if not isinstance(targets, Several):
            return cast(Amounts, targets).amounts(outputs[:, 0])
        each = cast(tuple[Amounts, ...], targets.each)
        return np.stack([one.amounts(column) for one, column in zip(each, outputs.T, strict=True)], 1)

    def score(self, X: Any, y: Any, lengths: Any = None) -> float:
        """Measures R2, the share of the variance of y that is explained: 1 - sum (y - predicted)^2 / sum (y - mean)^2.

        Args:
            X, y, lengths: sequences and labels, as in `fit`.

        Returns:
            R2; where all y are the same, 1 if they are predicted, else 0, as scikit-learn's r2_score; of several
            targets the mean.

        Raises:
            InputError: before `fit`, and for sequences or labels that cannot be used.
        """
        true = self._true(X, y, lengths).astype(np.float64)
        predicted = self.predict(X, lengths)
        each = zip(true.reshape(len(true), -1).T, predicted.reshape(len(true), -1).T, strict=True)
        return float(np.mean([_explained(*column) for column in each]))


@dataclass(kw_only=True, eq=False, repr=False)
class Tagger(SequenceEstimator):
    """Learns a label for each step of a sequence (many-to-many).

    Args:
        Those of SequenceClassifier, but summary, front, branch, members and augment.

    Shapes:
        Sequences as of SequenceClassifier; T labels for each.

    Raises:
        InputError: from `fit`, for an argument that cannot be used.
    """

    class_weight: str | Mapping[Any, float] | None = Options.class_weight
    kind = "tag"

    def predict_proba(self, X: Any, lengths: Any = None) -> list[npt.NDArray[np.float64]]:
        """Predicts how likely each class is at each step.

        Args:
            X, lengths: sequences, as in `fit`.

        Returns:
            For each sequence the probability of each of classes_: [T,K].

        Raises:
            InputError: before `fit`, and for sequences that cannot be used.
        """
        return [_softmax(one) for one in self._scores(X, lengths)]

    def predict(self, X: Any, lengths: Any = None) -> list[npt.NDArray[Any]]:
        """Predicts the likeliest label of each step.

        Args:
            X, lengths: sequences, as in `fit`.

        Returns:
            For each sequence the labels: [T].

        Raises:
            InputError: before `fit`, and for sequences that cannot be used.
        """
        return [self.classes_[one.argmax(-1)] for one in self._scores(X, lengths)]

    def score(self, X: Any, y: Any, lengths: Any = None) -> float:
        """Measures the accuracy.

        Args:
            X, y, lengths: sequences and labels, as in `fit`.

        Returns:
            The share of steps whose label is predicted.

        Raises:
            InputError: before `fit`, and for sequences or labels that cannot be used.
        """
        true = self._examples(X, lengths, y).labels
        assert true is not None
        return float(np.mean(np.concatenate(self.predict(X, lengths)) == np.concatenate(true)))


def _weights(value: Any, N: int) -> Tensor | None:
    """Weights of N sequences; InputError unless they are numbers of 0 or more, some of them above."""
    if value is None:
        return None
    try:
        weights = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        weights = np.empty(0)
    if weights.shape != (N,) or not np.isfinite(weights).all() or weights.min() < 0 or not weights.any():
        raise InputError(
            f"sample_weight is {shown(value)}; expected {N:,} numbers of 0 or more, one for each sequence, not all 0"
        )
    return torch.from_numpy(weights.astype(np.float32))


def _table(columns: Sequence[Sequence[Any]]) -> npt.NDArray[Any]:
    """M columns of N labels as [N,M]; of objects where they are of several types."""
    arrays = list(map(np.asarray, columns))
    alike = len({array.dtype.kind for array in arrays}) == 1
    return np.stack([array if alike else array.astype(object) for array in arrays], 1)


def _explained(true: npt.NDArray[np.float64], predicted: npt.NDArray[np.float64]) -> float:
    """R2 of numbers [N]."""
    left, spread = np.sum((true - predicted) ** 2), np.sum((true - true.mean()) ** 2)
    return float(1 - left / spread) if spread else float(left == 0)


def _softmax(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Probabilities from unnormalised log probabilities, over the last axis."""
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    shares: npt.NDArray[np.float64] = powers / powers.sum(-1, keepdims=True)
    return shares


ESTIMATORS: dict[Kind, type[SequenceClassifier | SequenceRegressor | Tagger]] = {
    "class": SequenceClassifier,
    "set": SequenceClassifier,
    "number": SequenceRegressor,
    "tag": Tagger,
}
