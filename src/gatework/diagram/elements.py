"""What the diagram of a cell shows, read off its Program: gates, valves, sums, functions, and what flows into each.

A gate is everything around its matrix products: sigmoid(W_f @ x + U_f @ h + b_f) is one box. A product with what is
a gate by `gatework.notation.gates` is a valve. Biases, gains and numbers are part of what they act on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from gatework.diagram.labels import chain_label, constant_label, old_label
from gatework.notation.gates import gate_nodes
from gatework.notation.ops import OPS
from gatework.notation.program import Program, is_wide
from gatework.notation.stops import as_written

MOST_TERMS = 3  # of one sum: from the left, from above and from below


@dataclass(frozen=True)
class Input:
    """What flows into an element: the node it comes from and where it enters.

    `port` is "main" (from the left), "side" (from above or below) or, for a gate, "matrix" (every unit sees every
    other), "vector" (each sees itself, as through a peephole) or "plain"; `mark` is the sign or factor of it.
    """

    source: int
    port: str = "main"
    mark: str = ""


@dataclass(frozen=True)
class Element:
    """One thing in the diagram, with the node whose value leaves it, of the Program as it is written.

    `kind` is "old" (a state of the step before), "input", "constant", "gate", "function", "valve", "sum",
    "product", "divide", "extreme", or "new" (what the step hands on). `opening` is the node that a valve
    obeys; `name` and `label` are its name in the equations and what it does.
    """

    kind: str
    node: int
    name: str = ""
    label: str = ""
    inputs: tuple[Input, ...] = ()
    opening: int = -1


class Elements:
    """Walks a Program from what it hands on back to what it is given."""

    def __init__(self, program: Program) -> None:
        self.program, origin = as_written(program)
        self.nodes, open_by = self.program.nodes, gate_nodes(program)
        self.gates = {index for index, run in enumerate(origin) if run in open_by}
        self.by_node: dict[int, Element] = {}
        self.names: dict[int, str] = {}
        for name, node in self.program.named:
            self.names.setdefault(node, name)
        self.uses = [0] * len(self.nodes)
        for user in self.nodes:
            for arg in user.args:
                self.uses[arg] += 1

    @cached_property
    def carried(self) -> dict[str, int]:
        """What leaves the step, name to node: the states, and the output where it is none."""
        return {state.name: state.node for state in self.program.states} | {
            self.program.output: self.program.names[self.program.output]
        }

    def elements(self) -> tuple[Element, ...]:
        """All elements, each after those that flow into it."""
        for node in self.carried.values():
            self.visit(node)
        ends = [Element("new", node, name, inputs=(Input(node),)) for name, node in self.carried.items()]
        return (*self.by_node.values(), *ends)

    def visit(self, index: int) -> int:
        """Finds the element of a node, and first all that flows into it."""
        if index not in self.by_node:
            element = self.element(index)
            for entering in element.inputs:
                self.visit(entering.source)
            self.by_node[index] = element
        return index

    def element(self, index: int) -> Element:
        node, name = self.nodes[index], self.names.get(index, "")
        if node.op in {"state", "input"}:
            return Element("old" if node.op == "state" else "input", index, node.name, old_label(node))
        if self.is_constant(index):
            return Element("constant", index, name, constant_label(self.program, index))
        if len(self.varying(index)) < 2 or node.op in {"add", "sub"}:
            return self.chain(index, name)
        a, b = node.args
        if node.op == "mul" and (valve := self.valve(index, name)):
            return valve
        kind = {"mul": "product", "div": "divide"}.get(node.op, "extreme")
        return Element(kind, index, name, node.op, (Input(a), Input(b, "side")))

    # -- valves

    def valve(self, index: int, name: str) -> Element | None:
        """The product as a valve, where a factor is a gate: the surer one, or the first."""
        a, b = self.nodes[index].args
        opening = min((factor for factor in (a, b) if factor in self.gates), key=self.certainty, default=None)
        if opening is None:
            return None
        value = a if opening == b else b
        source, mark = opening, ""
        if self.is_inverted(opening):
            source = self.nodes[opening].args[1]
            mark = f"{self.names[opening]} = 1 −" if opening in self.names else "1 −"
        inputs = (Input(value), Input(source, "side", mark))
        return Element("valve", index, name, inputs=inputs, opening=opening)

    def certainty(self, gate: int) -> int:
        """0 for a function such as sigmoid, or 1 - it; 1 for what is made of gates, or of a whole row."""
        node = self.nodes[self.nodes[gate].args[1] if self.is_inverted(gate) else gate]
        return int(node.op not in OPS or not OPS[node.op].saved or OPS[node.op].row)

    def is_inverted(self, index: int) -> bool:
        """Whether it is 1 - something."""
        node = self.nodes[index]
        return node.op == "sub" and self.nodes[node.args[0]].op == "number" and self.nodes[node.args[0]].value == 1

    # -- gates, functions and sums

    def chain(self, index: int, name: str) -> Element:
        """Functions of one value, one inside the other, around a product, a sum or a value."""
        steps = []
        inner = index
        while self.nodes[inner].op != "product" and len(self.varying(inner)) == 1:
            steps.append(inner)
            inner = self.varying(inner)[0]
            if not self.is_private(inner):
                break
        if not steps or self.is_private(inner):
            terms = list(self.terms(inner))
            curved = any(self.nodes[step].op not in {"add", "sub", "mul", "div", "neg"} for step in steps)
            matrices = [self.behind_matrix(term, index) >= 0 for term, _ in terms]
            if (any(matrices) and curved) or all(matrices):
                taps = {tap.source: tap for tap in (self.tap(term, index) for term, _ in terms)}
                label = chain_label(self.program, steps) or "linear"
                if not name and label == "linear":
                    name = self.nodes[self.behind_matrix(terms[0][0], index)].name
                return Element("gate", index, name, label, tuple(taps.values()))
            if not steps:
                return self.sum(index, name)
        label = chain_label(self.program, steps, self.names.get(inner, old_label(self.nodes[inner])))
        return Element("function", index, name, label, (Input(inner),))

    def terms(self, index: int, sign: str = "") -> Iterator[tuple[int, str]]:
        """The terms of a sum that vary, with their signs."""
        node = self.nodes[index]
        opposite = "" if sign else "−"
        if node.op in {"add", "sub"}:
            for arg, its in zip(node.args, (sign, opposite if node.op == "sub" else sign), strict=True):
                if not self.is_constant(arg):
                    yield from self.terms(arg, its) if self.is_private(arg) else [(arg, its)]
        elif node.op == "neg" and self.is_private(node.args[0]):
            yield from self.terms(node.args[0], opposite)
        else:
            yield index, sign

    def sum(self, index: int, name: str) -> Element:
        """A sum of two or three terms; a longer one has shorter ones inside."""
        node = self.nodes[index]
        terms = list(self.terms(index))
        if len(terms) > MOST_TERMS or any(self.is_constant(arg) for arg in node.args):
            terms = [(node.args[0], ""), (node.args[1], "−" if node.op == "sub" else "")]
        inputs: list[Input] = []
        for term, sign in terms:
            source, factor = self.scaled(term)
            inputs.append(Input(source, "side" if inputs else "main", sign + factor))
        return Element("sum", index, name, "+", tuple(inputs))

    def scaled(self, index: int) -> tuple[int, str]:
        """A term without the number it is multiplied by, and that number."""
        node = self.nodes[index]
        if node.op == "mul" and self.is_private(index) and self.nodes[node.args[0]].op == "number":
            return node.args[1], constant_label(self.program, node.args[0])
        return index, ""

    def tap(self, term: int, top: int) -> Input:
        """A term of what the gate `top` is computed from: through a matrix, or unit by unit."""
        product = self.behind_matrix(term, top)
        if product >= 0:
            return Input(self.nodes[product].args[0], "matrix")
        node = self.nodes[term]
        if node.op == "mul" and self.is_private(term) and len(varying := self.varying(term)) == 1:
            return Input(varying[0], "vector")
        return Input(term, "plain")

    def behind_matrix(self, index: int, top: int) -> int:
        """The product with a matrix that this term of `top` is, but for gains, signs and norms; -1 if it is none."""
        while index == top or self.is_private(index):
            node = self.nodes[index]
            if node.op == "product":
                return index
            linear = node.op in {"mul", "div", "neg", "add", "sub"} or is_wide(node)
            if not linear or len(self.varying(index)) != 1:
                return -1
            index = self.varying(index)[0]
        return -1

    # -- nodes

    def is_private(self, index: int) -> bool:
        """Whether a node is part of the one that uses it: used once, without a name."""
        return self.uses[index] == 1 and index not in self.names and self.nodes[index].op not in {"state", "input"}

    def varying(self, index: int) -> list[int]:
        """The arguments that change from step to step."""
        return [arg for arg in self.nodes[index].args if not self.is_constant(arg)]

    def is_constant(self, index: int) -> bool:
        """Whether a node is made of parameters and numbers only."""
        return index in self.constants

    @cached_property
    def constants(self) -> frozenset[int]:
        constant: set[int] = set()
        for index, node in enumerate(self.nodes):
            pointwise = node.op in OPS and node.args and constant.issuperset(node.args)
            if node.op in {"vector", "number"} or pointwise:
                constant.add(index)
        return frozenset(constant)


def elements(program: Program) -> tuple[Element, ...]:
    """What the diagram of a cell shows, each element after those that flow into it, the new states last."""
    shown = Elements(program).elements()
    memory = memory_nets(shown)
    return tuple(_straightened(element, memory) for element in shown)


def _straightened(element: Element, memory: Sequence[int]) -> Element:
    """A sum with the memory as its main input."""
    carried = [entering for entering in element.inputs if entering.source in memory]
    if element.kind not in {"sum", "extreme"} or element.node not in memory or not carried:
        return element
    others = [entering for entering in element.inputs if entering is not carried[0]]
    inputs = [replace(entering, port="side") for entering in others]
    return replace(element, inputs=(replace(carried[0], port="main"), *inputs))


def memory_nets(elements: Sequence[Element]) -> list[int]:
    """The nodes of all memories: what flows along the top."""
    return list(dict.fromkeys(net for nets in memory_ways(elements) for net in nets))


def memory_ways(elements: Sequence[Element]) -> list[list[int]]:
    """For each state that is a memory the nodes on the way of its old value to its new one, unit by unit."""
    by_node = {element.node: element for element in elements if element.kind != "new"}
    new = {element.name: element.node for element in elements if element.kind == "new"}
    ways = [_way(by_node, new[old.name], old.node) for old in elements if old.kind == "old" and old.name in new]
    return [nets for nets in ways if nets]


def _way(by_node: dict[int, Element], node: int, goal: int) -> list[int]:
    """The elements from `goal` to `node`, through no gate and no control of a valve; empty if there is no such way."""
    if node == goal:
        return [node]
    element = by_node[node]
    if element.kind == "gate":
        return []
    entering = [i.source for i in element.inputs if element.kind != "valve" or i.port == "main"]
    ways = [[*way, node] for source in entering if (way := _way(by_node, source, goal))]
    return min(ways, key=len, default=[])
