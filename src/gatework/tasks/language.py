"""Language models: from a text to a trained network that writes it."""

import math
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gatework.cells import Cell
from gatework.data import SPLITS, Corpus, Counts, LanguageBatches, Level, ScoringBatches, Vocabulary, prepare, share
from gatework.data.text import check_splits
from gatework.data.vocabulary import check_level, check_size
from gatework.engines import choose
from gatework.errors import InputError
from gatework.layers import Recurrent
from gatework.tasks.run import (
    DESCRIPTION,
    RESULTS,
    NewRun,
    amend,
    cell_from_json,
    cell_to_json,
    check_free,
    describe,
    description,
    first_alone,
    new_run,
)
from gatework.tasks.scoring import SCORING_STEPS, Score, mean_loss, score
from gatework.training import (
    BEST,
    LAST,
    Event,
    Report,
    Result,
    Resumed,
    Saved,
    Settings,
    launch,
    load_weights,
    train,
    write_json,
)

if TYPE_CHECKING:
    from lightning_fabric import Fabric

TASK = "language"
TOKENS = "tokens.bin"
TEST_STREAMS = 128  # at most, that the test part is cut into
TEST_LENGTH = 500  # tokens at least of each of them, if there are several
EVALUATE_EVERY = 500  # steps at most between two validations, where nothing else is said


def silent(event: Event) -> None:
    """Reports to nobody."""


def check_whole(name: str, value: object, least: int) -> None:
    if type(value) is not int or not least <= value < 1 << 31:
        raise InputError(f"{name} is {value!r}; expected a whole number of at least {least} (and below 2^31)")


@dataclass(frozen=True)
class Shape:
    """The sizes and options of a language model; every field is a JSON value.

    hidden, layers, projection: H, L and R of the recurrent layers. embedding: units that stand for a token;
    None for one-hot input of V units. tied: the output weights are the embedding's. The rest is as in gw.Recurrent.
    """

    hidden: int = 256
    layers: int = 1
    projection: int = 0
    embedding: int | None = 64
    tied: bool = False
    dropout: float = 0.0
    variational: bool = False
    recurrent_dropout: dict[str, float] = field(default_factory=dict)
    zoneout: dict[str, float] = field(default_factory=dict)
    residual: bool = False
    initial: str = "zero"
    init: str | None = None
    engine: str = "auto"

    def __post_init__(self) -> None:
        for name, least in (("hidden", 1), ("layers", 1), ("projection", 0), ("embedding", 1)):
            value = getattr(self, name)
            if not (name == "embedding" and value is None):
                check_whole(name, value, least)


@dataclass(frozen=True)
class Batching:
    """Streams N read side by side, and steps M of each between two updates (truncated backpropagation).

    validate_on: at most so many tokens of the validation part are used while training.
    """

    streams: int = 32
    steps: int = 64
    validate_on: int = 100_000

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            check_whole(name, value, least=1)


@dataclass(frozen=True)
class Text:
    """What to read and how: see `gatework.data.prepare`."""

    paths: tuple[str, ...]
    level: Level = "char"
    suffixes: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    size: int | None = None
    splits: tuple[float, float, float] = SPLITS

    def __post_init__(self) -> None:
        check_level(self.level)
        check_size(self.level, self.size)
        check_splits(self.splits)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Text":
        """What `asdict` gave, its tuples now lists."""
        fields: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in values.items()}
        return cls(**fields)


class LanguageModel(nn.Module):
    """Predicts the next token from all before it: embedding, recurrent layers, and a softmax over V tokens.

    forward(inputs [T,B], targets [T,B], state) -> (mean loss in nats, state); targets of -100 are left out.
    """

    def __init__(self, cell: str | Cell, vocabulary_size: int, shape: Shape = Shape()) -> None:
        super().__init__()
        width = vocabulary_size if shape.embedding is None else shape.embedding
        self.vocabulary_size, self.variational = vocabulary_size, shape.variational
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
            x = F.one_hot(inputs, self.vocabulary_size).to(self.output.weight.dtype)  # [T,B,V]
        else:
            x = self.embedding(inputs)  # [T,B,E]
        output, state = self.recurrent(x, state, lengths=lengths)
        return self.output(self._dropped(output)), state

    def _dropped(self, output: Tensor) -> Tensor:
        mask: Tensor = self.dropout(torch.ones_like(output[:1] if self.variational else output))
        return output * mask if self.training else output

    def forward(self, inputs: Tensor, targets: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        logits, state = self.logits(inputs, state)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten()), state


