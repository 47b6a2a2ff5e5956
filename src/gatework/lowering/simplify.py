"""Passes over the nodes of a Program before they are lowered."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from gatework.notation import Node


class Ahead(NamedTuple):
    """A product with an input, done for all steps before the first: its input, its matrix, the vector added or ""."""

    operand: str
    matrix: str
    vector: str = ""


def multiply_ahead(nodes: Sequence[Node], wanted: Iterable[int]) -> tuple[list[Node], dict[int, Ahead]]:
    """The nodes, and which of them are products with inputs that are done ahead, with a vector of the same sum.

    wanted: nodes whose values are stored, in each place. The addition of such a vector becomes what it is added to.
    """
    out = list(nodes)
    ahead = {
        index: Ahead(nodes[node.args[0]].name, node.name)
        for index, node in enumerate(nodes)
        if node.op == "product" and nodes[node.args[0]].op == "input"
    }
    uses = Counter([*wanted, *(arg for node in nodes for arg in node.args)])
    for index, node in enumerate(nodes):
        vectors = [arg for arg in node.args if nodes[arg].op == "vector"] if node.op == "add" else []
        if len(vectors) != 1:
            continue
        (rest,) = (arg for arg in node.args if arg != vectors[0])
        product = _bare_product(out, rest, ahead, uses)
        if product is None:
            continue
        out[index] = out[rest]
        place = index if rest == product else product
        ahead[place] = ahead.pop(product)._replace(vector=nodes[vectors[0]].name)
    return out, ahead


def _bare_product(nodes: Sequence[Node], root: int, ahead: Mapping[int, Ahead], uses: Mapping[int, int]) -> int | None:
    """A product done ahead, without a vector yet, in a sum that nothing else reads any part of."""
    waiting = [root]
    while waiting:
        index = waiting.pop()
        if uses[index] > 1:
            continue
        if index in ahead and not ahead[index].vector:
            return index
        if nodes[index].op == "add":
            waiting += nodes[index].args
    return None


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
