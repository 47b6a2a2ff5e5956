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
        self.marked: set[Place] = set()  # classes that hold something marked, by their root

    def find(self, place: Place) -> Place:
        parent = self.parent
        while (above := parent.setdefault(place, place)) != place:
            parent[place] = parent[above]  # what lies deep comes up half way: thousands of lines form no chain
            place = above
        return place

    def join(self, a: Place, b: Place) -> None:
        below, above = self.find(a), self.find(b)
        self.parent[below] = above
        if below in self.marked:
            self.marked.add(above)

    def mark(self, place: Place) -> None:
        self.marked.add(self.find(place))

    def is_marked(self, place: Place) -> bool:
        """Whether anything of its class is marked."""
        return self.find(place) in self.marked


def sized(
    program: Program, new: dict[str, tuple[int, int, int]], start: dict[str, float], kinds: dict[str, str]
) -> Program:
    """The Program with the size of every node, its states and its parameters.

    `new` gives for each state the node it is carried as, the node its line computes, and that line. x is I and
    a state is H, unless a product alone gives a state a size that no other value has, R; a state tied to x by a
    line makes I = H, noted in `tied`.
    """
    classes = Classes()
    carried = [value for value, _, _ in new.values()]
    for name, value in zip(new, carried, strict=True):
        classes.join(("state", name), value)
        classes.mark(value)
    tied = next((line for value, _, line in new.values() if value == 0), 0)
    for index, node in enumerate(program.nodes):
        _join_node(classes, program.nodes, index, node)
        like_x = not tied and any(classes.find(place) == classes.find(0) for place in (index, *node.args))
        if like_x and classes.is_marked(0):
            tied = node.line
    projected = _projected_class(classes, program, [written for _, written, _ in new.values()])

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
        states=tuple(State(name, value, size(value), start.get(name, 0.0)) for name, (value, _, _) in new.items()),
        parameters=tuple(
            Parameter(name, kind, tuple(size(("parameter", name, side)) for side in _sides(kind)))
            for name, kind in kinds.items()
        ),
        tied=tied,
    )


def _sides(kind: str) -> tuple[str, ...]:
    return ("rows", "columns") if kind == "matrix" else ("rows",)


def _join_node(classes: Classes, nodes: tuple[Node, ...], index: int, node: Node) -> None:
    match node.op:
        case "product":
            classes.join(index, ("parameter", node.name, "rows"))
            classes.join(node.args[0], ("parameter", node.name, "columns"))
        case "vector":
            classes.join(index, ("parameter", node.name, "rows"))
        case "state":
            classes.join(index, ("state", node.name))
        case _:
            for arg in node.args:
                if nodes[arg].op != "number":
                    classes.join(index, arg)


def _projected_class(classes: Classes, program: Program, written: list[int]) -> Place | None:
    """The class of the states that are a bare product of something of another size: R."""
    nodes = program.nodes
    projected: dict[Place, Node] = {}
    for value in written:
        node = nodes[value]
        if node.op == "product" and classes.find(value) != classes.find(node.args[0]):
            projected[classes.find(value)] = node
    for value in written:
        if nodes[value].op != "product":
            projected.pop(classes.find(value), None)
    if len(projected) > 1:
        lines = " and ".join(f"line {node.line}: {program.lines[node.line - 1].strip()}" for node in projected.values())
        raise EquationError(f"size clash: {lines}: each gives a state a size of its own; only one state may have one")
    return next(iter(projected), None)
