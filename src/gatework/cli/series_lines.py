"""What is said of series: what a part of the work cost, what new rows brought, how far a forecast was off."""

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gatework.cli.forecast_models import forecaster_of
from gatework.cli.progress import clock
from gatework.forecast.backtest import mase_ahead
from gatework.forecast.data.panel import Panel
from gatework.forecast.table import merged

WORTH_SAYING = 10.0  # seconds that a part takes


def with_cost(shown: Callable[..., None]) -> Callable[..., None]:
    """Shows how far each part has come, and says on standard error what a part cost that took its time."""
    began: dict[str, float] = {}

    def on_progress(what: str, done: int, total: int, *rest: object) -> None:
        now = time.monotonic()
        took = now - began.setdefault(what, now)
        shown(what, done, total, *rest)
        if done == total:
            del began[what]
            if took > WORTH_SAYING:
                print(f"{what}: {total:,} in {clock(took)}, {1000 * took / total:.1f} ms each", file=sys.stderr)

    return on_progress


def say(*lines: str) -> None:
    """Prints lines at once, should what comes after them take its time."""
    for line in lines:
        print(line, flush=True)


def say_error(run: Path, file: str, encoding: str | None) -> None:
    """Prints how far a run's forecast was off the values of a file that came after the training."""
    forecaster = forecaster_of(run)
    panel = forecaster.fitted.panel
    reading = replace(forecaster.reading, encoding=encoding or forecaster.reading.encoding)
    after = merged(panel, forecaster.new_rows(file, reading))
    say(*after.notes[len(panel.notes) :])
    error, h = mase_ahead(forecaster, after), forecaster.horizon
    steps = "the next step" if h == 1 else f"the next {h} steps"
    say(f"MASE {error:.3f}: the mean absolute error of {steps} over that of seasonal naive on what was learned from")


def brought(before: Panel, after: Panel) -> str:
    """What a file of new rows brought."""
    new = sum(map(len, after.series)) - sum(map(len, before.series))
    last = after.spacing.show(max(each.times[-1] for each in after.series))
    if not new:
        return f"no new values after {last}: the forecast starts there"
    return f"{new:,} new {'step' if new == 1 else 'steps'}, up to {last}: the run goes on from its state"
