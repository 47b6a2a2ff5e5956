"""`gatework sample`: a trained model writes."""

import sys
from itertools import chain
from typing import Annotated

import typer

from gatework.cli.arguments import Device, RunOrFile
from gatework.cli.options import Chosen, with_options
from gatework.cli.terminal import for_model_text
from gatework.text.options import Draw


@with_options
def sample(
    run: RunOrFile,
    prompt: Annotated[str, typer.Option(help="What the text begins with; read, not repeated token by token.")] = "",
    condition: Annotated[
        str | None, typer.Option(help="What to write on, of the conditions of the documents trained on.")
    ] = None,
    length: Annotated[int, typer.Option(help="Tokens to write at most: characters, bytes or words.")] = 500,
    *,
    draw: Chosen[Draw],
    seed: Annotated[int | None, typer.Option(help="The same seed writes the same text.")] = None,
    device: Device = "cpu",
) -> None:
    """Writes text with a trained model, as it is drawn."""
    from gatework.cli.text_lines import repetition_line
    from gatework.cli.text_models import writer
    from gatework.text.writing import unseen, write

    how = draw.made()
    predict, vocabulary = writer(run, device)
    pieces = write(predict, vocabulary, prompt, length, condition=condition, draw=how, seed=seed)
    if new := unseen(vocabulary, prompt):
        print(f"note: the model has never seen {' '.join(map(repr, new))}", file=sys.stderr)
    out, written = for_model_text(), list[str]()
    for piece in chain([prompt], pieces, ["\n"]):
        out.write(piece)
        out.flush()
        written.append(piece)
    if line := repetition_line(written[1:-1], vocabulary.level, how):
        print(f"note: {line}", file=sys.stderr)
