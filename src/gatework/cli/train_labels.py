"""`gatework train labels`: labels of sequences."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from gatework.cli.arguments import CELL, Constants, Equations, LabelledFile
from gatework.cli.values import by_name, chosen_cell, named, shares, starts
from gatework.errors import InputError
from gatework.labels.data.examples import Kind
from gatework.labels.options import Options

KINDS: dict[str, Kind | None] = {"auto": None, "classes": "class", "numbers": "number", "tags": "tag"}


def train_labels(
    context: typer.Context,
    file: Annotated[str | None, LabelledFile] = None,
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
    cell: Annotated[str, CELL] = "lstm",
    equations: Equations = None,
    constant: Constants = None,
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
    from gatework.cli import label_training

    given = named(context)
    if resume:
        label_training.go_on(out, given, device, overwrite)
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
    label_training.begin(
        file, out, options, kind=KINDS[labels], splits=shares(splits), device=device, overwrite=overwrite
    )
