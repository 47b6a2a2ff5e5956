"""`gatework cells` and `gatework verify`: the cells, their equations, and whether every engine computes them."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from gatework.cells import Cell
from gatework.cells import cells as registry
from gatework.cli.train import own_cell
from gatework.errors import InputError
from gatework.layers.check import cell as find_cell
from gatework.notation import adjoint, show


def cells(
    name: Annotated[str | None, typer.Argument(help="A cell; without one, all are listed.", show_default=False)] = None,
    equations: Annotated[Path | None, typer.Option(help="A file with the equations of your own cell.")] = None,
    backward: Annotated[bool, typer.Option("--backward", help="Show the derived backward equations.")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="Write LaTeX.")] = False,
) -> None:
    """Lists the cells, or shows one: its equations, states, parameters, and backward pass."""
    if name is not None and equations is not None:
        raise InputError(f"a cell ({name}) and --equations {equations}: give one of them")
    if equations is not None:
        print(shown(own_cell(equations), backward, latex))
    elif name is not None:
        print(shown(find_cell(name), backward, latex))
    elif backward or latex:
        raise InputError("--backward and --latex show one cell: give its name, as in gatework cells lstm --backward")
    else:
        Console(highlight=False).print(listing())


def shown(cell: Cell, backward: bool, latex: bool) -> str:
    """One cell as text or LaTeX."""
    what = adjoint.adjoint(cell.program) if backward else cell.program
    if latex:
        return show.latex(what)
    if backward:
        return show.text(what)
    parts = [
        f"# {cell.name}" + (f": {cell.source}" if cell.source else ""),
        cell.equations,
        "",
        show.summary(cell.program),
    ]
    if cell.init:
        parts.append("starts: " + ", ".join(f"{key} {rule}" for key, rule in cell.init.items()))
    return "\n".join(parts)


def listing() -> Table:
    """All cells, a line each."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("cell", "states", "parameters", "stages", "source"):
        table.add_column(heading)
    for cell in registry.values():
        program = cell.program
        table.add_row(
            cell.name,
            " ".join(state.name for state in program.states),
            str(len(program.parameters)),
            str(len(program.stages)),
            cell.source,
        )
    return table


def verify() -> None:
    """Checks every cell on every engine of this machine against float64: outputs and gradients."""
