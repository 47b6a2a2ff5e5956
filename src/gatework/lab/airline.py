"""Airline passengers, 144 months (Box & Jenkins): the end held out, beside forecasts that need no learning."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatework.errors import InputError
from gatework.forecast.backtest import until
from gatework.forecast.data.panel import Panel
from gatework.forecast.data.series import read_panel
from gatework.forecast.forecaster import Forecaster
from gatework.forecast.metrics import rmse
from gatework.lab.experiment import Experiment, Progress, Size, Trial, Variant

Numbers = NDArray[np.float64]

NAME = Path("examples") / "air_passengers.csv"
YEAR = 12


@cache
def panel() -> Panel:
    """The series, from the repository that this package is worked on in, or the folder one stands in."""
    for folder in (Path(__file__).parents[3], Path.cwd()):
        if (folder / NAME).is_file():
            return read_panel(folder / NAME)
    raise InputError(f"no {NAME} here: the file is part of gatework's repository; run this in its folder")


def naive(y: Numbers, h: int) -> dict[str, Numbers]:
    """What needs no learning, h months after the end of y: the last value, the last year, that times its growth."""
    year = np.resize(y[-YEAR:], h)
    growth = y[-YEAR:].sum() / y[-2 * YEAR : -YEAR].sum()
    years = np.arange(h) // YEAR + 1
    return {"last value": np.full(h, y[-1]), "last year": year, "last year x growth": year * growth**years}


def _ahead(forecaster: Forecaster, left_out: int) -> dict[str, Numbers]:
    """The months left out, forecast from one origin before them."""
    before = until(panel(), left_out, 0)
    forecast = forecaster.fit_panel(before).forecasts_of(before)[0].median
    return {"ours": forecast, **naive(before.series[0].y, left_out)}


def _month_by_month(forecaster: Forecaster, left_out: int, progress: Progress) -> dict[str, Numbers]:
    """Each month left out, forecast from all months before it by what was learned once."""
    forecaster.fit_panel(until(panel(), left_out, 0))
    forecasts_by_name: dict[str, list[float]] = {}
    for k in range(left_out, 0, -1):
        progress(f"{k} months to go")
        before = until(panel(), k, 0)
        forecasts = {"ours": forecaster.forecasts_of(before)[0].median, **naive(before.series[0].y, 1)}
        for name, values in forecasts.items():
            forecasts_by_name.setdefault(name, []).append(float(values[0]))
    return {name: np.array(values) for name, values in forecasts_by_name.items()}


def _trial(variant: Variant, seed: int, size: Size, progress: Progress) -> Trial:
    options = variant.at(size)
    h, left_out = options["horizon"], options["left_out"]
    forecaster = Forecaster(h, variant.cell, levels=80, seed=seed, members=options["members"], steps=options["steps"])
    progress(f"{left_out} months left out")
    forecasts = _ahead(forecaster, left_out) if h > 1 else _month_by_month(forecaster, left_out, progress)
    y = panel().series[0].y[-left_out:]
    errors = {name: rmse(y, values) for name, values in forecasts.items()}
    percent = float(100 * np.mean(np.abs(forecasts["ours"] / y - 1)))
    figures = {f"RMSE {name}": error for name, error in errors.items()} | {"MAPE ours, %": percent}
    solved = errors.pop("ours") < min(errors.values())
    return Trial(solved, figures, traces={"forecast": forecasts["ours"].round(2).tolist()})


def _picture(figure: Any, trials: Mapping[str, Sequence[Trial]]) -> None:
    """The held-out months of each form, and what the first seed of each network said."""
    forms = dict.fromkeys(variant.form for variant in EXPERIMENT.variants)
    shown = [name for name in forms if any(label.startswith(name) for label in trials)]
    figure.set_figwidth(4.5 * len(shown))
    y = panel().series[0].y
    for axis, form in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        axis.set_title(form, fontsize=9)
        for label, (first, *_) in trials.items():
            if label.startswith(form):
                forecast = first.traces["forecast"]
                axis.plot(range(-len(forecast), 0), forecast, label=label.removeprefix(f"{form}, "))
        axis.plot(range(-60, 0), y[-60:], "k.-", linewidth=0.6, markersize=3, label="passengers")
        axis.set_xlabel("months before the end")
        axis.grid(alpha=0.25)
        axis.legend(fontsize=7, frameon=False)


SETTING = {"members": 3, "steps": 120, "tiny": {"members": 1, "steps": 3}}
FORMS = {
    "36 months ahead": ({"horizon": 36, "left_out": 36}, "last year 73.6 (MAPE 13.2 %)"),
    "12 months ahead": ({"horizon": 12, "left_out": 12}, "last year 50.7, x growth 16.8"),
    "one month ahead, 48 times": ({"horizon": 1, "left_out": 48}, "a tutorial's LSTM 47.5, last value 48.7"),
}

EXPERIMENT = Experiment(
    name="airline",
    title="Airline passengers",
    task=(
        "Passengers of each month, 1949 to 1960. The last 36 or 12 months are forecast from the end of those before; "
        "or the last 48 one by one, each from all months before it. gw.Forecaster, as it comes."
    ),
    criterion="a lower RMSE than the last value, the last year, and the last year times its growth, whichever is best",
    source=(
        "Box & Jenkins 1970 (data); what the naive methods score is computed here; 47.5 is of a well-known tutorial"
    ),
    batched="nothing was set for this series; trained once, on the months before the first forecast one",
    shows=(
        "Month by month the forecasts err a third of what repeating the last value does, which is where a network on "
        "the bare values ends. A year ahead and more they beat the last year, but not the last year times its growth: "
        "the growth of that very year went on, and the model averages over those of all years."
    ),
    variants=tuple(
        Variant(f"gw.Forecaster, {cell}", cell, {**SETTING, **setting}, published * (cell == "lstm"), form)
        for form, (setting, published) in FORMS.items()
        for cell in ("lstm", "gru")
    ),
    seeds=5,
    trial=_trial,
    picture=_picture,
    drawn_seeds=1,
)
