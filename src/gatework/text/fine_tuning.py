"""Fine-tuning: a run that begins with the weights of another one, with other settings or on another text."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gatework.errors import InputError
from gatework.text.data.batches import LanguageBatches
from gatework.text.data.corpus import Corpus
from gatework.text.model import LanguageModel
from gatework.text.run import Run
from gatework.text.train import Outcome, train_text
from gatework.training.events import Report, no_report

ENDS: dict[str, Any] = {"steps": None, "epochs": None, "minutes": None, "evaluate_every": None}


def fine_tune_text(
    run: str | Path | Run,
    out: str | Path,
    paths: Sequence[str] = (),
    *,
    settings: Mapping[str, Any] | None = None,
    text: Mapping[str, Any] | None = None,
    shape: Mapping[str, Any] | None = None,
    batching: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    device: str = "auto",
    report: Report = no_report,
    on_start: Callable[[Corpus, LanguageBatches, LanguageModel], None] | None = None,
    reading: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Trains in the new folder `out` from the weights of a run on; that run stays as it is.

    Vocabulary, level, cell and sizes are the run's; the optimiser is new. paths: the text, default the run's own.
    settings, text, shape, batching: what is to be different, by name, as in Settings, Text, Shape and Batching (of the
    shape what changes no weight: dropout, zoneout, engine). Everything else is as in the run, but for its end and its
    validations: one epoch where none of steps, epochs and minutes is given. The rest is as in `train_text`.

    Raises InputError for a run that is damaged, a text in which nothing is known, and weights that do not fit.
    """
    origin = run if isinstance(run, Run) else Run.open(Path(run))
    if Path(out).exists() and Path(out).samefile(origin.path):
        raise InputError(f"{out} is the run to begin from: name another folder for the new one")
    new_paths: dict[str, Any] = {"paths": tuple(paths)} if paths else {}
    return train_text(
        replace(origin.text, **new_paths, **(text or {})),
        Path(out),
        origin.cell,
        replace(origin.settings, **_ends(settings or {})),
        shape=replace(origin.shape, **(shape or {})),
        batching=replace(origin.batching, **(batching or {})),
        overwrite=overwrite,
        device=device,
        report=report,
        on_start=on_start,
        reading=reading,
        origin=origin,
    )


def _ends(named: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that are given, with an end of their own."""
    named = ENDS | dict(named)
    return named if any(named[name] is not None for name in ("steps", "epochs", "minutes")) else named | {"epochs": 1}
