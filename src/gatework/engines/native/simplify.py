"""Passes over the nodes of a Program before they are lowered."""

from collections.abc import Sequence
from dataclasses import replace

from gatework.notation import Node


def fuse_derivatives(nodes: Sequence[Node]) -> list[Node]:
    """The nodes with g y (1 - y) and g (1 - y y), the derivatives of sigmoid and tanh, as one operation each."""

    def factors(index: int, op: str) -> tuple[int, ...]:
        return nodes[index].args if nodes[index].op == op else ()

    def is_one(index: int) -> bool:
        return nodes[index].op == "number" and nodes[index].value == 1.0

    out = list(nodes)
    for index, node in enumerate(nodes):
        if node.op != "mul":
            continue
        left, right = node.args
        one, taken = factors(right, "sub") or (None, None)
        if one is None or taken is None or not is_one(one):
            continue
        gradient = factors(left, "mul")
        if taken in gradient:
            other = gradient[1 - gradient.index(taken)]
            out[index] = replace(node, op="sigmoid_back", args=(other, taken))
        elif factors(taken, "mul") and len(set(nodes[taken].args)) == 1:
            out[index] = replace(node, op="tanh_back", args=(left, nodes[taken].args[0]))
    return out
