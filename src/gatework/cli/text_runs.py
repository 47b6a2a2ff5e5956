"""Training a language model: begun, gone on with, or begun from another run."""

import io
import shlex
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from gatework.cli.options import CellChoice, Chosen
from gatework.cli.progress import TrainingProgress, say_next
from gatework.cli.text_lines import introduction, score_line
from gatework.cli.values import shown
from gatework.errors import InputError
from gatework.files.reading import changed
from gatework.text.data.batches import LanguageBatches
from gatework.text.data.corpus import Corpus
from gatework.text.data.vocabulary import UNITS
from gatework.text.fine_tuning import fine_tune_text
from gatework.text.model import LanguageModel
from gatework.text.options import Batching, Level, Shape, Text
from gatework.text.run import Run
from gatework.text.sizes import OPEN
from gatework.text.train import Outcome, resume_text, train_text
from gatework.text.unknown import unknown_line
from gatework.training.metrics import bits
from gatework.training.progress import weights_of
from gatework.training.settings import Settings
from gatework.training.torchrun import first_process

# What may change when a run goes on: how long, and how often it looks and saves.
RESUMABLE = ("steps", "epochs", "minutes", "evaluate_every", "patience", "save_every")
# What the units and layers of a model must go together with.
SHAPING = {"hidden", "layers", "projection", "embedding", "tied", "residual"}
# What the learning rate and dropout depend on.
RULING = {"hidden", "layers", "streams", "bptt", "optimizer", "accumulate"}
# What a run that begins from another one may have otherwise: all that its weights are not made for.
TUNABLE_TEXT = ("suffixes", "exclude", "splits")
TUNABLE_SHAPE = ("dropout", "variational", "recurrent_dropout", "zoneout", "engine")


class Arguments(NamedTuple):
    """What a command line says of a training."""

    paths: tuple[str, ...]
    from_run: Path | None
    text: Chosen[Text]
    cell: Chosen[CellChoice]
    shape: Chosen[Shape]
    batching: Chosen[Batching]
    settings: Chosen[Settings]


def begin(out: Path, arguments: Arguments, device: str, overwrite: bool) -> None:
    """Trains a new model."""
    if not arguments.paths:
        raise InputError("no text was given: name files, directories, or - for standard input")
    ends = arguments.settings.values()
    once = {} if any(ends[name] is not None for name in ("steps", "epochs", "minutes")) else {"epochs": 1}
    shape, cell = arguments.shape.made(), arguments.cell.made().cell
    text = arguments.text.made(paths=arguments.paths)
    with _progress_on(text.level) as progress:

        def introduce(corpus: Corpus, batches: LanguageBatches, model: LanguageModel) -> None:
            for line in introduction(corpus, batches, model):
                progress.say(line)

        outcome = train_text(
            text,
            out,
            cell,
            arguments.settings.made(**once),
            shape=shape,
            batching=arguments.batching.made(),
            overwrite=overwrite,
            device=device,
            report=progress,
            on_start=introduce,
            reading=progress.reading,
            left_open=_left_open(arguments),
        )
    _conclude(outcome, out)


def _left_open(arguments: Arguments) -> set[str]:
    """The sizes that follow the text's length and the time: each that is not named, none where the steps are counted.

    Units, layers and their start stay together with what else makes the shape; the learning rate and dropout with all
    that they depend on; how the rate falls, and the clip, with the rate.
    """
    named = {*arguments.shape.changes(), *arguments.settings.changes()} | {
        "bptt" if name == "steps" else name for name in arguments.batching.changes()
    }
    if "steps" in arguments.settings.changes():
        return set()
    if named & SHAPING:
        named |= {"hidden", "layers", "init"}
    if named & RULING:
        named |= {"learning_rate", "dropout"}
    if "learning_rate" in named:
        named |= {"final", "clip"}
    return set(OPEN) - named


