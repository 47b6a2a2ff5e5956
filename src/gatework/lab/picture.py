"""The picture of an experiment: learning curves, unless it draws its own."""

import io
from typing import Any

from gatework.forecast.plot import matplotlib
from gatework.lab.experiment import Experiment, Trial
from gatework.lab.results import Results

COLORS = ("#1f6fb4", "#d1495b", "#3a9d5d", "#8a5fbf", "#c98a1b", "#555555")
STYLE = {"svg.hashsalt": "gatework", "svg.fonttype": "none"}  # the same bytes each time, and text as text


def svg(experiment: Experiment, results: Results) -> bytes:
    """The picture of the results; raises InputError where matplotlib is missing."""
    figure = matplotlib("figure").Figure(layout="constrained")
    if experiment.picture is not None:
        experiment.picture(figure, {variant.label: results.of(variant) for variant in results.variants})
    else:
        _learning_curves(figure, experiment, results)
    out = io.BytesIO()
    with matplotlib("style").context(STYLE):
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def _learning_curves(figure: Any, experiment: Experiment, results: Results) -> None:
    """The error against the sequences seen, a panel for each form of the task, a line for each seed."""
    forms = list(dict.fromkeys(variant.form for variant in results.variants)) or [""]
    names = list(dict.fromkeys(variant.name for variant in results.variants))
    figure.set_size_inches(max(4.5, 3.4 * len(forms)), 3.2)
    panels = figure.subplots(1, len(forms), squeeze=False, sharey=True)[0]
    for panel, form in zip(panels, forms, strict=True):
        for variant in (variant for variant in results.variants if variant.form == form):
            color = COLORS[names.index(variant.name) % len(COLORS)]
            for k, trial in enumerate(results.of(variant)):
                _draw_curve(panel, trial, color, variant.name if k == 0 else None)
        panel.set(title=form, xlabel=experiment.axes[0], yscale="log")
        panel.xaxis.set_major_formatter("{x:,.0f}")
        panel.tick_params(labelsize=7)
        panel.locator_params(axis="x", nbins=4)
        panel.grid(alpha=0.3)
        if panel.lines:
            panel.legend(fontsize=7, frameon=False)
    panels[0].set_ylabel(experiment.axes[1])


def _draw_curve(panel: Any, trial: Trial, color: str, label: str | None) -> None:
    """One seed; a dot where it was solved."""
    panel.plot(*zip(*trial.curve, strict=True) if trial.curve else ((), ()), color=color, linewidth=1, label=label)
    if trial.solved and trial.curve:
        panel.plot(*trial.curve[-1], "o", color=color, markersize=4)
