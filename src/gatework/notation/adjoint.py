"""Program to backward Program: reverse mode over one step, and which values the forward pass saves for it."""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from gatework.notation.graph import Graph
from gatework.notation.ops import OPS
from gatework.notation.program import LEAVES, Node, Program, Stage, stages


@dataclass(frozen=True)
class Adjoint:
    """The backward pass of one step, in the same nodes as the Program it was derived from.

    Leaves are the step's inputs, old states and vectors, "saved" values of the forward pass, and "gradient":
    dL/d(new state), or dL/d(output) where the output is no state. Results, as (name, node) pairs: gradients
    by the old states, by the inputs and by the vectors (these to be summed over batch and time); `matrices`
    holds (name, ((gradient, operand), ...)): the matrix's gradient is the sum of gradient x operand over
    batch and time, one large product for the whole sequence.
    """

    program: Program
    nodes: tuple[Node, ...]
    saved: tuple[int, ...]
    states: tuple[tuple[str, int], ...]
    inputs: tuple[tuple[str, int], ...]
    vectors: tuple[tuple[str, int], ...]
    matrices: tuple[tuple[str, tuple[tuple[int, int], ...]], ...]
    named: tuple[tuple[int, int], ...]  # (forward node, its gradient): what the printed derivation names

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        return stages(self.nodes)


@lru_cache(maxsize=256)
def adjoint(program: Program) -> Adjoint:
    """Derives the backward Program: every node passes its gradient to its arguments by the table's derivatives."""
    return ReverseMode(program).adjoint()


class ReverseMode:
    """Walks the forward nodes from the last to the first and sums what arrives at each."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.graph = Graph()
        self.values: dict[int, int] = {}  # forward node -> the backward node with its value
        self.gradients: dict[int, int] = {}
        self.saved: set[int] = set()
        self.matrices: dict[str, list[tuple[int, int]]] = {}

    def adjoint(self) -> Adjoint:
        program = self.program
        for state in program.states:
            self.arrive(state.node, self.seed(state.name, state.node))
        if program.output not in {state.name for state in program.states}:
            node = program.names[program.output]
            self.arrive(node, self.seed(program.output, node))
        for index in reversed(range(len(program.nodes))):
            if index in self.gradients:
                self.pass_on(index, self.gradients[index])
        return Adjoint(
            program=program,
            nodes=_with_sizes(self.graph.nodes),
            saved=tuple(sorted(self.saved)),
            states=self.leaves("state"),
            inputs=self.leaves("input"),
            vectors=self.leaves("vector"),
            matrices=tuple((name, tuple(pairs)) for name, pairs in self.matrices.items()),
            named=tuple(self.gradients.items()),
        )

    def seed(self, name: str, node: int) -> int:
        return self.graph.add(Node("gradient", name=name, size=self.program.nodes[node].size))

    def leaves(self, op: str) -> tuple[tuple[str, int], ...]:
        return tuple(
            (node.name, self.gradients[index])
            for index, node in enumerate(self.program.nodes)
            if node.op == op and index in self.gradients
        )

    def arrive(self, index: int, gradient: int) -> None:
        """Adds a term to the gradient of a forward node."""
        if index in self.gradients:
            gradient = self.graph.apply("add", self.gradients[index], gradient)
        self.gradients[index] = gradient

    def pass_on(self, index: int, gradient: int) -> None:
        """Sends a node's gradient to its arguments."""
        node = self.program.nodes[index]
        if node.op == "product":
            operand = node.args[0]
            self.matrices.setdefault(node.name, []).append((gradient, self.value(operand)))
            if not node.stopped:
                self.arrive(operand, self.transposed(node.name, gradient, self.program.nodes[operand].size))
        elif node.op not in LEAVES:
            names = Operands(self, index, gradient)
            for place, (arg, derivative) in enumerate(zip(node.args, OPS[node.op].derivative, strict=True)):
                if place not in node.stopped and self.program.nodes[arg].op != "number":
                    self.arrive(arg, self.graph.expression(derivative, names, node.line))

    def transposed(self, name: str, gradient: int, size: str) -> int:
        return self.graph.add(Node("product_t", (gradient,), name, size=size))

    def value(self, index: int) -> int:
        """The value of a forward node: a leaf, saved, or redone from its arguments where that is cheap."""
        waiting = [index]
        while waiting:  # no recursion: what is redone may reach back over all lines of a text
            node = self.program.nodes[waiting[-1]]
            missing = [arg for arg in node.args if arg not in self.values] if _redone(node) else []
            if missing:
                waiting += missing
            else:
                last = waiting.pop()
                self.values[last] = self.backward_value(last)
        return self.values[index]

    def backward_value(self, index: int) -> int:
        node = self.program.nodes[index]
        if node.op in LEAVES:
            return self.graph.add(node)
        if _redone(node):
            return self.graph.apply(node.op, *(self.values[arg] for arg in node.args), line=node.line)
        self.saved.add(index)
        return self.graph.add(Node("saved", source=index, size=node.size, line=node.line))


def _redone(node: Node) -> bool:
    """Whether a backward pass computes the value again instead of saving it."""
    return node.op not in LEAVES and node.op != "product" and not OPS[node.op].saved


class Operands(dict[str, int]):
    """What a derivative speaks of: g, y, a, b; values are asked for only where the derivative reads them."""

    def __init__(self, derivation: ReverseMode, index: int, gradient: int) -> None:
        super().__init__(g=gradient)
        self.derivation, self.index = derivation, index

    def __missing__(self, name: str) -> int:
        arguments = self.derivation.program.nodes[self.index].args
        return self.derivation.value(self.index if name == "y" else arguments["ab".index(name)])


def _with_sizes(nodes: list[Node]) -> tuple[Node, ...]:
    """The nodes with the size of each: that of its first argument which is no number."""
    sized: list[Node] = []
    for node in nodes:
        sizes = [sized[arg].size for arg in node.args if sized[arg].op != "number"]
        sized.append(node if node.size else replace(node, size=sizes[0]))
    return tuple(sized)
