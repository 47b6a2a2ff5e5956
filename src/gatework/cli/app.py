"""The command `gatework`: its subcommands, and errors as one line with status 2."""

import io
import os
import sys
import warnings
from typing import NoReturn, TextIO, cast

import typer
from typer.core import TyperGroup

from gatework.cli import cells, train, use
from gatework.errors import InputError
from gatework.notation import EquationError
from gatework.notation.source import EquationWarning

INTERRUPTED = 130
# typer brings its own copy of click, and shows only this way to the base of all usage errors
UsageError = cast(type[typer.BadParameter], typer.BadParameter.__base__)
NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")  # how torch says it


class Commands(TyperGroup):
    """The commands in the order of use: training comes first."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        return sorted(super().list_commands(ctx), key=lambda name: name != "train")


app = typer.Typer(
    cls=Commands,
    help="Recurrent cells written as equations: train, sample, score, look.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(train.app, name="train")
app.command("sample")(use.sample)
app.command("score")(use.score)
app.command("cells")(cells.cells)
app.command("verify")(cells.verify)


def main() -> NoReturn:
    """Runs the command line; what the user gave wrong ends in one line on standard error and status 2."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a model may write what the terminal cannot show
    try:
        with warnings.catch_warnings():
            warnings.showwarning = show_warning
            status = app(prog_name="gatework", standalone_mode=False)
        sys.stdout.flush()
    except UsageError as error:
        fail_usage(error)
    except (InputError, EquationError) as error:
        fail(str(error))
    except (KeyboardInterrupt, typer.Abort):
        print("gatework: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader, such as head, has seen enough
        discard_output()
        status = 0
    except OSError as error:
        discard_output()
        fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or any(words in str(error) for words in NO_MEMORY):
            fail("the memory does not hold it: fewer --hidden units, --layers, --streams or --bptt steps need less")
        raise
    sys.exit(status or 0)


def fail_usage(error: typer.BadParameter) -> NoReturn:
    """What is wrong with the command line; its help where nothing was given."""
    command = error.ctx.command_path if error.ctx else "gatework"
    message = error.format_message()
    if error.ctx is not None and message == error.ctx.get_help():
        print(message, file=sys.stderr)
        sys.exit(2)
    fail(f"{message} (see {command} --help)", command)


def fail(message: str, command: str = "gatework") -> NoReturn:
    print(f"{command}: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(2)


def discard_output() -> None:
    """Lets Python end without an error of its own over what can no longer be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """A doubt about the user's equations as a line of its own, other warnings as Python shows them."""
    if issubclass(category, EquationWarning):
        print(f"note: {message}", file=sys.stderr)
    else:
        print(warnings.formatwarning(message, category, filename, lineno, line), end="", file=file or sys.stderr)
