"""What a state keeps of itself: the derivative of its new value by its old one, unit by unit, from the equations."""

from collections.abc import Sequence

from gatework.notation.graph import Graph
from gatework.notation.ops import OPS
from gatework.notation.program import LEAVES, Node, Program, is_wide


def called(state: str) -> str:
    """The name under which it is recorded."""
    return f"retention({state})"


def retained(program: Program) -> tuple[str, ...]:
    """The states with a direct path to their own new value, one that crosses no product and no row function."""
    old = {node.name: index for index, node in enumerate(program.nodes) if node.op == "state"}
    return tuple(s.name for s in program.states if s.name in old and s.node in direct(program.nodes, old[s.name]))


def direct(nodes: Sequence[Node], old: int) -> set[int]:
    """The nodes that pointwise operations which pass gradients alone lead to from `old`."""
    reached = {old}
    for index, node in enumerate(nodes):
        if node.op in LEAVES or is_wide(node):
            continue
        derivatives = enumerate(zip(node.args, OPS[node.op].derivative, strict=True))
        if any(arg in reached and derivative and place not in node.stopped for place, (arg, derivative) in derivatives):
            reached.add(index)
    return reached


def retention(graph: Graph, new: int, old: int) -> int:
    """The node of d(new) / d(old) along pointwise paths, added to the graph that holds both.

    For c = f * c + i * g it is f. Reverse mode, as in `adjoint`, but one number per unit arrives, 1, and nothing
    passes through products and row functions, which mix units.
    """
    paths = direct(graph.nodes, old)
    gradients = {new: graph.number(1.0)}
    for index in range(new, old, -1):
        if index in gradients and index in paths:
            node = graph.nodes[index]
            names = {"g": gradients[index], "y": index, **dict(zip("ab", node.args, strict=False))}
            for arg, derivative in zip(node.args, OPS[node.op].derivative, strict=True):
                if arg in paths:
                    term = graph.expression(derivative, names, node.line)
                    gradients[arg] = graph.apply("add", gradients[arg], term) if arg in gradients else term
    result = gradients[old]
    if graph.nodes[result].op == "number":  # a value per unit is wanted, whatever the old one is
        return graph.expression("a + (sigmoid(b) - sigmoid(b))", {"a": result, "b": old})
    return result
