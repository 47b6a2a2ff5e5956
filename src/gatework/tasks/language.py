"""Language models: from a text to a trained network that writes it."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gatework.cells import Cell
from gatework.data import SPLITS, Corpus, Counts, LanguageBatches, Level, ScoringBatches, Vocabulary, prepare, share
from gatework.errors import InputError
from gatework.layers import Recurrent
from gatework.tasks.run import (
    RESULTS,
    cell_from_json,
    cell_to_json,
    describe,
    description,
    first_process,
    new_run,
    world_size,
)
from gatework.tasks.scoring import SCORING_STEPS, Score, mean_loss, score
from gatework.training import BEST, LAST, Event, Report, Result, Settings, launch, load_weights, train, write_json

TASK = "language"
TOKENS = "tokens.bin"


def silent(event: Event) -> None:
    """Reports to nobody."""


@dataclass(frozen=True)
class Shape:
    """The sizes and options of a language model; every field is a JSON value.

    hidden, layers, projection: H, L and R of the recurrent layers. embedding: units that stand for a token;
    None for one-hot input of V units. tied: the output weights are the embedding's. The rest is as in gw.Recurrent.
    """

    hidden: int = 256
    layers: int = 1
    projection: int = 0
    embedding: int | None = 128
    tied: bool = False
    dropout: float = 0.0
    variational: bool = False
    recurrent_dropout: dict[str, float] = field(default_factory=dict)
    zoneout: dict[str, float] = field(default_factory=dict)
    residual: bool = False
    initial: str = "zero"
    init: str | None = None
    engine: str = "auto"


@dataclass(frozen=True)
class Batching:
    """Streams N read side by side, and steps M of each between two updates (truncated backpropagation).

    validate_on: at most so many tokens of the validation part are used while training.
    """

    streams: int = 32
    steps: int = 64
    validate_on: int = 100_000


@dataclass(frozen=True)
class Text:
    """What to read and how: see `gatework.data.prepare`."""

    paths: tuple[str, ...]
    level: Level = "char"
    suffixes: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    size: int | None = None
    splits: tuple[float, float, float] = SPLITS


class LanguageModel(nn.Module):
    """Predicts the next token from all before it: embedding, recurrent layers, and a softmax over V tokens.

    forward(inputs [T,B], targets [T,B], state) -> (mean loss in nats, state); targets of -100 are left out.
    """

    def __init__(self, cell: str | Cell, vocabulary_size: int, shape: Shape = Shape()) -> None:
        super().__init__()
        width = vocabulary_size if shape.embedding is None else shape.embedding
        if width < 1:
            raise InputError(f"embedding is {width}; expected at least 1 unit")
        self.vocabulary_size = vocabulary_size
        self.embedding = None if shape.embedding is None else nn.Embedding(vocabulary_size, width)
        options = asdict(shape)
        for name in ("hidden", "layers", "embedding", "tied"):
            options.pop(name)
        proj_size = options.pop("projection")
        self.recurrent = Recurrent(cell, width, shape.hidden, shape.layers, proj_size=proj_size, **options)
        self.dropout = nn.Dropout(shape.dropout)
        self.output = nn.Linear(self.recurrent.output_size, vocabulary_size)
        if shape.tied:
            self._tie(width)

    def _tie(self, width: int) -> None:
        if self.embedding is None or width != self.output.in_features:
            given = "one-hot input" if self.embedding is None else f"an embedding of {width}"
            raise InputError(
                f"tied output weights need an embedding of {self.output.in_features} units, as wide as the "
                f"recurrent output; given is {given}"
            )
        nn.init.normal_(self.embedding.weight, std=width**-0.5)  # as an output matrix it must start small
        self.output.weight = self.embedding.weight

    def logits(self, inputs: Tensor, state: Any = None, lengths: Tensor | None = None) -> tuple[Tensor, Any]:
        """Unnormalised log probabilities [T,B,V] of the token after each of inputs [T,B], and the new state."""
        if self.embedding is None:
            x = F.one_hot(inputs, self.vocabulary_size).to(self.output.weight.dtype)
        else:
            x = self.embedding(inputs)
        output, state = self.recurrent(x, state, lengths=lengths)
        return self.output(self.dropout(output)), state

    def forward(self, inputs: Tensor, targets: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        logits, state = self.logits(inputs, state)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten()), state


@dataclass(frozen=True)
class Outcome:
    """How a training ended, and what its best weights score on the test part (None if it was stopped)."""

    result: Result
    test: Score | None


@dataclass(frozen=True)
class Run:
    """A language run on disk, opened: what it was told, its text and a model of its shape."""

    path: Path
    cell: Cell
    shape: Shape
    batching: Batching
    settings: Settings
    vocabulary: Vocabulary
    text: dict[str, Any]

    @classmethod
    def open(cls, path: Path) -> "Run":
        """Reads run.json; raises InputError, naming the file, where it is damaged."""
        values = description(path, TASK)
        try:
            return cls(
                path,
                cell_from_json(values["cell"]),
                Shape(**values["shape"]),
                Batching(**values["batching"]),
                Settings.from_dict(values["settings"]),
                Vocabulary.from_json(values["vocabulary"], str(path / "run.json")),
                dict(values["text"]),
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path / 'run.json'} is damaged: {type(error).__name__}: {error}") from error

    def corpus(self) -> Corpus:
        """The prepared text."""
        counts = Counts.from_json(self.text["counts"], f"the counts in {self.path / 'run.json'}")
        return Corpus.open(self.path / TOKENS, self.vocabulary, self.text["splits"], counts)

    def untrained(self) -> LanguageModel:
        """A model of the run's shape with fresh weights."""
        torch.manual_seed(self.settings.seed)
        return LanguageModel(self.cell, len(self.vocabulary), self.shape)

    def model(self, *, device: str = "cpu") -> LanguageModel:
        """The trained model, in evaluation mode: the best weights, or the last where none were evaluated."""
        model = self.untrained()
        best = self.path / BEST
        load_weights(best if best.exists() else self.path / LAST, model)
        return model.to(device).eval()


