"""How parameters start.

A rule is a number or one of

    glorot          U(-a, a), a = sqrt(6 / (rows + columns))       matrices; Glorot & Bengio 2010
    orthogonal      rows or columns orthonormal                    matrices; Saxe et al. 2014
    identity        ones on the diagonal                           matrices; Le et al. 2015
    zeros, ones
    uniform(a, b)   U(a, b)
    torch           U(-1/sqrt(H), 1/sqrt(H)), as torch.nn starts its recurrent layers
    chrono(T_max)   for memories of 1 to T_max steps               gate biases; Tallec & Ollivier 2018

Without a rule, matrices that multiply x start as glorot, other matrices as orthogonal, vectors at 0.

`chrono` draws u = log U(1, T_max - 1) and gives u to the biases that let a state keep its old value (b_f of an
LSTM, b_z of our gru), -u to those that make it let go (b_f of mgu, b_z of mingru), and beside a b_f the
opposite to b_i. Which they are is seen by running one step of the equations, not by name.
"""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from gatework.engines import Arguments
from gatework.engines.reference import run
from gatework.errors import InputError
from gatework.notation import Parameter, Program
from gatework.notation.gates import gate_nodes

Given = float | str  # a rule as a cell or a user writes it
Shape = tuple[int, ...]


def initialise(
    program: Program,
    parameters: Mapping[str, Tensor],
    hidden_size: int,
    *,
    cell_init: Mapping[str, Given] | None = None,
    layer_init: Given | Mapping[str, Given] | None = None,
) -> None:
    """Fills the parameters of one layer in place, drawing from torch's default generator.

    The rules of the cell go over the defaults, those of the layer over both. Either maps names or patterns such
    as "U_*" to rules (a name goes before a pattern, an earlier pattern before a later one); for a layer a rule
    alone means every parameter that it can fill: "torch" all, "orthogonal" the matrices, "chrono(100)" the gate
    biases. A seed gives the same values on every device and, up to rounding, in every dtype. Parameters on the
    meta device are passed over. Raises InputError for a rule that cannot be read, and for a name or pattern
    that matches no parameter, or none that the rule can fill; nothing is filled then.
    """
    rules = defaults(program) | chosen(program, cell_init or {})
    if layer_init is not None:
        rules |= chosen(program, layer_init if isinstance(layer_init, Mapping) else {"*": layer_init})
    shared: dict[tuple[Rule, Shape], Tensor] = {}
    for name, rule in rules.items():
        tensor, shape = parameters[name], tuple(parameters[name].shape)
        if tensor.is_meta:
            continue
        if rule.name == "chrono":  # one draw for all biases of the rule
            if (rule, shape) not in shared:
                shared[rule, shape] = draw(rule, shape, hidden_size)
            value = memory_biases(program)[name] * shared[rule, shape]
        else:
            value = draw(rule, shape, hidden_size, torch.promote_types(tensor.dtype, torch.float32))
        with torch.no_grad():
            tensor.copy_(value)


# -- rules


@dataclass(frozen=True)
class Kind:
    """How a rule is written, and what it can fill: "all", "matrices" or "gate biases"."""

    spelling: str
    fills: str = "all"

    @property
    def takes(self) -> int:
        return self.spelling.count(",") + 1 if "(" in self.spelling else 0


KINDS = {
    "glorot": Kind("glorot", "matrices"),
    "orthogonal": Kind("orthogonal", "matrices"),
    "identity": Kind("identity", "matrices"),
    "zeros": Kind("zeros"),
    "ones": Kind("ones"),
    "uniform": Kind("uniform(a, b)"),
    "torch": Kind("torch"),
    "chrono": Kind("chrono(T_max)", "gate biases"),
}
SPELLINGS = ", ".join(kind.spelling for kind in KINDS.values())


@dataclass(frozen=True)
class Rule:
    """A rule, read: its name or "number", its numbers, and the name or pattern it was given for."""

    name: str
    numbers: tuple[float, ...] = ()
    key: str = ""

    def can_fill(self, parameter: Parameter, program: Program) -> bool:
        fills = KINDS[self.name].fills if self.name in KINDS else "all"
        if fills == "gate biases":
            return parameter.name in memory_biases(program)
        return fills == "all" or parameter.kind == "matrix"


