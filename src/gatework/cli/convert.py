"""`gatework convert`: sources to targets with a trained model of pairs."""

import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatework.cli.arguments import Device, PairEncoding, PairSource, RunOrFile
from gatework.cli.terminal import json_line
from gatework.errors import InputError, printable
from gatework.files.writing import write_atomically

if TYPE_CHECKING:
    from gatework.pairs.answers import Candidate
    from gatework.pairs.converter import Converter, Search
    from gatework.pairs.data.examples import Examples
    from gatework.pairs.description import Described

TABLE, SVG = "table", ".svg"
AT_A_TIME = 1024  # sources that are converted, then printed


def convert(
    run: RunOrFile,
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            help="Texts; or one file, with a source in each line or as gatework train pairs reads it; - for standard "
            "input.",
            metavar="TEXT...|FILE",
        ),
    ] = None,
    best: Annotated[int, typer.Option(help="So many targets for each source, with their scores.")] = 1,
    beams: Annotated[int | None, typer.Option(help="Hypotheses that the search follows.  [default: the run's]")] = None,
    attention: Annotated[
        str | None,
        typer.Option(
            help="How much each symbol has of each of the source: table, or a file for one source, word.svg.",
            metavar="table|FILE.svg",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the targets to a file, as lines of JSON.")] = None,
    source: PairSource = None,
    encoding: PairEncoding = None,
    device: Device = "cpu",
) -> None:
    """Turns sources into targets with a model trained on pairs.

    It prints source and target with a tab between them; with --best N so many lines for each source, each with the
    probability of its target. Ctrl-C ends it with what is printed so far; a file of --out is written at the end.
    """
    if not texts:
        raise InputError("no source was given: name texts, or one file, or - for standard input")
    for name, number in (("best", best), ("beams", beams)):
        if number is not None and number < 1:
            raise InputError(f"--{name} {number}: expected 1 or more")
    _check_files(attention, out)
    from gatework.cli.pair_models import converter
    from gatework.cli.pair_use import note, possible_header, read_sources
    from gatework.pairs.answers import unseen_line
    from gatework.pairs.converter import Search

    trained = converter(run, device)
    job = trained.job
    examples = read_sources(texts, job, source, encoding)
    if attention not in (None, TABLE) and len(examples) > 1:
        raise InputError(f"--attention {attention}: a picture shows one source, and there are {len(examples):,}")
    search = Search.of(job)
    search = replace(search, beams=max(best, search.beams if beams is None else beams), best=best)
    new = unseen_line(job, examples.sources)
    note(*possible_header(examples), *([] if new is None else [new]))
    written = list[str]()
    for pairs in _converted(trained, examples, search):
        lines = [line for pair in pairs for line in _lines(job, *pair, scored=best > 1, tables=attention == TABLE)]
        if attention not in (None, TABLE):
            write_atomically(Path(attention), _picture(job, *pairs[0]).encode())
        if out is not None:
            written += [f"{json_line(_as_json(job, *pair))}\n" for pair in pairs]
        print("\n".join(lines), flush=True)
    if out is not None:
        write_atomically(out, "".join(written).encode())


def _converted(
    trained: "Converter", examples: "Examples", search: "Search"
) -> "Iterator[list[tuple[Any, list[Candidate]]]]":
    """The sources with what was found for each, in their order, some at a time; progress is shown in between only."""
    import numpy as np

    from gatework.cli.progress import bar

    for first in range(0, len(examples), AT_A_TIME):
        some = examples.take(np.arange(first, min(first + AT_A_TIME, len(examples))))
        with bar("converting") as progress:
            shown = partial(_say_share, progress, first, len(some), len(examples))
            answers = trained.convert(some, search, shown)
        yield list(zip(some.sources, answers, strict=True))


def _say_share(progress: Callable[..., None], before: int, count: int, whole: int, done: int, total: int) -> None:
    """Says how many of all sources are converted, when so much is done of `count` of them."""
    progress(before + count * done // total, whole)


def _check_files(attention: str | None, out: Path | None) -> None:
    """Raises InputError for what could not be written at the end."""
    if attention not in (None, TABLE) and not attention.endswith(SVG):
        raise InputError(f"--attention {attention}: expected {TABLE}, or a file to write whose name ends in {SVG}")
    for path in (out, None if attention in (None, TABLE) else Path(attention)):
        if path is not None and not path.parent.is_dir():
            raise InputError(f"cannot write {path}: {path.parent} is no directory")


def _lines(job: "Described", source: Any, found: "list[Candidate]", *, scored: bool, tables: bool) -> Iterator[str]:
    """What is printed of a source: a line for each target, scored with its probability, and what it looked at."""
    from gatework.pairs.answers import source_symbols, source_text
    from gatework.pairs.picture import table

    width = shutil.get_terminal_size((120, 24)).columns
    for each in found:
        fields = [source_text(job, source), each.text, *([f"{math.exp(each.log_probability):.4f}"] if scored else [])]
        yield "\t".join(map(printable, fields))
        if tables:
            yield from table(source_symbols(job, source), each.symbols, _weights(each), width)


def _as_json(job: "Described", source: Any, found: "list[Candidate]") -> dict[str, Any]:
    from gatework.pairs.answers import source_text

    return {"source": source_text(job, source), "targets": [candidate.to_json() for candidate in found]}


def _picture(job: "Described", source: Any, found: "list[Candidate]") -> str:
    """What the best target looked at, as an SVG document."""
    from gatework.pairs.answers import source_symbols
    from gatework.pairs.picture import heat_map

    return heat_map(source_symbols(job, source), found[0].symbols, _weights(found[0]))


def _weights(candidate: "Candidate") -> Any:
    if candidate.attention is None:
        raise InputError("the model has no attention: train one with --attention general, or leave --attention out")
    return candidate.attention
