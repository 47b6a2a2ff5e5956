"""The immutable Program a text becomes: inputs, parameters, states, nodes in order, stages."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property

from gatework.notation.ops import OPS
from gatework.notation.source import EquationError

LEAVES = frozenset({"input", "state", "vector", "number", "saved", "gradient"})
PRODUCTS = frozenset({"product", "product_t"})


@dataclass(frozen=True)
class Node:
    """One value of one step.

    `op` is an operation of the table, a product with the matrix `name` ("product", in backward Programs also
    "product_t", with its transpose), or a leaf: "input", "state" (the previous step's value), "vector" (a
    parameter), "number"; in backward Programs also "saved" (the forward node `source`) and "gradient" (of the
    loss by the new value of `name`). `size` is I, H or R, and 1 for a number. Through the arguments in the places
    `stopped` no gradient passes.
    """

    op: str
    args: tuple[int, ...] = ()
    name: str = ""
    value: float = 0.0
    source: int = -1
    size: str = ""
    line: int = 0
    stopped: tuple[int, ...] = ()


@dataclass(frozen=True)
class Parameter:
    """A name never assigned: a "matrix" of shape (rows, columns) or a "vector", in sizes I, H, R."""

    name: str
    kind: str
    shape: tuple[str, ...]


@dataclass(frozen=True)
class State:
    """A value carried to the next step: its node, its size, the number it starts at."""

    name: str
    node: int
    size: str
    start: float = 0.0


@dataclass(frozen=True)
class Stage:
    """What can run at once: products and row functions whose operands are known, then pointwise nodes."""

    products: tuple[int, ...]
    rows: tuple[int, ...]
    pointwise: tuple[int, ...]


@dataclass(frozen=True)
class Options:
    """What `parse` takes beside the text."""

    output: str
    constants: tuple[tuple[str, float], ...]
    start: tuple[tuple[str, float], ...]
    dropout: tuple[str, ...]
    zoneout: tuple[str, ...]
    taps: tuple[str, ...]
    retention: tuple[str, ...] = ()


@dataclass(frozen=True)
class Program:
    """A cell, compiled: every engine, diagram and derivation reads this and nothing else.

    `lines` and `options` are what it was read from; `named` pairs every assigned name with its node, in the
    order of the text; `inputs` are x and, where a layer asked for them, masks and taps; `tied` is the line that
    ties the size of x to that of a state.
    """

    lines: tuple[str, ...]
    options: Options
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    states: tuple[State, ...]
    parameters: tuple[Parameter, ...]
    named: tuple[tuple[str, int], ...]
    tied: int = 0

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def __hash__(self) -> int:  # of few fields: plans are looked up at every call
        return hash((self.lines, self.inputs, self.options.output))

    @cached_property
    def recipe(self) -> str:
        """What it was read from as one line of JSON, of which `gatework.notation.recipe.read` makes it again."""
        return json.dumps({"equations": str(self), **asdict(self.options)})

    @property
    def output(self) -> str:
        """The name that leaves the cell at each step."""
        return self.options.output

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        return stages(self.nodes)

    @cached_property
    def names(self) -> dict[str, int]:
        """Assigned name -> node."""
        return dict(self.named)

    @cached_property
    def sizes(self) -> frozenset[str]:
        """Which of I, H, R occur."""
        return frozenset(node.size for node in self.nodes) - {"1"}

    @property
    def output_size(self) -> str:
        return self.nodes[self.names[self.output]].size

    @cached_property
    def ahead(self) -> frozenset[int]:
        """The nodes that need no state: known for all steps before the first one runs."""
        known: set[int] = set()
        for index, node in enumerate(self.nodes):
            if node.op != "state" and known.issuperset(node.args):
                known.add(index)
        return frozenset(known)

    def bind(self, input_size: int, hidden_size: int, proj_size: int = 0) -> dict[str, int]:
        """Numbers for the sizes I, H, R; raises EquationError where the equations contradict them."""
        if proj_size and "R" not in self.sizes:
            raise EquationError(
                f"proj_size={proj_size}: no state of this cell has a size of its own; "
                f"a projection reads {self.output} = P @ (...), and there {self.output} stands only right of @"
            )
        sizes = {"I": input_size, "H": hidden_size, "R": proj_size or hidden_size}
        tied_to = self.nodes[0].size  # the first node is x
        if input_size != sizes[tied_to]:
            raise EquationError(
                f"line {self.tied}: {self.lines[self.tied - 1].strip()}: here x and a state have one size, "
                f"but input_size={input_size} and hidden_size={sizes[tied_to]}; make them equal, "
                "or give x a matrix of its own, such as W @ x"
            )
        return sizes


def stages(nodes: Iterable[Node]) -> tuple[Stage, ...]:
    """Sorts nodes into stages: a product or row function of a value computed within the step opens the next."""
    nodes = tuple(nodes)
    level: list[int] = []
    for node in nodes:
        before = max((level[arg] for arg in node.args), default=0)
        waits = is_wide(node) and nodes[node.args[0]].op not in LEAVES
        level.append(before + waits)
    inner = [index for index, node in enumerate(nodes) if node.op not in LEAVES]
    return tuple(
        Stage(
            tuple(i for i in inner if level[i] == k and nodes[i].op in PRODUCTS),
            tuple(i for i in inner if level[i] == k and nodes[i].op in OPS and OPS[nodes[i].op].row),
            tuple(i for i in inner if level[i] == k and not is_wide(nodes[i])),
        )
        for k in range(max((level[i] for i in inner), default=0) + 1)
    )


def is_wide(node: Node) -> bool:
    """Whether a node needs whole rows of its operand: a product or a row function."""
    return node.op in PRODUCTS or (node.op in OPS and OPS[node.op].row)
