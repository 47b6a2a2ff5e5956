"""`gatework train labels`: labels of sequences."""

from typing import Annotated, Literal

import typer

from gatework.cli.arguments import LabelledEncoding, LabelledFile, OutFolder, Overwrite, Resume, TrainingDevice
from gatework.cli.options import Chosen, named_in, with_options
from gatework.cli.values import shares
from gatework.errors import InputError
from gatework.labels.options import Kind, Options

KINDS: dict[str, Kind | None] = {"auto": None, "classes": "class", "numbers": "number", "tags": "tag", "sets": "set"}


@with_options
def train_labels(
    context: typer.Context,
    file: Annotated[str | None, LabelledFile] = None,
    out: OutFolder = ...,  # type: ignore[assignment]
    resume: Resume = False,
    overwrite: Overwrite = False,
    labels: Annotated[
        Literal["auto", "classes", "numbers", "tags", "sets"],
        typer.Option("--as", help="What the labels are; auto: texts are classes, numbers numbers, lists tags."),
    ] = "auto",
    splits: Annotated[
        str, typer.Option(help="Shares of the sequences for training, validation and test.", metavar="A,B,C")
    ] = "0.8,0.1,0.1",
    encoding: LabelledEncoding = None,
    *,
    options: Chosen[Options],
    device: TrainingDevice = "auto",
) -> None:
    """Learns the labels of sequences: one for each (many-to-one), or tags.

    A label may be several targets by name, or with --as sets any number of labels: "a|b", or a list.
    Ctrl-C saves and stops; --resume goes on.
    """
    from gatework.cli.label_runs import begin, go_on

    if resume and overwrite:
        raise InputError("--resume goes on with a run, --overwrite replaces it: give one of them")
    if resume:
        go_on(out, options, named_in(context), device)
    elif file is None:
        raise InputError("no file was given: name one with labelled sequences, or - for standard input")
    else:
        begin(
            file,
            out,
            options.made(),
            kind=KINDS[labels],
            splits=shares("--splits", splits),
            encoding=encoding,
            device=device,
            overwrite=overwrite,
        )