def train_text(
    text: Text,
    out: Path,
    cell: Cell,
    settings: Settings,
    *,
    shape: Shape = Shape(),
    batching: Batching = Batching(),
    overwrite: bool = False,
    device: str = "auto",
    report: Report = silent,
    told: Callable[[Corpus, LanguageBatches, LanguageModel], None] | None = None,
    reading: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Prepares the text, trains a model on it in the new folder `out`, and scores the best on held-out text.

    told: called once with what will be trained on what; reading: with bytes read and bytes in all.
    Nothing is left in `out` if the text or an option cannot be used. Raises InputError, EquationError.
    """
    if first_process():
        with new_run(out, overwrite=overwrite) as folder:
            corpus = prepare(
                text.paths,
                folder / TOKENS,
                level=text.level,
                suffixes=text.suffixes,
                exclude=text.exclude,
                size=text.size,
                splits=text.splits,
                progress=reading,
            )
            batches = training_batches(corpus, batching, 0, world_size())
            model = LanguageModel(cell, len(corpus.vocabulary), shape)
            describe(
                folder,
                TASK,
                cell=cell_to_json(cell),
                shape=asdict(shape),
                batching=asdict(batching),
                settings=settings.to_dict(),
                text={**asdict(text), "counts": corpus.counts.to_json()},
                vocabulary=corpus.vocabulary.to_json(),
            )
            if told is not None:
                told(corpus, batches, model)
            del corpus, batches  # they map a file that is about to move
    return _go(out, settings, device, report, resume=False)


def resume_text(
    out: Path,
    changes: Mapping[str, Any],
    *,
    device: str = "auto",
    report: Report = silent,
) -> Outcome:
    """Goes on with a run to the same losses as if it had never been stopped.

    changes: settings to change, such as {"steps": 5000} for a longer run; "minutes" are minutes from now.
    """
    changes = dict(changes)
    further = changes.pop("minutes", None)
    settings = replace(Run.open(out).settings, **changes)
    return _go(out, settings, device, report, resume=True, further=further)


def _go(
    out: Path, settings: Settings, device: str, report: Report, *, resume: bool, further: float | None = None
) -> Outcome:
    """Trains the run in this process's share, evaluates, and scores the test part in the first process."""
    fabric = launch(settings.precision, device)
    run = Run.open(out)
    corpus = run.corpus()
    batches = training_batches(corpus, run.batching, fabric.global_rank, fabric.world_size)
    result = train(
        run.untrained(),
        batches,
        settings,
        out,
        evaluate=evaluation(corpus, run.batching, fabric.global_rank, fabric.world_size),
        report=report,
        resume=resume,
        further_minutes=further,
        fabric=fabric,
    )
    if result.why == "interrupted" or not fabric.is_global_zero:
        return Outcome(result, None)
    test = held_out(run, corpus, str(fabric.device))
    if test is not None:
        write_json(out / RESULTS, {"why": result.why, "step": result.step, "test": test.to_json()})
    return Outcome(result, test)


def training_batches(corpus: Corpus, batching: Batching, rank: int, world: int) -> LanguageBatches:
    """One process's share of the streams of the training part."""
    first, count = share(batching.streams, rank, world)
    return LanguageBatches(
        corpus.train,
        batching.streams,
        batching.steps,
        first=first,
        count=count,
        name="the training part of the text",
        unit=corpus.vocabulary.unit,
    )


def evaluation(corpus: Corpus, batching: Batching, rank: int, world: int) -> Callable[[nn.Module], float] | None:
    """The loss on the validation part, this process's share of it; None where there is no such part."""
    tokens = corpus.validation[: batching.validate_on + 1]
    if len(tokens) < batching.streams + 1:  # a token for each stream
        return None
    first, count = share(batching.streams, rank, world)
    batches = ScoringBatches(tokens, batching.streams, SCORING_STEPS, first=first, count=count)
    return lambda model: mean_loss(cast(LanguageModel, model), batches)


def held_out(run: Run, corpus: Corpus, device: str = "cpu") -> Score | None:
    """What the best weights score on the test part; None where there is no such part."""
    streams = min(run.batching.streams, len(corpus.test) - 1)
    if streams < 1:
        return None
    return score(run.model(device=device), run.vocabulary, corpus.test, streams)
