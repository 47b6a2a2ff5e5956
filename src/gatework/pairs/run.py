"""A run of pairs on disk: what was learnt, from what, and the weights. Loading executes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from gatework.errors import InputError
from gatework.files.reading import Mark, check_marks
from gatework.pairs.description import DATA, TASK, Described
from gatework.pairs.model import Network, network
from gatework.pairs.parts import NAMES, Parts, load_parts
from gatework.runs.folder import damaged, description
from gatework.runs.weights import trained


@dataclass(frozen=True)
class Job(Described):
    """What a model of pairs is, and models of it."""

    def untrained(self, engine: str | None = None) -> Network:
        """A model with fresh weights, drawn from the seed, with the options' engine or another one."""
        options = self.options if engine is None else replace(self.options, engine=engine)
        torch.manual_seed(options.random_state)
        return network(options, self.inputs, len(self.outputs))


@dataclass(frozen=True)
class Run:
    """A run of pairs, opened.

    source: the file that it learnt from, None where it was Python's objects; files: that file as it was.
    counts: sources of each part; digest: that of the prepared pairs; None where the folder has none, an estimator's.
    """

    path: Path
    job: Job
    source: str | None
    files: tuple[Mark, ...] = ()
    counts: Mapping[str, int] | None = None
    digest: str | None = None

    @classmethod
    def open(cls, path: Path) -> "Run":
        """Reads run.json; raises InputError, naming the file, where it is damaged."""
        values = description(path, TASK)
        with damaged(path):
            job, files = Job.from_json(values), check_marks(values.get("files", ()))
            with torch.device("meta"):
                job.untrained(engine="auto")
            return cls(path, job, values["source"], files, _counts(values.get("counts")), values.get("digest"))
        raise AssertionError  # for mypy: `damaged` lets nothing pass

    def to_json(self) -> dict[str, Any]:
        """What run.json has of it, and `open` reads."""
        data = {"source": self.source, "files": list(self.files), "counts": self.counts, "digest": self.digest}
        return data | self.job.to_json()

    def parts(self) -> Parts:
        """The prepared pairs; InputError where there are none, or not those that the run was given."""
        if self.counts is None or self.digest is None:
            raise InputError(f"{self.path} holds no pairs to train on: train anew")
        return load_parts(self.path / DATA, self.job, self.counts, self.digest)

    def model(self, *, device: str = "cpu") -> Network:
        """The trained model, in evaluation mode: the best weights, or the last where none were evaluated."""
        return trained(self.job.untrained, self.path, device)


def _counts(values: Mapping[str, Any] | None) -> dict[str, int] | None:
    """How many sources each part has; ValueError unless these are numbers."""
    if values is None:
        return None
    counts = {name: values[name] for name in NAMES}
    if not all(type(count) is int and count >= 0 for count in counts.values()):
        raise ValueError("its parts are no numbers of sources")
    return counts
