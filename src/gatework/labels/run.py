"""A run of labels on disk: what was learnt, from what, and the weights. Loading executes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, cast, get_args

import torch

from gatework.errors import InputError
from gatework.files.reading import Mark, check_marks
from gatework.labels.data.encoding import Inputs, Tokens, inputs_from_json
from gatework.labels.data.targets import Amounts, Several, Targets, targets_from_json
from gatework.labels.model import Ensemble, Network, SequenceModel
from gatework.labels.options import Kind, Options
from gatework.labels.plan import Plan
from gatework.runs.folder import DESCRIPTION, description
from gatework.runs.weights import trained

TASK = "labels"
DATA = "data.safetensors"  # the prepared sequences, to go on training with


@dataclass(frozen=True)
class Job:
    """What a model of labels is: the kind of its labels, its options, how it reads sequences, what it predicts.

    plan: what the data chose of its shape and training.
    """

    kind: Kind
    options: Options
    inputs: Inputs
    targets: Targets
    plan: Plan

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

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "options": self.options.to_json(),
            "inputs": self.inputs.to_json(),
            "targets": self.targets.to_json(),
            "plan": self.plan.to_json(),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """What `to_json` gave; ValueError, TypeError or KeyError for anything else."""
        kind, targets = values["kind"], targets_from_json(values["targets"])
        sets, several = isinstance(targets, Several) and targets.sets, isinstance(targets, Several)
        numbers = isinstance(targets.each[0] if isinstance(targets, Several) else targets, Amounts)
        if (
            kind not in get_args(Kind)
            or (numbers, sets) != (kind == "number", kind == "set")
            or (several and kind == "tag")
        ):
            raise ValueError(f"its labels cannot be of kind {kind!r}")
        options = Options.from_json(values["options"])
        plan = Plan.from_json(values["plan"]) if "plan" in values else Plan.plain(options)  # runs of before have none
        return cls(cast(Kind, kind), options, inputs_from_json(values["inputs"]), targets, plan)


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