def read(rule: object, key: str) -> Rule:
    """Reads a rule as it was written for `key`; raises InputError where it is none."""
    where = "init" if key == "*" else f"init {key}"
    if (number := to_number(rule)) is not None:
        return Rule("number", (number,), key)
    parts = re.fullmatch(r"\s*(\w+)\s*(?:\((.*)\))?\s*", rule) if isinstance(rule, str) else None
    if not parts or parts[1] not in KINDS:
        near = get_close_matches(parts[1] if parts else str(rule), KINDS, n=1)
        hint = f"; did you mean {KINDS[near[0]].spelling!r}?" if near else ""
        raise InputError(f"{where}: unknown rule {rule!r}{hint}; there are {SPELLINGS}, or a finite number")
    kind = KINDS[parts[1]]
    texts = parts[2].split(",") if parts[2] else []
    numbers = tuple(value for text in texts if (value := to_number(text)) is not None)
    if not len(numbers) == len(texts) == kind.takes:
        raise InputError(f"{where}: {rule!r}: expected {kind.spelling}" + ", finite numbers" * bool(kind.takes))
    if parts[1] == "uniform" and numbers[0] > numbers[1]:
        raise InputError(f"{where}: {rule!r}: the lower bound comes first")
    if parts[1] == "chrono" and numbers[0] <= 2:
        raise InputError(f"{where}: {rule!r}: T_max, the longest memory in steps, must be more than 2")
    return Rule(parts[1], numbers, key)


def to_number(value: object) -> float | None:
    """The finite number that is given, as itself or as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def draw(rule: Rule, shape: Shape, hidden_size: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Values by a rule, always drawn in float32 on the CPU, so that a seed means the same weights everywhere."""
    match rule.name, rule.numbers:
        case "number", (value,):
            return torch.full(shape, value, device="cpu")
        case "zeros", _:
            return torch.zeros(shape, device="cpu")
        case "ones", _:
            return torch.ones(shape, device="cpu")
        case "identity", _:
            return torch.eye(*shape, device="cpu")
        case "orthogonal", _:
            return orthogonal(shape, dtype)
        case "glorot", _:
            return uniform(shape, math.sqrt(6 / sum(shape)))
        case "torch", _:
            return uniform(shape, 1 / math.sqrt(hidden_size))
        case "uniform", (low, high):
            return (low + high) / 2 + uniform(shape, (high - low) / 2)
        case "chrono", (longest,):
            return (longest / 2 + uniform(shape, longest / 2 - 1)).log()
    raise AssertionError(f"no draw for {rule}")


def uniform(shape: Shape, bound: float) -> Tensor:
    return torch.rand(shape, dtype=torch.float32, device="cpu").mul(2).sub(1).mul(bound)


def orthogonal(shape: Shape, dtype: torch.dtype) -> Tensor:
    """A matrix drawn evenly from all with orthonormal columns, or rows where there are fewer rows than columns."""
    rows, columns = shape
    tall = torch.randn(max(shape), min(shape), dtype=torch.float32, device="cpu").to(dtype)
    q, r = torch.linalg.qr(tall)
    q = torch.where(r.diagonal() < 0, -q, q)  # QR fixes the signs its own way; left so, the draw is not even
    return q if rows >= columns else q.T


# -- which rule is whose


def defaults(program: Program) -> dict[str, Rule]:
    """Parameter -> the rule where none is given, in the order of the text, which is that of drawing."""
    reads_x = {
        node.name for node in program.nodes if node.op == "product" and program.nodes[node.args[0]].op == "input"
    }
    matrices = {True: Rule("glorot"), False: Rule("orthogonal")}
    return {
        parameter.name: matrices[parameter.name in reads_x] if parameter.kind == "matrix" else Rule("zeros")
        for parameter in program.parameters
    }


