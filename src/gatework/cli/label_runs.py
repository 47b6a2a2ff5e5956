"""Training on labelled sequences: begun, or gone on with."""

import shlex
import shutil
from pathlib import Path

from gatework.cli.options import Chosen
from gatework.cli.progress import TrainingProgress, say_next
from gatework.errors import InputError, field
from gatework.labels.data.encoding import Classes, Scaling
from gatework.labels.data.examples import NAMES, Examples
from gatework.labels.options import Kind, Options
from gatework.labels.parts import Parts
from gatework.labels.run import Job
from gatework.labels.train import Outcome, resume_labels, train_labels
from gatework.runs.parts import Splits

CHANGEABLE = ("epochs", "steps", "minutes", "patience")  # with --resume


def begin(
    file: str,
    out: Path,
    options: Options,
    *,
    kind: Kind | None,
    splits: Splits,
    encoding: str | None,
    device: str,
    overwrite: bool,
) -> None:
    """Trains a new model."""
    with _progress_on() as progress:

        def on_start(examples: Examples, job: Job, parts: Parts) -> None:
            for line in _introduction(file, examples, job, parts):
                progress.say(line)

        outcome = train_labels(
            file,
            out,
            options,
            kind=kind,
            splits=splits,
            encoding=encoding,
            overwrite=overwrite,
            device=device,
            report=progress,
            on_start=on_start,
        )
    _conclude(outcome, out)


def go_on(out: Path, options: Chosen[Options], named: set[str], device: str) -> None:
    """Resumes a run with the data it was started with; only its length may change."""
    if other := sorted(named - {*CHANGEABLE, "out", "resume", "device"}):
        option = "FILE" if other[0] == "file" else "--" + other[0].replace("_", "-")
        raise InputError(
            f"{option}: a run goes on with what it was started with; leave {option} out, or start a new run in another "
            "folder"
        )
    changes = options.changes()
    with _progress_on() as progress:
        outcome = resume_labels(out, changes, device=device, report=progress)
    _conclude(outcome, out)


def _introduction(file: str, examples: Examples, job: Job, parts: Parts) -> list[str]:
    """What will be learnt from what."""
    lengths = [len(sequence) for sequence in examples.sequences]
    span = f"{min(lengths):,}" if min(lengths) == max(lengths) else f"{min(lengths):,} to {max(lengths):,}"
    if isinstance(job.inputs, Scaling):
        columns = len(job.inputs.mean)
        what = f"{columns} number{'s' if columns > 1 else ''} a step{', some missing' if job.inputs.missing else ''}"
    else:
        what = f"{NAMES[job.inputs.form]}, vocabulary {job.inputs.width:,}"
    if isinstance(job.targets, Classes):
        names = ", ".join(field(str(value)) for value in job.targets.values[:8]) + (
            ", ..." if len(job.targets.values) > 8 else ""
        )
        labels = f"{len(job.targets.values)} {'tags' if job.kind == 'tag' else 'classes'} ({names})"
    else:
        labels = f"numbers of mean {job.targets.mean:.4g}, deviation {job.targets.scale:.4g}"
        if all(float(label).is_integer() for label in examples.labels or ()):
            labels += "; --as classes takes each number as a class"
    sizes = ", ".join(f"{name} {0 if part is None else len(part):,}" for name, part in vars(parts).items())
    model = job.untrained()
    weights = sum(parameter.numel() for parameter in model.parameters())
    return [
        f"{file}: {len(examples):,} sequences of {span} steps, {what}; {sizes}",
        f"labels: {labels}",
        f"{model.recurrent.extra_repr()}; {weights:,} weights",
        *([] if job.kind == "tag" else [f"chosen by the data: {job.plan}"]),
    ]


def _conclude(outcome: Outcome, out: Path) -> None:
    """The figures of a training that ended, and what to do next."""
    result, folder = outcome.result, shlex.quote(str(out))
    if result.best is not None:
        print(f"best validation loss {result.best:.4f}, at step {result.best_step:,}: {result.best_path}")
    if outcome.test is not None:
        print("held-out sequences:")
        print("\n".join(outcome.test.lines(_columns())))
    say_next(result, f"gatework train labels --resume --out {folder}", f"gatework predict {folder} FILE")


def _progress_on() -> TrainingProgress:
    """The progress on standard output."""
    return TrainingProgress("steps", figure=_loss_words)


def _loss_words(loss: float) -> str:
    return f"loss {loss:.4f}"


def _columns() -> int:
    return shutil.get_terminal_size((120, 24)).columns
