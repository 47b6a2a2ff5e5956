"""Which of a cell's values are gates: one rule, which diagram, page, recording and initial values share.

A gate changes from step to step, lies between 0 and 1 by the way it is computed, and multiplies another value:
itself, or as part of a sum, product or quotient that is a gate in turn, such as 1 - z.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import product

from gatework.notation.ops import OPS
from gatework.notation.program import Node, Program
from gatework.notation.ranges import ANY, Range, span
from gatework.notation.stops import copied

MOST_ATOMS, MOST_TERMS = 6, 32  # of a polynomial whose range is worked out


def gates(program: Program) -> list[str]:
    """The named values that are gates, in the order of the text."""
    nodes = gate_nodes(program)
    return [name for name, node in program.named if node in nodes]


@lru_cache(maxsize=256)
def gate_nodes(program: Program) -> frozenset[int]:
    """The nodes that are gates, or copies of gates."""
    nodes, moving = program.nodes, changing(program)
    inside = {i for i, reach in enumerate(ranges(program)) if i in moving and reach.lies_within(0, 1)}
    gates: set[int] = set()
    for index in reversed(range(len(nodes))):  # what reads a node comes before it
        node = nodes[index]
        factors = moving & set(node.args) if node.op == "mul" else set()
        if len(factors) == 2 or (index in gates and _is_arithmetic(node)):
            gates |= inside & set(node.args)
    return frozenset(gates | {index for index in range(len(nodes)) if copied(program, index) in gates})


def kinds(program: Program) -> list[str]:
    """Of each node "gate", "signed" where it lies between -1 and 1, or "free"."""
    gates, reach = gate_nodes(program), ranges(program)
    return [
        "gate" if index in gates else "signed" if reach[index].lies_within(-1, 1) else "free"
        for index in range(len(reach))
    ]


@lru_cache(maxsize=256)
def ranges(program: Program) -> tuple[Range, ...]:
    """Between which numbers each node lies; a state within -1 and 1 where it starts and stays there."""
    bounded = {state.name for state in program.states if abs(state.start) <= 1}
    while True:
        reach = _Ranges(program.nodes, bounded).reach
        broken = {s.name for s in program.states if s.name in bounded and not reach[s.node].lies_within(-1, 1)}
        if not broken:
            return tuple(reach)
        bounded -= broken


Polynomial = dict[tuple[int, ...], float]  # product of distinct nodes, the atoms -> its coefficient


class _Ranges:
    """Works through the nodes in order: interval arithmetic, and where it knows more, what terms have in common."""

    def __init__(self, nodes: Sequence[Node], bounded: set[str]) -> None:
        self.nodes = nodes
        self.reach: list[Range] = []
        self.polynomials: list[Polynomial] = []
        for index, node in enumerate(nodes):
            self.polynomials.append(self.polynomial(index))
            self.reach.append(self.leaf(node, bounded) if node.op not in OPS else self.narrowed(index))

    def leaf(self, node: Node, bounded: set[str]) -> Range:
        if node.op == "number":
            return Range(node.value, node.value)
        return Range(-1, 1) if node.op == "state" and node.name in bounded else ANY

    def narrowed(self, index: int) -> Range:
        node = self.nodes[index]
        plain = OPS[node.op].range(*(self.reach[arg] for arg in node.args))
        known = [plain, self.corners(index), self.share(node), self.distance(node)]
        return Range(max(its.low for its in known), min(its.high for its in known), plain.total)

    def corners(self, index: int) -> Range:
        """The range of a polynomial that has no power of an atom: it is least and greatest where all atoms are."""
        terms = self.polynomials[index]
        atoms = sorted({atom for term in terms for atom in term})
        if atoms == [index] or any(math.isinf(end) for atom in atoms for end in self.reach[atom][:2]):
            return ANY
        values = []
        for corner in product(*(self.reach[atom][:2] for atom in atoms)):
            at = dict(zip(atoms, corner, strict=True))
            values.append(sum(factor * math.prod(at[atom] for atom in term) for term, factor in terms.items()))
        return span(*values)

    def polynomial(self, index: int) -> Polynomial:
        """A node as a polynomial of nodes that are no sums and products, or as an atom itself."""
        node = self.nodes[index]
        own: Polynomial = {(index,): 1.0}
        parts = [self.polynomials[arg] for arg in node.args]
        match node.op:
            case "number":
                return {(): node.value}
            case "neg":
                return _summed([], parts)
            case "add" | "sub":
                terms = _summed(parts if node.op == "add" else parts[:1], parts[1:] if node.op == "sub" else [])
            case "mul":
                pairs = list(product(*(part.items() for part in parts)))
                if any(set(s) & set(t) for (s, _), (t, _) in pairs):
                    return own
                terms = _summed([{tuple(sorted(s + t)): p * q} for (s, p), (t, q) in pairs], [])
            case _:
                return own
        atoms = {atom for term in terms for atom in term}
        return terms if len(terms) <= MOST_TERMS and len(atoms) <= MOST_ATOMS else own

    def share(self, node: Node) -> Range:
        """a / (a + b) of values from 0 on lies between 0 and 1."""
        if node.op == "div" and self.nodes[node.args[1]].op == "add":
            terms = self.nodes[node.args[1]].args
            if node.args[0] in terms and all(self.reach[term].low >= 0 for term in terms):
                return Range(0, 1)
        return ANY

    def distance(self, node: Node) -> Range:
        """a - max(a, b) is not positive, a - min(a, b) not negative."""
        if node.op != "sub":
            return ANY
        for (one, other), sign in ((node.args, 1), (node.args[::-1], -1)):
            beside = self.nodes[other]
            if beside.op in {"max", "min"} and one in beside.args:
                return Range(high=0) if (beside.op == "max") == (sign > 0) else Range(low=0)
        return ANY


def _summed(plus: Sequence[Polynomial], minus: Sequence[Polynomial]) -> Polynomial:
    coefficients: Polynomial = {}
    for sign, polynomials in ((1, plus), (-1, minus)):
        for polynomial in polynomials:
            for term, factor in polynomial.items():
                coefficients[term] = coefficients.get(term, 0.0) + sign * factor
    return {term: factor for term, factor in coefficients.items() if factor}


def changing(program: Program) -> set[int]:
    """The nodes that depend on an input or a state."""
    reached: set[int] = set()
    for index, node in enumerate(program.nodes):
        if node.op in {"input", "state"} or not reached.isdisjoint(node.args):
            reached.add(index)
    return reached


def _is_arithmetic(node: Node) -> bool:
    return node.op in OPS and not OPS[node.op].saved
