"""The border to the terminal: control characters of users' files are shown there in escaped form."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, cast

from gatework.errors import LONGEST, printable, shortened

if TYPE_CHECKING:
    from rich.console import Console

LAYOUT = "\n\t"  # control characters that lines and tables are made with


class Shown:
    """A stream on which control characters are shown escaped; `behind` is the stream itself."""

    def __init__(self, behind: TextIO) -> None:
        self.behind = behind

    def write(self, text: str) -> int:
        self.behind.write(printable(text, LAYOUT))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.behind, name)


def behind(stream: TextIO) -> TextIO:
    """The stream itself, for what draws on a terminal and makes its words printable by itself."""
    return stream.behind if isinstance(stream, Shown) else stream


def for_model_text() -> TextIO:
    """Standard output for what a model writes: as it is for a file or a pipe, shown on a terminal."""
    return sys.stdout if sys.stdout.isatty() else behind(sys.stdout)


def console(*, stderr: bool = False) -> "Console":
    """What draws progress on standard output or error; it takes words as they are, without markup."""
    from rich.console import Console  # slow, and most commands draw nothing

    stream = behind(sys.stderr if stderr else sys.stdout)
    return Console(file=stream, highlight=False, soft_wrap=True, markup=False, emoji=False)


@contextmanager
def border() -> Iterator[None]:
    """Puts standard output and standard error behind `Shown`; without a standard output, status 2.

    A closed standard error becomes the null device.
    """
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115  # for as long as the process lives
    if sys.stdout is None:
        _closed("standard output is closed: send it to a file, or to /dev/null")
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")  # a model may write what the terminal cannot show
    with redirect_stdout(cast(TextIO, Shown(sys.stdout))), redirect_stderr(cast(TextIO, Shown(sys.stderr))):
        yield


def _closed(message: str) -> NoReturn:
    print(f"gatework: {message}", file=sys.stderr)
    sys.exit(2)


def line(text: str) -> str:
    """A text as one line of a progress or a note: printable, and cut where it is long."""
    return shortened(printable(text, "\t"), LONGEST)


def json_line(values: Any) -> str:
    """Values as a line of JSON, letters as they are, control characters as JSON escapes them."""
    return printable(json.dumps(values, ensure_ascii=False), escape=lambda character: json.dumps(character)[1:-1])
