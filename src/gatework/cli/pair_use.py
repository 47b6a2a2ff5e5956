"""What commands do with a trained model of pairs: sources read, and how good the targets are that it finds."""

import errno
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from gatework.cli.pair_models import converter
from gatework.cli.progress import bar
from gatework.errors import field
from gatework.files.reading import STDIN
from gatework.pairs.answers import check_form, unseen_line, unwritten_line
from gatework.pairs.data.examples import Examples, check_frames, given_examples, read_examples
from gatework.pairs.data.tables import CSV, JSON, TSV, Columns
from gatework.pairs.description import Described
from gatework.runs.arrays import NPZ

FILES = (*JSON, *TSV, *CSV, NPZ, ".parquet", ".txt")  # how names of files with sources end


def read_sources(texts: Sequence[str], job: Described, column: str | None, encoding: str | None) -> Examples:
    """Sources as a command line names them: texts, or one file, or - for standard input."""
    alone = texts[0] if len(texts) == 1 else ""
    if alone == STDIN or (alone and (job.form == "frames" or _is_to_read(Path(alone)))):
        columns = Columns(source=column)
        examples = read_examples(texts[0], job.levels, columns=columns, encoding=encoding, targets=False)
    else:
        examples = given_examples(list(texts), levels=job.levels, name="TEXT")
        if Path(alone).suffix.lower() in FILES:
            note(f"{alone} is no file, and is read as a text")
    check_form(examples, job)
    return examples


def _is_to_read(path: Path) -> bool:
    try:
        return path.exists() and not path.is_dir()
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:  # as a text may be
            raise
        return False


def note(*lines: str) -> None:
    """Says on standard error what is no answer."""
    for line in lines:
        print(f"note: {line}", file=sys.stderr)


def possible_header(examples: Examples) -> list[str]:
    """A line with the first row of a table whose columns nothing names, and how to name them should it be a header."""
    first = dict(zip(("source", "target"), map(field, examples.unnamed), strict=False))
    if not first:
        return []
    what, them = ("source", "the column") if len(first) == 1 else ("pair", "the columns")
    options = shlex.join(part for name, value in first.items() for part in (f"--{name}", value))
    return [f"first {what}: {' -> '.join(map(repr, first.values()))}; if that is a header, name {them}: {options}"]


def say_score(run: Path, file: str, columns: Columns, encoding: str | None, device: str) -> None:
    """Prints how good the targets are that a trained model finds for the sources of a file."""
    model = converter(run, device)
    examples = read_examples(file, model.job.levels, columns=columns, encoding=encoding)
    check_form(examples, model.job)
    if model.job.options.align == "ctc":
        check_frames(examples)
    note(*possible_header(examples))
    with bar("converting") as progress:
        report = model.score(examples, progress=progress)
    print("\n".join(report.lines()))
    for line in (unseen_line(model.job, examples.sources), unwritten_line(model.job, examples.targets or ())):
        if line is not None:
            print(line)