def go_on(out: Path, arguments: Arguments, device: str) -> None:
    """Resumes a run; what else was given must be what the run was started with."""
    run = Run.open(out)

    def why(option: str, was: str) -> str:
        return (
            f"the run in {out} was started with {was}, and goes on with that; leave out {option}, or start a new run "
            "in another folder"
        )

    origin = None if run.origin is None else Path(run.origin["run"])
    if arguments.paths and arguments.paths != run.text.paths:
        raise InputError(f"the text {shown(arguments.paths)}: {why('the text', shown(run.text.paths))}")
    if arguments.from_run is not None and arguments.from_run != origin:
        raise InputError(f"--from {arguments.from_run}: {why('--from', shown(origin))}")
    arguments.text.refuse_other(run.text, why)
    arguments.cell.refuse_other(CellChoice(run.cell), why)
    arguments.shape.refuse_other(run.shape, why)
    arguments.batching.refuse_other(run.batching, why)
    arguments.settings.refuse_other(run.settings, why, free=RESUMABLE)
    if arguments.paths and (other := changed(run.files)):
        raise InputError(
            f"{other[0]} is not what it was when the run in {out} began: leave the text out to go on with what the run "
            "read then, or start anew (--overwrite, or another folder)"
        )
    changes = {name: value for name, value in arguments.settings.changes().items() if name in RESUMABLE}
    with _progress_on(run.text.level) as progress:
        outcome = resume_text(out, changes, device=device, report=progress)
    _conclude(outcome, out)


def tune(start: Path, out: Path, arguments: Arguments, device: str, overwrite: bool) -> None:
    """Trains from the weights of a run on, with what was given in the place of what that run was begun with."""
    origin = Run.open(start)
    _refuse_unlike(origin, arguments)
    changes = {"text": arguments.text.changes(), "shape": arguments.shape.changes()}
    with _progress_on(origin.text.level) as progress:

        def introduce(corpus: Corpus, batches: LanguageBatches, model: LanguageModel) -> None:
            new = unknown_line(corpus)
            weights = weights_of(origin.path)
            progress.say(f"begins with {weights}: its vocabulary, cell and sizes, and all that was not said anew")
            for line in [*introduction(corpus, batches, model), *([] if new is None else [f"note: {new}"])]:
                progress.say(line)

        outcome = fine_tune_text(
            origin,
            out,
            arguments.paths,
            settings=arguments.settings.changes(),
            batching=arguments.batching.changes(),
            overwrite=overwrite,
            device=device,
            report=progress,
            on_start=introduce,
            reading=progress.reading,
            **changes,
        )
    _conclude(outcome, out)


def _refuse_unlike(origin: Run, arguments: Arguments) -> None:
    """Raises InputError for what cannot be otherwise than in the run that a training begins from."""

    def why(option: str, was: str) -> str:
        return f"the model of {origin.path} has {was}, and keeps it; leave out {option}, or train anew without --from"

    arguments.text.refuse_other(origin.text, why, free=TUNABLE_TEXT)
    arguments.cell.refuse_other(CellChoice(origin.cell), why)
    arguments.shape.refuse_other(origin.shape, why, free=TUNABLE_SHAPE)


def _conclude(outcome: Outcome, out: Path) -> None:
    """The figures of a run that ended, and what to do next."""
    if not first_process():
        return
    result, folder = outcome.result, shlex.quote(str(out))
    conditions = Run.open(out).vocabulary.conditions
    if result.best is not None:
        print(f"best validation {bits(result.best):.3f} bits, at step {result.best_step:,}: {result.best_path}")
    for name, score in (("validation text", outcome.validation), ("held-out text", outcome.test)):
        if score is not None:
            print(f"{name}: {score_line(score)}")
    sample = f"gatework sample {folder}" + (f" --condition {shlex.quote(conditions[0])}" if conditions else "")
    say_next(result, f"gatework train text --resume --out {folder}", sample)


def _progress_on(level: Level) -> TrainingProgress:
    """The progress on standard output, which is the first process's."""
    console = None if first_process() else Console(file=io.StringIO())
    return TrainingProgress(UNITS[level], console)
