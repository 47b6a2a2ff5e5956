"""Training a language model: begun, gone on with, or begun from another run."""

import io
import shlex
from pathlib import Path
from typing import Any

from rich.console import Console

from gatework.cells import Cell
from gatework.cli.begun import RESUMABLE, begun_with, refuse_other, tuned
from gatework.cli.progress import TrainingProgress, say_next
from gatework.cli.text_lines import introduction, score_line
from gatework.errors import InputError
from gatework.files.reading import changed
from gatework.runs.weights import weights_of
from gatework.text.data.batches import LanguageBatches
from gatework.text.data.corpus import Corpus
from gatework.text.data.vocabulary import UNITS, Level
from gatework.text.fine_tuning import fine_tune_text
from gatework.text.model import LanguageModel, Shape
from gatework.text.run import Batching, Run, Text
from gatework.text.train import Outcome, resume_text, train_text
from gatework.text.unknown import unknown_line
from gatework.training.metrics import bits
from gatework.training.settings import Settings
from gatework.training.torchrun import first_process


def begin(
    text: Text,
    out: Path,
    cell: Cell,
    settings: Settings,
    *,
    shape: Shape,
    batching: Batching,
    device: str,
    overwrite: bool,
) -> None:
    """Trains a new model."""
    with progress_on(text.level) as progress:

        def told(corpus: Corpus, batches: LanguageBatches, model: LanguageModel) -> None:
            for line in introduction(corpus, batches, model):
                progress.say(line)

        outcome = train_text(
            text,
            out,
            cell,
            settings,
            shape=shape,
            batching=batching,
            overwrite=overwrite,
            device=device,
            report=progress,
            told=told,
            reading=progress.reading,
        )
    conclude(outcome, out)


def go_on(out: Path, given: dict[str, Any], device: str, overwrite: bool) -> None:
    """Resumes a run; what else was given must be what the run was started with."""
    if overwrite:
        raise InputError("--resume goes on with a run, --overwrite replaces it: give one of them")
    run = Run.open(out)
    begun = begun_with(run)
    if "constant" in given:  # those of the cell that are not named stay as they are
        given["constant"] = begun["constant"] | given["constant"]
    refuse_other(
        given,
        begun,
        lambda option, was: (
            f"the run in {out} was started with {was}, and goes on with that; leave out {option}, or start a new run "
            "in another folder"
        ),
    )
    if "paths" in given and (other := changed(run.files)):
        raise InputError(
            f"{other[0]} is not what it was when the run in {out} began: leave the text out to go on with what the run "
            "read then, or start anew (--overwrite, or another folder)"
        )
    changes = {name: given[name] for name in RESUMABLE if name in given}
    with progress_on(run.text.level) as progress:
        outcome = resume_text(out, changes, device=device, report=progress)
    conclude(outcome, out)


def tune(start: Path, out: Path, given: dict[str, Any], device: str, overwrite: bool) -> None:
    """Trains from the weights of a run on, with what was given in the place of what that run was told."""
    origin = Run.open(start)
    changes = tuned(origin, given)
    with progress_on(origin.text.level) as progress:

        def told(corpus: Corpus, batches: LanguageBatches, model: LanguageModel) -> None:
            weights = weights_of(origin.path)
            new = unknown_line(corpus)
            progress.say(f"begins with {weights}: its vocabulary, cell and sizes, and all that was not said anew")
            for line in [*introduction(corpus, batches, model), *([] if new is None else [f"note: {new}"])]:
                progress.say(line)

        outcome = fine_tune_text(
            origin,
            out,
            given.get("paths", ()),
            overwrite=overwrite,
            device=device,
            report=progress,
            told=told,
            reading=progress.reading,
            **changes,
        )
    conclude(outcome, out)


def conclude(outcome: Outcome, out: Path) -> None:
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


def progress_on(level: Level) -> TrainingProgress:
    """The progress on standard output, which is the first process's."""
    console = None if first_process() else Console(file=io.StringIO())
    return TrainingProgress(UNITS[level], console)
