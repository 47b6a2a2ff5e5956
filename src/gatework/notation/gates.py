"""Which of a cell's values are gates: between 0 and 1 by how they are computed."""

from gatework.notation import Program


def gates(program: Program) -> list[str]:
    """The named values that are gates, in the order of the text."""
    open_by = gate_nodes(program)
    return [name for name, node in program.named if node in open_by]


def gate_nodes(program: Program) -> frozenset[int]:
    """The nodes between 0 and 1: a sigmoid, a softmax and its cumulative sum, 1 - gate, gate * gate, a gate cut off."""
    found: set[int] = set()
    for index, node in enumerate(program.nodes):
        match node.op, node.args:
            case (("sigmoid" | "softmax"), _):
                found.add(index)
            case "cumsum", (a,) if program.nodes[a].op == "softmax":
                found.add(index)
            case "stop_gradient", (a,) if a in found:
                found.add(index)
            case "sub", (a, b) if is_one(program, a) and b in found:
                found.add(index)
            case "mul", (a, b) if a in found and b in found:
                found.add(index)
    return frozenset(found)


def is_one(program: Program, index: int) -> bool:
    """Whether a node is the number 1."""
    node = program.nodes[index]
    return node.op == "number" and node.value == 1
