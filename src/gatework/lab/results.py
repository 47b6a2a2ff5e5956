"""What a run of an experiment has found so far, as a JSON file that the next run goes on with."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from gatework.errors import InputError
from gatework.files.writing import read_json, write_atomically
from gatework.lab.bench.machine import Machine
from gatework.lab.experiment import Arm, Experiment, Size, Trial

FORMAT = "gatework experiment 1"
ARM = ("variant", "name", "cell", "options")  # what is kept of one; options as they are at the size that was run


@dataclass
class Results:
    """The trials of an experiment at one size, by arm and seed, and the machines that ran them."""

    experiment: str
    size: Size
    machines: list[Machine] = field(default_factory=list)
    arms: list[Arm] = field(default_factory=list)
    trials: dict[str, dict[int, Trial]] = field(default_factory=dict)  # Arm.label -> seed -> trial

    def of(self, arm: Arm) -> list[Trial]:
        """The trials of an arm, by seed."""
        return [trial for _, trial in sorted(self.trials.get(arm.label, {}).items())]

    def add(self, arm: Arm, seed: int, trial: Trial, machine: Machine) -> None:
        if arm.label not in [known.label for known in self.arms]:
            self.arms.append(arm)
        if machine not in self.machines:
            self.machines.append(machine)
        self.trials.setdefault(arm.label, {})[seed] = trial

    @property
    def seconds(self) -> float:
        """What all trials took together."""
        return sum(trial.seconds for trials in self.trials.values() for trial in trials.values())

    def to_dict(self) -> dict[str, Any]:
        arms = [
            {
                **described(arm, self.size),
                "trials": {str(seed): trial.to_dict() for seed, trial in sorted(self.trials[arm.label].items())},
            }
            for arm in self.arms
        ]
        head = {"format": FORMAT, "experiment": self.experiment, "size": self.size.value}
        return head | {"machines": [asdict(machine) for machine in self.machines], "arms": arms}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], experiment: Experiment) -> Self:
        """What `to_dict` wrote, in the experiment's order, without the arms that it would now run otherwise."""
        if values.get("format") != FORMAT:
            raise InputError(f"format {values.get('format')!r}; expected {FORMAT!r}, as gatework reproduce writes it")
        if values.get("experiment") != experiment.name:
            raise InputError(f"results of {values.get('experiment')!r}; expected those of {experiment.name!r}")
        try:
            found = cls(experiment.name, Size(values["size"]), [Machine(**each) for each in values["machines"]])
            for each in values["arms"]:
                arm = same(experiment, {name: each[name] for name in ARM}, found.size)
                if arm is not None:
                    found.arms.append(arm)
                    found.trials[arm.label] = {int(k): Trial.from_dict(v) for k, v in each["trials"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"damaged: {error!r}; gatework reproduce writes it whole") from error
        order = [arm.label for arm in experiment.arms]
        found.arms.sort(key=lambda arm: order.index(arm.label) if arm.label in order else len(order))
        return found


def same(experiment: Experiment, saved: Mapping[str, Any], size: Size) -> Arm | None:
    """The experiment's arm that was saved, an arm of a cell that was asked for, or None: run otherwise since."""
    known = [*experiment.arms, *(experiment.chosen([saved["cell"]]) if saved["name"] == saved["cell"] else ())]
    return next((arm for arm in known if described(arm, size) == saved), None)


def described(arm: Arm, size: Size) -> dict[str, Any]:
    """What is run, as JSON gives it back: where it is the same, a seed need not run again."""
    return {"variant": arm.variant, "name": arm.name, "cell": arm.cell, "options": plain(arm.at(size))}


def plain(value: Any) -> Any:
    """A value as it comes back from JSON: mappings as dictionaries, sequences as lists."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def file_name(experiment: str, size: Size) -> str:
    """Where a run is kept: adding.json, adding.quick.json."""
    return f"{experiment}.json" if size is Size.FULL else f"{experiment}.{size.value}.json"


def load(path: Path, experiment: Experiment) -> Results:
    """Reads results; raises InputError, naming the file, where it is damaged or of something else."""
    values = read_json(path)
    try:
        return Results.from_dict(values, experiment)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def save(results: Results, path: Path) -> None:
    """Writes results atomically: JSON with a line for the head, for each arm and for each trial."""
    head = results.to_dict()
    arms = [_arm_lines(arm) for arm in head.pop("arms")]
    text = f'{_compact(head)[:-1]},"arms":[{",".join(arms)}\n]}}\n'
    write_atomically(path, text.encode())


def _arm_lines(arm: dict[str, Any]) -> str:
    trials = [f"\n{_compact(seed)}:{_compact(trial)}" for seed, trial in arm.pop("trials").items()]
    return f'\n{_compact(arm)[:-1]},"trials":{{{",".join(trials)}}}}}'


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
