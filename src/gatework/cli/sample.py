"""`gatework sample`: a trained model writes."""

import sys
from itertools import chain
from typing import Annotated

import typer

from gatework.cli.arguments import Device, RunFolder
from gatework.cli.terminal import for_model_text


def sample(
    run: RunFolder,
    prompt: Annotated[str, typer.Option(help="What the text begins with; read, not repeated token by token.")] = "",
    condition: Annotated[
        str | None, typer.Option(help="What to write on, of the conditions of the documents trained on.")
    ] = None,
    length: Annotated[int, typer.Option(help="Tokens to write at most: characters, bytes or words.")] = 500,
    temperature: Annotated[float, typer.Option(help="Below 1 bolder, above 1 wilder; 0 takes the likeliest.")] = 1.0,
    top_k: Annotated[int | None, typer.Option(help="Draw among the k likeliest tokens only.")] = None,
    top_p: Annotated[
        float | None, typer.Option(help="Draw among the likeliest with this probability together.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed writes the same text.")] = None,
    device: Device = "cpu",
) -> None:
    """Writes text with a trained model, as it is drawn."""
    from gatework.text import sampling
    from gatework.text.run import Run

    draw = sampling.Draw(temperature, top_k, top_p)
    opened = Run.open(run)
    pieces = sampling.sample(
        opened.model(device=device), opened.vocabulary, prompt, length, condition=condition, draw=draw, seed=seed
    )
    if unseen := sampling.unseen(opened.vocabulary, prompt):
        print(f"note: the model has never seen {' '.join(map(repr, unseen))}", file=sys.stderr)
    out = for_model_text()
    for piece in chain([prompt], pieces, ["\n"]):
        out.write(piece)
        out.flush()
