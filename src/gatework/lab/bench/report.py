"""What was measured as tables, as JSON, and as a part of a document."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from gatework.errors import InputError
from gatework.lab.bench.machine import Machine
from gatework.lab.bench.measure import Measurement, geometric_mean
from gatework.lab.bench.rows import ROWS, Row
from gatework.lab.bench.run import Skipped

FORMAT = "gatework bench 2"
UNITS = {"ms": 1e3, "us": 1e6, "MiB": 2.0**-20}
PART = re.compile(r"(<!-- bench -->\n).*?(<!-- /bench -->)", re.DOTALL)
MANY = 3  # variants from which on a row is shown as a matrix of its figures


@dataclass
class Report:
    """The machine, what was measured so far, what was skipped, and whether all of it was."""

    machine: Machine
    quick: bool = False
    finished: bool = False
    measurements: list[Measurement] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    def of(self, row: str) -> list[Measurement]:
        return [measurement for measurement in self.measurements if measurement.row == row]

    def to_dict(self) -> dict[str, Any]:
        values = {"format": FORMAT, "machine": asdict(self.machine), "quick": self.quick, "finished": self.finished}
        return values | {
            "measurements": [measurement.to_dict() for measurement in self.measurements],
            "skipped": [asdict(skip) for skip in self.skipped],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        if values.get("format") != FORMAT:
            raise InputError(
                f"format {values.get('format')!r}; expected {FORMAT!r}, as gatework bench --json writes it"
            )
        try:
            return cls(
                Machine(**values["machine"]),
                values["quick"],
                values["finished"],
                [Measurement.from_dict(measurement) for measurement in values["measurements"]],
                [Skipped(**skip) for skip in values["skipped"]],
            )
        except (KeyError, TypeError) as error:
            raise InputError(f"damaged: {error}; gatework bench --json writes it whole") from error

    def with_more(self, other: Self) -> Self:
        """Both reports as one: of what both have measured, the other's figures. Raises InputError for two machines."""
        if unlike := [name for name, one, two in _pairs(self.machine, other.machine) if one != two]:
            raise InputError(f"measured on another machine or with other settings: {', '.join(unlike)}")
        latest = {(m.row, m.variant, m.shape): m for m in (*self.measurements, *other.measurements)}
        return replace(
            self,
            machine=other.machine,
            quick=self.quick or other.quick,
            finished=self.finished and other.finished,
            measurements=list(latest.values()),
            skipped=list(dict.fromkeys((*self.skipped, *other.skipped))),
        )

    def text(self) -> str:
        """The header, the table of rows, and the shapes of each, in Markdown that reads as text."""
        shown = [row for row in ROWS.values() if self.of(row.name)]
        lines = [summary(row, self.of(row.name)) for row in shown]
        parts = [_header(self), table(SUMMARY, lines) if lines else "Nothing was measured."]
        if self.skipped:
            parts.append("\n".join(f"- not measured: {skip.row}: {skip.reason}" for skip in self.skipped))
        parts += [f"### {row.title}\n\n{details(row, self.of(row.name))}" for row in shown]
        return "\n\n".join(parts) + "\n"


def _pairs(one: Machine, two: Machine) -> Iterator[tuple[str, Any, Any]]:
    """What two machines are and run, name by name; ceiling and date are those of a day."""
    for name, value in asdict(one).items():
        if name not in ("ceiling", "date"):
            yield name, value, getattr(two, name)


def _header(report: Report) -> str:
    """The machine and how it was measured, a line each."""
    machine = report.machine
    ceiling = "not measured" if machine.ceiling is None else f"{machine.ceiling:.0f} GF/s"
    threads = f"{machine.threads} thread{'s' * (machine.threads != 1)}"
    numbers = "float32 where no dtype is named" if machine.gpu else "float32"
    lines = [
        f"- {machine.processor}, {machine.isa}, {threads}, FMA ceiling {ceiling}",
        f"- gatework {machine.gatework} (engine {machine.engine}), torch {machine.torch}, Python {machine.python}, "
        f"{machine.date}",
        f"- {numbers}; ours and theirs in turn, figures are medians over rounds, ratios those of each round",
    ]
    if machine.gpu:
        lines.append(f"- on {machine.gpu}; times are those between its events")
    if report.quick:
        lines.append("- a quick run: few shapes, few rounds")
    if not report.finished:
        lines.append("- stopped before the end")
    return "\n".join(lines)


