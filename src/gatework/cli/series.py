"""`gatework train series`, `gatework forecast`, `gatework backtest`: from a table to what comes next."""

import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from gatework.cli.progress import bars, clock
from gatework.cli.series_options import Decimal, Encoding, Sheet, with_choices
from gatework.cli.series_output import Files, forecast_lines, score_lines
from gatework.cli.use import RunFolder
from gatework.errors import InputError
from gatework.forecast.backtest import backtest as rolled
from gatework.forecast.data.series import Panel, read_panel
from gatework.forecast.forecaster import Forecaster
from gatework.forecast.rivals import seasonal_naive
from gatework.forecast.run import load, write
from gatework.forecast.table import going_on, merged
from gatework.runs.folder import one_process
from gatework.runs.new_run import new_run

LEVELS = "80,95"  # percent
NAIVE = "seasonal naive"
WORTH_SAYING = 10.0  # seconds that a part takes

Table = Annotated[
    str,
    typer.Argument(
        help="CSV, Parquet or a spreadsheet, a row for each time, packed or not; - for standard input.", metavar="FILE"
    ),
]
Chosen = dict[str, Any]  # arguments of Forecaster, from the options that commands share


@with_choices
def train(
    file: Table,
    chosen: Chosen,
    out: Annotated[Path, typer.Option(help="The run folder to make.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in --out.")] = False,
    levels: Annotated[str, typer.Option(help="Bands to learn, in percent.")] = LEVELS,
) -> None:
    """Learns to forecast a series, or thousands together, from a table.

    The columns are ds, y and, for several series, unique_id; --time, --target and --id name others.
    """
    one_process("models of series are trained")
    forecaster = Forecaster(**chosen, levels=numbers("--levels", levels))
    with new_run(out, overwrite=overwrite, resumable=False) as new:
        panel = read_panel(file, forecaster.columns, reading=forecaster.reading)
        say(panel.describe(), *panel.notes)
        with bars() as shown:
            told = with_cost(shown)
            forecaster.report = partial(told, "training")
            forecaster.fit_panel(panel, told=told)
        say(*forecaster.notes[len(panel.notes) :])
        write(forecaster, new)
    print(f"next: gatework forecast {shlex.quote(str(out))}")


def forecast(
    run: RunFolder,
    file: Annotated[
        str | None,
        typer.Argument(
            help="Rows that came since, and the future of known columns.", metavar="FILE", show_default=False
        ),
    ] = None,
    levels: Annotated[
        str | None, typer.Option(help="Bands to show, in percent.  [default: those that were learned]")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The CSV file to write.  [default: forecast.csv in the run]", metavar="CSV")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="The picture to write, .png or .svg.  [default: beside the CSV]")
    ] = None,
    encoding: Encoding = None,
    decimal: Decimal = None,
    sheet: Sheet = None,
    keep_formulas: Annotated[
        bool,
        typer.Option("--keep-formulas", help="Write ids such as =1+1 as they are, which spreadsheets would run."),
    ] = False,
) -> None:
    """Forecasts with a trained run: prints a table, writes a CSV and a picture (pip install 'gatework[plot]').

    With a FILE the run goes on from its saved state; nothing is learned anew, and the run stays as it is.
    """
    files = Files.of(run, out, picture, given=file)
    forecaster = load(run)
    shown = levels_of(forecaster, levels)
    panel = forecaster.fitted.panel
    known = forecaster.reading
    reading = replace(
        known, encoding=encoding or known.encoding, decimal=decimal or known.decimal, sheet=sheet or known.sheet
    )
    if file is not None:
        before, panel = panel, merged(panel, going_on(file, panel, reading))
        say(*panel.notes[len(before.notes) :], brought(before, panel))
    made = forecaster.forecasts_of(panel)
    exceptions = forecaster.notes[len(panel.notes) : -len(forecaster.fitted.choices())]
    say(*exceptions, *forecast_lines(panel, made, shown))
    print(f"written: {', '.join(map(str, files.write(panel, made, shown, formulas=keep_formulas)))}")
    if files.picture is None:
        print("no picture, as matplotlib is not installed: pip install 'gatework[plot]'")


@with_choices
def backtest(
    file: Table,
    chosen: Chosen,
    windows: Annotated[int, typer.Option(help="Stretches of the horizon at the end of each series to forecast.")] = 5,
    naive_only: Annotated[
        bool, typer.Option("--naive-only", help="Compare with seasonal naive alone, which takes no time.")
    ] = False,
) -> None:
    """Says how well it would have forecast the end of a table, beside seasonal naive.

    Each window is forecast from what came before it alone. ETS and ARIMA are compared where statsforecast is installed.
    """
    forecaster = Forecaster(**chosen)
    panel = read_panel(file, forecaster.columns, reading=forecaster.reading)
    say(panel.describe(), *panel.notes)
    with bars() as shown:
        told, beside = with_cost(shown), {NAIVE: seasonal_naive} if naive_only else None
        found = rolled(forecaster, panel, windows, beside=beside, report=partial(told, "windows"), told=told)
    say(*found.told()[len(panel.notes) :])
    say(*score_lines(found, windows, forecaster.horizon))


def with_cost(shown: Callable[..., None]) -> Callable[..., None]:
    """Shows how far each part has come, and says on standard error what a part cost that took its time."""
    began: dict[str, float] = {}

    def told(what: str, done: int, total: int, *rest: object) -> None:
        now = time.monotonic()
        took = now - began.setdefault(what, now)
        shown(what, done, total, *rest)
        if done == total:
            del began[what]
            if took > WORTH_SAYING:
                print(f"{what}: {total:,} in {clock(took)}, {1000 * took / total:.1f} ms each", file=sys.stderr)

    return told


def say(*lines: str) -> None:
    """Prints lines at once, should what comes after them take its time."""
    for line in lines:
        print(line, flush=True)


def numbers(option: str, given: str) -> list[float]:
    """ "80,95" as numbers."""
    try:
        return [float(number) for number in given.split(",")]
    except ValueError:
        raise InputError(f"{option} {given}: expected percents such as 80,95") from None


def levels_of(forecaster: Forecaster, given: str | None) -> tuple[float, ...]:
    """The bands to show, each of which must have been learned."""
    if given is None:
        return forecaster.levels
    levels = tuple(sorted(set(numbers("--levels", given))))
    learned = sorted(round(200 * p - 100, 6) for p in forecaster.probabilities if p > 0.5)
    if unknown := [level for level in levels if level not in learned]:
        raise InputError(
            f"--levels {unknown[0]:g}: the run has learned bands of {', '.join(f'{level:g}' for level in learned)} %: "
            "choose among these, or train with other --levels"
        )
    return levels


def brought(before: Panel, after: Panel) -> str:
    """What a file of new rows brought."""
    new = sum(map(len, after.series)) - sum(map(len, before.series))
    last = after.spacing.show(max(each.times[-1] for each in after.series))
    if not new:
        return f"no new values after {last}: the forecast starts there"
    return f"{new:,} new {'step' if new == 1 else 'steps'}, up to {last}: the run goes on from its state"
