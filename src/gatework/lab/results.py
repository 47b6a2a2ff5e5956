"""The results of an experiment so far, as a JSON file that the next run goes on with."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from gatework.errors import InputError
from gatework.files.writing import read_json, write_atomically
from gatework.lab.bench.machine import Machine
from gatework.lab.experiment import Experiment, Size, Trial, Variant

FORMAT, FIRST = "gatework experiment 2", "gatework experiment 1"
VARIANT = ("form", "name", "cell", "options")  # what is saved of one; options as they are at the size that was run


@dataclass
class Results:
    """The trials of an experiment at one size, by variant and seed, and the machines that ran them."""

    experiment: str
    size: Size
    machines: list[Machine] = field(default_factory=list)
    variants: list[Variant] = field(default_factory=list)
    trials: dict[str, dict[int, Trial]] = field(default_factory=dict)  # Variant.label -> seed -> trial

    def of(self, variant: Variant) -> list[Trial]:
        """The trials of a variant, by seed."""
        return [trial for _, trial in sorted(self.trials.get(variant.label, {}).items())]

    def add(self, variant: Variant, seed: int, trial: Trial, machine: Machine) -> None:
        if variant.label not in [known.label for known in self.variants]:
            self.variants.append(variant)
        if machine not in self.machines:
            self.machines.append(machine)
        self.trials.setdefault(variant.label, {})[seed] = trial

    @property
    def seconds(self) -> float:
        """What all trials took together."""
        return sum(trial.seconds for trials in self.trials.values() for trial in trials.values())

    def to_dict(self) -> dict[str, Any]:
        variants = [
            {
                **_described(variant, self.size),
                "trials": {str(seed): trial.to_dict() for seed, trial in sorted(self.trials[variant.label].items())},
            }
            for variant in self.variants
        ]
        head = {"format": FORMAT, "experiment": self.experiment, "size": self.size.value}
        return head | {"machines": [asdict(machine) for machine in self.machines], "variants": variants}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], experiment: Experiment) -> Self:
        """What `to_dict` wrote, in the experiment's order, without the variants that it would now run otherwise."""
        if values.get("format") not in (FORMAT, FIRST):
            raise InputError(f"format {values.get('format')!r}; expected {FORMAT!r}, as gatework reproduce writes it")
        if values.get("experiment") != experiment.name:
            raise InputError(f"results of {values.get('experiment')!r}; expected those of {experiment.name!r}")
        try:
            results = cls(experiment.name, Size(values["size"]), [Machine(**each) for each in values["machines"]])
            first = values["format"] == FIRST
            for each in map(_from_first, values["arms"]) if first else values["variants"]:
                variant = _same(experiment, {name: each[name] for name in VARIANT}, results.size)
                if variant is not None:
                    results.variants.append(variant)
                    results.trials[variant.label] = {int(k): Trial.from_dict(v) for k, v in each["trials"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"damaged: {error!r}; gatework reproduce writes it whole") from error
        order = [variant.label for variant in experiment.variants]
        results.variants.sort(key=lambda variant: order.index(variant.label) if variant.label in order else len(order))
        return results


def _from_first(arm: Mapping[str, Any]) -> dict[str, Any]:
    """A variant as the first format had it, which called it an arm, and its form of the task a variant."""
    return {("form" if name == "variant" else name): value for name, value in arm.items()}


def _same(experiment: Experiment, saved: Mapping[str, Any], size: Size) -> Variant | None:
    """The experiment's variant that was saved, a variant of a cell that was asked for, or None: run otherwise since."""
    known = [*experiment.variants, *(experiment.chosen([saved["cell"]]) if saved["name"] == saved["cell"] else ())]
    return next((variant for variant in known if _described(variant, size) == saved), None)


def _described(variant: Variant, size: Size) -> dict[str, Any]:
    """What is run, as JSON gives it back: where it is the same, a seed need not run again."""
    return {"form": variant.form, "name": variant.name, "cell": variant.cell, "options": _plain(variant.at(size))}


def _plain(value: Any) -> Any:
    """A value as it comes back from JSON: mappings as dictionaries, sequences as lists."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def file_name(experiment: str, size: Size) -> str:
    """Where a run is saved: adding.json, adding.quick.json."""
    return f"{experiment}.json" if size is Size.FULL else f"{experiment}.{size.value}.json"


def load(path: Path, experiment: Experiment) -> Results:
    """Reads results; raises InputError, naming the file, where it is damaged or of something else."""
    values = read_json(path)
    try:
        return Results.from_dict(values, experiment)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def save(results: Results, path: Path) -> None:
    """Writes results atomically: JSON with a line for the head, for each variant and for each trial."""
    head = results.to_dict()
    variants = [_variant_lines(variant) for variant in head.pop("variants")]
    text = f'{_compact(head)[:-1]},"variants":[{",".join(variants)}\n]}}\n'
    write_atomically(path, text.encode())


def _variant_lines(variant: dict[str, Any]) -> str:
    trials = [f"\n{_compact(seed)}:{_compact(trial)}" for seed, trial in variant.pop("trials").items()]
    return f'\n{_compact(variant)[:-1]},"trials":{{{",".join(trials)}}}}}'


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