# -- a line for each row

SUMMARY = ("work", "shapes", "at every shape", "worst", "where", "geometric mean", "reached", "target")


def summary(row: Row, measured: Sequence[Measurement]) -> list[str]:
    """The targets of a row beside what was reached."""
    worst = _worst_of(row, measured)
    mean = None if row.figure == "excess" else geometric_mean(m.figure.median for m in measured)
    goals = [(row.each, worst.figure.median), (row.mean, mean)]
    met = [_reached(row, goal, value) for goal, value in goals if goal is not None and value is not None]
    return [
        row.title,
        str(len(measured)),
        _target(row, row.each),
        _figure(row, worst.figure.median),
        f"{worst.variant} {worst.shape}".strip(),
        _target(row, row.mean),
        "" if mean is None else _figure(row, mean),
        ("met" if all(met) else "missed") if met else "",
    ]


def _worst_of(row: Row, measured: Iterable[Measurement]) -> Measurement:
    """The measurement furthest from what the row wants."""
    choose = min if row.figure == "speed" else max
    return choose(measured, key=lambda measurement: measurement.figure.median)


def _reached(row: Row, goal: float, value: float) -> bool:
    return value >= goal if row.figure == "speed" else value <= goal


def _target(row: Row, goal: float | None) -> str:
    return "" if goal is None else f"{'>=' if row.figure == 'speed' else '<='} {_figure(row, goal)}"


def _figure(row: Row, value: float) -> str:
    """A ratio, a share or a time as one reads it."""
    if row.percent:
        return f"{value:.0%}"
    return f"{digits(value * UNITS[row.unit])} {row.unit}" if row.figure == "excess" else f"{value:.2f}"


def digits(value: float) -> str:
    """Three significant digits, without an exponent."""
    decimals = next((n for n, bound in ((0, 99.95), (1, 9.995), (2, 0.9995), (3, 0.09995)) if abs(value) >= bound), 4)
    return f"{value:.{decimals}f}"


# -- every shape of a row


def details(row: Row, measured: Sequence[Measurement]) -> str:
    """A line for each measurement, or where a row has many variants their figures by shape."""
    variants = list(dict.fromkeys(measurement.variant for measurement in measured))
    return _matrix(row, variants, measured) if len(variants) > MANY + 1 else _listing(row, measured)


def _listing(row: Row, measured: Sequence[Measurement]) -> str:
    compared = {"speed": "other / ours", "cost": "ours / other", "excess": "ours - other"}[row.figure]
    columns = ["", "T,B,I,H", f"other {row.unit}", f"ours {row.unit}", compared, "quartiles", "rounds", "ours GF/s"]
    lines = [
        [
            m.variant,
            str(m.shape),
            digits(m.theirs.median * UNITS[row.unit]),
            digits(m.ours.median * UNITS[row.unit]),
            _figure(row, m.figure.median),
            f"{_figure(row, m.figure.low)}-{_figure(row, m.figure.high)}",
            str(m.rounds),
            digits(2e-9 * m.work / m.ours.median) if m.work > 1 else "",
        ]
        for m in measured
    ]
    used = [i for i in range(len(columns)) if any(line[i] for line in lines)]
    return table([columns[i] for i in used], [[line[i] for i in used] for line in lines])


def _matrix(row: Row, variants: Sequence[str], measured: Sequence[Measurement]) -> str:
    shapes = list(dict.fromkeys(str(measurement.shape) for measurement in measured))
    medians = {(m.variant, str(m.shape)): m.figure.median for m in measured}
    lines = []
    for variant in variants:
        values = [medians.get((variant, shape)) for shape in shapes]
        mean = geometric_mean(value for value in values if value is not None)
        lines.append([variant, *("" if v is None else _figure(row, v) for v in values), _figure(row, mean)])
    return table(["", *shapes, "mean"], lines)


def table(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its columns padded to one width."""
    widths = [max(len(line[i]) for line in (columns, *lines)) for i in range(len(columns))]
    rows = [columns, ["-" * width for width in widths], *lines]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    )


# -- a part of a document


def with_part(document: str, text: str) -> str:
    """A document with the text between its marks <!-- bench --> and <!-- /bench -->."""
    if not PART.search(document):
        raise InputError("it has no lines <!-- bench --> and <!-- /bench -->, between which the figures go")
    return PART.sub(lambda match: match[1] + text + match[2], document)