def check_model(cell: Cell, vocabulary_size: int, shape: Shape) -> None:
    """Raises InputError or EquationError where a cell, sizes and options contradict; takes no memory."""
    try:
        with torch.device("meta"):
            LanguageModel(cell, vocabulary_size, replace(shape, engine="auto"))
    except (RuntimeError, OverflowError) as error:  # even a tensor without memory has a largest size
        raise InputError(f"sizes that no memory holds: {shape.hidden} hidden, {shape.embedding} embedding") from error


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
    text: Text
    counts: Counts
    vocabulary: Vocabulary

    @classmethod
    def open(cls, path: Path) -> "Run":
        """Reads run.json; raises InputError, naming the file, where it is damaged."""
        values = description(path, TASK)
        try:
            run = cls(
                path,
                cell_from_json(values["cell"]),
                Shape(**values["shape"]),
                Batching(**values["batching"]),
                Settings.from_dict(values["settings"]),
                Text.from_json(values["text"]),
                Counts.from_json(values["counts"]),
                Vocabulary.from_json(values["vocabulary"]),
            )
            check_model(run.cell, len(run.vocabulary), run.shape)
        except KeyError as error:
            raise InputError(f"{path / DESCRIPTION} is damaged: {error} is missing") from error
        except (TypeError, AttributeError, ValueError) as error:
            raise InputError(f"{path / DESCRIPTION} is damaged: {error}") from error
        return run

    def corpus(self) -> Corpus:
        """The prepared text."""
        return Corpus.open(self.path / TOKENS, self.vocabulary, self.text.splits, self.counts)

    def untrained(self) -> LanguageModel:
        """A model of the run's shape with fresh weights."""
        torch.manual_seed(self.settings.seed)
        return LanguageModel(self.cell, len(self.vocabulary), self.shape)

    def model(self, *, device: str = "cpu") -> LanguageModel:
        """The trained model, in evaluation mode: the best weights, or the last where none were evaluated."""
        model = self.untrained()
        best = self.path / BEST
        load_weights(best if best.exists() else self.path / LAST, model)
        try:
            return model.to(device).eval()
        except (RuntimeError, AssertionError) as error:  # torch asserts that it was built for the device
            raise InputError(f"device {device!r} cannot be used: {str(error).splitlines()[0]}") from error


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

    settings: without evaluate_every, validation comes once an epoch, and at least every 500 steps.
    told: called once with what will be trained on what; reading: with bytes read and bytes in all.
    If anything fails before the first checkpoint, nothing on the disk has changed. Raises InputError, EquationError.
    """
    check_free(out, overwrite)
    # V is not known yet; for one-hot input it is taken to be what the cell may want it to be.
    check_model(cell, 2 if shape.embedding is not None else max(1, shape.hidden), shape)
    fabric = launch(settings.precision, device)
    choose(shape.engine, fabric.device)
    share(batching.streams, fabric.global_rank, fabric.world_size)
    with ExitStack() as stack:
        new: NewRun | None = None
        with first_alone(fabric):
            if fabric.is_global_zero:
                new = stack.enter_context(new_run(out, overwrite=overwrite))
                write_run(new.folder, text, cell, settings, shape, batching, told, reading)
                new.place()

        def heard(event: Event) -> None:
            if new is not None and isinstance(event, Saved):
                new.keep()
            report(event)

        return _go(Run.open(out), fabric, heard)


def write_run(
    folder: Path,
    text: Text,
    cell: Cell,
    settings: Settings,
    shape: Shape,
    batching: Batching,
    told: Callable[[Corpus, LanguageBatches, LanguageModel], None] | None,
    reading: Callable[[int, int], None] | None,
) -> None:
    """Prepares the text and describes the run: all that training needs."""
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
    batches = training_batches(corpus, batching, 0, 1)
    model = LanguageModel(cell, len(corpus.vocabulary), shape)
    if settings.evaluate_every is None:
        epoch = math.ceil(len(batches) / settings.accumulate)
        settings = replace(settings, evaluate_every=min(epoch, EVALUATE_EVERY))
    describe(
        folder,
        TASK,
        cell=cell_to_json(cell),
        shape=asdict(shape),
        batching=asdict(batching),
        settings=settings.to_dict(),
        text=asdict(text),
        counts=corpus.counts.to_json(),
        vocabulary=corpus.vocabulary.to_json(),
    )
    if told is not None:
        told(corpus, batches, model)


def resume_text(
    out: Path,
    changes: Mapping[str, Any],
    *,
    device: str = "auto",
    report: Report = silent,
) -> Outcome:
    """Goes on with a run to the same losses as if it had never been stopped.

    changes: settings to change, such as {"steps": 5000} for a longer run: another number of steps or epochs takes
    the place of every end that was set before. "minutes" are minutes from now. What is changed stays changed.
    """
    run = Run.open(out)
    changes = dict(changes)
    further = changes.pop("minutes", None)
    ends = {name for name in ("steps", "epochs") if changes.get(name) not in (None, getattr(run.settings, name))}
    if ends:
        changes = dict.fromkeys(("steps", "epochs", "minutes")) | changes
    changed = replace(run, settings=replace(run.settings, **changes))
    fabric = launch(changed.settings.precision, device)

    def heard(event: Event) -> None:
        if isinstance(event, Resumed) and changed != run:
            amend(out, settings=changed.settings.to_dict())
        report(event)

    return _go(changed, fabric, heard, resume=True, further=further)


def _go(run: Run, fabric: "Fabric", report: Report, *, resume: bool = False, further: float | None = None) -> Outcome:
    """Trains the run in this process's share, evaluates, and scores the test part in the first process."""
    corpus = run.corpus()
    result = train(
        run.untrained(),
        training_batches(corpus, run.batching, fabric.global_rank, fabric.world_size),
        run.settings,
        run.path,
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
        write_json(run.path / RESULTS, {"why": result.why, "step": result.step, "test": test.to_json()})
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
    """The loss on the validation part, this process's share of it; None where it has not a token for each stream.

    All streams get equally many tokens, so that the mean over processes is the mean over tokens.
    """
    predictions = min(len(corpus.validation) - 1, batching.validate_on) // batching.streams * batching.streams
    if predictions < 1:
        return None
    tokens = corpus.validation[: predictions + 1]
    first, count = share(batching.streams, rank, world)
    batches = ScoringBatches(tokens, batching.streams, SCORING_STEPS, first=first, count=count)
    return lambda model: mean_loss(cast(LanguageModel, model), batches)


def held_out(run: Run, corpus: Corpus, device: str = "cpu") -> Score | None:
    """What the best weights score on the test part; None where there is no such part.

    It is read as many streams at once, for speed, but none so short that its start without a past would count.
    """
    if len(corpus.test) < 2:
        return None
    streams = min(max(1, len(corpus.test) // TEST_LENGTH), TEST_STREAMS)
    return score(run.model(device=device), run.vocabulary, corpus.test, streams)
