"""The options of a Forecaster, which the commands that train one share."""

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from gatework.cells import Cell
from gatework.cli.arguments import Constants, Equations, complete_cells
from gatework.cli.values import chosen_cell, split
from gatework.errors import InputError
from gatework.forecast.training import Options

Columns = list[str] | None
Encoding = Annotated[
    str | None, typer.Option(help="Of a CSV file: latin-1, cp1252, ...  [default: UTF-8, or what its mark says]")
]
Decimal = Annotated[
    Literal[".", ","] | None, typer.Option(help="The mark before decimals.  [default: what each column shows]")
]
Sheet = Annotated[str | None, typer.Option(help="Of a spreadsheet.  [default: the first that holds anything]")]


def choices(
    *,
    horizon: Annotated[int, typer.Option(help="Steps to forecast, h.")],
    target: Annotated[str, typer.Option(help="The column to forecast.")] = "y",
    time: Annotated[
        str,
        typer.Option(help="The column of dates or whole numbers; without one the rows are counted.", metavar="COLUMN"),
    ] = "ds",
    id: Annotated[
        str,
        typer.Option(
            "--id", help="The column that tells series apart; without one all is one series.", metavar="COLUMN"
        ),
    ] = "unique_id",
    known: Annotated[
        Columns, typer.Option(help="Columns known in the future too: price,holiday.", metavar="A,B")
    ] = None,
    past: Annotated[Columns, typer.Option(help="Columns known up to now only.", metavar="A,B")] = None,
    static: Annotated[Columns, typer.Option(help="Columns with one value for each series.", metavar="A,B")] = None,
    freq: Annotated[
        str | None, typer.Option(help="The spacing of times: D, MS, 15min, ...  [default: what they show]")
    ] = None,
    zone: Annotated[
        str | None, typer.Option(help="The time zone of times that name none: Europe/Berlin.", metavar="ZONE")
    ] = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
    sheet: Sheet = None,
    season: Annotated[
        str, typer.Option(help="Its length in steps, 1 for none, or auto: found in the series.")
    ] = "auto",
    cell: Annotated[
        str | None,
        typer.Option(help="A cell by name; gatework cells lists them.  [default: lstm]", autocompletion=complete_cells),
    ] = None,
    equations: Equations = None,
    constant: Constants = None,
    members: Annotated[int, typer.Option(help="Networks whose forecasts are averaged.")] = Options.members,
    hidden: Annotated[int, typer.Option(help="Units of each network, H.")] = Options.hidden,
    dropout: Annotated[float, typer.Option(help="Dropout of their output.")] = Options.dropout,
    steps: Annotated[int, typer.Option(help="Updates of the weights.")] = Options.steps,
    learning_rate: Annotated[
        float, typer.Option(help="The highest; it rises, then falls to 0.")
    ] = Options.learning_rate,
    seed: Annotated[int, typer.Option(help="Of weights and dropout.")] = Options.seed,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Refuse series that are empty, too short or constant; else: a naive forecast."),
    ] = False,
    engine: Annotated[str, typer.Option(help="What executes the cell.")] = Options.engine,
) -> dict[str, Any]:
    """The options as arguments of Forecaster."""
    return {
        "horizon": horizon,
        "cell": cell_of(cell, equations, constant),
        "season": season_of(season),
        "target": target,
        "time": time or None,
        "id": id or None,
        "known": split(known),
        "past": split(past),
        "static": split(static),
        "freq": freq,
        "zone": zone,
        "decimal": decimal,
        "encoding": encoding,
        "sheet": sheet,
        "members": members,
        "hidden": hidden,
        "dropout": dropout,
        "steps": steps,
        "learning_rate": learning_rate,
        "seed": seed,
        "strict": strict,
        "engine": engine,
    }


def with_choices(command: Callable[..., None]) -> Callable[..., None]:
    """A command that has the options of `choices` in the place of its argument `chosen`, which is made of them."""
    shared = signature(choices).parameters

    @wraps(command)
    def asked(**given: Any) -> None:
        options = {name: given.pop(name) for name in shared}
        command(**given, chosen=choices(**options))

    parameters: list[Parameter] = []
    for name, parameter in signature(command).parameters.items():
        parameters += shared.values() if name == "chosen" else [parameter.replace(kind=Parameter.KEYWORD_ONLY)]
    asked.__signature__ = signature(command).replace(parameters=parameters)  # type: ignore[attr-defined]
    asked.__annotations__ = {each.name: each.annotation for each in parameters}
    return asked


def cell_of(name: str | None, equations: Path | None, constant: list[str] | None) -> Cell:
    """The cell by name, or of a file of equations."""
    if name is not None and equations is not None:
        raise InputError(f"--cell {name} and --equations {equations}: give one of them")
    return chosen_cell(name or "lstm", equations, constant)


def season_of(given: str) -> int | Literal["auto"]:
    """ "auto", or a number of steps."""
    if given == "auto":
        return "auto"
    try:
        return int(given)
    except ValueError:
        raise InputError(f"--season {given}: expected its length in steps, 1 for none, or auto") from None
