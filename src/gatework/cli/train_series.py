"""`gatework train series`: a model that forecasts."""

import shlex
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from gatework.cli.arguments import SeriesTable
from gatework.cli.options import Chosen, with_options
from gatework.cli.values import numbers
from gatework.forecast.options import LEVELS, Options


@with_options
def train_series(
    file: SeriesTable,
    options: Chosen[Options],
    out: Annotated[Path, typer.Option(help="The run folder to make.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in --out.")] = False,
    levels: Annotated[str, typer.Option(help="Bands to learn, in percent.")] = ",".join(map(str, LEVELS)),
) -> None:
    """Learns to forecast a series, or thousands together, from a table.

    The columns are ds, y and, for several series, unique_id; --time, --target and --id name others. Without ds and y
    the only column of dates and the only one of numbers are taken.
    """
    from gatework.cli.progress import bars
    from gatework.cli.series_lines import say, with_cost
    from gatework.forecast.checkpoint import write
    from gatework.forecast.data.series import read_panel
    from gatework.forecast.forecaster import Forecaster
    from gatework.runs.new_run import new_run
    from gatework.training.torchrun import one_process

    one_process("models of series are trained")
    forecaster = Forecaster(**options.values(), levels=numbers("--levels", levels))
    with new_run(out, overwrite=overwrite, resumable=False) as new:
        panel = read_panel(file, forecaster.columns, reading=forecaster.reading)
        say(panel.describe(), *panel.notes)
        with bars() as shown:
            on_progress = with_cost(shown)
            forecaster.report = partial(on_progress, "training")
            forecaster.fit_panel(panel, on_progress=on_progress)
        say(*forecaster.notes[len(panel.notes) :])
        write(forecaster, new)
    print(f"next: gatework forecast {shlex.quote(str(out))}")
