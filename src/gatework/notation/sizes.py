"""Size inference: which values have as many units as x, as the states, as a projected output."""

from collections.abc import Hashable
from dataclasses import replace

from gatework.notation.program import Node, Parameter, Program, State
from gatework.notation.source import EquationError

Place = Hashable  # a node, or a side of a matrix


class Classes:
    """Things that must have one size, merged as the lines ask for it (union-find)."""

    def __init__(self) -> None:
        self.parent: dict[Place, Place] = {}

    def find(self, place: Place) -> Place:
        root = place
        while self.parent.setdefault(root, root) != root:
            root = self.parent[root]
        return root

    def join(self, a: Place, b: Place) -> None:
        self.parent[self.find(a)] = self.find(b)


def sized(program: Program, new: dict[str, tuple[int, int]], start: dict[str, float], kinds: dict[str, str]) -> Program:
    """The Program with the size of every node, its states and its parameters.

    `new` gives for each state the node it is carried as and the node its line computes. x is I and a state is
    H, unless a product alone gives a state a size that no other value has, R; a state tied to x by a line makes
    I = H, noted in `tied`.
    """
    classes = Classes()
    for name, (value, _) in new.items():
        classes.join(("state", name), value)
    tied = 0
    for index, node in enumerate(program.nodes):
        join_node(classes, program.nodes, index, node)
        if not tied and any(classes.find(0) == classes.find(value) for value, _ in new.values()):
            tied = node.line
    projected = projected_class(classes, program.nodes, [written for _, written in new.values()])

    def size(place: Place) -> str:
        root = classes.find(place)
        if root == projected:
            return "R"
        return "I" if root == classes.find(0) and not tied else "H"

    nodes = tuple(
        node if node.op == "number" else replace(node, size=size(index)) for index, node in enumerate(program.nodes)
    )
    return replace(
        program,
        nodes=nodes,
        states=tuple(State(name, value, size(value), start.get(name, 0.0)) for name, (value, _) in new.items()),
        parameters=tuple(
            Parameter(name, kind, tuple(size((name, side)) for side in sides(kind))) for name, kind in kinds.items()
        ),
        tied=tied,
    )


def sides(kind: str) -> tuple[str, ...]:
    return ("rows", "columns") if kind == "matrix" else ("rows",)


def join_node(classes: Classes, nodes: tuple[Node, ...], index: int, node: Node) -> None:
    match node.op:
        case "product":
            classes.join(index, (node.name, "rows"))
            classes.join(node.args[0], (node.name, "columns"))
        case "vector":
            classes.join(index, (node.name, "rows"))
        case "state":
            classes.join(index, ("state", node.name))
        case _:
            for arg in node.args:
                if nodes[arg].op != "number":
                    classes.join(index, arg)


def projected_class(classes: Classes, nodes: tuple[Node, ...], written: list[int]) -> Place | None:
    """The class of the states that are a bare product of something of another size: R."""
    found: dict[Place, Node] = {}
    for value in written:
        node = nodes[value]
        if node.op == "product" and classes.find(value) != classes.find(node.args[0]):
            found[classes.find(value)] = node
    for value in written:
        if nodes[value].op != "product":
            found.pop(classes.find(value), None)
    if len(found) > 1:
        numbers = " and ".join(str(node.line) for node in found.values())
        raise EquationError(f"size clash: lines {numbers} each give a state a size of its own; only one may have one")
    return next(iter(found), None)
