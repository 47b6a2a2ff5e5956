"""`gatework forecast`: what comes next, by a trained model."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gatework.cli.arguments import RunOrFile
from gatework.cli.values import numbers
from gatework.errors import InputError
from gatework.forecast.options import DECIMAL, ENCODING, SHEET

if TYPE_CHECKING:
    from gatework.forecast.forecaster import Forecaster


def forecast(
    run: RunOrFile,
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
        Path | None,
        typer.Option(
            help="The CSV file to write.  [default: forecast.csv in the run, or beside its file]", metavar="CSV"
        ),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="The picture to write, .png or .svg.  [default: beside the CSV]")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help=ENCODING)] = None,
    decimal: Annotated[Literal[".", ","] | None, typer.Option(help=DECIMAL)] = None,
    sheet: Annotated[str | None, typer.Option(help=SHEET)] = None,
    keep_formulas: Annotated[
        bool,
        typer.Option("--keep-formulas", help="Write ids such as =1+1 as they are, which spreadsheets would run."),
    ] = False,
) -> None:
    """Forecasts with a trained run: prints a table, writes a CSV and a picture (pip install 'gatework[plot]').

    With a FILE the run goes on from its saved state; nothing is learned anew, and the run stays as it is.
    """
    from gatework.cli.forecast_models import forecaster_of
    from gatework.cli.series_lines import brought, say
    from gatework.cli.tables import Files, forecast_lines
    from gatework.forecast.table import merged

    files = Files.of(run, out, picture, series_file=file)
    forecaster = forecaster_of(run)
    shown = _levels_of(forecaster, levels)
    panel = forecaster.fitted.panel
    known = forecaster.reading
    reading = replace(
        known, encoding=encoding or known.encoding, decimal=decimal or known.decimal, sheet=sheet or known.sheet
    )
    if file is not None:
        before, panel = panel, merged(panel, forecaster.new_rows(file, reading))
        say(*panel.notes[len(before.notes) :], brought(before, panel))
    made = forecaster.forecasts_of(panel)
    exceptions = forecaster.notes[len(panel.notes) : -len(forecaster.fitted.choices())]
    say(*exceptions, *forecast_lines(panel, made, shown))
    print(f"written: {', '.join(map(str, files.write(panel, made, shown, formulas=keep_formulas)))}")
    if files.picture is None:
        print("no picture, as matplotlib is not installed: pip install 'gatework[plot]'")


def _levels_of(forecaster: "Forecaster", text: str | None) -> tuple[float, ...]:
    """The bands to show, each of which must have been learned."""
    if text is None:
        return forecaster.bands
    levels = tuple(sorted(set(numbers("--levels", text))))
    learned = sorted(round(200 * p - 100, 6) for p in forecaster.probabilities if p > 0.5)
    if unknown := [level for level in levels if level not in learned]:
        raise InputError(
            f"--levels {unknown[0]:g}: the run has learned bands of {', '.join(f'{level:g}' for level in learned)} %: "
            "choose among these, or train with other --levels"
        )
    return levels
