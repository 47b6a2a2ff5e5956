"""`gatework verify`: whether every engine computes the cells."""

from functools import reduce
from itertools import groupby
from operator import or_
from typing import Annotated

import typer

from gatework.cells import cells
from gatework.cli.arguments import Constants, Equations, complete_cells
from gatework.cli.values import chosen_cell


def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Cells to check; without one, all.",
            metavar="NAME...",
            show_default=False,
            autocompletion=complete_cells,
        ),
    ] = None,
    equations: Equations = None,
    constant: Constants = None,
    thorough: Annotated[bool, typer.Option("--thorough", help="Also in sizes from 1 to 256; a minute a cell.")] = False,
) -> None:
    """Checks every cell on every engine of this machine against float64: values, gradients, lengths, resets, masks.

    Prints a line per cell and engine with the largest error of all checks, relative to the values' root mean
    square. The derived backward equations, executed by themselves, count as an engine. Status 1 if a check fails.
    """
    from gatework.engines import native
    from gatework.verify import check

    chosen = [chosen_cell(name, None, constant) for name in names or ()]
    chosen += [chosen_cell("", equations, constant)] if equations is not None else []
    results: list[check.Result] = []
    print(f"{'cell':22}{'engine':24}{'dtype':10}{'checks':>6}{'rms error':>12}{'peak error':>12}")
    checked = check.verify(chosen or cells.values(), thorough=thorough)
    for (cell, engine, kind), group in groupby(checked, lambda r: (r.cell, r.engine, r.dtype)):
        checks = list(group)
        worst = reduce(or_, (result.errors for result in checks))
        dtype = native.shown(kind)
        status = "pass" if all(result.passed for result in checks) else "FAIL"
        print(f"{cell:22}{engine:24}{dtype:10}{len(checks):6}{worst.rms:12.1e}{worst.peak:12.1e}  {status}", flush=True)
        results += checks
    failed = [result for result in results if not result.passed]
    for result in failed:
        print(f"FAIL {result.cell}, {result.engine}, {result.what}: {result.message}")
    many = len({result.cell for result in results})
    passed = len(results) - len(failed)
    print(f"{many} cell{'s' * (many != 1)}, {len(results)} checks: {passed} passed, {len(failed)} failed")
    if failed:
        raise typer.Exit(1)
