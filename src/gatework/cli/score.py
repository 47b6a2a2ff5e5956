"""`gatework score`: a trained model reads."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from gatework.cli.arguments import Device, RunFolder
from gatework.errors import InputError
from gatework.files.reading import STDIN
from gatework.text.options import is_jsonl

LONG = 20_000  # tokens that are scored as one stream; above, side by side
STREAMS = 32


def score(
    run: RunFolder,
    file: Annotated[str, typer.Argument(help="The text to score; - for standard input.", metavar="FILE")],
    condition: Annotated[
        str | None,
        typer.Option(help="Read the text as a document on this condition; those of a .jsonl file have their own."),
    ] = None,
    each: Annotated[bool, typer.Option("--each", help="Print every token's surprise in bits, one a line.")] = False,
    streams: Annotated[
        int | None,
        typer.Option(
            help=f"Read the text as so many streams side by side; default 1, above {LONG:,} tokens {STREAMS}."
        ),
    ] = None,
    device: Device = "cpu",
) -> None:
    """Says how well a trained model knows a text: bits per character and perplexity."""
    if each and streams is not None:
        raise InputError("--each reads the text as one stream: leave out --streams")
    from gatework.cli.progress import bar
    from gatework.cli.text_lines import score_line
    from gatework.text import scoring
    from gatework.text.data.prepare import prepare
    from gatework.text.run import Run
    from gatework.text.unknown import new_to_the_model

    opened = Run.open(run)
    documents = bool(opened.vocabulary.conditions) and is_jsonl(file)
    if documents and condition is not None:
        raise InputError(f"--condition {condition}: the documents in {file} have their own; leave it out")
    model = opened.model(device=device)
    with tempfile.TemporaryDirectory(prefix="gatework-") as folder:
        corpus = prepare(
            [file],
            Path(folder) / "tokens.bin",
            vocabulary=opened.vocabulary,
            level=opened.vocabulary.level,
            documents=documents,
            condition=condition,
        )
        tokens, name = corpus.tokens, "standard input" if file == STDIN else file
        if each:
            for token, lost in scoring.each(model, opened.vocabulary, tokens, name=name):
                print(f"{lost:.4f}\t{token!r}")
            return
        chosen = streams if streams is not None else 1 if condition is not None or len(tokens) <= LONG else STREAMS
        with bar("scoring") as progress:
            result = scoring.score(model, opened.vocabulary, tokens, chosen, name=name, progress=progress)
        new = new_to_the_model(corpus)
        del corpus, tokens
    print(score_line(result))
    if new is not None:
        print(new)
    if documents:
        return
    if opened.vocabulary.conditions and condition is None:
        print("read without a condition; --condition NAME reads it as a document on one")
    if chosen > 1:
        print(f"read as {chosen} streams, each starting without a past; --streams 1 reads it as one")
