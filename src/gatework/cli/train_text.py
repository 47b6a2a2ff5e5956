"""`gatework train text`: a language model."""

from pathlib import Path
from typing import Annotated

import typer

from gatework.cli.arguments import OutFolder, Overwrite, Resume, TrainingDevice, complete_runs
from gatework.cli.options import CellChoice, Chosen, with_options
from gatework.errors import InputError
from gatework.text.options import Batching, Shape, Text
from gatework.training.settings import Settings


@with_options
def train_text(
    paths: Annotated[
        list[str] | None,
        typer.Argument(help="Files, directories, or - for standard input.", metavar="PATH...", show_default=False),
    ] = None,
    out: OutFolder = ...,  # type: ignore[assignment]
    resume: Resume = False,
    overwrite: Overwrite = False,
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
    *,
    text: Chosen[Text],
    cell: Chosen[CellChoice],
    shape: Chosen[Shape],
    batching: Chosen[Batching],
    settings: Chosen[Settings],
    device: TrainingDevice = "auto",
) -> None:
    """Trains a language model on text: files, directories, standard input.

    Without --steps, --epochs or --minutes it trains for one epoch. Without --steps, what is not named of --streams,
    --bptt, --hidden, --layers, --dropout and --learning-rate follows the text's length and the time. Ctrl-C saves and
    stops; --resume goes on.
    """
    from gatework.cli.text_runs import Arguments, begin, go_on, tune

    arguments = Arguments(tuple(paths or ()), from_run, text, cell, shape, batching, settings)
    if resume and overwrite:
        raise InputError("--resume goes on with a run, --overwrite replaces it: give one of them")
    if resume:
        go_on(out, arguments, device)
    elif from_run is not None:
        tune(from_run, out, arguments, device, overwrite)
    else:
        begin(out, arguments, device, overwrite)
