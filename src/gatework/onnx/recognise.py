"""Whether a Program is an operator of ONNX: compared with the equations that the operator has, names aside.

The order of sums and products does not count, nor what gates and parameters are called; a bias or a peephole may be
missing, a bias may be a constant, and 1 - sigmoid(a) is sigmoid(-a), so that coupled gates are two of the operator's.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from gatework.cells import cells
from gatework.notation import Node, Program

Role = tuple[float, str | float]  # a factor of 1 or -1, and a parameter's name or a number
Roles = Mapping[str, Role]


@dataclass(frozen=True)
class Operator:
    """An operator of ONNX and whose equations it has.

    cell: of the registry. gates: the letters after W_, U_ and b_ in the operator's order. peepholes: those after p_.
    hidden_bias: the gate with a bias of its own inside the product with h.
    """

    name: str
    cell: str
    gates: str
    activation: str = ""
    peepholes: str = ""
    hidden_bias: str = ""
    linear_before_reset: bool = False


OPERATORS = (
    Operator("LSTM", "peephole_lstm", "iofg", peepholes="iof"),
    Operator("GRU", "gru_reset_after", "zrn", hidden_bias="b_hn", linear_before_reset=True),
    Operator("GRU", "gru", "zrn"),
    Operator("RNN", "rnn", "h", activation="Tanh"),
    Operator("RNN", "rnn_relu", "h", activation="Relu"),
)


@lru_cache(maxsize=256)
def recognised(program: Program) -> tuple[Operator, Roles] | None:
    """The operator that computes a Program, and which parameter plays which role in it; None where there is none."""
    for operator in OPERATORS:
        pattern = cells[operator.cell].program
        if len(pattern.states) == len(program.states) and "R" not in program.sizes:
            roles = next(Comparison(pattern, program).found(), None)
            if roles is not None:
                return operator, roles
    return None


class Comparison:
    """A Program beside the pattern of an operator; each method yields every way in which two nodes may be the same."""

    def __init__(self, pattern: Program, program: Program) -> None:
        self.pattern, self.program = pattern, program
        self.states = {a.name: b.name for a, b in zip(pattern.states, program.states, strict=True)}

    def found(self) -> Iterator[Roles]:
        pairs = [(a.node, b.node) for a, b in zip(self.pattern.states, self.program.states, strict=True)]
        pairs.append((self.pattern.names[self.pattern.output], self.program.names[self.program.output]))
        return self.all_same(pairs, {})

    def all_same(self, pairs: Sequence[tuple[int, int]], roles: Roles) -> Iterator[Roles]:
        if not pairs:
            yield roles
            return
        for more in self.same(*pairs[0], roles):
            yield from self.all_same(pairs[1:], more)

    def same(self, a: int, b: int, roles: Roles) -> Iterator[Roles]:
        """The ways in which node b of the Program is node a of the pattern."""
        one, two = self.pattern.nodes[a], self.program.nodes[b]
        gates = _gate(self.pattern.nodes, a), _gate(self.program.nodes, b)
        if gates[0] and gates[1]:
            yield from self.same_sums(gates[0][1], gates[1][1], gates[0][0] * gates[1][0], roles)
        elif one.op in ("add", "sub", "neg"):
            yield from self.same_sums(a, b, 1.0, roles)
        elif one.op == "mul":
            yield from self.same_products(_factors(self.pattern.nodes, a), _factors(self.program.nodes, b), roles)
        elif one.op in ("tanh", "relu") and two.op == one.op:
            yield from self.same(one.args[0], two.args[0], roles)
        elif one.op == two.op == "state":
            yield from [roles] * (self.states[one.name] == two.name)
        elif one.op == two.op == "input":
            yield from [roles] * (one.name == two.name)

    def same_products(self, left: Sequence[int], right: Sequence[int], roles: Roles) -> Iterator[Roles]:
        if len(left) != len(right):
            return
        if not left:
            yield roles
        for place, factor in enumerate(right):
            for more in self.same(left[0], factor, roles):
                yield from self.same_products(left[1:], [*right[:place], *right[place + 1 :]], more)

    def same_sums(self, a: int, b: int, sign: float, roles: Roles) -> Iterator[Roles]:
        """The ways in which b is sign * a."""
        left = [(factor * sign, node) for factor, node in _terms(self.pattern.nodes, a)]
        return self.same_terms(left, _terms(self.program.nodes, b), roles)

    def same_terms(
        self, left: Sequence[tuple[float, int]], right: Sequence[tuple[float, int]], roles: Roles
    ) -> Iterator[Roles]:
        if not left:
            yield from [roles] * (not right)
            return
        (factor, term), *rest = left
        for place, (other_factor, other) in enumerate(right):
            for more in self.same_term(term, other, factor * other_factor, roles):
                yield from self.same_terms(rest, [*right[:place], *right[place + 1 :]], more)
        if (parameter := self.optional(term)) is not None:
            for more in _with(roles, parameter, (1.0, 0.0)):
                yield from self.same_terms(rest, right, more)

    def same_term(self, a: int, b: int, sign: float, roles: Roles) -> Iterator[Roles]:
        """The ways in which b is sign * a, the sign that of a parameter where there is one."""
        one, two = self.pattern.nodes[a], self.program.nodes[b]
        if one.op == "product" and two.op == "product":
            for more in self.same(one.args[0], two.args[0], roles):
                yield from _with(more, one.name, (sign, two.name))
        elif one.op == "vector":
            if two.op in ("vector", "number"):
                yield from _with(roles, one.name, (sign, two.name if two.op == "vector" else two.value))
        elif one.op == "mul" and (scale := self.optional(a)) is not None:
            yield from self.same_peepholes(one, b, scale, sign, roles)
        elif sign > 0:
            yield from self.same(a, b, roles)

    def same_peepholes(self, one: Node, b: int, scale: str, sign: float, roles: Roles) -> Iterator[Roles]:
        (state,) = (arg for arg in one.args if self.pattern.nodes[arg].op != "vector")
        factors = _factors(self.program.nodes, b)
        vectors = [node for node in factors if self.program.nodes[node].op == "vector"]
        if len(factors) == 2 and len(vectors) == 1:
            (other,) = (node for node in factors if node not in vectors)
            for more in self.same(state, other, roles):
                yield from _with(more, scale, (sign, self.program.nodes[vectors[0]].name))

    def optional(self, term: int) -> str | None:
        """The parameter that a term of the pattern is 0 by where the term is missing: a bias, a peephole."""
        node = self.pattern.nodes[term]
        candidates = node.args if node.op == "mul" else (term,)
        vectors = [self.pattern.nodes[each].name for each in candidates if self.pattern.nodes[each].op == "vector"]
        return vectors[0] if vectors else None


def _with(roles: Roles, parameter: str, role: Role) -> Iterator[Roles]:
    """The roles with one more, unless the parameter plays another."""
    if roles.get(parameter, role) == role:
        yield {**roles, parameter: role}


def _gate(nodes: Sequence[Node], index: int) -> tuple[float, int] | None:
    """(1, a) of sigmoid(a), (-1, a) of 1 - sigmoid(a)."""
    node = nodes[index]
    if node.op == "sigmoid":
        return 1.0, node.args[0]
    if node.op == "sub" and nodes[node.args[0]].op == "number" and nodes[node.args[0]].value == 1:
        inner = _gate(nodes, node.args[1])
        return inner and (-inner[0], inner[1])
    return None


def _terms(nodes: Sequence[Node], index: int) -> list[tuple[float, int]]:
    """The terms of a sum, each with its sign."""
    node = nodes[index]
    match node.op:
        case "add" | "sub":
            second = 1.0 if node.op == "add" else -1.0
            left, right = (_terms(nodes, arg) for arg in node.args)
            return left + [(second * sign, term) for sign, term in right]
        case "neg":
            return [(-sign, term) for sign, term in _terms(nodes, node.args[0])]
    return [(1.0, index)]


def _factors(nodes: Sequence[Node], index: int) -> list[int]:
    """The factors of a product unit by unit, but for 1."""
    node = nodes[index]
    if node.op == "mul":
        return [factor for arg in node.args for factor in _factors(nodes, arg)]
    return [] if node.op == "number" and node.value == 1 else [index]
