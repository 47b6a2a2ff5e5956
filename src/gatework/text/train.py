"""Language models: from a text to a trained network that writes it."""

import math
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from gatework.cells import Cell, find_cell
from gatework.engines import choose
from gatework.errors import InputError
from gatework.files.writing import write_json
from gatework.runs.changed_files import say_changed
from gatework.runs.folder import RESULTS, amend, describe
from gatework.runs.new_run import NewRun, check_free, new_run, open_to_write, recover
from gatework.runs.weights import check_built
from gatework.text.data.batches import LanguageBatches
from gatework.text.data.corpus import Corpus
from gatework.text.data.prepare import prepare
from gatework.text.data.streams import share
from gatework.text.description import TASK, TOKENS
from gatework.text.evaluation import Telling, affordable, evaluation, held_out, validated
from gatework.text.model import LanguageModel, check_model
from gatework.text.options import Batching, Shape, Text
from gatework.text.run import Run, language_model
from gatework.text.score import Score
from gatework.text.sizes import Choice, fitted, words
from gatework.training.checkpoint import load_weights
from gatework.training.events import Event, Notice, Report, Result, Resumed, no_report
from gatework.training.loop import train
from gatework.training.processes import World, first_alone, launch
from gatework.training.progress import LAST, weights_of
from gatework.training.settings import Settings

EVALUATE_EVERY = 500  # steps at most between two validations, where nothing else is said


@dataclass(frozen=True)
class Outcome:
    """How a training ended, and what its best weights score on the whole validation part and on the test part.

    None for a part that is not there, and for both if the training was stopped.
    """

    result: Result
    validation: Score | None
    test: Score | None


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
    report: Report = no_report,
    on_start: Callable[[Corpus, LanguageBatches, LanguageModel], None] | None = None,
    reading: Callable[[int, int], None] | None = None,
    origin: Run | None = None,
    left_open: Collection[str] = (),
) -> Outcome:
    """Prepares the text, trains a model on it in the new folder `out`, and scores the best on held-out text.

    origin: begin with the weights of this run, whose vocabulary, level, cell and sizes must be those that are given
    (see gatework.text.fine_tuning). settings: without evaluate_every, validation comes once an epoch, and at least
    every 500 steps.
    left_open: those of `gatework.text.sizes.OPEN` that follow the text's length and the time, which is reported in a
    sentence; on a CPU at char or byte level. At word level it is softmax, which follows the vocabulary's size.
    on_start: called once, before the first step, with the corpus, the batches and the model. reading: receives the
    bytes read and the bytes in all.
    If anything fails before the first checkpoint, nothing on the disk has changed. Raises InputError, EquationError.
    """
    check_free(out, overwrite)
    # V is not known yet; for one-hot input it is taken to be what the cell may want it to be.
    V = 2 if shape.embedding is not None else max(1, shape.hidden)
    check_model(cell, V if origin is None else len(origin.vocabulary), shape)
    world = launch(settings.precision, device)
    choose(shape.engine, world.device, torch.float32)
    if "streams" not in left_open:
        share(batching.streams, world.rank, world.size)

    def fit(corpus: Corpus) -> Choice:
        choice = Choice(settings, shape, batching)
        following = set(left_open) if text.level == "word" else set(left_open) - {"softmax"}
        if cell.program.recipe != find_cell("lstm").program.recipe:
            following -= {"init"}  # other cells begin as their equations want it
        if not following or world.device.type != "cpu":
            return choice
        if text.level == "word":
            chosen, why = words(choice, left_open, len(corpus.vocabulary))
        else:
            chosen, why = fitted(choice, following, len(corpus.train), corpus.vocabulary.unit, world.size)
        if why is not None:
            report(Notice(why))
        return chosen

    with ExitStack() as stack:
        new: NewRun | None = None
        prepared: tuple[Run, Corpus] | None = None
        with first_alone(world):
            if world.is_first:
                new = stack.enter_context(new_run(out, overwrite=overwrite))
                prepared = _write_run(new, text, cell, fit, on_start, reading, origin)
                new.place()
        run, corpus = prepared or _opened(Run.open(out))
        report = report if new is None else new.keeping(report)
        return _go(replace(run, path=out), corpus, world, report, origin=origin)


def _opened(run: Run) -> tuple[Run, Corpus]:
    return run, run.corpus()


