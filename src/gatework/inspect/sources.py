"""Sources that a page of pairs looks at, and what pages of encoders and decoders and of CTC say of them alike."""

from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from gatework.errors import InputError
from gatework.files.writing import read_json
from gatework.inspect.model import Weights, stored
from gatework.pairs.answers import Candidate, candidates, check_form, source_text
from gatework.pairs.converter import Search, Told, searched
from gatework.pairs.data.encoded import Encoded
from gatework.pairs.data.examples import Examples, read_examples
from gatework.pairs.data.symbols import Symbols, join
from gatework.pairs.description import Described
from gatework.pairs.metrics import PairReport
from gatework.pairs.model import Network as Model
from gatework.pairs.run import Run
from gatework.pairs.trained import Trained
from gatework.runs.folder import RESULTS
from gatework.training.checkpoint import load_checkpoint
from gatework.training.progress import LAST

LOOKED_AT, SHOWN, CHECKED = 500, 60, 3  # sources that are converted, that the page lists, that it checks itself by

Payload = dict[str, Any]


DECIMALS = 5  # of numbers as they are read, deviations


def as_stored(model: nn.Module, weights: Weights) -> None:
    """Gives a model the weights that the page will hold."""
    kind = stored(weights)
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.copy_(tensor.to(kind))


def frames_json(read: npt.NDArray[Any]) -> list[list[float]]:
    """Vectors [S,I] that a network reads, with as many digits as a page has of them."""
    made: list[list[float]] = np.round(read.astype(np.float64), DECIMALS).tolist()
    return made


@dataclass(frozen=True)
class Sources:
    """Sources of the job of a model, with their targets where they have some; encoded: as the network reads them.

    The frames of held-out sources are known as they are read alone, and stand so in `examples`.
    """

    job: Described
    examples: Examples
    encoded: Encoded

    @classmethod
    def of(cls, run: Run, file: str | None) -> Self:
        """Those of a file of pairs, or those that a run held out."""
        if file is not None:
            examples = read_examples(file, run.job.levels)
            check_form(examples, run.job)
            return cls(run.job, examples, Encoded.of(examples, run.job.inputs, run.job.outputs)).first(LOOKED_AT)
        if run.counts is None:
            raise InputError(f"{run.path} holds no pairs that a page could show: name a file of them")
        parts = run.parts()
        held_out = parts.test if len(parts.test) else parts.validation if len(parts.validation) else parts.training
        encoded = held_out.take(np.arange(min(LOOKED_AT, len(held_out))))
        return cls(run.job, _decoded(run.job, encoded), encoded)

    def __len__(self) -> int:
        return len(self.examples)

    def take(self, numbers: npt.NDArray[np.intp]) -> Self:
        """The sources of these numbers, in this order."""
        return replace(self, examples=self.examples.take(numbers), encoded=self.encoded.take(numbers))

    def first(self, most: int) -> Self:
        """So many of the first, or all."""
        return self.take(np.arange(min(most, len(self))))

    @property
    def read(self) -> list[npt.NDArray[Any]]:
        """What the network reads of each: numbers of symbols [S], or frames [S,I]."""
        return np.split(self.encoded.source, self.encoded.source_starts[1:-1])

    def converted(self, model: Model, search: Search, progress: Told | None = None) -> list[list[Candidate]]:
        """The best targets of each source, the best first."""
        found = searched(Trained(self.job, model).find, self.encoded, search, progress)
        return [candidates(self.job, each) for each in found]

    def to_json(self) -> list[Payload]:
        """Sources as people wrote them, of frames how many, with the targets that are accepted."""
        targets = self.examples.targets or [()] * len(self)
        return [
            {
                "source": source_text(self.job, source),
                "targets": [join(target, self.job.levels.target) for target in accepted],
            }
            for source, accepted in zip(self.examples.sources, targets, strict=True)
        ]


def _decoded(job: Described, encoded: Encoded) -> Examples:
    """The pairs that were prepared for training, their symbols as they were before."""
    read: list[Any] = np.split(encoded.source, encoded.source_starts[1:-1])
    sources = [job.inputs.texts(each) for each in read] if isinstance(job.inputs, Symbols) else read
    every = [
        tuple(job.outputs.symbols[k] if k >= 0 else "\ufffd" for k in ids)
        for ids in np.split(encoded.target, encoded.target_starts[1:-1])
    ]
    of = encoded.targets_of.tolist()
    targets = [tuple(every[first:last]) for first, last in pairwise(of)]
    return Examples(job.form, job.levels, sources, targets, [f"source {k + 1}" for k in range(len(sources))])


def symbols_json(symbols: Symbols) -> Payload:
    """The symbols of one side, by number."""
    return {"level": symbols.level, "symbols": list(symbols.symbols), "unknown": symbols.unknown}


def results_json(run: Run, model: nn.Module) -> Payload:
    """What is known of the training and of how it ended."""
    told: Payload = {}
    with suppress(InputError):  # a run that was stopped has none
        told = read_json(run.path / RESULTS).get("test") or {}
    figures = {name: told[name] for name in ("exact", "symbol_error_rate", "sources") if name in told}
    return figures | training_json(run.path, model)


def training_json(path: Path, model: nn.Module) -> Payload:
    """The size of a model and, where its run was trained by the command, how long that took."""
    parameters = {"parameters": sum(parameter.numel() for parameter in model.parameters())}
    if not (path / LAST).is_file():  # what an estimator saved
        return parameters
    progress = load_checkpoint(path / LAST).progress
    return parameters | {"steps": progress.step, "minutes": round(progress.elapsed / 60, 2)}


def right_and_wrong(examples: Examples, best: list[Candidate]) -> list[str]:
    """How many targets are right, and what is confused, in sentences; none where no targets are known."""
    if examples.targets is None:
        return []
    report = PairReport.of([each.symbols for each in best], examples.targets)
    said = [f"{report.exact:.0%} of {len(best):,} sources become one of the targets that are accepted for them"]
    if report.confused:
        wrong = (f"{found or 'nothing'} for {wanted or 'nothing'} ({n})" for wanted, found, n in report.confused[:5])
        said.append(f"Most often wrong: {', '.join(wrong)}")
    return said
