"""The command `gatework`: its subcommands, and errors as one line with status 2."""

import os
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any, NoReturn, cast

import typer
from typer.core import TyperGroup

from gatework.cli.commands import fill
from gatework.cli.plain import take_plain
from gatework.cli.status import INTERRUPTED, stopped
from gatework.cli.terminal import border
from gatework.errors import NO_TORCH, TRAINING, InputError, one_line
from gatework.notation import EquationError, EquationWarning
from gatework.training.interruption import Interrupted, termination
from gatework.training.torchrun import first_process

# typer brings its own copy of click, and shows only this way to the base of all usage errors
UsageError = cast(type[typer.BadParameter], typer.BadParameter.__base__)
PREFIX = "Value error, "  # what pydantic, which converts for typer, puts before what typer says of a value
NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")  # how torch says it


app = typer.Typer(
    help="Recurrent cells written as equations: train, sample, score, look.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from gatework import __version__

        print(f"gatework {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Recurrent cells written as equations: train, sample, score, look."""


def _command() -> TyperGroup:
    """The command `gatework` with its subcommands."""
    root = cast(TyperGroup, typer.main.get_command(app))
    take_plain(root, _options)
    fill(root)
    return root


def main() -> NoReturn:
    """Runs the command line; what the user gave wrong ends in one line on standard error and status 2."""
    with border():
        status = _run()
        if status == INTERRUPTED:  # typer, too, makes this of Ctrl-C
            print("gatework: interrupted", file=sys.stderr)
    sys.exit(status)


def _run() -> int:
    """Runs the command that was given; returns its status."""
    try:
        with warnings.catch_warnings(), termination():
            warnings.simplefilter("always", EquationWarning)
            warnings.showwarning = _notes()
            status = _command().main(prog_name="gatework", standalone_mode=False)
        sys.stdout.flush()
    except UsageError as error:
        _fail_usage(error)
    except (InputError, EquationError) as error:
        _fail(str(error))
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Interrupted:
        if first_process():
            print("gatework: interrupted", file=sys.stderr)
        return stopped()
    except ModuleNotFoundError as error:
        if error.name not in TRAINING:
            raise
        _fail(f"this {NO_TORCH}")
    except BrokenPipeError:  # the reader, such as head, has seen enough; typer makes the same of it
        _discard_output()
        return 1
    except OSError as error:
        _discard_output()
        _fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or any(words in str(error) for words in NO_MEMORY):
            _fail("the memory does not hold it: fewer --hidden units, --layers, --streams or --bptt steps need less")
        raise
    return status or 0


def _fail_usage(error: typer.BadParameter) -> NoReturn:
    """What is wrong with the command line; its help where nothing was given."""
    command = error.ctx.command_path if error.ctx else "gatework"
    error.message = error.message.removeprefix(PREFIX)
    message = error.format_message()
    if error.ctx is not None and message == error.ctx.get_help():
        print(message, file=sys.stderr)
        sys.exit(2)
    _fail(f"{message} (see {command} --help)", command)


def _fail(message: str, command: str = "gatework") -> NoReturn:
    print(f"{command}: {one_line(message)}", file=sys.stderr)
    sys.exit(2)


def _discard_output() -> None:
    """Lets Python end without an error of its own over what can no longer be written."""
    with suppress(OSError):  # what is no file has no descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _notes() -> Callable[..., None]:
    """Shows each doubt about the user's equations once, as a line of its own, and other warnings as Python does."""
    seen: set[str] = set()
    other = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any, **options: Any) -> None:
        if not issubclass(category, EquationWarning):
            other(message, category, *place, **options)
        elif str(message) not in seen:
            seen.add(str(message))
            print(f"note: {one_line(str(message))}", file=sys.stderr)

    return show
