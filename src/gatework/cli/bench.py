"""`gatework bench`: what the layers cost, against torch and others, as a table, JSON, a document or a picture."""

from pathlib import Path
from typing import Annotated

import typer

from gatework.cells import find_cell
from gatework.cli.status import INTERRUPTED
from gatework.cli.values import split
from gatework.errors import InputError


def bench(
    only: Annotated[
        list[str] | None, typer.Option(help="Rows to measure: NAME,NAME; repeatable.", show_default="all")
    ] = None,
    shape: Annotated[
        list[str] | None, typer.Option(help="Shapes T,B,I,H[,L]; repeatable.", show_default="the grid")
    ] = None,
    cell: Annotated[
        list[str] | None,
        typer.Option(help="Cells to compare with the LSTM: NAME,NAME; repeatable.", show_default="all"),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Few shapes and rounds: about a minute.")] = False,
    threads: Annotated[int | None, typer.Option(help="Threads of all sides.", show_default="torch's")] = None,
    engine: Annotated[str, typer.Option(help="The engine of gatework's layers.")] = "auto",
    device: Annotated[str, typer.Option(help="cpu or cuda, each with rows of its own.")] = "cpu",
    to_json: Annotated[Path | None, typer.Option("--json", help="Save what was measured.")] = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Write the tables into a document, between its marks <!-- bench -->.")
    ] = None,
    to_plot: Annotated[
        Path | None, typer.Option("--plot", help="Measure and draw how cost grows with T, B, H and layers.")
    ] = None,
    saved: Annotated[
        list[Path] | None,
        typer.Option("--from", help="Show what --json saved, together if repeated; measure nothing."),
    ] = None,
) -> None:
    """Measures gatework's layers against torch and others: time, memory, targets met or missed.

    Ours and theirs run in turn, so that a noisy machine hits both. Ctrl-C ends it with what was measured so far.
    JAX, ONNX Runtime and the picture need pip install 'gatework[bench]'; the row peephole-compile compiles for
    minutes at each shape and runs only where --only names it.
    """
    import torch

    from gatework.cli import measuring
    from gatework.lab.bench import Report, Settings, Shape
    from gatework.lab.bench.machine import machine

    files = measuring.Files(to_json, markdown, to_plot)
    if saved:
        if only or shape or cell or quick:
            raise InputError(f"--from {saved[0]} measures nothing: leave out --only, --shape, --cell and --quick")
        report = measuring.together(saved)
        measuring.check(files)
    else:
        settings = Settings(
            threads=torch.get_num_threads() if threads is None else threads,
            engine=engine,
            quick=quick,
            shapes=tuple(Shape.parse(each) for each in shape or ()),
            cells=tuple(find_cell(name).name for name in split(cell)),
            device=device,
        )
        rows = measuring.chosen_rows(split(only), to_plot is not None, device)
        measuring.check(files)
        report = Report(machine(settings.threads, engine, device=device), quick)
        measuring.measure(rows, settings, report, files)
    print(report.text(), end="")
    measuring.finish(report, files)
    if not report.finished and not saved:
        raise typer.Exit(INTERRUPTED)
