"""Training on labelled sequences: begun, or gone on with."""

import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from gatework.cli.options import Chosen, lengthened
from gatework.cli.progress import TrainingProgress, say_next
from gatework.errors import field
from gatework.labels.data.examples import NAMES, Examples
from gatework.labels.data.targets import Amounts, Classes
from gatework.labels.options import Kind, Options
from gatework.labels.parts import Parts
from gatework.labels.run import Job
from gatework.labels.train import Outcome, resume_labels, train_labels
from gatework.runs.parts import Splits
from gatework.runs.scaling import Scaling

SHOWN = 8  # labels that are listed


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
    changes = lengthened(options, named)
    with _progress_on() as progress:
        outcome = resume_labels(out, changes, device=device, report=progress)
    _conclude(outcome, out)


def _introduction(file: str, examples: Examples, job: Job, parts: Parts) -> list[str]:
    """What will be learnt from what."""
    lengths = [len(sequence) for sequence in examples.sequences]
    span = f"{min(lengths):,}" if min(lengths) == max(lengths) else f"{min(lengths):,} to {max(lengths):,}"
    if isinstance(job.inputs, Scaling):
        columns = job.inputs.columns
        what = f"{columns} number{'s' if columns > 1 else ''} a step{', some missing' if job.inputs.missing else ''}"
    else:
        what = f"{NAMES[job.inputs.form]}, vocabulary {job.inputs.width:,}"
    sizes = ", ".join(f"{name} {0 if part is None else len(part):,}" for name, part in vars(parts).items())
    model = job.untrained()
    weights = sum(parameter.numel() for parameter in model.parameters())
    return [
        f"{file}: {len(examples):,} sequences of {span} steps, {what}; {sizes}",
        f"labels: {_labels_words(job, examples)}",
        f"{model.recurrent.extra_repr()}; {weights:,} weights",
        *([] if job.kind == "tag" else [f"chosen by the data: {job.plan}"]),
    ]


def _labels_words(job: Job, examples: Examples) -> str:
    """What the labels are."""
    targets, labels = job.targets, examples.labels or ()
    if isinstance(targets, Classes):
        return f"{len(targets.values)} {'tags' if job.kind == 'tag' else 'classes'} ({_names(targets.values)})"
    if isinstance(targets, Amounts):
        hint = "; --as classes takes each number as a class" if all(float(n).is_integer() for n in labels) else ""
        return f"numbers of {_amount_words(targets)}{hint}"
    if targets.sets:
        mean = sum(map(len, labels)) / len(labels)
        return f"sets of {len(targets.names)} labels ({_names(targets.names)}), {mean:.2g} on the mean"
    each = (f"{field(str(name))} ({_target_words(one)})" for name, one in zip(targets.names, targets.each, strict=True))
    return f"{len(targets.names)} targets: {', '.join(each)}"


def _target_words(target: Classes | Amounts) -> str:
    return f"{len(target.values)} classes" if isinstance(target, Classes) else _amount_words(target)


def _amount_words(target: Amounts) -> str:
    return f"mean {target.mean:.4g}, deviation {target.scale:.4g}"


def _names(values: Sequence[object]) -> str:
    """The first of some labels."""
    return ", ".join(field(str(value)) for value in values[:SHOWN]) + (", ..." if len(values) > SHOWN else "")


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
