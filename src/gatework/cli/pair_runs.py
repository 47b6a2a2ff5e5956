"""Training on pairs: begun, or gone on with."""

import io
import shlex
from pathlib import Path

from rich.console import Console

from gatework.cli.options import Chosen, lengthened
from gatework.cli.pair_use import possible_header
from gatework.cli.progress import TrainingProgress, say_next
from gatework.pairs.data.encoded import Whole
from gatework.pairs.data.examples import Examples
from gatework.pairs.data.symbols import UNITS, UNLISTED, Symbols
from gatework.pairs.options import Criterion, Options
from gatework.pairs.parts import Parts
from gatework.pairs.run import Job, Run
from gatework.pairs.train import Data, Outcome, resume_pairs, train_pairs
from gatework.training.torchrun import first_process

WRONG: dict[Criterion, str] = {"symbols": "of symbols wrong", "words": "of targets wrong"}


def begin(data: Data, out: Path, options: Options, *, device: str, overwrite: bool) -> None:
    """Trains a new model."""
    with _progress_on(options.criterion) as progress:

        def on_start(examples: Examples, job: Job, parts: Parts) -> None:
            for line in _introduction(data.file, examples, job, parts):
                progress.say(line)

        outcome = train_pairs(
            data, out, options, overwrite=overwrite, device=device, report=progress, on_start=on_start
        )
    _conclude(outcome, out, options.criterion)


def go_on(out: Path, options: Chosen[Options], named: set[str], device: str) -> None:
    """Resumes a run with the pairs it was started with; only its length may change."""
    changes = lengthened(options, named)
    criterion = Run.open(out).job.options.criterion
    with _progress_on(criterion) as progress:
        outcome = resume_pairs(out, changes, device=device, report=progress)
    _conclude(outcome, out, criterion)


def _introduction(file: str, examples: Examples, job: Job, parts: Parts) -> list[str]:
    """What will be learnt from what."""
    sizes = ", ".join(f"{name} {count:,}" for name, count in parts.counts.items())
    targets = len(parts.whole.target_starts) - 1
    more = f" with {targets:,} targets" if targets > len(examples) else ""
    model = job.untrained()
    weights = sum(parameter.numel() for parameter in model.parameters())
    if isinstance(job.inputs, Symbols):
        read = _side(job.inputs, len(job.inputs) - 1, parts.whole.source_lengths)
    else:
        plural = "s" if job.inputs.width > 1 else ""
        read = f"{_span(parts.whole.source_lengths)} steps of {job.inputs.width} number{plural}"
    lines = [
        f"{file}: {len(examples):,} sources{more}; {sizes}",
        *possible_header(examples),
        f"from {read} to {_side(job.outputs, len(job.outputs), parts.whole.target_lengths)}",
        f"{model.encoder.extra_repr()}; {weights:,} weights",
    ]
    if unlisted := int((parts.whole.target == UNLISTED).sum()):
        lines.append(f"{unlisted:,} target symbols of the other parts are none of the training part's: they stay wrong")
    return lines


def _side(symbols: Symbols, known: int, lengths: Whole) -> str:
    return f"{_span(lengths)} {UNITS[symbols.level]} (vocabulary {known:,})"


def _span(lengths: Whole) -> str:
    """The least and the largest of some lengths."""
    least, most = int(lengths.min()), int(lengths.max())
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _conclude(outcome: Outcome, out: Path, criterion: Criterion) -> None:
    """The figures of a training that ended, and what to do next."""
    if not first_process():
        return
    result, folder = outcome.result, shlex.quote(str(out))
    if result.best is not None:
        print(f"best validation {_wrong(result.best, criterion)}, at step {result.best_step:,}: {result.best_path}")
    if outcome.test is not None:
        print("held-out sources:")
        print("\n".join(outcome.test.lines()))
    what = "TEXT" if outcome.form == "symbols" else "FILE"
    say_next(result, f"gatework train pairs --resume --out {folder}", f"gatework convert {folder} {what}")


def _progress_on(criterion: Criterion) -> TrainingProgress:
    """The progress on standard output, which is the first process's."""
    console = None if first_process() else Console(file=io.StringIO())
    return TrainingProgress("symbols", console, figure=_loss, judged=lambda rate: _wrong(rate, criterion))


def _loss(nats: float) -> str:
    return f"loss {nats:.4f}"


def _wrong(rate: float, criterion: Criterion) -> str:
    return f"{rate:.2%} {WRONG[criterion]}"
