"""`gatework verify`: whether every engine computes the cells."""

from functools import reduce
from importlib.util import find_spec
from itertools import groupby
from operator import or_
from typing import TYPE_CHECKING, Annotated

import typer

from gatework.cells import Cell, cells
from gatework.cli.arguments import Constants, Equations, complete_cells
from gatework.cli.values import chosen_cell, split
from gatework.errors import InputError

if TYPE_CHECKING:
    from gatework.verify.check import Result, Target


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
    engine: Annotated[
        list[str] | None, typer.Option(help="Engines to check: NAME,NAME; repeatable.", show_default="all")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda.", show_default="all there are")] = None,
    thorough: Annotated[bool, typer.Option("--thorough", help="Also in sizes from 1 to 256; a minute a cell.")] = False,
    compiled: Annotated[
        bool, typer.Option("--compiled", help="Show what the kernels for GPUs take instead; without a GPU.")
    ] = False,
) -> None:
    """Checks every cell on every engine of this machine against float64: values, gradients, lengths, resets, masks.

    Prints a line per cell and engine with each check and the largest error of all, relative to the values' root mean
    square. The derived backward equations, executed by themselves, count as an engine. Status 1 if a check fails.
    n/a is what an engine has not: the engine torch runs LSTM, GRU (reset after) and RNN, and has lines for these alone.

    --compiled compiles every cell for two kinds of GPU, in each mode of the engine triton, and shows registers, bytes
    of local memory a thread, and KiB of shared memory a block. Status 1 if a kernel takes what it must not.
    """
    from gatework.engines import native
    from gatework.verify import check

    chosen = [chosen_cell(name, None, constant) for name in names or ()]
    chosen += [chosen_cell("", equations, constant)] if equations is not None else []
    if compiled:
        if engine or device or thorough:
            raise InputError("--compiled runs nothing: leave out --engine, --device and --thorough")
        _show_compiled(chosen)
        return
    on = _targets(split(engine), device)
    for cell in chosen if engine else ():
        _check_takers(cell, on)
    results: list[check.Result] = []
    shown = check.CHECKS if thorough else check.CHECKS[:-1]
    columns = "".join(f"{name.split()[0]:>10}" for name in shown)
    print(f"{'cell':22}{'engine':24}{'dtype':10}{columns}{'rms error':>12}{'peak error':>12}")
    checked = check.verify(chosen or cells.values(), on, thorough)
    for (cell, named, kind), group in groupby(checked, lambda r: (r.cell, r.engine, r.dtype)):
        stated = list(group)
        checks = {result.what: result for result in reversed(stated)}  # the first of each: what was checked of it
        worst = reduce(or_, (result.errors for result in checks.values()))
        marks = "".join(f"{_mark(checks.get(name)):>10}" for name in shown)
        dtype = native.shown(kind)
        print(f"{cell:22}{named:24}{dtype:10}{marks}{worst.rms:12.1e}{worst.peak:12.1e}", flush=True)
        results += stated
    if _summarised(results):
        raise typer.Exit(1)


def _summarised(results: "list[Result]") -> bool:
    """Prints what failed, what engines have not, and how many checks there were; whether one failed."""
    failed = [result for result in results if result.failed]
    for result in failed:
        print(f"FAIL {result.cell}, {result.engine}, {result.what}: {result.message}")
    for line in dict.fromkeys(
        f"n/a  {result.engine}, {result.what}: {result.lacks}" for result in results if result.lacks
    ):
        print(line)
    many, checks = len({result.cell for result in results}), [result for result in results if not result.lacks]
    passed = len(checks) - len(failed)
    print(f"{many} cell{'s' * (many != 1)}, {len(checks)} checks: {passed} passed, {len(failed)} failed")
    return bool(failed)


def _mark(result: "Result | None") -> str:
    """A check in a word; none for one that the derived backward equations have no part in."""
    return "" if result is None else "n/a" if result.lacks else "pass" if result.passed else "FAIL"


def _check_takers(cell: Cell, on: "list[Target]") -> None:
    """Raises InputError where an engine asked for by name does not run a cell."""
    for target in on:
        if reason := target.refusal(cell):
            raise InputError(f"{cell.name}: engine {target.engine} {reason}: leave out --engine {target.engine}")


def _targets(engines: list[str], device: str | None) -> "list[Target]":
    """What is checked of all that this machine has. Raises InputError where nothing is left."""
    from gatework.verify import check

    there = check.targets()
    on = [target for target in there if target.device == (device or target.device)]
    absent = [name for name in engines if name not in {target.engine for target in on}]
    if absent or not on:
        asked = [f"--engine {name}" for name in absent[:1]] + [f"--device {device}"] * (device is not None)
        runs = ", ".join(dict.fromkeys(f"{target.engine} on {target.device}" for target in there))
        raise InputError(f"{' '.join(asked)}: no such engine runs here; there are {runs}")
    return [target for target in on if not engines or target.engine in engines]


def _show_compiled(chosen: list[Cell]) -> None:
    """Prints a line for each cell and mode as it is compiled, and what misses; status 1 where something does."""
    if find_spec("triton") is None:
        raise InputError("--compiled needs Triton: pip install 'gatework[triton]'")
    from gatework.engines.triton.report import CHIPS, KIB, PASSES, report

    passes = [(chip, name) for chip in CHIPS for name in PASSES]
    columns = "".join(f"{f'{chip} {name}':>18}" for chip, name in passes)
    print(f"{'cell':22}{'mode':5}{'dtype':9}{'units':>6}{columns}")
    many, missed = 0, list[str]()
    for line in report(chosen or cells.values()):
        mode, uses = line.mode, [line.uses.get(each) for each in passes]
        texts = [f"{use.registers} {use.local:4} {use.shared / KIB:6.1f}" if use else "-" for use in uses]
        what = f"{line.cell:22}{mode.name:5}{str(mode.dtype).removeprefix('torch.'):9}"
        print(f"{what}{mode.H:6}{''.join(f'{text:>18}' for text in texts)}", flush=True)
        missed += [f"MISS {what.strip()}: {miss}" for miss in line.misses]
        many += 1
    print("\n".join([*missed, f"{many} lines, {len(missed)} misses: registers, bytes of local memory, KiB shared"]))
    if missed:
        raise typer.Exit(1)
