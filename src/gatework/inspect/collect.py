"""From a run and a text to the payload and the weights of a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatework import __version__
from gatework.errors import InputError
from gatework.inspect.activity import Activity, watched
from gatework.inspect.clamping import Clamp, costs
from gatework.inspect.figures import hypotheses_json, units_json
from gatework.inspect.findings import findings
from gatework.inspect.hypotheses import Hypothesis, search
from gatework.inspect.labels import MEANINGS, labels
from gatework.inspect.memory import flow, lives
from gatework.inspect.model import Weights, coarse, drawn, stored
from gatework.inspect.payload import Payload, Stretch, language_weights, text_parts, text_results
from gatework.inspect.reading import Reading, read
from gatework.inspect.units import Units, check_unit, looked_at
from gatework.notation.gates import gates
from gatework.notation.retention import called, retained
from gatework.runs.progress import PartProgress, no_progress
from gatework.text.model import LanguageModel
from gatework.text.run import Run
from gatework.training.metrics import bits

MEASURED = 60_000  # tokens at most that figures are of
NUMBERS = 64 << 20  # recorded at most, so that wide models need no more memory
SHOWN = 4000  # tokens that the page shows


@dataclass(frozen=True)
class Read:
    """A run's model, what it read, and what its units did meanwhile."""

    run: Run
    model: LanguageModel
    reading: Reading
    activity: Activity

    @classmethod
    def of(
        cls, path: Path, file: str, progress: PartProgress, limit: int = MEASURED, unit: str | None = None
    ) -> "Read":
        """Opens the run, and reads the file's first tokens with its model as one stream."""
        run = Run.open(path)
        if run.shape.softmax == "adaptive":
            raise InputError(f"{name_of(path)} has an adaptive softmax, which no page runs: train with --softmax full")
        model = _as_stored(run.model())
        program, recurrent = model.recurrent.program, model.recurrent
        check_unit(recurrent, unit)
        names = [*looked_at(program), *map(called, retained(program))]
        width = recurrent.num_layers * recurrent.hidden_size * len(names)
        reading = read(file, run.vocabulary, limit if limit < MEASURED else max(2, min(limit, NUMBERS // width)))
        ids = torch.from_numpy(reading.ids.astype(np.int64))
        what = f"reading with {name_of(path)}"
        return cls(run, model, reading, watched(model, ids, names, gates(program), what=what, progress=progress))

    @property
    def ids(self) -> Tensor:
        return torch.from_numpy(self.reading.ids.astype(np.int64))

    def inputs(self) -> Tensor:
        """What the recurrent layers read, [T,1,I]."""
        return self.model._embedded(self.ids[:, None]).detach()

    @property
    def values(self) -> dict[str, Tensor]:
        """States and outputs [T,H], layer by layer."""
        names = looked_at(self.model.recurrent.program)
        return {key: value for key, value in self.activity.values.items() if key.split(".")[1] in names}


def collect(
    path: Path, file: str, *, beside: Path | None = None, unit: str | None = None, progress: PartProgress = no_progress
) -> tuple[Payload, Weights]:
    """Reads a text with a run's model, and measures what its units do.

    beside: a second run to compare it with; unit: one that must be there, said before the work begins.
    """
    subject = Read.of(path, file, progress, unit=unit)
    other = None if beside is None else _compared(subject, Read.of(beside, file, progress, len(subject.reading)))
    run, reading, activity, ids = subject.run, subject.reading, subject.activity, subject.ids
    untrained = run.untrained()
    fresh = watched(untrained, ids, looked_at(subject.model.recurrent.program), what="untrained", progress=progress)
    units = Units.of(subject.values)
    spelled, language = labels(reading.text, reading.name, run.text.suffixes)
    marks = {name: label[reading.last] for name, label in spelled.items()}
    rows = Units.of(fresh.values).values
    hypotheses = search(units.values, rows, marks, lambda done, total: progress("looking for units", done, total))
    stretch = _shown(len(reading))
    here = {name: label[stretch.first : stretch.end] for name, label in marks.items()}
    payload: Payload = {
        "gatework": __version__,
        "untrained": False,
        **text_parts(name_of(path), subject.model, run.vocabulary, reading, activity, stretch),
        "results": text_results(run, subject.model, activity.log_p),
        "units": units_json(units, hypotheses, lives(subject.model.recurrent, activity, subject.inputs)),
        "hypotheses": hypotheses_json(hypotheses, units, _removed(subject, units, hypotheses), MEANINGS, here),
        "gates": activity.saturation.to_json(),
        "flow": flow(subject.model, ids, activity),
        "other": other,
        "fresh": coarse(language_weights(untrained)),
        "cell_svg": drawn(run.cell, subject.model.description()),
    }
    payload["text"]["language"] = language
    payload["findings"] = findings(payload, hypotheses, units.names)
    return payload, language_weights(subject.model)


def _as_stored(model: LanguageModel) -> LanguageModel:
    """The model with the weights that the page will hold: rounded where they are many."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.to(stored(language_weights(model))))
    return model


def name_of(path: Path) -> str:
    """What a run is called: its folder."""
    return path.resolve().name


def _shown(tokens: int) -> Stretch:
    """The stretch that the page shows: the last tokens measured, which chose no unit, up to its limit."""
    return Stretch(max(0, tokens - SHOWN), tokens)


def _compared(one: Read, two: Read) -> Payload:
    """The second run on the same stretch: its surprise token by token, its gradient flow, its results."""
    if one.run.vocabulary.level != two.run.vocabulary.level:
        raise InputError(
            f"{one.run.path} reads {one.run.vocabulary.unit} and {two.run.path} {two.run.vocabulary.unit}: "
            "give --beside a run with the same --level"
        )
    stretch = _shown(len(one.reading))
    log_p = two.activity.log_p[stretch.first : stretch.end - 1]
    surprise = [round(bits(-value), 4) for value in log_p.tolist()]
    return {
        "title": name_of(two.run.path),
        "cell": two.run.cell.name,
        "surprise": [None, *surprise],
        "flow": flow(two.model, two.ids, two.activity),
        "results": text_results(two.run, two.model, two.activity.log_p),
    }


def _removed(subject: Read, units: Units, hypotheses: Sequence[Hypothesis]) -> list[float | None]:
    """For each hypothesis what its best unit, clamped to its mean, costs in bits; None where zoneout moves it."""
    places = [units.place(each.best) for each in hypotheses]
    moved = {name for name, rate in subject.model.recurrent.zoneout.items() if rate > 0}
    wanted = sorted({place for place in places if place[0].split(".")[1] not in moved})
    clamps = [Clamp(key, unit, float(subject.activity.values[key][:, unit].mean())) for key, unit in wanted]
    cost_at: dict[Any, float] = {}
    if clamps:
        cost_at = dict(zip(wanted, costs(subject.model, subject.ids, clamps), strict=True))
    return [cost_at.get(place) for place in places]
