"""`gatework train pairs`: sequences to sequences of other lengths."""

from typing import Annotated

import typer

from gatework.cli.arguments import (
    OutFolder,
    Overwrite,
    PairEncoding,
    PairFile,
    PairSource,
    PairTarget,
    Resume,
    TrainingDevice,
)
from gatework.cli.options import Chosen, named_in, with_options
from gatework.cli.values import SPELLINGS, shares
from gatework.errors import InputError
from gatework.pairs.options import SPLITS, Options
from gatework.runs.parts import Splits


@with_options
def train_pairs(
    context: typer.Context,
    file: Annotated[str | None, PairFile] = None,
    out: OutFolder = ...,  # type: ignore[assignment]
    resume: Resume = False,
    overwrite: Overwrite = False,
    source: PairSource = None,
    target: PairTarget = None,
    splits: Annotated[
        str, typer.Option(help="Shares of the sources for training, validation and test.", metavar="A,B,C")
    ] = SPELLINGS[Splits].write(SPLITS),
    encoding: PairEncoding = None,
    *,
    options: Chosen[Options],
    device: TrainingDevice = "auto",
) -> None:
    """Learns to turn sources into targets of other lengths: pronunciations, dates, transliterations.

    A source may stand in several rows, each with a target that is accepted for it; it is in one part alone, learnt from
    or not. Without --steps, --epochs or --minutes it trains for some 2,000 updates. What is not named of --hidden,
    --layers, --embedding, --batch and --learning-rate follows the pairs and the time. Ctrl-C saves and stops; --resume
    goes on.
    """
    from gatework.cli.pair_runs import begin, go_on
    from gatework.pairs.data.tables import Columns
    from gatework.pairs.train import Data

    if resume and overwrite:
        raise InputError("--resume goes on with a run, --overwrite replaces it: give one of them")
    if resume:
        go_on(out, options, named_in(context), device)
    elif file is None:
        raise InputError("no file was given: name one with pairs, or - for standard input")
    else:
        data = Data(file, Columns(source, target), encoding, shares("--splits", splits))
        begin(data, out, options.made(), device=device, overwrite=overwrite)
