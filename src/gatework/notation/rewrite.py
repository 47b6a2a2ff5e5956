"""Program to an equivalent Program that is cheaper to run."""

from dataclasses import replace
from functools import lru_cache, reduce

from gatework.notation.graph import Graph
from gatework.notation.program import Program


@lru_cache(maxsize=256)
def ahead_first(program: Program) -> Program:
    """The same sums with the terms that need no state first, so that `W @ x + U @ h + b` adds b ahead of the steps.

    Named values stay; nothing else is promised. Only rounding differs.
    """
    named = set(program.names.values())
    graph = Graph()
    new: list[int] = []

    def terms(index: int) -> list[int]:
        node = program.nodes[index]
        if node.op != "add" or node.stopped or (index in named and index != root):
            return [index]
        return [term for arg in node.args for term in terms(arg)]

    def add(a: int, b: int) -> int:
        return graph.apply("add", a, b, line=node.line, size=node.size)

    for root, node in enumerate(program.nodes):
        if node.op == "add" and not node.stopped:
            ordered = sorted(terms(root), key=lambda term: term not in program.ahead)
            new.append(reduce(add, (new[term] for term in ordered)))
        else:
            new.append(graph.add(replace(node, args=tuple(new[arg] for arg in node.args))))
    return pruned(
        replace(
            program,
            nodes=tuple(graph.nodes),
            states=tuple(replace(state, node=new[state.node]) for state in program.states),
            named=tuple((name, new[index]) for name, index in program.named),
        )
    )


def pruned(program: Program) -> Program:
    """The Program without the nodes that neither a name nor a state needs; inputs and old states stay."""
    needed = {*program.names.values(), *(state.node for state in program.states)}
    for index in reversed(range(len(program.nodes))):
        node = program.nodes[index]
        if node.op in {"input", "state"}:
            needed.add(index)
        if index in needed:
            needed.update(node.args)
    new = {old: position for position, old in enumerate(sorted(needed))}
    return replace(
        program,
        nodes=tuple(
            replace(program.nodes[old], args=tuple(new[arg] for arg in program.nodes[old].args)) for old in new
        ),
        states=tuple(replace(state, node=new[state.node]) for state in program.states),
        named=tuple((name, new[index]) for name, index in program.named),
    )
