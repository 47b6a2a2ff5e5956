"""A run of labels on disk: what was learnt, from what, and the weights. Loading executes nothing."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from gatework.errors import InputError
from gatework.files.reading import Mark, check_marks
from gatework.labels.data.encoding import Tokens
from gatework.labels.description import TASK, Described
from gatework.labels.model import Ensemble, Network, SequenceModel
from gatework.runs.folder import DESCRIPTION, description
from gatework.runs.weights import trained


@dataclass(frozen=True)
class Job(Described):
    """What a model of labels is, and models of it."""

    def untrained(self, engine: str | None = None) -> Network:
        """A model with fresh weights, drawn from the seed, with the options' engine or another one."""
        options = self.options if engine is None else replace(self.options, engine=engine)
        torch.manual_seed(options.random_state)
        tokens = isinstance(self.inputs, Tokens)
        members = [
            SequenceModel(options, self.inputs.width, self.targets.sizes, tokens=tokens, kind=self.kind, plan=self.plan)
            for _ in range(self.plan.members)
        ]
        return members[0] if len(members) == 1 else Ensemble(members)


@dataclass(frozen=True)
class Run:
    """A run of labels, opened.

    source: the file that it learnt from, None where it was Python's objects; files: that file as it was.
    """

    path: Path
    job: Job
    source: str | None
    files: tuple[Mark, ...] = ()

    @classmethod
    def open(cls, path: Path) -> "Run":
        """Reads run.json; raises InputError, naming the file, where it is damaged."""
        values = description(path, TASK)
        try:
            run = cls(path, Job.from_json(values), values["source"], check_marks(values.get("files", ())))
            with torch.device("meta"):
                run.job.untrained(engine="auto")
        except KeyError as error:
            raise InputError(f"{path / DESCRIPTION} is damaged: {error} is missing") from error
        except (TypeError, AttributeError, ValueError, RuntimeError, OverflowError) as error:
            raise InputError(f"{path / DESCRIPTION} is damaged: {error}") from error
        return run

    def model(self, *, device: str = "cpu") -> Network:
        """The trained model, in evaluation mode: the best weights, or the last where none were evaluated."""
        return trained(self.job.untrained, self.path, device)
