"""The command `gatework`: its subcommands, and errors as one line with status 2."""

import os
import sys
from typing import NoReturn, cast

import typer

from gatework.cli import cells, train, use
from gatework.errors import InputError
from gatework.notation import EquationError

INTERRUPTED = 130
# typer brings its own copy of click, and shows only this way to the base of all usage errors
UsageError = cast(type[typer.BadParameter], typer.BadParameter.__base__)

app = typer.Typer(
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
    try:
        status = app(standalone_mode=False)
        sys.stdout.flush()
    except UsageError as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "gatework"
        fail(f"{error.format_message()} (see {command} --help)", command)
    except (InputError, EquationError) as error:
        fail(str(error))
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    sys.exit(status or 0)


def fail(message: str, command: str = "gatework") -> NoReturn:
    print(f"{command}: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(2)
