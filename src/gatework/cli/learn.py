"""`gatework learn`: four lessons on gates, as a page."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer


def learn(
    out: Annotated[Path, typer.Option(help="The page to write.", metavar="HTML")] = Path("lessons.html"),
    open_it: Annotated[bool, typer.Option("--open", help="Show it in the browser at once.")] = False,
) -> None:
    """Writes one web page of four lessons on what gates do, with small networks that run in it.

    It needs no run and no network: what is shown is computed on the page.
    """
    from gatework.inspect.document import check_out
    from gatework.inspect.lessons import lessons

    check_out(out)
    page = lessons()
    page.write(out)
    print(f"{out} ({page.size / 1e6:.1f} MB): open it in a browser.")
    if open_it:
        webbrowser.open(out.resolve().as_uri())
