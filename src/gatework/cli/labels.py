"""`gatework train labels` and `gatework predict`: labels of sequences, learnt and told."""

import shlex
import shutil
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from gatework.cli.options import CONSTANT_HELP, by_name, chosen_cell, named, shares, starts
from gatework.cli.progress import TrainingProgress, bar, say_next
from gatework.cli.terminal import json_line
from gatework.cli.use import Device, RunFolder
from gatework.errors import InputError, field
from gatework.labels.data.batches import Encoded
from gatework.labels.data.encoding import Classes, Scaling
from gatework.labels.data.examples import NAMES, Examples, Kind, Level, read_examples
from gatework.labels.learning import judged, predictions
from gatework.labels.options import Options
from gatework.labels.parts import Parts
from gatework.labels.run import Job, Run
from gatework.labels.train import Outcome, resume_labels, train_labels
from gatework.training import write_atomically

KINDS: dict[str, Kind | None] = {"auto": None, "classes": "class", "numbers": "number", "tags": "tag"}
CHANGEABLE = ("epochs", "steps", "minutes", "patience")  # with --resume
FileOf = typer.Argument(
    help='Lines of JSON with "text" or "sequence" and "label", or an .npz with X and y.',
    metavar="FILE",
    show_default=False,
)


def train(
    context: typer.Context,
    file: Annotated[str | None, FileOf] = None,
    out: Annotated[Path, typer.Option(help="The run folder to make, or with --resume to go on with.")] = ...,  # type: ignore[assignment]
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in --out.")] = False,
    labels: Annotated[
        Literal["auto", "classes", "numbers", "tags"],
        typer.Option("--as", help="What the labels are; auto: texts are classes, numbers numbers, lists tags."),
    ] = "auto",
    splits: Annotated[
        str, typer.Option(help="Shares of the sequences for training, validation and test.", metavar="A,B,C")
    ] = "0.8,0.1,0.1",
    level: Annotated[Literal["char", "word"], typer.Option(help="What a token of a text is.")] = "char",
    vocabulary: Annotated[int | None, typer.Option(help="Tokens to know at most.  [default: 10000]")] = None,
    cell: Annotated[str, typer.Option(help="A cell by name; gatework cells lists them.")] = "lstm",
    equations: Annotated[Path | None, typer.Option(help="A file with the equations of your own cell.")] = None,
    constant: Annotated[list[str] | None, typer.Option(help=CONSTANT_HELP)] = None,
    hidden: Annotated[int, typer.Option(help="Units of each recurrent layer, H.")] = Options.hidden,
    layers: Annotated[int, typer.Option(help="Recurrent layers, L.")] = Options.layers,
    one_way: Annotated[bool, typer.Option("--one-way", help="Read from the start only, not from both ends.")] = False,
    summary: Annotated[
        Literal["last", "mean", "attention"], typer.Option(help="What one label is predicted from.")
    ] = "last",
    embedding: Annotated[int, typer.Option(help="Units that stand for a token of a text.")] = Options.embedding,
    dropout: Annotated[
        float, typer.Option(help="Dropout of embeddings, between layers and before the output.")
    ] = Options.dropout,
    recurrent_dropout: Annotated[list[str] | None, typer.Option(help="Inside the cell, by value: g=0.1")] = None,
    zoneout: Annotated[list[str] | None, typer.Option(help="States that stand still at random: h=0.05")] = None,
    init: Annotated[
        list[str] | None, typer.Option(help="How weights start: torch, chrono(100), ..., or by name: 'b_f=1'.")
    ] = None,
    engine: Annotated[str, typer.Option(help="What executes the cell.")] = "auto",
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the sequences.  [default: about 1500 updates, 5 to 100 passes]")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Updates of the weights in all.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Time to train, with --resume from now on.")] = None,
    batch: Annotated[int, typer.Option(help="Sequences of an update.")] = Options.batch_size,
    learning_rate: Annotated[
        float, typer.Option(help="The highest; it rises, then falls to 0.")
    ] = Options.learning_rate,
    weight_decay: Annotated[float, typer.Option(help="Of matrices; biases never decay.")] = Options.weight_decay,
    patience: Annotated[
        int | None, typer.Option(help="Stop after so many of 20 validations without a better one.")
    ] = None,
    balanced: Annotated[
        bool, typer.Option("--balanced", help="In the loss each label counts alike, however rare.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of weights, dropout, order and parts.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Learns the labels of sequences: one for each (many-to-one), or tags.

    Ctrl-C saves and stops; --resume goes on.
    """
    given = named(context)
    if resume:
        go_on(out, given, device, overwrite)
        return
    if file is None:
        raise InputError("no file was given: name one with labelled sequences, or - for standard input")
    if "cell" in given and equations is not None:
        raise InputError(f"--cell {cell} and --equations {equations}: give one of them")
    recurrent = {
        "recurrent_dropout": by_name("--recurrent-dropout", recurrent_dropout),
        "zoneout": by_name("--zoneout", zoneout),
        "init": starts(init),
    }
    options = Options(
        cell=chosen_cell(cell, equations, constant),
        hidden=hidden,
        layers=layers,
        bidirectional=not one_way,
        summary=summary,
        embedding=embedding,
        level=level,
        vocabulary=vocabulary,
        dropout=dropout,
        recurrent={name: value for name, value in recurrent.items() if value} or None,
        epochs=epochs,
        steps=steps,
        minutes=minutes,
        batch_size=batch,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        patience=patience,
        class_weight="balanced" if balanced else None,
        random_state=seed,
        engine=engine,
    )
    parts = shares(splits)
    with progress_on() as progress:

        def told(examples: Examples, job: Job, parts: Parts) -> None:
            for line in introduction(file, examples, job, parts):
                progress.say(line)

        outcome = train_labels(
            file,
            out,
            options,
            kind=KINDS[labels],
            splits=parts,
            overwrite=overwrite,
            device=device,
            report=progress,
            told=told,
        )
    conclude(outcome, out)


def go_on(out: Path, given: dict[str, Any], device: str, overwrite: bool) -> None:
    """Resumes a run with the data it was started with; only its length may be given anew."""
    if overwrite:
        raise InputError("--resume goes on with a run, --overwrite replaces it: give one of them")
    if other := sorted(set(given) - {*CHANGEABLE, "out", "resume", "overwrite", "device"}):
        option = "FILE" if other[0] == "file" else "--" + other[0].replace("_", "-")
        raise InputError(
            f"{option}: a run goes on with what it was started with; leave {option} out, or start a new run in another "
            "folder"
        )
    with progress_on() as progress:
        outcome = resume_labels(
            out, {name: given[name] for name in CHANGEABLE if name in given}, device=device, report=progress
        )
    conclude(outcome, out)


def introduction(file: str, examples: Examples, job: Job, parts: Parts) -> list[str]:
    """What will be learnt from what."""
    lengths = [len(sequence) for sequence in examples.sequences]
    span = f"{min(lengths):,}" if min(lengths) == max(lengths) else f"{min(lengths):,} to {max(lengths):,}"
    if isinstance(job.inputs, Scaling):
        what = f"{job.inputs.width} number{'s' if job.inputs.width > 1 else ''} a step"
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
    ]


def conclude(outcome: Outcome, out: Path) -> None:
    """The figures of a training that ended, and what to do next."""
    result, folder = outcome.result, shlex.quote(str(out))
    if result.best is not None:
        print(f"best validation loss {result.best:.4f}, at step {result.best_step:,}: {result.best_path}")
    if outcome.test is not None:
        print("held-out sequences:")
        print("\n".join(outcome.test.lines(columns())))
    say_next(result, f"gatework train labels --resume --out {folder}", f"gatework predict {folder} FILE")


def progress_on() -> TrainingProgress:
    """The progress on standard output."""
    return TrainingProgress("steps", figure=loss_words)


def loss_words(loss: float) -> str:
    return f"loss {loss:.4f}"


def columns() -> int:
    return shutil.get_terminal_size((120, 24)).columns


# -- predicting


def predict(
    run: RunFolder,
    file: Annotated[str, FileOf],
    each: Annotated[bool, typer.Option("--each", help="Print the predictions, also where FILE has labels.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the predictions to a file, as lines of JSON.")] = None,
    device: Device = "cpu",
) -> None:
    """Predicts the labels of sequences with a trained model.

    Where FILE has labels, it says how many are right: accuracy, confusion table, F1 by label. Otherwise, or with
    --each, it prints a line of JSON for each sequence: its label and, of classes, the probability.
    """
    opened = Run.open(run)
    job = opened.job
    if out is not None and not out.parent.is_dir():
        raise InputError(f"cannot write {out}: {out.parent} is no directory")
    level: Level = "word" if job.inputs.form == "word" else "char"
    examples = read_examples(file, level=level, kind=job.kind)
    model = opened.model(device=device)
    labelled = examples.labels is not None
    encoded = Encoded.of(examples, job.inputs, job.targets if labelled else None, job.kind == "tag")
    if out is not None or each or not labelled:
        with bar("predicting") as progress:
            lines = [json_line(row) for row in predictions(job, model, encoded, progress)]
        if out is not None:
            write_atomically(out, "".join(f"{line}\n" for line in lines).encode())
        if each or (out is None and not labelled):
            print("\n".join(lines))
    if labelled and not each:
        print("\n".join(judged(job, model, encoded).lines(columns())))
