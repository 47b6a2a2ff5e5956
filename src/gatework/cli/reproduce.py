"""`gatework reproduce`: the published experiments, run again: published and ours side by side."""

from pathlib import Path
from typing import Annotated

import typer

from gatework.cli.arguments import ALL
from gatework.cli.values import split
from gatework.errors import InputError
from gatework.files.writing import make_folder

EXPERIMENT_HELP = f"One of those that are listed without it, or {ALL}."


def reproduce(
    name: Annotated[str | None, typer.Argument(help=EXPERIMENT_HELP, show_default=False)] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Runs of each network.", show_default="the experiment's own")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer seeds and less training: all within minutes.")] = False,
    cell: Annotated[
        list[str] | None,
        typer.Option(help="Only networks of these cells: NAME,NAME; repeatable.", show_default="all"),
    ] = None,
    form: Annotated[
        list[str] | None,
        typer.Option(help="Only these forms of the task, such as T=100; repeatable.", show_default="all"),
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder for JSON and pictures.")] = Path("reproduced"),
    threads: Annotated[int, typer.Option(min=1, help="Threads of the layers.")] = 1,
) -> None:
    """Runs published experiments again; without NAME, lists them with what they cost.

    Each seed is saved as it ends: the same command goes on where it was stopped. A cell that the experiment does
    not know is tried with the settings of the network of today.
    """
    import torch

    from gatework.cli import experiments
    from gatework.lab import Size

    if name is None:
        print(experiments.listing())
        return
    chosen = experiments.named(name)
    size = Size.QUICK if quick else Size.FULL
    plans = [(each, experiments.variants_of(each, split(cell), form or (), size)) for each in chosen]
    make_folder(out)
    torch.set_num_threads(threads)
    for experiment, variants in plans:
        try:
            experiments.one(experiment, variants, seeds or experiment.seeds_of(size), size, out)
        except InputError as error:
            if name != ALL:
                raise
            print(f"not run: {error}\n")  # a package that is not installed, say: the others go on
