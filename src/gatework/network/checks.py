"""Whether a description that was read is a network's: its keys, their types, and the arrays that steps read."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import MISSING, fields
from typing import Any, Literal, TypeVar, get_args, get_origin

from gatework.network.steps import ALL, LENGTHS, READ, READ_OUT, RESETS, Bridge, Convolution, CrossAttention, Step

T = TypeVar("T")

SIZES = frozenset({"I", "H", "R"})  # of a layer
ALWAYS = frozenset({LENGTHS, ALL, RESETS})  # inputs that may be there


def built(kind: type[T], values: Mapping[str, Any]) -> T:
    """A dataclass of JSON values, whose lists are tuples.

    Raises ValueError for keys that are missing or not its own, and for values of another type. What has a default may
    be missing, as in what was written before it was there.
    """
    name, own = kind.__name__, {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    needed = {field.name for field in own.values() if field.default is MISSING}
    check_keys(name, values.keys(), needed, own.keys())
    plain = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    for key, value in plain.items():
        if not _fits(value, own[key].type):
            raise ValueError(f"{name} has {key} = {value!r}, of another type")
    return kind(**plain)


def check_keys(what: str, there: Set[str], needed: Set[str], allowed: Set[str]) -> None:
    """Raises ValueError where a key is missing or has no meaning."""
    if missing := needed - there:
        raise ValueError(f"{what} lacks {min(missing)!r}")
    if unknown := there - allowed:
        raise ValueError(f"{what} has {min(unknown)!r}, which is not known")


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of a type as fields of steps have them."""
    origin, within = get_origin(hint), get_args(hint)
    if origin is Literal:
        return value in within
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(each, within[0]) for each in value)
    if origin is Mapping:
        return isinstance(value, Mapping) and all(_fits(each, within[1]) for each in value.values())
    if within:
        return any(_fits(value, each) for each in within)
    return type(value) in ((int, float) if hint is float else (hint,))  # True is no number


def check_arrays(inputs: Set[str], steps: Sequence[Step], outputs: Sequence[str], states: Set[str]) -> None:
    """Raises ValueError for an array that is read or goes out and that nothing before makes, and for an idle input."""
    there = set(inputs)
    for step in steps:
        if missing := set(_read(step)) - there - ALWAYS:
            raise ValueError(f"a step {type(step).__name__} reads {min(missing)!r}, which nothing before it makes")
        if isinstance(step, Bridge) and step.state not in states:
            raise ValueError(f"a step Bridge reads the state {step.state!r}, which no layer has")
        there.update(_made(step))
    if missing := set(outputs) - there:
        raise ValueError(f"it gives {min(missing)!r}, which no step makes")
    if idle := inputs - ALWAYS - {name for step in steps for name in _read(step)}:
        raise ValueError(f"no step reads its input {min(idle)!r}")


def _read(step: Step) -> Iterator[str]:
    """The names of the arrays that a step reads."""
    yield from getattr(step, "xs", ())
    yield from (name for role in ("x", "memory", "known", "lengths") if (name := getattr(step, role, None)) is not None)
    if isinstance(step, CrossAttention) and step.coverage is not None:
        yield READ


def _made(step: Step) -> Iterator[str]:
    """The names of the arrays that a step makes."""
    yield step.y
    if isinstance(step, Convolution):
        yield step.new_lengths
    if isinstance(step, CrossAttention):
        yield from (step.shares, READ_OUT)
