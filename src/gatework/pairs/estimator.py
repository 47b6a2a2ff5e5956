"""Transducer: a model of pairs with the methods of scikit-learn, which itself is not needed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from gatework.cells import Cell
from gatework.errors import InputError
from gatework.layers.check import flag
from gatework.pairs.answers import Candidate, check_form
from gatework.pairs.converter import Search
from gatework.pairs.data.examples import Examples, given_examples
from gatework.pairs.description import TASK
from gatework.pairs.learning import learn
from gatework.pairs.metrics import judge
from gatework.pairs.model import check_model
from gatework.pairs.options import Options
from gatework.pairs.parts import prepared
from gatework.pairs.run import Job, Run
from gatework.pairs.trained import Trained
from gatework.runs.arguments import real
from gatework.runs.fitting import all_of, passing_run, printing, save_run
from gatework.runs.parameters import FieldParameters, chosen, tags
from gatework.training.events import Report
from gatework.training.processes import launch

LEAST_VALIDATED = 10  # sources at least, to choose the best weights by


@dataclass(kw_only=True, eq=False, repr=False)
class Transducer(FieldParameters):
    """Learns to turn a source into a target of another length (sequence to sequence).

    By an encoder and a decoder with attention, `gw.EncoderDecoder`, or by recurrent layers whose steps CTC aligns with
    the target. After fit: options_, with the sizes that the pairs and the time chose.

    Args:
        align: "attention"; "ctc" for targets in the order of their sources and no longer, and for frames of numbers.
        source_level: what a symbol of a source is: "char", "byte", "word", "symbol" (what stands between spaces).
        target_level: the same of a target.
        cell: of the recurrent layers: a name of `gw.cells`, a `gw.Cell` or equations.
        hidden: units H of each layer; None for what the pairs and the time choose, as of layers, batch and
            learning_rate.
        layers: of encoder and decoder.
        bidirectional: the encoder reads from both ends.
        embedding: units that stand for a symbol; None for half of hidden.
        attention: "general", "dot", "additive"; "none" for the decoder's first state alone.
        heads, window, coverage, input_feeding, tied, label_smoothing, scheduled_sampling: as in `gw.EncoderDecoder`.
        dropout: of embeddings, between layers and before the output.
        recurrent: further arguments of gw.Recurrent by name, {"zoneout": {"h": 0.05}}.
        epochs, steps, minutes: the end of training; without any, passes that make about 2,000 updates.
        batch: symbols of an update, about.
        learning_rate: the highest; it falls to 0.
        weight_decay: of AdamW.
        validation: share of the sources by which the best weights are chosen, where that is 10 or more.
        criterion: what these have least of: wrong target "symbols", or wrong targets, "words".
        patience: stop after so many validations without a better one.
        beams: hypotheses that the search follows.
        length_normalisation: the power of the length by which their log probability is divided.
        random_state: seed of weights, dropout, order and validation part; None draws one.
        engine: what executes the cell, as in gw.Recurrent.
        device: where it is executed.
        verbose: prints each validation.
        report: called with each event of the training, see `gatework.training.events`; `StopTraining` ends it.

    Shapes:
        N sources: texts, lists of symbols, or with CTC arrays of numbers [S] or [S,I]. N targets: texts, or lists of
        those that are accepted.

    Raises:
        InputError: from `fit`, for an argument that cannot be used.

    Source:
        Bahdanau et al. 2015, Luong et al. 2015; CTC: Graves et al. 2006.
    """

    align: str = Options.align
    source_level: str = Options.source_level
    target_level: str = Options.target_level
    cell: str | Cell = Options.cell
    hidden: int | None = Options.hidden
    layers: int | None = Options.layers
    bidirectional: bool = Options.bidirectional
    embedding: int | None = Options.embedding
    attention: str = Options.attention
    heads: int = Options.heads
    window: int | None = Options.window
    coverage: bool = Options.coverage
    input_feeding: bool = Options.input_feeding
    tied: bool = Options.tied
    dropout: float = Options.dropout
    label_smoothing: float = Options.label_smoothing
    scheduled_sampling: float = Options.scheduled_sampling
    recurrent: Mapping[str, Any] | None = None
    epochs: int | None = Options.epochs
    steps: int | None = Options.steps
    minutes: float | None = Options.minutes
    batch: int | None = Options.batch
    learning_rate: float | None = Options.learning_rate
    weight_decay: float = Options.weight_decay
    validation: float = 0.1
    criterion: str = Options.criterion
    patience: int | None = Options.patience
    beams: int = Options.beams
    length_normalisation: float = Options.length_normalisation
    random_state: int | None = Options.random_state
    engine: str = Options.engine
    device: str = "auto"
    verbose: bool = False
    report: Report | None = None

    # -- learning

    def fit(self, X: Any, y: Any) -> Self:
        """Learns from sources X and targets y; a source in several rows has all of their targets.

        Args:
            X: N sources.
            y: N targets.

        Returns:
            The estimator itself.

        Raises:
            InputError: for what cannot be used, naming the row.
            KeyboardInterrupt: after the step in hand, with what was learnt so far.
        """
        flag("verbose", self.verbose)
        options = Options(**chosen(self, Options))
        world = launch(device=self.device)
        check_model(options, world.device)
        if y is None:
            raise InputError("y is None; expected a target for each source")
        examples = given_examples(X, y, options.levels)
        described, parts, why = prepared(examples, options, self._shares(len(examples)))
        report = all_of(printing("{:.2%} wrong".format) if self.verbose else None, self.report)
        if self.verbose and why:
            print(why)
        job = Job(**vars(described))
        with passing_run() as folder:
            model, result = learn(job, parts, folder, world=world, report=report)
        self._take(Trained(job, model.to(world.device)))
        if result.why == "interrupted":
            raise KeyboardInterrupt
        return self

    def _shares(self, sources: int) -> tuple[float, float, float]:
        """The shares of the sources to learn from, to choose by, held out."""
        validation = real(self.validation)
        if validation is None or not 0 <= validation < 1:
            raise InputError(f"validation is {self.validation!r}; expected a share of the sources, 0 to below 1")
        kept = validation if sources * validation >= LEAST_VALIDATED else 0.0
        return 1 - kept, kept, 0.0

    def _take(self, trained: Trained) -> None:
        """Becomes the fitted estimator of a model."""
        self.trained_, self.options_ = trained, trained.job.options

    # -- using

    def predict(self, X: Any) -> npt.NDArray[np.object_]:
        """Predicts the best target of each source.

        Args:
            X: N sources.

        Returns:
            N texts; symbols of the level "symbol" have spaces between them.

        Raises:
            InputError: before `fit`, and for sources that cannot be used.
        """
        predicted = np.empty(len(X), object)
        predicted[:] = [found[0].text for found in self.candidates(X, best=1)]
        return predicted

    def candidates(self, X: Any, best: int = 5) -> list[list[Candidate]]:
        """Predicts the best targets of each source, with their scores and attention, the best first.

        Args:
            X: N sources.
            best: so many of each, where the search finds as many.

        Returns:
            For each source candidates, which have text, symbols, score, log_probability and attention [T,S].

        Raises:
            InputError: before `fit`, and for sources that cannot be used.
        """
        trained = self._fitted()
        search = Search.of(trained.job)
        search = replace(search, best=best, beams=max(best, search.beams))
        return trained.convert(self._examples(X), search)

    def score(self, X: Any, y: Any) -> float:
        """Measures exact match.

        Args:
            X, y: sources and targets, as in `fit`.

        Returns:
            The share of the sources whose predicted target is one of those that are accepted.

        Raises:
            InputError: before `fit`, and for sources or targets that cannot be used.
        """
        examples = self._examples(X, y)
        assert examples.targets is not None
        predicted = [found[0].symbols for found in self._fitted().convert(examples)]
        return float(judge(predicted, examples.targets).exact.mean())

    def _examples(self, X: Any, y: Any = None) -> Examples:
        job = self._fitted().job
        examples = given_examples(X, y, job.levels)
        check_form(examples, job)
        return examples

    def _fitted(self) -> Trained:
        if not self.__sklearn_is_fitted__():
            raise InputError("this Transducer is not fitted: call fit, or load a run")
        return self.trained_

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "trained_")

    # -- keeping

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Writes the fitted estimator as a run folder, which `load` and `gatework convert` read.

        Args:
            folder: the folder to make.
            overwrite: replace a run that is there.

        Raises:
            InputError: before `fit`, and where the folder exists or cannot be written; then nothing has changed.
        """
        trained = self._fitted()
        save_run(Path(folder), TASK, trained.model, trained.job.to_json(), overwrite=overwrite)

    @classmethod
    def load(cls, folder: str | Path, *, device: str = "cpu") -> Self:
        """Reads the estimator that `save` or `gatework train pairs` wrote; nothing in the folder is executed.

        Args:
            folder: the run folder.
            device: where the model computes.

        Returns:
            The fitted estimator.

        Raises:
            InputError: naming the file, for a run that is damaged or of another task.
        """
        run = Run.open(Path(folder))
        estimator = cls.with_options(run.job.options)
        estimator._take(Trained(run.job, run.model(device=device)))
        return estimator

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn (1.6 and later) wants to know, in its own words."""
        return tags(None, required=True, three_d_array=True, string=True)
