"""Results as tables: the published figures beside ours."""

import statistics
from collections.abc import Iterable, Sequence

from gatework.lab.bench.machine import Machine
from gatework.lab.bench.report import table
from gatework.lab.experiment import Experiment, Size, Trial, Variant
from gatework.lab.results import Results


def text(experiment: Experiment, results: Results) -> str:
    """What was tried, the table, and the machine, in Markdown that reads as text."""
    lines = [
        f"- solved: {experiment.criterion}",
        f"- published: {experiment.source}",
        f"- unlike there: {experiment.batched}",
        *(f"- {machine_line(machine)}" for machine in results.machines),
        f"- all trials together took {duration(results.seconds)} of processor time",
    ]
    if results.size is not Size.FULL:
        lines.append(f"- a {results.size.value} run: fewer seeds, less training, easier forms where said")
    return "\n\n".join([figures(results), "\n".join(lines)]) + "\n"


def figures(results: Results) -> str:
    """The table: a line for each network, each figure as the median and the range over seeds."""
    if not results.variants:
        return "Nothing was run."
    names = list(
        dict.fromkeys(name for variant in results.variants for trial in results.of(variant) for name in trial.figures)
    )
    ours = [f"{name}: median (range)" for name in (*names, "CPU seconds a seed")]
    columns = ["form", "network", "published", "solved by the criterion", *ours]
    lines = [_line(variant, results.of(variant), names) for variant in results.variants]
    used = [k for k in range(len(columns)) if any(cells[k] for cells in lines)]
    return table([columns[k] for k in used], [[cells[k] for k in used] for cells in lines])


def _line(variant: Variant, trials: Sequence[Trial], names: Iterable[str]) -> list[str]:
    figures = [[trial.figures[name] for trial in trials if name in trial.figures] for name in names]
    seconds = [trial.seconds for trial in trials]
    return [variant.form, variant.name, variant.published, _verdict(trials), *map(spread, figures), spread(seconds)]


def _verdict(trials: Sequence[Trial]) -> str:
    """How many seeds were solved: "solved, 3 of 3 seeds", "not solved (1 seed)"."""
    solved, total = sum(trial.solved for trial in trials), len(trials)
    seeds = "1 seed" if total == 1 else f"{total} seeds"
    if solved in (0, total):
        return f"{'solved' if solved else 'not solved'} ({seeds})"
    return f"solved in {solved} of {seeds}"


def spread(values: Sequence[float]) -> str:
    """The median, and where there are several values their range."""
    if not values:
        return ""
    median = digits(statistics.median(values))
    return median if len(values) == 1 else f"{median} ({digits(min(values))} to {digits(max(values))})"


def digits(value: float) -> str:
    """Whole from 100 on, else three significant digits."""
    if value == round(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def duration(seconds: float) -> str:
    """12 s, 3.4 minutes, 1.2 hours."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def machine_line(machine: Machine) -> str:
    threads = f"{machine.threads} thread{'s' * (machine.threads != 1)}"
    return (
        f"{machine.processor}, {machine.isa}, {threads}; gatework {machine.gatework}, torch {machine.torch}, "
        f"Python {machine.python}, {machine.date}"
    )
