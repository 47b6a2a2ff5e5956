"""`gatework train text`: a language model."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from gatework.cli.arguments import CELL, Constants, Equations, complete_runs
from gatework.cli.values import by_name, chosen_cell, is_jsonl, named, shares, starts
from gatework.errors import InputError


def train_text(
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
            autocompletion=complete_runs,
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
    cell: Annotated[str, CELL] = "lstm",
    equations: Equations = None,
    constant: Constants = None,
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
    from gatework.cli import text_training
    from gatework.text.model import Shape
    from gatework.text.run import Batching, Text
    from gatework.training.settings import Settings

    given = named(context)
    if resume:
        text_training.go_on(out, given, device, overwrite)
        return
    if from_run is not None:
        text_training.tune(from_run, out, given, device, overwrite)
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
    text_training.begin(
        source,
        out,
        chosen,
        settings,
        shape=shape,
        batching=Batching(streams, bptt),
        overwrite=overwrite,
        device=device,
    )
