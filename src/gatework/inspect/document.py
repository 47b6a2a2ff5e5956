"""The page of a run: collected, put into one HTML, written to a file or shown in a notebook."""

import html
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatework.data.reading import blamed
from gatework.errors import InputError
from gatework.inspect.activity import Progress, silent
from gatework.inspect.collect import collect
from gatework.inspect.html import assemble
from gatework.inspect.model import packed
from gatework.training import write_atomically

WARN, LIMIT = 10_000_000, 25_000_000  # bytes
MARK = b"gatework inspect"  # in the head of every page
HEIGHT = 900  # of the frame in a notebook, pixels


@dataclass(frozen=True)
class Page:
    """A page that runs a model: one HTML text, and the JSON values that it shows.

    In a notebook it shows itself, in a frame of its own that can ask nothing of any server.
    """

    html: str
    payload: dict[str, Any]

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.html.encode())

    @property
    def findings(self) -> list[str]:
        """What was found, in plain sentences."""
        return list(self.payload["findings"])

    def write(self, path: str | Path, *, large: bool = False) -> Path:
        """Writes the page, aside first; raises InputError over 25 MB unless `large`, and for what is no page."""
        path = Path(path)
        check_out(path)
        if self.size > LIMIT and not large:
            raise InputError(
                f"the page would have {self.size / 1e6:.0f} MB, more than browsers open with ease: leave out the "
                "weights (--no-weights), or say that it may be that large (--large)"
            )
        write_atomically(path, self.html.encode())
        return path

    def _repr_html_(self) -> str:
        """The page in a frame of a notebook."""
        return (
            f'<iframe srcdoc="{html.escape(self.html)}" sandbox="allow-scripts allow-downloads" '
            f'style="width:100%;height:{HEIGHT}px;border:0" title="gatework inspect"></iframe>'
        )


def inspect(
    model: Any,
    text: str | Path | None = None,
    *,
    beside: str | Path | None = None,
    unit: str | None = None,
    with_text: bool = True,
    with_weights: bool = True,
    progress: Progress = silent,
) -> Page:
    """A page that runs a trained model and shows what its units do; a notebook shows it inline.

    >>> gw.inspect("runs/mine", "chapter.txt")
    >>> gw.inspect("runs/mine", "chapter.txt", beside="runs/rnn").write("page.html")

    model: the folder of a run of `gatework train text`.
    text: the file to read, "-" for standard input; the first 60,000 tokens are measured, the last 4,000 of them shown.
    beside: a second run, read on the same text, to compare gradient flow and surprise.
    unit: the unit that is looked at first, "l0.c.17"; default the best found.
    with_text, with_weights: False leaves them out of the page, which then cannot run the model.

    Raises InputError for what is no run, for a text that is empty or has nothing that the model knows, and for a unit
    that is not there.
    """
    if text is None:
        raise InputError("a text to read is needed: gw.inspect(run, file)")
    beside = None if beside is None else Path(beside)
    payload, weights = collect(Path(model), str(text), beside=beside, progress=progress)
    payload["unit"] = known_unit(payload, unit)
    if not with_text:
        payload |= {"text": None, "check": None, "other": without_surprise(payload["other"])}
        for each in payload["hypotheses"]:
            each["label"] = None
    if not with_weights:
        payload["check"], weights = None, {}
    payload["weights"], data = packed(weights)
    return Page(assemble(payload, data), payload)


def without_surprise(other: dict[str, Any] | None) -> dict[str, Any] | None:
    """A second run without what it says of each token."""
    return None if other is None else other | {"surprise": None}


def known_unit(payload: dict[str, Any], unit: str | None) -> str | None:
    """The unit asked for; raises InputError where it is not one."""
    names = [each["name"] for each in payload["units"]]
    if unit is not None and unit not in names:
        raise InputError(f"unit {unit!r} is not there; expected one of {names[0]} to {names[-1]}")
    return unit


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
