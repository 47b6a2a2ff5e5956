"""Where no gradient passes: written stop_gradient(a), and in a Program a property of the edges that read a."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from gatework.notation.graph import Graph
from gatework.notation.program import Node, Program

STOP = "stop_gradient"


def on_edges(program: Program) -> Program:
    """The Program as it is run: what reads stop_gradient(a) reads a, by an edge through which no gradient passes.

    A name or a state that is stop_gradient(a) is a copy of it, 1 * a.
    """
    graph = Graph()
    new: list[tuple[int, bool]] = []  # of each node: its place, and whether gradients stop on the way to it
    for node in program.nodes:
        read = [new[arg] for arg in node.args]
        if node.op == STOP:
            new.append((read[0][0], True))
            continue
        stopped = tuple(place for place, (_, stops) in enumerate(read) if stops)
        new.append((graph.add(replace(node, args=tuple(arg for arg, _ in read), stopped=stopped)), False))

    def end(index: int) -> int:
        source, stops = new[index]
        if not stops:
            return source
        return graph.add(Node("mul", (source, graph.number(1.0)), size=graph.nodes[source].size, stopped=(0,)))

    ends = [index for _, index in program.named] + [state.node for state in program.states]
    return _moved(program, {index: end(index) for index in ends}, graph.nodes)


def as_written(program: Program) -> tuple[Program, tuple[int, ...]]:
    """The Program with a node for every stop_gradient, and for each of its nodes the one that has its value."""
    nodes: list[Node] = []
    origin: list[int] = []
    place: list[int] = []
    stops: dict[int, int] = {}

    def stop(index: int) -> int:
        if index not in stops:
            stops[index] = len(nodes)
            nodes.append(Node(STOP, (place[index],), size=program.nodes[index].size))
            origin.append(index)
        return stops[index]

    for index, node in enumerate(program.nodes):
        if (source := copied(program, index)) != index:
            place.append(stop(source))
            continue
        args = (stop(arg) if k in node.stopped else place[arg] for k, arg in enumerate(node.args))
        nodes.append(replace(node, args=tuple(args), stopped=()))
        origin.append(index)
        place.append(len(nodes) - 1)
    return _moved(program, dict(enumerate(place)), nodes), tuple(origin)


def copied(program: Program, index: int) -> int:
    """The node that a node is a copy of, itself if it is none."""
    node = program.nodes[index]
    return node.args[0] if node.op == "mul" and node.stopped == (0,) and _is_one(program.nodes[node.args[1]]) else index


def _is_one(node: Node) -> bool:
    return node.op == "number" and node.value == 1 and not node.name


def _moved(program: Program, place: Mapping[int, int], nodes: Sequence[Node]) -> Program:
    """The Program with other nodes; place: old node -> new node."""
    return replace(
        program,
        nodes=tuple(nodes),
        states=tuple(replace(state, node=place[state.node]) for state in program.states),
        named=tuple((name, place[index]) for name, index in program.named),
    )
