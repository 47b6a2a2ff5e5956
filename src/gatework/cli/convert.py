"""`gatework convert`: sources to targets with a trained model of pairs."""

import math
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatework.cli.arguments import Device, PairEncoding, PairSource, RunFolder
from gatework.cli.terminal import json_line
from gatework.errors import InputError, printable
from gatework.files.writing import write_atomically

if TYPE_CHECKING:
    from gatework.pairs.answers import Candidate
    from gatework.pairs.description import Described

TABLE, SVG = "table", ".svg"


def convert(
    run: RunFolder,
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
    probability of its target.
    """
    if not texts:
        raise InputError("no source was given: name texts, or one file, or - for standard input")
    if best < 1:
        raise InputError(f"--best {best}: expected 1 or more")
    _check_files(attention, out)
    from gatework.cli.pair_models import converter
    from gatework.cli.pair_use import read_sources
    from gatework.cli.progress import bar
    from gatework.pairs.answers import source_text, unseen_line
    from gatework.pairs.converter import Search

    trained = converter(run, device)
    job = trained.job
    examples = read_sources(texts, job, source, encoding)
    if attention not in (None, TABLE) and len(examples) > 1:
        raise InputError(f"--attention {attention}: a picture shows one source, and there are {len(examples):,}")
    search = Search.of(job)
    search = replace(search, beams=max(best, search.beams if beams is None else beams), best=best)
    with bar("converting") as progress:
        answers = trained.convert(examples, search, progress)
    if (new := unseen_line(job, examples.sources)) is not None:
        print(f"note: {new}", file=sys.stderr)
    if out is not None:
        lines = [json_line(_as_json(job, *each)) for each in zip(examples.sources, answers, strict=True)]
        write_atomically(out, "".join(f"{line}\n" for line in lines).encode())
    if attention not in (None, TABLE):
        write_atomically(Path(attention), _picture(job, examples.sources[0], answers[0][0]).encode())
    for one, found in zip(examples.sources, answers, strict=True):
        for candidate in found:
            print(_line(source_text(job, one), candidate, scored=best > 1))
            if attention == TABLE:
                print("\n".join(_table(job, one, candidate)))


def _check_files(attention: str | None, out: Path | None) -> None:
    """Raises InputError for what could not be written at the end."""
    if attention not in (None, TABLE) and not attention.endswith(SVG):
        raise InputError(f"--attention {attention}: expected {TABLE}, or a file to write whose name ends in {SVG}")
    for path in (out, None if attention in (None, TABLE) else Path(attention)):
        if path is not None and not path.parent.is_dir():
            raise InputError(f"cannot write {path}: {path.parent} is no directory")


def _line(source: str, candidate: "Candidate", *, scored: bool) -> str:
    fields = [source, candidate.text, *([f"{math.exp(candidate.log_probability):.4f}"] if scored else [])]
    return "\t".join(printable(field) for field in fields)


def _as_json(job: "Described", source: Any, found: "list[Candidate]") -> dict[str, Any]:
    from gatework.pairs.answers import source_text

    return {"source": source_text(job, source), "targets": [candidate.to_json() for candidate in found]}


def _table(job: "Described", source: Any, candidate: "Candidate") -> list[str]:
    from gatework.pairs.answers import source_symbols
    from gatework.pairs.picture import table

    width = shutil.get_terminal_size((120, 24)).columns
    return table(source_symbols(job, source), candidate.symbols, _weights(candidate), width)


def _picture(job: "Described", source: Any, candidate: "Candidate") -> str:
    from gatework.pairs.answers import source_symbols
    from gatework.pairs.picture import heat_map

    return heat_map(source_symbols(job, source), candidate.symbols, _weights(candidate))


def _weights(candidate: "Candidate") -> Any:
    if candidate.attention is None:
        raise InputError("the model has no attention: train one with --attention general, or leave --attention out")
    return candidate.attention
