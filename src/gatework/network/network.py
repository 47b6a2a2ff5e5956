"""A network: what goes in, the steps, what comes out; as JSON and back."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, Self

from gatework.network.steps import STEPS, Bridge, Direction, Layer, Step
from gatework.notation import EquationError, recipe

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
            inputs, outputs = (tuple(map(_port_from_json, values[side])) for side in ("inputs", "outputs"))
            return cls(inputs, outputs, tuple(map(_step_from_json, values["steps"])))
        except (KeyError, TypeError, AttributeError, EquationError) as error:
            raise ValueError(f"the description of a network is damaged: {error}") from error


def _port_from_json(values: Mapping[str, Any]) -> Port:
    return Port(values["name"], tuple(values["shape"]), values["dtype"])


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
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    kind = _BY_NAME[values.pop("op")]
    if kind is Layer:
        values["directions"] = tuple(map(_direction_from_json, values["directions"]))
    if kind is Bridge:
        values["start"] = _start(values["start"])
    made: Step = kind(**values)
    return made


def _direction_to_json(direction: Direction) -> dict[str, Any]:
    values = {field.name: getattr(direction, field.name) for field in fields(direction)}
    starts = {name: _number(start) for name, start in direction.starts.items()}
    return values | {"program": direction.program.recipe, "starts": starts}


def _direction_from_json(values: Mapping[str, Any]) -> Direction:
    program, sizes = recipe.read(values["program"]), values["sizes"]
    weights = {parameter.name: values["weights"][parameter.name] for parameter in program.parameters}
    starts = {state.name: _start(values["starts"][state.name]) for state in program.states}
    sides = {side for parameter in program.parameters for side in parameter.shape}
    if missing := sides.union(state.size for state in program.states) - sizes.keys():
        raise KeyError(min(missing))
    return Direction(program, sizes, weights, starts, values["inputs"])


def _number(start: float | str) -> Any:
    """A start, a number that JSON has not as {"number": "-inf"}."""
    return start if isinstance(start, str) or math.isfinite(start) else {"number": str(start)}


def _start(value: Any) -> float | str:
    return float(value["number"]) if isinstance(value, dict) else value if isinstance(value, str) else float(value)