def chosen(program: Program, texts: Mapping[str, Given]) -> dict[str, Rule]:
    """Parameter -> rule for what the mapping says; raises InputError where it says something of no parameter."""
    names = [parameter.name for parameter in program.parameters]
    rules = {key: read(value, key) for key, value in texts.items()}
    for key, rule in rules.items():
        matching = [parameter for parameter in program.parameters if fnmatchcase(parameter.name, key)]
        if not matching:
            near = get_close_matches(key, names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InputError(f"init {key!r} matches no parameter{hint}; there are {', '.join(names)}")
        if not any(rule.can_fill(parameter, program) for parameter in matching):
            raise InputError(cannot_fill(rule, [parameter.name for parameter in matching], program))
    filled = {}
    for parameter in program.parameters:
        first = first_match(parameter.name, rules)
        if first and rules[first].can_fill(parameter, program):
            filled[parameter.name] = rules[first]
    return filled


def first_match(name: str, keys: Collection[str]) -> str | None:
    if name in keys:
        return name
    return next((key for key in keys if fnmatchcase(name, key)), None)


def cannot_fill(rule: Rule, names: list[str], program: Program) -> str:
    kind = KINDS[rule.name]
    if kind.fills == "matrices":
        return f"init {rule.key!r}: {kind.spelling} is for matrices, but {', '.join(names)} can only be vectors"
    known = ", ".join(memory_biases(program)) or "none: no bias here opens or shuts the memory"
    return f"init {rule.key!r}: {kind.spelling} is for the biases of gates that keep a state; in this cell {known}"


# -- chrono: which biases keep the memory


@lru_cache(maxsize=256)
def memory_biases(program: Program) -> Mapping[str, int]:
    """Bias -> 1 if a higher one makes some state keep more of its old value, -1 if less; others are left out.

    An input gate counts as the opposite of its forget gate (b_i of b_f), though it adds to the state rather
    than keeping it: a memory of T steps should let in 1/T at each.
    """
    signs: dict[str, int] = {}
    for name in biases(program):
        if abs(change := effect(program, name)) > 0.01:
            signs[name] = 1 if change > 0 else -1
    for name in biases(program):
        forget = signs.get(f"b_f{name[3:]}", 0) if name.startswith("b_i") else 0
        if forget and name not in signs:
            signs[name] = -forget
    return signs


def biases(program: Program) -> list[str]:
    """The vectors that are only ever added, to what a gate is computed from."""
    multiplied = {arg for node in program.nodes if node.op not in ("add", "sub") for arg in node.args}
    behind = set(gate_nodes(program))
    for index in reversed(range(len(program.nodes))):
        if index in behind:
            behind.update(program.nodes[index].args)
    added = {program.nodes[index].name for index in behind - multiplied if program.nodes[index].op == "vector"}
    return [parameter.name for parameter in program.parameters if parameter.name in added]


def effect(program: Program, bias: str) -> float:
    """How much more of their old values the states keep with the bias at 4 than at -4, all else at 0."""
    return _memory(program, bias, 4.0) - _memory(program, bias, -4.0)


def _memory(program: Program, bias: str, value: float) -> float:
    """The sum over the states of d(new value) / d(old value), by one step from 0.25 and one from 0.75."""
    H, rows = 2, 2 * len(program.states)  # with one unit, a softmax would be constant
    sizes = dict.fromkeys("IHR", H)
    kind: Any = {"dtype": torch.float64, "device": "cpu"}
    params = {
        parameter.name: torch.full([sizes[side] for side in parameter.shape], value * (parameter.name == bias), **kind)
        for parameter in program.parameters
    }
    old = [torch.full((rows, H), 0.5, **kind) for _ in program.states]
    for index, state in enumerate(old):  # two samples for each state, in which it is moved and the others rest
        state[2 * index], state[2 * index + 1] = 0.25, 0.75
    _, new, _ = run(Arguments(program, params, torch.zeros(1, rows, H, **kind), tuple(old)))
    return sum(float((state[2 * k + 1] - state[2 * k]).mean()) / 0.5 for k, state in enumerate(new))
