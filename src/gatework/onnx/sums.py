"""What of a Program is one product: of x ahead of all steps, and of each value that several matrices multiply."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from gatework.notation import Node, Program
from gatework.notation.rewrite import ahead_first


@dataclass(frozen=True)
class Sum:
    """W @ x + ... + b + ... + number: such sums are rows of one product with x."""

    matrices: tuple[str, ...] = ()
    vectors: tuple[str, ...] = ()
    number: float = 0.0

    def __add__(self, other: "Sum") -> "Sum":
        return Sum(self.matrices + other.matrices, self.vectors + other.vectors, self.number + other.number)


@dataclass(frozen=True)
class Rows:
    """Sums one under the other; results: the nodes to whose values they lead, and whose sizes they have."""

    sums: tuple[Sum, ...]
    results: tuple[int, ...]

    @property
    def read_x(self) -> bool:
        return any(each.matrices for each in self.sums)


@dataclass(frozen=True)
class Group:
    """Products of one operand, done as one: matrices one under the other, and to each product a sum is added."""

    operand: int
    matrices: tuple[str, ...]
    rows: Rows


class Plan:
    """How the steps of a Program are run: what lies ahead of them, and what they do.

    inputs: what the Program reads beside x, numbers.
    """

    def __init__(self, program: Program, inputs: Mapping[str, float]) -> None:
        self.program, self.inputs = ahead_first(program), inputs
        self.nodes: Sequence[Node] = self.program.nodes
        self.ends = [state.node for state in self.program.states] + [self.program.names[self.program.output]]

    @cached_property
    def varying(self) -> frozenset[int]:
        """The nodes that need x or a state."""
        made: set[int] = set()
        for index, node in enumerate(self.nodes):
            if node.op == "state" or index == 0 or not made.isdisjoint(node.args):
                made.add(index)
        return frozenset(made)

    @cached_property
    def needed(self) -> frozenset[int]:
        """The nodes that new states and output need."""
        made = set(self.ends)
        for index in reversed(range(len(self.nodes))):
            if index in made:
                made.update(self.nodes[index].args)
        return frozenset(made)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The products of the steps."""
        users: dict[int, list[int]] = defaultdict(list)
        for index in sorted(self.needed):
            for arg in self.nodes[index].args:
                users[arg].append(index)
        by_operand: dict[int, list[int]] = defaultdict(list)
        for index in sorted(self.needed - self.program.ahead):
            if self.nodes[index].op == "product":
                by_operand[self.nodes[index].args[0]].append(index)
        return tuple(self._group(operand, members, users) for operand, members in by_operand.items())

    def _group(self, operand: int, members: Sequence[int], users: Mapping[int, list[int]]) -> Group:
        sums, results = zip(*(self._with_sum(index, users[index]) for index in members), strict=True)
        return Group(operand, tuple(self.nodes[index].name for index in members), Rows(sums, results))

    def _with_sum(self, product: int, users: Sequence[int]) -> tuple[Sum, int]:
        """What is added to a product, where nothing else reads it, and the node of the result."""
        if len(users) == 1 and product not in self.ends and self.nodes[users[0]].op == "add":
            (other,) = (arg for arg in self.nodes[users[0]].args if arg != product)
            if (added := self.sum_of(other)) is not None:
                return added, users[0]
        return Sum(), product

    def sum_of(self, index: int) -> Sum | None:
        """A node as a sum; None if it is none."""
        node = self.nodes[index]
        match node.op:
            case "product" if node.args == (0,):
                return Sum(matrices=(node.name,))
            case "vector":
                return Sum(vectors=(node.name,))
            case "number":
                return Sum(number=node.value)
            case "input" if index > 0:
                return Sum(number=self.inputs[node.name])
            case "add":
                left, right = map(self.sum_of, node.args)
                return None if left is None or right is None else left + right
        return None

    @cached_property
    def products(self) -> dict[int, Group]:
        """The groups by the nodes of their results."""
        return {result: group for group in self.groups for result in group.rows.results}

    @cached_property
    def inside(self) -> tuple[int, ...]:
        """The nodes whose values are computed within a step, in order."""
        made = set(self.ends)
        for index in reversed(range(len(self.nodes))):
            if index in made and not self._lies_ahead(index):
                made.update(self._read(index))
        return tuple(sorted(index for index in made if not self._lies_ahead(index)))

    @cached_property
    def series(self) -> tuple[int, ...]:
        """The nodes that steps read and that are known for all of them before the first."""
        read = {*self.ends, *(arg for index in self.inside for arg in self._read(index))}
        return tuple(sorted(filter(self._lies_ahead, read)))

    @cached_property
    def added(self) -> tuple[Group, ...]:
        """The groups to whose products something of x is added."""
        return tuple(group for group in self.groups if group.rows.read_x)

    @cached_property
    def ahead(self) -> dict[int, Sum]:
        """The largest parts of the series that are sums of products with x."""
        found: dict[int, Sum] = {}
        waiting = list(self.series)
        while waiting:
            index = waiting.pop()
            if index == 0 or index not in self.varying:
                continue
            if (each := self.sum_of(index)) is not None:
                found[index] = each
            else:
                waiting += self.nodes[index].args
        return found

    def called(self, nodes: Sequence[int]) -> str:
        """The names of values, or their places."""
        names = {index: name for name, index in self.program.named}
        return "_".join(names.get(node, f"v{node}") for node in nodes)

    def _read(self, index: int) -> tuple[int, ...]:
        """What the value of a node is computed from within a step."""
        return (self.products[index].operand,) if index in self.products else self.nodes[index].args

    def _lies_ahead(self, index: int) -> bool:
        return index in self.program.ahead and index in self.varying
