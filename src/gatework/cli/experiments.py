"""What `gatework reproduce` does: experiments are listed, chosen, run from where they stand, and shown."""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import torch
import typer

from gatework.cli import terminal
from gatework.cli.arguments import ALL
from gatework.cli.progress import TrainingProgress
from gatework.cli.status import INTERRUPTED
from gatework.errors import InputError
from gatework.files.writing import write_atomically
from gatework.lab import EXPERIMENTS, Experiment, Size, Variant
from gatework.lab.bench.machine import machine
from gatework.lab.bench.report import table
from gatework.lab.costs import cost
from gatework.lab.picture import svg
from gatework.lab.report import duration, spread, text
from gatework.lab.results import Results, file_name, load, save
from gatework.lab.running import Begun, Ended, run


def listing() -> str:
    """The experiments, and what a full and a quick run of each cost where that was measured."""
    lines = [
        [name, each.title, *(_shown_cost(name, size) for size in (Size.FULL, Size.QUICK))]
        for name, each in EXPERIMENTS.items()
    ]
    return table(["name", "experiment", "cost", "--quick"], lines)


def _shown_cost(name: str, size: Size) -> str:
    seconds = cost(name, size)
    return "not measured" if seconds is None else duration(seconds)


def named(name: str) -> list[Experiment]:
    """All experiments, or the one of this name."""
    return list(EXPERIMENTS.values()) if name == ALL else [_find(name)]


def _find(name: str) -> Experiment:
    """The experiment by name."""
    if name not in EXPERIMENTS:
        near = get_close_matches(name, [*EXPERIMENTS, ALL], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InputError(f"there is no experiment {name!r}{hint}; there are {', '.join([*EXPERIMENTS, ALL])}")
    return EXPERIMENTS[name]


def variants_of(experiment: Experiment, cells: Sequence[str], forms: Sequence[str], size: Size) -> list[Variant]:
    """The networks to run. Raises InputError for a cell that does not exist, or a form that the task has not."""
    known = {_squeezed(variant.form): variant.form for variant in experiment.variants if variant.form}
    for form in forms:
        if _squeezed(form) not in known:
            there = f"there are {', '.join(known.values())}" if known else "it has one form only"
            raise InputError(f"--form {form!r}: {experiment.name} has no such form; {there}")
    wanted = [_squeezed(form) for form in forms]
    size = Size.FULL if forms else size  # what is asked for by name is run also where a quick run leaves it out
    return [variant for variant in experiment.chosen(cells, size) if not forms or _squeezed(variant.form) in wanted]


def _squeezed(form: str) -> str:
    """ "T = 100" as "T=100"."""
    return form.replace(" ", "")


def one(experiment: Experiment, variants: Sequence[Variant], seeds: int, size: Size, out: Path) -> None:
    """Runs an experiment from where its file in `out` stands, and shows it; Ctrl-C ends with status 130."""
    path = out / file_name(experiment.name, size)
    results = load(path, experiment) if path.exists() else Results(experiment.name, size)
    print(f"{experiment.title}\n")
    try:
        _fill(experiment, variants, seeds, results, path)
    except KeyboardInterrupt:
        where = f"the seeds that have ended are in {path}: the same command goes on after them"
        print(f"stopped; {where if path.exists() else 'no seed had ended, so nothing is kept'}")
        raise typer.Exit(INTERRUPTED) from None
    print(text(experiment, results))
    _draw(experiment, results, path.with_suffix(".svg"))
    print(f"saved: {path}")


def _fill(experiment: Experiment, variants: Sequence[Variant], seeds: int, results: Results, path: Path) -> None:
    """Runs what is missing, each seed saved as it ends, with a line for each and how far it is."""
    here = machine(torch.get_num_threads(), "auto", seconds=0)
    with TrainingProgress("", terminal.console(stderr=True)) as progress:
        trial = ""

        def tell(line: str) -> None:
            progress.line(f"{trial}: {line}")

        for event in run(experiment, variants, seeds, results, here, tell):
            match event:
                case Begun():
                    trial = f"{event.number}/{event.total} {event.variant.label}, seed {event.seed}"
                case Ended():
                    save(results, path)
                    progress.say(_ended(trial, event))


def _ended(trial: str, event: Ended) -> str:
    """A finished trial in one line."""
    figures = [f"{name} {spread([value])}" for name, value in event.trial.figures.items()]
    verdict = "solved" if event.trial.solved else "not solved"
    return f"{trial}: {', '.join([verdict, *figures, duration(event.trial.seconds)])}"


def _draw(experiment: Experiment, results: Results, path: Path) -> None:
    """Writes the picture, or says what it needs."""
    try:
        picture = svg(experiment, results)
    except InputError as error:
        print(f"no picture: {error}")
        return
    write_atomically(path, picture)
    print(f"drawn: {path}")
