"""The arguments that several commands share, and how a shell completes them."""

import glob
from pathlib import Path
from typing import Annotated

import typer

from gatework.cells import cells

ALL = "all"  # of what a command offers by name


def complete_cells(incomplete: str) -> list[tuple[str, str]]:
    """The cells whose names begin so, with what each is."""
    return [(name, cells[name].source) for name in cells if name.startswith(incomplete)]


def complete_runs(incomplete: str) -> list[str]:
    """The run folders whose paths begin so, and those one folder below; without any, a shell completes paths itself."""
    start = glob.escape(incomplete)
    runs = [path for below in ("*", "*/*") for path in glob.iglob(f"{start}{below}/run.json")]  # noqa: PTH207, "./" stays
    return sorted(path.removesuffix("/run.json") for path in runs)


RunFolder = Annotated[
    Path,
    typer.Argument(help="The folder that gatework train wrote.", metavar="RUN", autocompletion=complete_runs),
]
RunOrFile = Annotated[
    Path,
    typer.Argument(
        help="The folder that gatework train wrote, or the file that gatework export --out wrote.",
        metavar="RUN",
        autocompletion=complete_runs,
    ),
]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]
TrainingDevice = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:1.")]
OutFolder = Annotated[Path, typer.Option("--out", help="The run folder to make, or with --resume to go on with.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the run in --out.")]
CELL = typer.Option(help="A cell by name; gatework cells lists them.", autocompletion=complete_cells)
Equations = Annotated[Path | None, typer.Option(help="A file with the equations of your own cell.")]
Constants = Annotated[
    list[str] | None, typer.Option(help="A name in the equations that is a number: dt=0.1; repeatable.")
]
LabelledFile = typer.Argument(
    help='Lines of JSON with "text" or "sequence" and "label", or an .npz with X and y.',
    metavar="FILE",
    show_default=False,
)
LabelledEncoding = Annotated[
    str | None,
    typer.Option("--encoding", help="Of lines of JSON: latin-1, cp1252, ...  [default: UTF-8, or what its mark says]"),
]
PairFile = typer.Argument(
    help="Pairs: a table (.tsv, .csv) of two columns, lines of JSON, Parquet, .npz with X and y; - for standard input.",
    metavar="FILE",
    show_default=False,
)
PairSource = Annotated[str | None, typer.Option(help="The column with the sources.  [default: source, or the first]")]
PairTarget = Annotated[str | None, typer.Option(help="The column with the targets.  [default: target, or the second]")]
PairEncoding = Annotated[
    str | None,
    typer.Option("--encoding", help="Of a text: latin-1, cp1252, ...  [default: UTF-8, or what its mark says]"),
]
SeriesTable = Annotated[
    str,
    typer.Argument(
        help="CSV, Parquet or a spreadsheet, a row for each time, packed or not; - for standard input.", metavar="FILE"
    ),
]
