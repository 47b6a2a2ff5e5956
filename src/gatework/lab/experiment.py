"""What an experiment is: a task, networks to try on it, a criterion of the paper that says solved or not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from gatework.cells import find_cell
from gatework.errors import InputError

Progress = Callable[[str], None]  # called with one line on how far a trial is
Picture = Callable[[Any, Mapping[str, "Sequence[Trial]"]], None]  # draws on a matplotlib Figure; by Variant.label


class Size(StrEnum):
    """How much of an experiment is run: `tiny` in tests (seconds), `quick` within minutes, `full` as reported."""

    TINY = "tiny"
    QUICK = "quick"
    FULL = "full"


@dataclass(frozen=True)
class Variant:
    """One network of an experiment.

    name: as the table shows it: "lstm (today)"; cell: a name of `gw.cells`.
    options: what the experiment's trial reads, JSON values: hidden size, learning rate, the task's length. Under
        "quick" and "tiny" stand those that differ in smaller runs.
    published: the figure as printed, "" where the paper has none.
    form: which form of the task, "T = 100"; "" where there is one only. Name and form together are unique.
    quick: whether a quick run includes it.
    """

    name: str
    cell: str
    options: Mapping[str, Any]
    published: str = ""
    form: str = ""
    quick: bool = True

    @property
    def label(self) -> str:
        return f"{self.form}, {self.name}" if self.form else self.name

    def at(self, size: Size) -> dict[str, Any]:
        """The options at a size: a tiny run differs where a quick one does, and further."""
        smaller = {Size.FULL: (), Size.QUICK: ("quick",), Size.TINY: ("quick", "tiny")}[size]
        options = {name: value for name, value in self.options.items() if name not in ("quick", "tiny")}
        for each in smaller:
            options |= self.options.get(each, {})
        return options


@dataclass(frozen=True)
class Trial:
    """One seed of one variant; JSON values only.

    solved: by the paper's own criterion. figures: what the table shows, {"sequences": 31000}.
    curve: (sequences seen, error) where the picture draws it, `learning.POINTS` or so; traces: what else it draws.
    seconds: of processor time, which other work on the machine disturbs little; filled in by the runner.
    """

    solved: bool
    figures: Mapping[str, float]
    curve: Sequence[tuple[float, float]] = ()
    traces: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        return cls(**{**values, "curve": [(x, y) for x, y in values["curve"]]})


@dataclass(frozen=True)
class Experiment:
    """A published experiment.

    name: of the command line, "temporal_order"; title: of the table.
    task: one paragraph; criterion: the paper's own for "solved"; source: paper and year, and whether its figures
        were read in the source or quoted from memory; batched: what differs from the paper's training.
    shows: what the results say, a sentence or two beside the picture.
    variants: the first of each form is the network of today: its options serve a cell that no variant has.
    seeds: of a full run; quick_seeds of a quick one.
    trial: (variant, seed, size, progress) -> Trial, the same for the same arguments (on one machine).
    picture: draws on a matplotlib Figure; None for the learning curves, whose axes are named `axes`.
    drawn_seeds: how many seeds of each network it draws; the others are saved without curve and traces.
    """

    name: str
    title: str
    task: str
    criterion: str
    source: str
    batched: str
    variants: tuple[Variant, ...]
    seeds: int
    trial: Callable[[Variant, int, Size, Progress], Trial]
    shows: str = ""
    quick_seeds: int = 1
    picture: Picture | None = None
    drawn_seeds: int | None = None
    axes: tuple[str, str] = ("sequences", "error")

    def __post_init__(self) -> None:
        labels = [variant.label for variant in self.variants]
        if len(set(labels)) < len(labels):
            raise InputError(f"experiment {self.name}: two networks are called alike; names: {', '.join(labels)}")

    def seeds_of(self, size: Size) -> int:
        """How many seeds each network is given."""
        return {Size.TINY: 1, Size.QUICK: self.quick_seeds, Size.FULL: self.seeds}[size]

    def chosen(self, cells: Sequence[str] = (), size: Size = Size.FULL) -> list[Variant]:
        """The variants to run: those of the cells, or all that the size includes.

        A cell that no variant has is tried on each form with the options of its first variant. Raises InputError for
        a cell that does not exist.
        """
        if not cells:
            return [variant for variant in self.variants if variant.quick or size is Size.FULL]
        known = {variant.cell for variant in self.variants}
        first = {variant.form: variant for variant in reversed(self.variants)}
        chosen = [variant for variant in self.variants if variant.cell in cells]
        for name in dict.fromkeys(find_cell(cell).name for cell in cells if cell not in known):
            chosen += [replace(variant, name=name, cell=name, published="") for variant in reversed(first.values())]
        return chosen