def _write_run(
    new: NewRun,
    text: Text,
    cell: Cell,
    fit: Callable[[Corpus], Choice],
    on_start: Callable[[Corpus, LanguageBatches, LanguageModel], None] | None,
    reading: Callable[[int, int], None] | None,
    origin: Run | None,
) -> tuple[Run, Corpus]:
    """Prepares the text and describes the run: all that training needs, as it is once the run is in its place."""
    corpus = prepare(
        text.paths,
        new.folder / TOKENS,
        level=text.level,
        suffixes=text.suffixes,
        exclude=text.exclude,
        size=text.size,
        splits=text.splits,
        documents=bool(text.documents),
        rearranged=bool(text.documents),
        vocabulary=None if origin is None else origin.vocabulary,
        progress=reading,
    )
    if corpus.unknown.total() == corpus.counts.tokens:
        raise InputError(f"{text.paths[0]} has nothing that the model has ever seen: give a text like its own")
    settings, shape, batching = fit(corpus)
    batches = training_batches(corpus, batching, 0, 1)
    model = language_model(cell, corpus.vocabulary, shape)
    began = None if origin is None else _begin_with(origin, model)
    if settings.evaluate_every is None:
        epoch = math.ceil(len(batches) / settings.accumulate)
        settings = replace(settings, evaluate_every=min(epoch, EVALUATE_EVERY))
    run = Run(
        new.out,
        cell,
        shape,
        batching,
        settings,
        text,
        corpus.counts,
        corpus.vocabulary,
        began,
        corpus.files,
        corpus.digest(),
    )
    describe(new.folder, TASK, **run.to_json())
    if on_start is not None:
        on_start(corpus, batches, model)
    return run, replace(corpus, path=new.out / TOKENS)


def _begin_with(origin: Run, model: LanguageModel) -> dict[str, Any]:
    """Gives a model the weights of a trained run; returns what is to be known of them."""
    path = weights_of(origin.path)
    return {"run": str(origin.path), "weights": path.name, "step": load_weights(path, model).step}


def resume_text(
    out: Path,
    changes: Mapping[str, Any],
    *,
    device: str = "auto",
    report: Report = no_report,
) -> Outcome:
    """Goes on with a run to the same losses as if it had never been stopped.

    changes: settings to change, such as {"steps": 5000} for a longer run: another number of steps or epochs takes
    the place of every end that was set before. "minutes" are minutes from now. What is changed stays changed.
    """
    recover(out)
    run = Run.open(out)
    changes = dict(changes)
    further = changes.pop("minutes", None)
    ends = {name for name in ("steps", "epochs") if changes.get(name) not in (None, getattr(run.settings, name))}
    if ends:
        changes = dict.fromkeys(("steps", "epochs", "minutes")) | changes
    changed = replace(run, settings=replace(run.settings, **changes))
    world = launch(changed.settings.precision, device)

    def heard(event: Event) -> None:
        if isinstance(event, Resumed) and changed != run:
            amend(out, settings=changed.settings.to_dict())
        report(event)
        if isinstance(event, Resumed) and ends:
            report(Notice(f"the learning rate follows a schedule of {event.total:,} steps from here on"))

    with ExitStack() as stack:
        with first_alone(world):
            if world.is_first:
                stack.enter_context(open_to_write(out))
                check_built(changed.untrained, out / LAST)
                say_changed(run.files, report)
        return _go(*_opened(changed), world, heard, resume=True, further=further)


def _go(
    run: Run,
    corpus: Corpus,
    world: World,
    report: Report,
    *,
    resume: bool = False,
    further: float | None = None,
    origin: Run | None = None,
) -> Outcome:
    """Trains the run in this process's share, evaluates, and scores the test part in the first process."""
    model = run.untrained()
    if origin is not None:
        _begin_with(origin, model)
    if run.settings.minutes is not None and not resume:
        batching = affordable(model.to(world.device), corpus, run.batching, run.settings.minutes)
        run = replace(run, batching=world.broadcast(batching))  # the first process's clock decides
        if world.is_first:
            amend(run.path, batching=asdict(run.batching))
    judge = evaluation(corpus, run.batching, world.rank, world.size, report)
    result = train(
        model,
        training_batches(corpus, run.batching, world.rank, world.size),
        run.settings,
        run.path,
        evaluate=judge,
        report=Telling(report, judge, len(corpus.validation) + len(corpus.test)),
        resume=resume,
        further_minutes=further,
        world=world,
    )
    if result.why == "interrupted" or not world.is_first:
        return Outcome(result, None, None)
    try:
        scores = {
            name: part(run, corpus, str(world.device), report)
            for name, part in (("validation", validated), ("test", held_out))
        }
    except KeyboardInterrupt:
        report(Notice("the scoring at the end was interrupted: all that was learnt is kept; resuming scores again"))
        raise
    if results := {name: part.to_json() for name, part in scores.items() if part is not None}:
        write_json(run.path / RESULTS, {"why": result.why, "step": result.step, **results})
    return Outcome(result, **scores)


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
        end=corpus.vocabulary.end,
    )
