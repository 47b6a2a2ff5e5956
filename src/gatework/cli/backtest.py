"""`gatework backtest`: how well the end of a table would have been forecast."""

from functools import partial
from typing import Annotated

import typer

from gatework.cli.arguments import SeriesTable
from gatework.cli.options import Chosen, with_options
from gatework.forecast.options import Options

NAIVE = "seasonal naive"


@with_options
def backtest(
    file: SeriesTable,
    options: Chosen[Options],
    windows: Annotated[int, typer.Option(help="Stretches of the horizon at the end of each series to forecast.")] = 5,
    naive_only: Annotated[
        bool, typer.Option("--naive-only", help="Compare with seasonal naive alone, which takes no time.")
    ] = False,
) -> None:
    """Says how well it would have forecast the end of a table, beside seasonal naive.

    Each window is forecast from what came before it alone. ETS and ARIMA are compared where statsforecast is installed.
    """
    from gatework.cli.progress import bars
    from gatework.cli.series_lines import say, with_cost
    from gatework.cli.tables import score_lines
    from gatework.forecast.backtest import backtest as rolled
    from gatework.forecast.data.series import read_panel
    from gatework.forecast.forecaster import Forecaster
    from gatework.forecast.rivals import seasonal_naive

    forecaster = Forecaster(**options.values())
    panel = read_panel(file, forecaster.columns, reading=forecaster.reading)
    say(panel.describe(), *panel.notes)
    with bars() as shown:
        on_progress, beside = with_cost(shown), {NAIVE: seasonal_naive} if naive_only else None
        report = partial(on_progress, "windows")
        scores = rolled(forecaster, panel, windows, beside=beside, report=report, on_progress=on_progress)
    say(*scores.lines()[len(panel.notes) :])
    say(*score_lines(scores, windows, forecaster.horizon))
