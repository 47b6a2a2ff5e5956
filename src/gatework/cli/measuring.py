"""What `gatework bench` does: rows are chosen and measured, files read and written."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gatework.cli import terminal
from gatework.errors import InputError
from gatework.files.reading import blamed, whole
from gatework.files.writing import MOST_JSON, parse_object, write_atomically, write_json
from gatework.lab.bench import ROWS, Contest, Measurement, Report, Row, Settings, Skipped, run
from gatework.lab.bench.plot import check_plot, plot
from gatework.lab.bench.report import with_part
from gatework.lab.bench.run import Begun

GROWTH = "growth"  # the row that the picture shows
NEW_DOCUMENT = "<!-- bench -->\n<!-- /bench -->\n"


class Files(NamedTuple):
    """Where the outcome goes beside standard output."""

    json: Path | None
    markdown: Path | None
    plot: Path | None


def chosen_rows(only: Sequence[str], plotted: bool, device: str = "cpu") -> list[Row]:
    """A device's rows by name, or all but those that must be asked for; a picture asks for its own."""
    rows = {name: row for name, row in ROWS.items() if row.device == device}
    if unknown := [name for name in only if name not in rows]:
        there = f"there is no such row for --device {device}; there are {', '.join(rows)}"
        raise InputError(f"--only {unknown[0]}: {there}")
    if plotted and GROWTH not in rows:
        raise InputError(f"--plot measures on the processor: leave out --plot or --device {device}")
    names = list(only or (name for name, row in rows.items() if not row.asked))
    return [row for name, row in rows.items() if name in names or (plotted and name == GROWTH)]


def check(files: Files) -> None:
    """Raises InputError for files that could not be written when all is measured."""
    for path in files:
        if path is not None and not path.parent.is_dir():
            raise InputError(f"cannot write {path}: {path.parent} is no directory")
    if files.markdown is not None:
        _document(files.markdown, "")
    if files.plot is not None:
        check_plot(files.plot)


def measure(rows: Iterable[Row], settings: Settings, report: Report, files: Files) -> None:
    """Fills the report, saving it after each contest; Ctrl-C ends it."""
    console = terminal.console(stderr=True)
    try:
        with console.status("") as status:
            for event in run(rows, settings):
                match event:
                    case Begun():
                        status.update(f"{event.number}/{event.total}  {_named(event.row, event.contest)}")
                        continue
                    case Measurement():
                        report.measurements.append(event)
                    case Skipped():
                        report.skipped.append(event)
                console.print(terminal.line(_line(event)))
                _save(report, files.json)
        report.finished = True
    except KeyboardInterrupt:
        console.print("stopped: what was measured so far")


def _named(row: str, what: Contest | Measurement) -> str:
    return " ".join(part for part in (row, what.variant, str(what.shape)) if part)


def _line(event: Measurement | Skipped) -> str:
    """An event in one line."""
    if isinstance(event, Skipped):
        return f"{event.row}: not measured: {event.reason}"
    low, median, high = (f"{value:.3g}" for value in (event.figure.low, event.figure.median, event.figure.high))
    return f"{_named(event.row, event)}: {median} ({low}-{high})"


# -- files


def finish(report: Report, files: Files) -> None:
    """Writes the files that were asked for."""
    _save(report, files.json)
    if files.markdown is not None:
        write_atomically(files.markdown, _document(files.markdown, report.text()).encode())
    if files.plot is not None:
        with blamed("write", files.plot):
            plot(report.of(GROWTH), files.plot)


def _save(report: Report, path: Path | None) -> None:
    if path is not None:
        write_json(path, report.to_dict())


def _document(path: Path, text: str) -> str:
    """The document at `path` with the text as its generated part; a new one is nothing else."""
    try:
        old = whole(path, MOST_JSON).decode() if path.exists() else NEW_DOCUMENT
        return with_part(old, text)
    except UnicodeDecodeError as error:
        raise InputError(f"--markdown {path} is not UTF-8 at byte {error.start}: name another document") from error
    except InputError as error:
        raise InputError(f"--markdown {path}: {error}") from error


def together(saved: Sequence[Path]) -> Report:
    """What several runs have saved, as one."""
    report = _read(saved[0])
    for path in saved[1:]:
        further = _read(path)
        try:
            report = report.with_more(further)
        except InputError as error:
            raise InputError(f"--from {saved[0]} --from {path}: {error}") from error
    return report


def _read(path: Path) -> Report:
    """What --json saved."""
    data = whole(path, MOST_JSON)
    try:
        values: Mapping[str, Any] = parse_object(data)
        return Report.from_dict(values)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error
