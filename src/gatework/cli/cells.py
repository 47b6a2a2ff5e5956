"""`gatework cells` and `gatework verify`: the cells, their equations, and whether every engine computes them."""

import shutil
from functools import reduce
from itertools import groupby
from operator import or_
from pathlib import Path
from typing import Annotated

import typer

from gatework import diagram
from gatework.cells import Cell
from gatework.cells import cells as registry
from gatework.cli.options import CONSTANT_HELP, chosen_cell
from gatework.engines import native
from gatework.errors import InputError
from gatework.files.writing import write_atomically
from gatework.notation import adjoint, show
from gatework.verify.check import Result
from gatework.verify.check import verify as verified


def cells(
    name: Annotated[str | None, typer.Argument(help="A cell; without one, all are listed.", show_default=False)] = None,
    equations: Annotated[Path | None, typer.Option(help="A file with the equations of your own cell.")] = None,
    constant: Annotated[list[str] | None, typer.Option(help=CONSTANT_HELP)] = None,
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
            print(shown(cell, backward, latex))
        else:
            write_atomically(svg, diagram.svg(cell.program, cell.name).encode())
    elif given := [option for option, value in options.items() if value]:
        raise InputError(f"{given[0]} is about one cell: give its name, as in gatework cells lstm --backward")
    else:
        print("\n".join(listing(shutil.get_terminal_size((120, 24)).columns)))


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


def listing(width: int) -> list[str]:
    """All cells, a line each, cut to the width of the terminal."""
    lines = [f"{'cell':22}{'states':12}{'parameters':>10}{'stages':>8}  source"]
    for cell in registry.values():
        program = cell.program
        states = " ".join(state.name for state in program.states)
        lines.append(f"{cell.name:22}{states:12}{len(program.parameters):10}{len(program.stages):8}  {cell.source}")
    return [line if len(line) <= width else line[: width - 3] + "..." for line in lines]


def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Cells to check; without one, all.", metavar="NAME...", show_default=False),
    ] = None,
    equations: Annotated[Path | None, typer.Option(help="A file with the equations of your own cell.")] = None,
    constant: Annotated[list[str] | None, typer.Option(help=CONSTANT_HELP)] = None,
    thorough: Annotated[bool, typer.Option("--thorough", help="Also in sizes from 1 to 256; a minute a cell.")] = False,
) -> None:
    """Checks every cell on every engine of this machine against float64: values, gradients, lengths, resets, masks.

    Prints a line per cell and engine with the largest error of all checks, relative to the values' root mean
    square. The derived backward equations, executed by themselves, count as an engine. Status 1 if a check fails.
    """
    chosen = [chosen_cell(name, None, constant) for name in names or ()]
    chosen += [chosen_cell("", equations, constant)] if equations is not None else []
    results: list[Result] = []
    print(f"{'cell':22}{'engine':24}{'dtype':10}{'checks':>6}{'rms error':>12}{'peak error':>12}")
    checked = verified(chosen or registry.values(), thorough=thorough)
    for (cell, engine, kind), group in groupby(checked, lambda r: (r.cell, r.engine, r.dtype)):
        found = list(group)
        worst = reduce(or_, (result.errors for result in found))
        dtype = native.shown(kind)
        status = "pass" if all(result.passed for result in found) else "FAIL"
        print(f"{cell:22}{engine:24}{dtype:10}{len(found):6}{worst.rms:12.1e}{worst.peak:12.1e}  {status}", flush=True)
        results += found
    failed = [result for result in results if not result.passed]
    for result in failed:
        print(f"FAIL {result.cell}, {result.engine}, {result.what}: {result.message}")
    many = len({result.cell for result in results})
    passed = len(results) - len(failed)
    print(f"{many} cell{'s' * (many != 1)}, {len(results)} checks: {passed} passed, {len(failed)} failed")
    if failed:
        raise typer.Exit(1)
