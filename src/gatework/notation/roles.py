"""What each gate does, from the equations: which value it keeps, writes, shows or lets through.

A named value is read as a sum of terms, gate x value. For c = f * c + i * g the gate f keeps the old c and i writes g;
for h = o * tanh(c) the gate o shows c; for n = tanh(W_n @ x + U_n @ (r * h)) the gate r lets h through to n.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Literal

from gatework.notation.equations import Names, read_bare, spelled, value_names
from gatework.notation.expression import Expr, number
from gatework.notation.gates import changing, gate_nodes
from gatework.notation.program import LEAVES, Program
from gatework.notation.retention import direct, retained
from gatework.notation.spelling import text

Kind = Literal["keeps", "writes", "shows", "passes"]

_ARITHMETIC = frozenset({"add", "sub", "neg", "mul", "div"})


@dataclass(frozen=True)
class Factors:
    """A product of nodes over a product of nodes; 1 where there is none."""

    above: tuple[int, ...] = ()
    below: tuple[int, ...] = ()

    def times(self, above: Sequence[int], below: Sequence[int] = ()) -> "Factors":
        return Factors((*self.above, *above), (*self.below, *below))


@dataclass(frozen=True)
class Role:
    """A term of a named value: how much of what goes into it.

    kind: "keeps" what was there a step before, "writes" what is new beside it, "shows" the new value of a state, or
    "passes" any other value. target: the named value. gate: how much, a sum of products, each added or taken away
    (True); 1 where the equations have no gate. value: of what.
    """

    kind: Kind
    target: str
    gate: tuple[tuple[bool, Factors], ...]
    value: Factors


@lru_cache(maxsize=256)
def roles(program: Program) -> tuple[Role, ...]:
    """What gates and states do, by named value in the order of the text; () of a cell that makes all anew."""
    reader = _Reader(program)
    return tuple(role for name, node in program.named if node not in reader.gates for role in reader.roles(name, node))


def gate_text(program: Program, role: Role) -> str:
    """How much, as a person writes it, in the names of the text: 1 - z."""
    (negative, factors), *rest = sorted(role.gate, key=lambda term: term[0])
    whole = _spelled(program, factors, role.target)
    whole = Expr("neg", (whole,)) if negative else whole
    for negative, factors in rest:
        whole = Expr("sub" if negative else "add", (whole, _spelled(program, factors, role.target)))
    return text(whole)


def value_text(program: Program, role: Role) -> str:
    """Of what, as a person writes it: tanh(c)."""
    return text(_spelled(program, role.value, role.target))


def _spelled(program: Program, factors: Factors, target: str) -> Expr:
    """A product of nodes in the names of the text, but for that of the value which they are terms of."""
    bare, names = read_bare(program), value_names(program, Names(program))
    names.pop(program.names[target], None)
    above, below = ([spelled(program, node, names, bare) for node in side] for side in (factors.above, factors.below))
    return Expr("div", (_product(above), _product(below))) if below else _product(above)


def _product(factors: list[Expr]) -> Expr:
    return reduce(lambda one, other: Expr("mul", (one, other)), factors) if factors else number(1.0)


class _Reader:
    """Reads named values as sums of terms."""

    def __init__(self, program: Program) -> None:
        self.program, self.nodes, self.gates = program, program.nodes, gate_nodes(program)
        self.named = {index for _, index in program.named}
        self.moving = changing(program)
        self.gating = self._gating()
        self.new = {state.node: state.name for state in program.states}
        kept = set(retained(program))
        old = {node.name: index for index, node in enumerate(self.nodes) if node.op == "state" and node.name in kept}
        self.kept = {name: direct(self.nodes, index) for name, index in old.items()}  # what it reaches unit by unit

    def _gating(self) -> set[int]:
        """The nodes that say how much: gates, what never changes, and their sums, products and quotients."""
        gating = set[int]()
        for index, node in enumerate(self.nodes):
            made = (node.op in _ARITHMETIC and gating.issuperset(node.args)) or node.name.startswith("zoneout ")
            if index in self.gates or index not in self.moving or made:
                gating.add(index)
        return gating

    def roles(self, target: str, node: int) -> Iterator[Role]:
        """The terms of a value where one has a gate, is kept or is shown, and what gates let through inside them."""
        sums: dict[Factors, list[tuple[bool, Factors]]] = {}
        for negative, gate, value in self.terms(node, node):
            sums.setdefault(value, []).append((negative, gate))
        kinds = {value: self.kind(value, node) for value in sums}
        mixes, shows = "keeps" in kinds.values(), "shows" in kinds.values()
        if mixes or shows or any(self.has_gate(factors) for terms in sums.values() for _, factors in terms):
            for value, terms in sums.items():
                kind = kinds[value]
                yield Role("writes" if mixes and kind != "keeps" else kind, target, tuple(terms), value)
        for value in sums:
            for index in (*value.above, *value.below):
                if index == node or index not in self.named:
                    yield from self.inside(target, index)

    def has_gate(self, factors: Factors) -> bool:
        """Whether one of them changes from step to step; all say how much."""
        return not self.moving.isdisjoint((*factors.above, *factors.below))

    def kind(self, value: Factors, target: int) -> Kind:
        if any(self.is_shown(index, target) for index in value.above):
            return "shows"
        names = [self.new[target]] if target in self.new else list(self.kept)
        for reached in (self.kept[name] for name in names if name in self.kept):
            if target in reached and target not in value.above and not reached.isdisjoint(value.above):
                return "keeps"
        return "passes"

    def is_shown(self, index: int, target: int) -> bool:
        """Whether it is the new value of another state, or made of it and of what never changes, without a matrix."""
        node = self.nodes[index]
        if index != target and index in self.new:
            return True
        if node.op in LEAVES or node.op == "product":
            return False
        others = [arg for arg in node.args if arg not in self.gating]
        return len(others) == 1 and self.is_shown(others[0], target)

    def terms(self, root: int, index: int, gate: Factors = Factors()) -> Iterator[tuple[bool, Factors, Factors]]:
        """Whether it is taken away, the gate and the value of each term of a node."""
        node = self.nodes[index]
        if index in self.gating:
            yield False, gate.times([index]), Factors()
        elif (index in self.named and index != root) or node.op not in _ARITHMETIC:
            yield False, gate, Factors((index,))
        elif node.op in {"add", "sub", "neg"}:
            for place, arg in enumerate(node.args):
                taken = node.op == "neg" or (node.op == "sub" and place == 1)
                for negative, factors, value in self.terms(root, arg, gate):
                    yield negative != taken, factors, value
        else:
            yield from self.products(root, index, gate)

    def products(self, root: int, index: int, gate: Factors) -> Iterator[tuple[bool, Factors, Factors]]:
        """As `terms`, of a product or quotient: a sum within it is taken apart where all else says how much."""
        above, below = self.factors(root, index)
        gate = gate.times([i for i in above if i in self.gating], [i for i in below if i in self.gating])
        above, below = ([i for i in side if i not in self.gating] for side in (above, below))
        if len(above) == 1 and not below and self.has_named_term(above[0]):
            yield from self.terms(root, above[0], gate)
        else:
            yield False, gate, Factors(tuple(above), tuple(below))

    def has_named_term(self, index: int) -> bool:
        """Whether it is a sum of which a state or a named value is a term."""
        node = self.nodes[index]
        if node.op == "state" or index in self.named:
            return True
        if node.op == "mul" and self.gating.isdisjoint(node.args):
            return False
        return node.op in {"add", "sub", "neg", "mul"} and any(self.has_named_term(arg) for arg in node.args)

    def factors(self, root: int, index: int) -> tuple[list[int], list[int]]:
        """The factors of a node above and below the line; what has a name stays whole, but for the root."""
        node = self.nodes[index]
        if index in self.gating or node.op not in {"mul", "div"} or (index in self.named and index != root):
            return [index], []
        (above, below), (more, less) = (self.factors(root, arg) for arg in node.args)
        return ([*above, *less], [*below, *more]) if node.op == "div" else ([*above, *more], [*below, *less])

    def inside(self, target: str, index: int) -> Iterator[Role]:
        """What gates let through on the way to a value: products with a gate, inside functions and matrices."""
        node = self.nodes[index]
        if node.op in LEAVES or index in self.gating:
            return
        above, below = self.factors(index, index)
        gate = Factors(*(tuple(i for i in side if i in self.gating) for side in (above, below)))
        if self.has_gate(gate) and index not in self.named:
            value = Factors(*(tuple(i for i in side if i not in self.gating) for side in (above, below)))
            shown = any(self.is_shown(i, index) for i in value.above)
            yield Role("shows" if shown else "passes", target, ((False, gate),), value)
        for arg in node.args:
            if arg not in self.named:
                yield from self.inside(target, arg)
