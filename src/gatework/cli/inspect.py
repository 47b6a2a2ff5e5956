"""`gatework inspect`: a page that runs a trained model and shows what its units do."""

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gatework.cli.arguments import RunFolder, complete_runs

if TYPE_CHECKING:
    from gatework.inspect import Page


def inspect(
    run: RunFolder,
    file: Annotated[
        str | None,
        typer.Argument(
            help="The text to read, - for standard input, or labelled sequences; if at all, rows of a series that came "
            "since, other pairs.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The page to write.", metavar="HTML")] = Path("page.html"),
    open_it: Annotated[bool, typer.Option("--open", help="Show it in the browser at once.")] = False,
    unit: Annotated[
        str | None, typer.Option(help="The unit to look at first: l0.c.17 is unit 17 of c in the lowest layer.")
    ] = None,
    no_text: Annotated[bool, typer.Option("--no-text", help="Leave the text out of the page.")] = False,
    no_weights: Annotated[
        bool, typer.Option("--no-weights", help="Leave the network out: the page shows figures alone.")
    ] = False,
    beside: Annotated[
        Path | None,
        typer.Option(help="Another run, to compare on the same text.", metavar="RUN2", autocompletion=complete_runs),
    ] = None,
    series: Annotated[str | None, typer.Option(help="Of several series the one to look at.", metavar="ID")] = None,
    large: Annotated[bool, typer.Option("--large", help="Write a page of more than 25 MB, too.")] = False,
) -> None:
    """Writes one web page that runs the model: which unit does what, when each gate opens, how far back it looks.

    It needs no server and no network, and can be mailed: it holds the model and the text.
    """
    from gatework.cli.progress import bars
    from gatework.inspect import inspect as look
    from gatework.inspect.document import check_out

    check_out(out)
    with bars() as progress:
        page = look(
            run,
            file,
            beside=beside,
            unit=unit,
            series=series,
            text=not no_text,
            weights=not no_weights,
            progress=progress,
        )
    page.write(out, large=large)
    _tell(page, out)
    if open_it:
        webbrowser.open(out.resolve().as_uri())


def _tell(page: "Page", out: Path) -> None:
    """Prints the findings, and where the page is."""
    from gatework.inspect.document import WARN

    text = page.payload["text"]
    unknown = page.payload["vocabulary"]["unknown"] if text else None
    if unknown is not None and (count := text["ids"].count(unknown)):
        print(f"note: {count:,} of the {len(text['ids']):,} tokens shown have never been seen by the model")
    for finding in page.findings:
        print(finding)
    if page.size > WARN:
        print(f"note: a page of {page.size / 1e6:.0f} MB opens slowly; --no-weights leaves the network out")
    holds = [
        name
        for name, there in (
            ("the model", page.payload["weights"]),
            ("the text", text),
            ("the series", page.payload["kind"] == "series"),
            ("sequences" if page.payload["kind"] == "labels" else "sources", page.payload.get("examples")),
        )
        if there
    ]
    inside = f"; it holds {' and '.join(holds)}" if holds else ""
    print(f"\n{out} ({page.size / 1e6:.1f} MB){inside}: open it in a browser.")
