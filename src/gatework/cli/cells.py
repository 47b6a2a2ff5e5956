"""`gatework cells`: the cells, their equations and diagrams."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from gatework.cells import Cell
from gatework.cells import cells as registry
from gatework.cli.arguments import Constants, Equations, complete_cells
from gatework.cli.values import chosen_cell
from gatework.errors import InputError
from gatework.files.writing import write_atomically
from gatework.notation import adjoint, show


def cells(
    name: Annotated[
        str | None,
        typer.Argument(help="A cell; without one, all are listed.", show_default=False, autocompletion=complete_cells),
    ] = None,
    equations: Equations = None,
    constant: Constants = None,
    backward: Annotated[bool, typer.Option("--backward", help="Show the derived backward equations.")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="Write LaTeX.")] = False,
    svg: Annotated[Path | None, typer.Option(help="Draw the cell as a diagram to this file.", metavar="FILE")] = None,
) -> None:
    """Lists the cells, or shows one: its equations, states, parameters, backward pass, and diagram."""
    options = {"--constant": constant, "--backward": backward, "--latex": latex, "--svg": svg}
    if name is not None and equations is not None:
        raise InputError(f"a cell ({name}) and --equations {equations}: give one of them")
    if svg is not None and (backward or latex):
        raise InputError("--svg draws the cell itself: leave out --backward and --latex")
    if name is not None or equations is not None:
        cell = chosen_cell(name or "", equations, constant)
        if svg is None:
            print(_shown(cell, backward, latex))
        else:
            from gatework import diagram  # for who asks for it

            write_atomically(svg, diagram.svg(cell.program, cell.name).encode())
    elif needing_cell := [option for option, value in options.items() if value]:
        raise InputError(f"{needing_cell[0]} is about one cell: give its name, as in gatework cells lstm --backward")
    else:
        print("\n".join(_listing(shutil.get_terminal_size((120, 24)).columns)))


def _shown(cell: Cell, backward: bool, latex: bool) -> str:
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


def _listing(width: int) -> list[str]:
    """All cells, a line each, cut to the width of the terminal."""
    lines = [f"{'cell':22}{'states':12}{'parameters':>10}{'stages':>8}  source"]
    for cell in registry.values():
        program = cell.program
        states = " ".join(state.name for state in program.states)
        lines.append(f"{cell.name:22}{states:12}{len(program.parameters):10}{len(program.stages):8}  {cell.source}")
    return [line if len(line) <= width else line[: width - 3] + "..." for line in lines]
