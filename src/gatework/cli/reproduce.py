"""`gatework reproduce`: the published experiments, run again: published and ours side by side."""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import torch
import typer

from gatework.cli import terminal
from gatework.cli.options import INTERRUPTED, split
from gatework.cli.progress import TrainingProgress
from gatework.errors import InputError
from gatework.files.writing import make_folder, write_atomically
from gatework.lab import EXPERIMENTS, Arm, Experiment, Size
from gatework.lab.bench.machine import machine
from gatework.lab.bench.report import table
from gatework.lab.costs import cost
from gatework.lab.picture import svg
from gatework.lab.report import duration, spread, text
from gatework.lab.results import Results, file_name, load, save
from gatework.lab.running import Begun, Ended, run

ALL = "all"
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
    if name is None:
        print(listing())
        return
    chosen = list(EXPERIMENTS.values()) if name == ALL else [find(name)]
    size = Size.QUICK if quick else Size.FULL
    plans = [(each, arms_of(each, split(cell), form or (), size)) for each in chosen]
    make_folder(out)
    torch.set_num_threads(threads)
    for experiment, arms in plans:
        try:
            one(experiment, arms, seeds or experiment.seeds_of(size), size, out)
        except InputError as error:
            if name != ALL:
                raise
            print(f"not run: {error}\n")  # a package that is not installed, say: the others go on


def listing() -> str:
    """The experiments, and what a full and a quick run of each cost where that was measured."""
    lines = [
        [name, each.title, *(shown_cost(name, size) for size in (Size.FULL, Size.QUICK))]
        for name, each in EXPERIMENTS.items()
    ]
    return table(["name", "experiment", "cost", "--quick"], lines)


def shown_cost(name: str, size: Size) -> str:
    seconds = cost(name, size)
    return "not measured" if seconds is None else duration(seconds)


def find(name: str) -> Experiment:
    """The experiment by name."""
    if name not in EXPERIMENTS:
        near = get_close_matches(name, [*EXPERIMENTS, ALL], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InputError(f"there is no experiment {name!r}{hint}; there are {', '.join([*EXPERIMENTS, ALL])}")
    return EXPERIMENTS[name]


def arms_of(experiment: Experiment, cells: Sequence[str], forms: Sequence[str], size: Size) -> list[Arm]:
    """The networks to run. Raises InputError for a cell that does not exist, or a form that the task has not."""
    known = {squeezed(arm.variant): arm.variant for arm in experiment.arms if arm.variant}
    for form in forms:
        if squeezed(form) not in known:
            there = f"there are {', '.join(known.values())}" if known else "it has one form only"
            raise InputError(f"--form {form!r}: {experiment.name} has no such form; {there}")
    wanted = [squeezed(form) for form in forms]
    size = Size.FULL if forms else size  # what is asked for by name is run also where a quick run leaves it out
    return [arm for arm in experiment.chosen(cells, size) if not forms or squeezed(arm.variant) in wanted]


def squeezed(form: str) -> str:
    """ "T = 100" as "T=100"."""
    return form.replace(" ", "")


def one(experiment: Experiment, arms: Sequence[Arm], seeds: int, size: Size, out: Path) -> None:
    """Runs an experiment from where its file in `out` stands, and shows it; Ctrl-C ends with status 130."""
    path = out / file_name(experiment.name, size)
    results = load(path, experiment) if path.exists() else Results(experiment.name, size)
    print(f"{experiment.title}\n")
    try:
        fill(experiment, arms, seeds, results, path)
    except KeyboardInterrupt:
        kept = f"the seeds that have ended are in {path}: the same command goes on after them"
        print(f"stopped; {kept if path.exists() else 'no seed had ended, so nothing is kept'}")
        raise typer.Exit(INTERRUPTED) from None
    print(text(experiment, results))
    draw(experiment, results, path.with_suffix(".svg"))
    print(f"saved: {path}")


def fill(experiment: Experiment, arms: Sequence[Arm], seeds: int, results: Results, path: Path) -> None:
    """Runs what is missing, each seed saved as it ends, with a line for each and how far it is."""
    here = machine(torch.get_num_threads(), "auto", seconds=0)
    with TrainingProgress("", terminal.console(stderr=True)) as progress:
        trial = ""

        def tell(line: str) -> None:
            progress.line(f"{trial}: {line}")

        for event in run(experiment, arms, seeds, results, here, tell):
            match event:
                case Begun():
                    trial = f"{event.number}/{event.total} {event.arm.label}, seed {event.seed}"
                case Ended():
                    save(results, path)
                    progress.say(ended(trial, event))


def ended(trial: str, event: Ended) -> str:
    """A finished trial in one line."""
    figures = [f"{name} {spread([value])}" for name, value in event.trial.figures.items()]
    verdict = "solved" if event.trial.solved else "not solved"
    return f"{trial}: {', '.join([verdict, *figures, duration(event.trial.seconds)])}"


def draw(experiment: Experiment, results: Results, path: Path) -> None:
    """Writes the picture, or says what it needs."""
    try:
        picture = svg(experiment, results)
    except InputError as error:
        print(f"no picture: {error}")
        return
    write_atomically(path, picture)
    print(f"drawn: {path}")
