"""`gatework sample` and `gatework score`: a trained model writes, and reads."""

import sys
import tempfile
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from gatework.cli.progress import bar
from gatework.cli.terminal import for_model_text
from gatework.errors import InputError
from gatework.files.reading import STDIN
from gatework.runs.parts import UNKNOWN
from gatework.text import sampling, scoring
from gatework.text.data.prepare import prepare
from gatework.text.data.vocabulary import UNITS
from gatework.text.run import Run
from gatework.text.unknown import new_to_the_model

RunFolder = Annotated[Path, typer.Argument(help="The folder that gatework train wrote.", metavar="RUN")]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]
LONG = 20_000  # tokens that are scored as one stream; above, side by side
STREAMS = 32


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


def is_jsonl(path: str) -> bool:
    """Whether a file is taken to be documents, a line of JSON each."""
    return path.lower().endswith(".jsonl")


def score_line(result: scoring.Score) -> str:
    """The figures of a score in one line."""
    unit = UNITS[result.level]
    figures: list[str] = []
    if result.bits_per_character is not None:
        figures.append(f"{result.bits_per_character:.3f} bits per character")
    if result.level != "char":
        figures.append(f"{result.bits_per_token:.3f} bits per {unit.removesuffix('s')}")
    figures.append(f"perplexity {result.perplexity:.2f} over {result.tokens:,} {unit}")
    if result.unknown:
        cost = " at 20.1 bits more each" if result.level == "char" else f", counted as {UNKNOWN}"
        figures.append(f"{result.unknown:,} of them unknown{cost}")
    return ", ".join(figures)
