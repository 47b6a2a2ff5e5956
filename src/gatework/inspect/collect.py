"""From a run and a text to the payload and the weights of a page."""

from pathlib import Path
from typing import Any

import torch

from gatework import __version__
from gatework.inspect.activity import Progress, silent, watched
from gatework.inspect.model import Weights
from gatework.inspect.payload import Payload, Stretch, language_weights, text_parts, text_results
from gatework.inspect.reading import read
from gatework.tasks.language_run import Run

MEASURED = 60_000  # tokens at most that figures are of
NUMBERS = 64 << 20  # recorded at most, so that wide models need no more memory
SHOWN = 4000  # tokens that the page shows


def collect(path: Path, file: str, *, progress: Progress = silent) -> tuple[Payload, Weights]:
    """Reads the text with the run's model, and measures what its units do."""
    run = Run.open(path)
    model = run.model()
    recurrent = model.recurrent
    names = list(dict.fromkeys([state.name for state in recurrent.program.states] + [recurrent.program.output]))
    reading = read(
        file, run.vocabulary, min(MEASURED, NUMBERS // (recurrent.num_layers * recurrent.hidden_size * len(names)))
    )
    ids = torch.from_numpy(reading.ids.astype("int64"))
    activity = watched(model, ids, names, progress=progress)
    parts = text_parts(title_of(path), model, run.vocabulary, reading, activity, Stretch(0, min(SHOWN, len(reading))))
    payload: dict[str, Any] = {"gatework": __version__, "untrained": False, **parts}
    return payload | {"results": text_results(run, model, activity.log_p)}, language_weights(model)


def title_of(path: Path) -> str:
    """What a run is called: the name of its folder."""
    return path.resolve().name
