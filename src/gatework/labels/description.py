"""What a model of labels is, as its run.json says it: options, how it reads sequences, its network. Without torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast, get_args

from gatework.labels.data.encoding import Inputs, Tokens, inputs_from_json
from gatework.labels.data.targets import Amounts, Several, Targets, targets_from_json
from gatework.labels.network import sequence_network
from gatework.labels.options import Kind, Options
from gatework.labels.plan import Plan
from gatework.network import Network
from gatework.runs.folder import damaged

TASK = "labels"
DATA = "data.safetensors"  # the prepared sequences, to go on training with


@dataclass(frozen=True)
class Described:
    """What a model of labels is: the kind of its labels, its options, how it reads sequences, what it predicts.

    plan: what the data chose of its shape and training.
    """

    kind: Kind
    options: Options
    inputs: Inputs
    targets: Targets
    plan: Plan

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

    def network(self) -> Network:
        """x [T,B,I] or tokens [T,B], and lengths [B] -> scores [B,K], for tags [T,B,K]."""
        tokens = isinstance(self.inputs, Tokens)
        return sequence_network(
            self.options, self.inputs.width, self.targets.sizes, tokens=tokens, kind=self.kind, plan=self.plan
        )


def read(path: Path, values: Mapping[str, Any]) -> Described:
    """The model of the run in a folder, from its run.json; raises InputError, naming the file, where it is damaged."""
    with damaged(path):
        return Described.from_json(values)


def network_of(path: Path, values: Mapping[str, Any]) -> Network:
    """Its network."""
    return read(path, values).network()
