"""`gatework train`: from raw input to a trained model in a run folder."""

import io
import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from gatework.cli.options import (
    CONSTANT_HELP,
    RESUMABLE,
    begun_with,
    by_name,
    chosen_cell,
    named,
    refuse_other,
    shares,
    starts,
    tuned,
)
from gatework.cli.progress import TrainingProgress, say_next
from gatework.cli.use import is_jsonl, score_line
from gatework.errors import InputError
from gatework.files.reading import changed
from gatework.runs.folder import first_process, weights_of
from gatework.text.data.batches import LanguageBatches
from gatework.text.data.corpus import Corpus
from gatework.text.data.vocabulary import UNITS, Level
from gatework.text.fine_tuning import fine_tune_text
from gatework.text.model import LanguageModel, Shape
from gatework.text.run import Batching, Run, Text
from gatework.text.train import Outcome, resume_text, train_text
from gatework.text.unknown import unknown_line
from gatework.training import Settings, bits

app = typer.Typer(help="Trains a model and writes it to a run folder.", no_args_is_help=True, rich_markup_mode=None)


@app.command("text", no_args_is_help=True)
def text(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(help="Files, directories, or - for standard input.", metavar="PATH...", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option(help="The run folder to make, or with --resume to go on with.")] = ...,  # type: ignore[assignment]
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in --out.")] = False,
    from_run: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Begin with the trained weights of this run (fine-tuning): its vocabulary, level, cell and sizes "
            "stay, and what is not said anew is as it was; without PATH its own text.",
            metavar="RUN",
            show_default=False,
        ),
    ] = None,
    level: Annotated[Literal["byte", "char", "word"], typer.Option(help="What a token is.")] = "char",
    suffix: Annotated[
        list[str] | None, typer.Option(help="Read only such files of a directory: .py; repeatable.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="Leave out files and folders of this name, * and ? allowed; repeatable.")
    ] = None,
    documents: Annotated[
        bool | None,
        typer.Option(
            "--documents/--plain",
            help='The text is JSONL, {"text": ..., "condition": ...} a line.  [default: if it is called .jsonl]',
            show_default=False,
        ),
    ] = None,
    vocabulary: Annotated[
        int | None, typer.Option(help="Tokens to know at most.  [default: 1024 characters, 10000 words]")
    ] = None,
    splits: Annotated[
        str, typer.Option(help="Shares of the text for training, validation and test.", metavar="A,B,C")
    ] = "0.9,0.05,0.05",
    cell: Annotated[str, typer.Option(help="A cell by name; gatework cells lists them.")] = "lstm",
    equations: Annotated[Path | None, typer.Option(help="A file with the equations of your own cell.")] = None,
    constant: Annotated[list[str] | None, typer.Option(help=CONSTANT_HELP)] = None,
    hidden: Annotated[int, typer.Option(help="Units of each recurrent layer, H.")] = 256,
    layers: Annotated[int, typer.Option(help="Recurrent layers, L.")] = 1,
    projection: Annotated[int, typer.Option(help="Project the output to so many units, R; 0 for none.")] = 0,
    embedding: Annotated[int | None, typer.Option(help="Units that stand for a token.  [default: 64]")] = None,
    one_hot: Annotated[bool, typer.Option("--one-hot", help="Feed tokens one-hot, without an embedding.")] = False,
    tied: Annotated[bool, typer.Option("--tied", help="Use the embedding's weights for the output too.")] = False,
    dropout: Annotated[float, typer.Option(help="Dropout between layers and before the output.")] = 0.0,
    variational: Annotated[bool, typer.Option("--variational", help="One dropout mask for all steps.")] = False,
    recurrent_dropout: Annotated[list[str] | None, typer.Option(help="Inside the cell, by value: g=0.1")] = None,
    zoneout: Annotated[list[str] | None, typer.Option(help="States that stand still at random: h=0.05")] = None,
    residual: Annotated[
        bool, typer.Option("--residual", help="Each layer but the first adds its input to its output.")
    ] = False,
    learned_start: Annotated[bool, typer.Option("--learned-start", help="Learn the first state.")] = False,
    init: Annotated[
        list[str] | None,
        typer.Option(help="How weights start: torch, chrono(100), ..., or by name or pattern: 'g_*=1'; repeatable."),
    ] = None,
    engine: Annotated[str, typer.Option(help="What executes the cell.")] = "auto",
    streams: Annotated[int, typer.Option(help="Streams of text read side by side (the batch).")] = 32,
    bptt: Annotated[int, typer.Option(help="Time steps between two updates (truncated backpropagation).")] = 64,
    steps: Annotated[int | None, typer.Option(help="Updates of the weights in all.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the text.")] = None,
    minutes: Annotated[
        float | None,
        typer.Option(help="Time to train, with --resume from now on; alone, the schedule is planned to fit."),
    ] = None,
    learning_rate: Annotated[float, typer.Option(help="The rate after warm-up.")] = 4e-3,
    optimizer: Annotated[Literal["adam", "adamw"], typer.Option(help="adamw decouples the weight decay.")] = "adamw",
    weight_decay: Annotated[float, typer.Option(help="Of matrices; biases never decay.")] = 0.01,
    warmup: Annotated[int, typer.Option(help="Updates of linear warm-up.")] = 100,
    decay: Annotated[Literal["cosine", "none"], typer.Option(help="How the rate falls after warm-up.")] = "cosine",
    clip: Annotated[float, typer.Option(help="Largest global norm of the gradient; 0 for no clipping.")] = 1.0,
    accumulate: Annotated[int, typer.Option(help="Batches per update.")] = 1,
    evaluate_every: Annotated[
        int | None, typer.Option(help="Updates between validations.  [default: an epoch, at most 500]")
    ] = None,
    patience: Annotated[int | None, typer.Option(help="Stop after so many validations without a better one.")] = None,
    save_every: Annotated[float, typer.Option(help="Seconds between checkpoints.")] = 30.0,
    seed: Annotated[int, typer.Option(help="Of weights and dropout.")] = 0,
    precision: Annotated[
        Literal["float32", "bfloat16"], typer.Option(help="bfloat16 runs products in half.")
    ] = "float32",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Trains a language model on text: files, directories, standard input.

    Without --steps, --epochs or --minutes it trains for one epoch. Ctrl-C saves and stops; --resume goes on.
    """
    given = named(context)
    if resume:
        go_on(out, given, device, overwrite)
        return
    if from_run is not None:
        tune(from_run, out, given, device, overwrite)
        return
    if not paths:
        raise InputError("no text was given: name files, directories, or - for standard input")
    if one_hot and embedding is not None:
        raise InputError(f"--one-hot and --embedding {embedding}: give one of them")
    if "cell" in given and equations is not None:
        raise InputError(f"--cell {cell} and --equations {equations}: give one of them")
    chosen = chosen_cell(cell, equations, constant)
    shape = Shape(
        hidden=hidden,
        layers=layers,
        projection=projection,
        embedding=None if one_hot else Shape.embedding if embedding is None else embedding,
        tied=tied,
        dropout=dropout,
        variational=variational,
        recurrent_dropout=by_name("--recurrent-dropout", recurrent_dropout),
        zoneout=by_name("--zoneout", zoneout),
        residual=residual,
        initial="learned" if learned_start else "zero",
        init=starts(init),
        engine=engine,
    )
    settings = Settings(
        steps=steps,
        epochs=1 if steps is None and minutes is None and epochs is None else epochs,
        minutes=minutes,
        learning_rate=learning_rate,
        optimizer=optimizer,
        weight_decay=weight_decay,
        warmup=warmup,
        decay=decay,
        clip=clip or None,
        accumulate=accumulate,
        evaluate_every=evaluate_every,
        patience=patience,
        seed=seed,
        precision=precision,
        save_every=save_every,
    )
    source = Text(
        tuple(paths),
        level,
        tuple(suffix or ()),
        tuple(exclude or ()),
        vocabulary,
        shares(splits),
        all(map(is_jsonl, paths)) if documents is None else documents,
    )
    with progress_on(level) as progress:

        def told(corpus: Corpus, batches: LanguageBatches, model: LanguageModel) -> None:
            for line in introduction(corpus, batches, model):
                progress.say(line)

        outcome = train_text(
            source,
            out,
            chosen,
            settings,
            shape=shape,
            batching=Batching(streams, bptt),
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


def introduction(corpus: Corpus, batches: LanguageBatches, model: LanguageModel) -> list[str]:
    """What will be trained on what, and what of the text is left out."""
    unit = corpus.vocabulary.unit
    weights = sum(parameter.numel() for parameter in model.parameters())
    lines = [
        corpus.describe(),
        f"{len(batches):,} batches of {batches.streams} streams x {batches.steps} steps; "
        f"{batches.dropped:,} {unit} fill no batch and are left out",
        f"{model.recurrent.extra_repr()}; {weights:,} weights",
    ]
    if len(corpus.validation) <= batches.streams:
        lines.append(
            f"no validation: {len(corpus.validation):,} {unit} for it are too few for {batches.streams} streams"
        )
    return lines


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
