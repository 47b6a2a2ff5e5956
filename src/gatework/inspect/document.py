"""The page of a run: collected, put into one HTML, written to a file or shown in a notebook."""

import html
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatework.errors import InputError
from gatework.files.reading import blamed
from gatework.files.writing import write_atomically
from gatework.forecast.forecaster import Forecaster
from gatework.forecast.model import ensemble_of
from gatework.forecast.run import TASK as SERIES
from gatework.inspect.collect import collect, name_of
from gatework.inspect.html import assemble
from gatework.inspect.labels_run import collect_labels
from gatework.inspect.model import Weights, packed
from gatework.inspect.pairs import collect_pairs
from gatework.inspect.series import collect_series
from gatework.inspect.units import check_unit
from gatework.labels.description import TASK as LABELS
from gatework.pairs.description import TASK as PAIRS
from gatework.runs.folder import read_description
from gatework.runs.progress import PartProgress, no_progress

WARN, LIMIT = 10_000_000, 25_000_000  # bytes
MARK = b"gatework inspect"  # in the head of every page
HEIGHT = 900  # of the frame in a notebook, pixels


@dataclass(frozen=True)
class Page:
    """A page that runs a model: one HTML text, and the JSON values that it shows.

    html: the whole file. payload: the values, as they stand in it. In a notebook it shows itself, in a frame of its own
    that can ask nothing of any server.
    """

    html: str
    payload: dict[str, Any]

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.html.encode())

    @property
    def findings(self) -> list[str]:
        """The findings: a list of plain sentences."""
        return list(self.payload["findings"])

    def write(self, path: str | Path, *, large: bool = False) -> Path:
        """Writes the page, aside first, so that a page that was there stays until it is whole.

        Args:
            path: of the file; what is there and is no page stays as it is.
            large: that it may have more than 25 MB.

        Returns:
            The path.

        Raises:
            InputError: over 25 MB unless `large`, where a file that is no page is there, or nothing can be written.
        """
        path = Path(path)
        check_out(path)
        if self.size > LIMIT and not large:
            raise InputError(
                f"the page would have {self.size / 1e6:.0f} MB, more than browsers open with ease: leave out the "
                "weights (--no-weights), or say that it may be that large (--large)"
            )
        write_atomically(path, self.html.encode())
        return path

    def __repr__(self) -> str:
        return f"<Page of {self.size:,} bytes: page.write(path) saves it, a notebook shows it>"

    def _repr_html_(self) -> str:
        """The page in a frame of a notebook."""
        return (
            f'<iframe srcdoc="{html.escape(self.html)}" sandbox="allow-scripts allow-downloads" '
            f'style="width:100%;height:{HEIGHT}px;border:0" title="gatework inspect"></iframe>'
        )


def inspect(
    model: "str | Path | Forecaster",
    file: str | Path | None = None,
    *,
    beside: str | Path | None = None,
    unit: str | None = None,
    series: str | None = None,
    text: bool = True,
    weights: bool = True,
    progress: PartProgress = no_progress,
) -> Page:
    """A page that runs a trained model and shows what its units do; a notebook shows it inline.

    >>> gw.inspect("runs/mine", "chapter.txt")
    >>> gw.inspect("runs/mine", "chapter.txt", beside="runs/rnn").write("page.html")
    >>> gw.inspect(gw.Forecaster(horizon=12).fit(table))

    Args:
        model: the folder of a run of `gatework train text`, `series`, `pairs` or `labels`, or a fitted `gw.Forecaster`.
        file: for a text model the text to read, "-" for standard input: its first 60,000 tokens are measured, the last
            4,000 of them shown. For a series model, if at all, a table of rows that came since; for a model of pairs a
            file of pairs in place of those that were held out; for a model of labels a file of sequences.
        beside: a second run, read on the same text, to compare gradient flow and surprise.
        unit: the unit that is looked at first, "l0.c.17"; by default the best.
        series: of several series the id of the one to look at; default the first.
        text, weights: False leaves them out of the page. Without weights it cannot run the model and shows figures
            alone.
        progress: called with a part's name, how much of it is done, and of how much.

    Returns:
        A Page: html, findings, write(path).

    Raises:
        InputError: for what is no such run, for a text that is empty or has nothing that the model knows, and for a
            unit or series that is not there.
    """
    if isinstance(model, Forecaster):
        payload, tensors = _of_series(model, "forecast", file, series, unit, progress)
    elif (task := _task_of(Path(model))) == SERIES:
        payload, tensors = _of_series(Forecaster.load(model), name_of(Path(model)), file, series, unit, progress)
    elif task == LABELS:
        _refuse(model, "labels", beside=beside, unit=unit, series=series)
        payload, tensors = collect_labels(Path(model), _name(file), name_of(Path(model)), progress)
    elif task == PAIRS:
        _refuse(model, "pairs", beside=beside, unit=unit, series=series)
        payload, tensors = collect_pairs(Path(model), _name(file), name_of(Path(model)), progress)
    elif file is None:
        raise InputError(f"{model} reads text: name a file for it to read")
    else:
        other = None if beside is None else Path(beside)
        payload, tensors = collect(Path(model), str(file), beside=other, unit=unit, progress=progress)
    payload["unit"] = unit
    if not text and payload["kind"] == "series":
        raise InputError("without its series this page would show nothing: leave out --no-text")
    if not text:
        _leave_out_text(payload)
    if not weights:
        payload["check"], payload["fresh"], tensors = None, None, {}
    payload["weights"], data = packed(tensors)
    return Page(assemble(payload, data), payload)


def _name(file: str | Path | None) -> str | None:
    return None if file is None else str(file)


def _refuse(model: str | Path, task: str, **options: object) -> None:
    """Raises InputError for an option that a page of this task has no use for."""
    for name, value in options.items():
        if value is not None:
            raise InputError(f"{name} is {str(value)!r}; {model} is a run of {task}, which has none: leave it out")


def _of_series(
    model: Forecaster,
    title: str,
    file: str | Path | None,
    series: str | None,
    unit: str | None,
    progress: PartProgress,
) -> tuple[dict[str, Any], Weights]:
    """What a page shows of a forecaster."""
    check_unit(ensemble_of(model.fitted.fitted).recurrent, unit)
    return collect_series(model, title, series, model.gone_on(None if file is None else str(file)), progress)


def _task_of(path: Path) -> str | None:
    """What a run was trained for; raises InputError where there is no run."""
    return read_description(path).get("task")


def _leave_out_text(payload: dict[str, Any]) -> None:
    """Takes the text out, and all that tells of it token by token."""
    payload |= {"text": None, "check": None}
    if payload["kind"] in {"pairs", "ctc", "labels"}:
        payload["examples"] = []
        return
    if payload["other"] is not None:
        payload["other"]["surprise"] = None
    for each in payload["hypotheses"]:
        each["label"] = each["place"] = None


def check_out(path: Path) -> None:
    """Raises InputError where a page cannot be written, or something else than a page would be lost."""
    if not path.parent.is_dir():
        raise InputError(f"{path.parent} is no folder: make it first, or name another place with --out")
    if path.is_dir():
        raise InputError(f"{path} is a folder: name a file, such as {path / 'page.html'}")
    if path.exists():
        with blamed("read", path), path.open("rb") as file:
            if MARK not in file.read(4096):
                raise InputError(f"{path} exists and is no page that gatework wrote: name another one with --out")
