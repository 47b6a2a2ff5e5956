"""`gatework score`: how good a trained model is, of a text, of pairs or of series."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gatework.cli.arguments import Device, PairEncoding, PairSource, PairTarget, RunOrFile
from gatework.cli.options import named_in
from gatework.errors import InputError
from gatework.files.reading import STDIN, STDIN_NAME
from gatework.text.options import is_jsonl

if TYPE_CHECKING:
    from gatework.cli.text_models import Reads
    from gatework.text.data.corpus import Corpus
    from gatework.text.data.vocabulary import Vocabulary
    from gatework.text.trained import TorchReader

LONG = 20_000  # tokens that are scored as one stream; above, side by side
STREAMS = 32
PAIRS, SERIES, LABELS = "pairs", "series", "labels"  # the tasks of runs that are of no text
OPTIONS = {  # of each task, which say how the file is read
    "text": {"condition", "each", "streams", "adapt"},
    PAIRS: {"source", "target", "encoding"},
    SERIES: {"encoding"},
}


def score(
    context: typer.Context,
    run: RunOrFile,
    file: Annotated[
        str, typer.Argument(help="The text, pairs or series to score; - for standard input.", metavar="FILE")
    ],
    condition: Annotated[
        str | None,
        typer.Option(help="Read the text as a document on this condition; those of a .jsonl file have their own."),
    ] = None,
    each: Annotated[bool, typer.Option("--each", help="Print every token's surprise in bits, one a line.")] = False,
    streams: Annotated[
        int | None,
        typer.Option(
            help=f"Read the text as so many streams side by side; default 1, above {LONG:,} tokens {STREAMS} "
            "unless it adapts."
        ),
    ] = None,
    adapt: Annotated[
        bool,
        typer.Option(
            "--adapt",
            help="Let the model learn from each piece of the text once it is scored (dynamic evaluation), and say what "
            "that is worth; the run stays as it is.",
        ),
    ] = False,
    source: PairSource = None,
    target: PairTarget = None,
    encoding: PairEncoding = None,
    device: Device = "cpu",
) -> None:
    """Says how well a trained model knows a text, turns sources into targets, or has forecast.

    Of a text bits per character and perplexity; of pairs the share of targets that are right, error rates of symbols
    and of whole targets, perplexity, and what is confused most; of series the error of what came after the training.
    """
    task = _task_of(run)
    if other := sorted(named_in(context) & (set().union(*OPTIONS.values()) - OPTIONS[task])):
        raise InputError(f"--{other[0]}: {run} is a run of {task}, for which there is no such option; leave it out")
    if task == PAIRS:
        from gatework.cli.pair_use import say_score
        from gatework.pairs.data.tables import Columns

        say_score(run, file, Columns(source, target), encoding, device)
    elif task == SERIES:
        from gatework.cli.series_lines import say_error

        say_error(run, file, encoding)
    else:
        _score_text(run, file, condition, each, streams, adapt, device)


def _task_of(run: Path) -> str:
    """What a run is scored as: "text" unless it is of another task that can be scored."""
    from gatework.runs.folder import read_description

    if run.is_dir():
        task = read_description(run).get("task")
    else:
        from gatework.runtime import Model

        task = Model.open(run).task
    if task == LABELS:
        raise InputError(f"{run} was trained on labels: gatework predict {run} FILE says how many it gets right")
    return task if task in (PAIRS, SERIES) else "text"


def _score_text(
    run: Path, file: str, condition: str | None, each: bool, streams: int | None, adapt: bool, device: str
) -> None:
    """How well a model knows a text."""
    if each and streams is not None:
        raise InputError("--each reads the text as one stream: leave out --streams")
    from gatework.cli.text_models import readers
    from gatework.text.unknown import new_to_the_model

    model, learner = readers(run, device, adapt=adapt)
    vocabulary = model.vocabulary
    documents = bool(vocabulary.conditions) and is_jsonl(file)
    if documents and condition is not None:
        raise InputError(f"--condition {condition}: the documents in {file} have their own; leave it out")
    with _prepared(vocabulary, file, condition, documents) as corpus:
        name = STDIN_NAME if file == STDIN else file
        if each:
            for token, lost in (learner or model).each(corpus.tokens, name=name):
                print(f"{lost:.4f}\t{token!r}")
            return
        one = adapt or condition is not None or len(corpus.tokens) <= LONG
        chosen = streams if streams is not None else 1 if one else STREAMS
        _say_score(model, learner, corpus, name, chosen)
        if (new := new_to_the_model(corpus)) is not None:
            print(new)
    if documents:
        return
    if vocabulary.conditions and condition is None:
        print("read without a condition; --condition NAME reads it as a document on one")
    if chosen > 1:
        print(f"read as {chosen} streams, each starting without a past; --streams 1 reads it as one")


@contextmanager
def _prepared(vocabulary: "Vocabulary", file: str, condition: str | None, documents: bool) -> Iterator["Corpus"]:
    """The text as the run's model reads it, as long as its tokens are needed."""
    from gatework.text.data.prepare import prepare

    with tempfile.TemporaryDirectory(prefix="gatework-") as folder:
        yield prepare(
            [file],
            Path(folder) / "tokens.bin",
            vocabulary=vocabulary,
            level=vocabulary.level,
            documents=documents,
            condition=condition,
        )


def _say_score(model: "Reads", learner: "TorchReader | None", corpus: "Corpus", name: str, streams: int) -> None:
    """A line with the figures of the model as it is, and one for what it is once it learns while it reads."""
    from gatework.cli.progress import bar
    from gatework.cli.text_lines import learnt_line, score_line

    with bar("scoring") as progress:
        as_it_is = model.score_tokens(corpus.tokens, streams, name=name, progress=progress)
    print(score_line(as_it_is))
    if learner is not None:
        with bar("scoring and learning") as progress:
            learnt = learner.score_tokens(corpus.tokens, streams, name=name, progress=progress)
        print(learnt_line(learnt, as_it_is, learner.read))
