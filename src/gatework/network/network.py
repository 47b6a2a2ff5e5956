"""A network: what goes in, the steps, what comes out; as JSON and back."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, Self

from gatework.network.checks import SIZES, built, check_arrays, check_keys
from gatework.network.steps import STEPS, Bridge, Direction, Layer, Step
from gatework.notation import recipe

_FREE = ("T", "B", "S")  # sizes that no network fixes
_DTYPES = ("float32", "int64", "bool")
_BY_NAME = {step.__name__: step for step in STEPS}


@dataclass(frozen=True)
class Port:
    """An array that goes in or comes out: its shape in T, B and numbers, "float32", "int64" or "bool"."""

    name: str
    shape: tuple[str | int, ...]
    dtype: str = "float32"


@dataclass(frozen=True)
class Network:
    """Steps in order, from arrays that go in to arrays that come out; the states of its layers go in and come out."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    steps: tuple[Step, ...]

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        return tuple(step for step in self.steps if isinstance(step, Layer))

    @cached_property
    def states(self) -> dict[str, tuple[int, int]]:
        """L*D and the size of each state [L*D,B,size], by name, the output first; none of a network without layers."""
        if not self.layers:
            return {}
        first, last = self.layers[0].directions[0], self.layers[-1]
        slots = last.slot + len(last.directions)
        return {state.name: (slots, first.sizes[state.size]) for state in first.program.states}

    @cached_property
    def weights(self) -> frozenset[str]:
        """The names of all tensors that it reads."""
        return frozenset(name for step in self.steps for name in _tensors(step))

    @cached_property
    def starts(self) -> frozenset[str]:
        """The names of the tensors at which states start."""
        directions = (direction for layer in self.layers for direction in layer.directions)
        return frozenset(start for each in directions for start in each.starts.values() if isinstance(start, str))

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the weights of its layers, by name."""
        made: dict[str, tuple[int, ...]] = {}
        for direction in (direction for layer in self.layers for direction in layer.directions):
            sizes, program = direction.sizes, direction.program
            for parameter in program.parameters:
                made[direction.weights[parameter.name]] = tuple(sizes[side] for side in parameter.shape)
            for state in program.states:
                if isinstance(start := direction.starts[state.name], str):
                    made[start] = (sizes[state.size],)
        return made

    def to_json(self) -> dict[str, Any]:
        return {
            "inputs": [asdict(port) for port in self.inputs],
            "outputs": [asdict(port) for port in self.outputs],
            "steps": [{"op": type(step).__name__} | _step_to_json(step) for step in self.steps],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """What `to_json` gave; raises ValueError for anything else."""
        try:
            sides = {field.name for field in fields(cls)}
            check_keys("it", values.keys(), sides, sides)
            inputs, outputs = (tuple(map(_port_from_json, values[side])) for side in ("inputs", "outputs"))
            made = cls(inputs, outputs, tuple(map(_step_from_json, values["steps"])))
            names = [port.name for port in outputs]
            check_arrays({port.name for port in inputs}, made.steps, names, made.states.keys())
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"its network: {error}") from error
        return made


def _port_from_json(values: Mapping[str, Any]) -> Port:
    own = {field.name for field in fields(Port)}
    check_keys("a port", values.keys(), own, own)
    port = built(Port, values)
    if port.dtype not in _DTYPES:
        raise ValueError(f"{port.name} is of type {port.dtype!r}; expected {', '.join(_DTYPES)}")
    if unknown := [size for size in port.shape if isinstance(size, str) and size not in _FREE]:
        raise ValueError(f"{port.name} has a side {unknown[0]!r}; expected a number or one of {', '.join(_FREE)}")
    return port


def _tensors(step: Step) -> Iterator[str]:
    """The names of the tensors that a step reads."""
    if isinstance(step, Layer):
        for direction in step.directions:
            yield from direction.weights.values()
            yield from (start for start in direction.starts.values() if isinstance(start, str))
    elif isinstance(step, Bridge):
        yield from (*step.weights, *step.biases)
    else:
        roles = ("weight", "bias", "mean", "variance", "scale", "shift", "key", "query", "mix", "mixed", "coverage")
        values = (*(getattr(step, role, None) for role in roles), *getattr(step, "place", ()))
        yield from (value for value in values if isinstance(value, str))


def _step_to_json(step: Step) -> dict[str, Any]:
    values = {field.name: getattr(step, field.name) for field in fields(step)}
    if isinstance(step, Layer):
        values["directions"] = [_direction_to_json(direction) for direction in step.directions]
    if isinstance(step, Bridge):
        values["start"] = _number(step.start)
    return values


def _step_from_json(values: Mapping[str, Any]) -> Step:
    name, values = values.get("op"), {name: value for name, value in values.items() if name != "op"}
    if name not in _BY_NAME:
        raise ValueError(f"a step is {name!r}; expected one of {', '.join(_BY_NAME)}")
    if name == Layer.__name__ and "directions" in values:
        values["directions"] = tuple(map(_direction_from_json, values["directions"]))
    if name == Bridge.__name__ and "start" in values:
        values["start"] = _start(values["start"])
    made: Step = built(_BY_NAME[name], values)
    return made


def _direction_to_json(direction: Direction) -> dict[str, Any]:
    values = {field.name: getattr(direction, field.name) for field in fields(direction)}
    starts = {name: _number(start) for name, start in direction.starts.items()}
    return values | {"program": direction.program.recipe, "starts": starts}


def _direction_from_json(values: Mapping[str, Any]) -> Direction:
    own = {field.name for field in fields(Direction)}
    check_keys("a direction", values.keys(), own, own)
    program = recipe.read(values["program"])
    starts = {name: _start(start) for name, start in values["starts"].items()}
    made = built(Direction, {**values, "program": program, "starts": starts})
    check_keys("the sizes of a layer", made.sizes.keys(), SIZES, SIZES)
    if any(size < 1 for size in made.sizes.values()):
        raise ValueError(f"the sizes of a layer are {dict(made.sizes)}")
    wanted = {
        "weights": {parameter.name for parameter in program.parameters},
        "starts": {state.name for state in program.states},
        "inputs": set(program.inputs) - {"x"},
    }
    for name, keys in wanted.items():
        check_keys(f"the {name} of a layer", getattr(made, name).keys(), keys, keys)
    return made


def _number(start: float | str) -> Any:
    """A start, a number that JSON has not as {"number": "-inf"}."""
    return start if isinstance(start, str) or math.isfinite(start) else {"number": str(start)}


def _start(value: Any) -> float | str:
    return float(value["number"]) if isinstance(value, dict) else value if isinstance(value, str) else float(value)
