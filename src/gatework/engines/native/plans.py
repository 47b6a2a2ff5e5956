"""What of a Program is stored where: the plan of its forward pass, and that of its backward pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from gatework.core import _native
from gatework.engines.native.lowering import Buffer, Plan, Source, Store, lower, operands
from gatework.notation import Node, Program
from gatework.notation.adjoint import adjoint

Names = tuple[str, ...]


@dataclass(frozen=True)
class Forward:
    """A lowered Program: the forward nodes it keeps for the backward pass, and the products done ahead of it."""

    plan: Plan
    core: _native.Plan
    kept: tuple[int, ...]
    ahead: tuple[int, ...]


@dataclass(frozen=True)
class Backward:
    """A lowered adjoint, and where the gradients are.

    inputs, vectors: names of those the plan writes, in buffers "gradient NAME" and "total NAME".
    matrices: buffers of gradients that lie side by side, and for each operand that they are multiplied with, over all
    steps, the matrices whose gradients these products are part of.
    products: input, ((gradient buffers, matrices), ...): what an input's gradient has beside its buffer, if it has one.
    """

    plan: Plan
    core: _native.Plan
    inputs: tuple[str, ...]
    vectors: tuple[str, ...]
    matrices: tuple[tuple[Names, tuple[tuple[str, Names], ...]], ...]
    products: tuple[tuple[str, tuple[tuple[Names, Names], ...]], ...]


@lru_cache(maxsize=256)
def forward_plan(
    program: Program, train: bool, own_output: bool, ahead: bool, record: tuple[str, ...], element: str = "float32"
) -> Forward:
    """The plan of a Program.

    train: it keeps what the backward pass needs. own_output: it writes the output apart from the states.
    ahead: products with inputs are done for all steps before it runs, and are read from buffers "ahead NODE".
    element: of what is given, returned and kept; see `memories` for states.
    """
    states = memories(program, element)
    kept = adjoint(program).kept if train else ()
    buffers: dict[str, Buffer] = {}
    stores: dict[int, list[Store]] = {}
    sources: dict[int, Source] = {}
    before: list[int] = []

    def out(name: str, node: int, mode: str, offset: int = 0, element: str = element) -> None:
        size = program.nodes[node].size
        buffers[name] = Buffer(name, "series", size, size, True, element)
        stores.setdefault(node, []).append(Store(name, offset, mode))

    def given(name: str, node: int, element: str) -> None:
        size = program.nodes[node].size
        buffers.setdefault(name, Buffer(name, "series", size, size, False, element))
        sources[node] = ((name, 0),)

    for state in program.states:
        out(f"state {state.name}", state.node, "state", 1, states[state.name])
        start = f"start {state.name}"
        buffers[start] = Buffer(start, "series", state.size, state.size, False, element)
    if own_output:
        out("output", program.names[program.output], "ended0")
    for name in record:
        out(f"record {name}", program.names[name], "ended0")
    for index in kept:
        out(f"kept {index}", index, "plain")
    for index, node in enumerate(program.nodes):
        if node.op in ("input", "state"):
            given(f"{node.op} {node.name}", index, states[node.name] if node.op == "state" else element)
        elif ahead and node.op == "product" and program.nodes[node.args[0]].op == "input":
            given(f"ahead {index}", index, "float32")
            before.append(index)
    plan = lower(program.nodes, sources, stores, buffers.values(), backwards=False, element=element)
    return Forward(plan, _native.Plan(list(plan.stream)), kept, tuple(before))


@lru_cache(maxsize=256)
def memories(program: Program, element: str) -> dict[str, str]:
    """What each state is kept in: in `element` where products read it, else it is long-term memory and float32."""
    found = (program.nodes[index] for index in operands(program.nodes, range(len(program.nodes))))
    read = {node.name for node in found if node.op == "state"}
    return {state.name: element if state.name in read else "float32" for state in program.states}


@lru_cache(maxsize=256)
def backward_plan(program: Program, wanted: tuple[str, ...], element: str = "float32") -> Backward:
    """The plan of the derived backward Program; `wanted` holds the inputs and parameters whose gradients count.

    element: of what is given, returned and kept; gradients by states and totals are float32.
    """
    back, asked = adjoint(program), frozenset(wanted)
    held = memories(program, element)
    states = {state.name: state for state in program.states}
    nodes = list(back.nodes)
    buffers: dict[str, Buffer] = {}
    stores: dict[int, list[Store]] = {}
    sources: dict[int, Source] = {}

    def buffer(name: str, kind: str, size: str, written: bool, element: str = element) -> str:
        buffers.setdefault(name, Buffer(name, kind, size, size, written, element))
        return name

    def series(index: int) -> str:
        """The buffer where a value is at every step: a leaf's own, or one it is stored in."""
        if index in sources and len(sources[index]) == 1 and sources[index][0][1] == 0:
            return sources[index][0][0]
        name = f"series {index}"
        if name not in buffers:
            buffer(name, "series", nodes[index].size, True)
            stores.setdefault(index, []).append(Store(name, 0, "ended0"))
        return name

    for index, node in enumerate(nodes):
        if node.op in ("input", "state"):
            kind = held[node.name] if node.op == "state" else element
            sources[index] = ((buffer(f"{node.op} {node.name}", "series", node.size, False, kind), 0),)
        elif node.op == "kept":
            sources[index] = ((buffer(f"kept {node.source}", "series", node.size, False), 0),)
        elif node.op == "gradient":
            parts = [(f"flow {node.name}", 1)] if node.name in states else []
            parts += [(buffer("gradient output", "series", node.size, False), 0)] if node.name == program.output else []
            sources[index] = tuple(parts)
    by_state = dict(back.states)
    for state in program.states:
        buffer(f"flow {state.name}", "series", state.size, True, "float32")
        buffer(f"to start {state.name}", "series", state.size, True, "float32")
        if state.name not in by_state:  # nothing of the old value comes through
            nodes.append(Node("number", value=0.0, size=state.size))
            by_state[state.name] = len(nodes) - 1
        stores.setdefault(by_state[state.name], []).append(Store(f"flow {state.name}", 0, "flow"))
    matrices = [
        (series(operand), series(gradient), name)
        for name, pairs in back.matrices
        if f"matrix {name}" in asked
        for gradient, operand in pairs
    ]
    inputs, products = [], []
    for name, index in back.inputs:
        if f"input {name}" not in asked:
            continue
        large, rest = terms(nodes, index)
        if large:
            products.append((name, [(series(nodes[term].args[0]), nodes[term].name) for term in large]))
        if rest is not None:
            inputs.append(name)
            buffer(f"gradient {name}", "series", nodes[rest].size, True)
            stores.setdefault(rest, []).append(Store(f"gradient {name}", 0, "ended0"))
    vectors = tuple(name for name, _ in back.vectors if f"vector {name}" in asked)
    for name, index in back.vectors:
        if f"vector {name}" in asked:
            buffer(f"total {name}", "total", nodes[index].size, True, "float32")
            stores.setdefault(index, []).append(Store(f"total {name}"))
    plan = lower(nodes, sources, stores, buffers.values(), backwards=True, element=element)
    follows = dict(pairwise(name for name, _ in plan.series))
    return Backward(
        plan,
        _native.Plan(list(plan.stream)),
        tuple(inputs),
        vectors,
        by_gradients(matrices, follows),
        tuple((name, tuple(side_by_side(pairs, follows))) for name, pairs in products),
    )


def by_gradients(
    matrices: Sequence[tuple[str, str, str]], follows: Mapping[str, str]
) -> tuple[tuple[Names, tuple[tuple[str, Names], ...]], ...]:
    """Operand, gradient, matrix: brought together where operands have gradients in common that lie side by side."""
    operands: dict[str, list[tuple[str, str]]] = {}
    for operand, gradient, name in matrices:
        operands.setdefault(operand, []).append((gradient, name))
    groups: dict[Names, list[tuple[str, Names]]] = {}
    for operand, pairs in operands.items():
        for gradients, names in side_by_side(pairs, follows):
            groups.setdefault(gradients, []).append((operand, names))
    return tuple((gradients, tuple(users)) for gradients, users in groups.items())


def side_by_side(pairs: Sequence[tuple[str, str]], follows: Mapping[str, str]) -> list[tuple[Names, Names]]:
    """Buffers, each with what belongs to it, joined where the next lies behind the one before."""
    found: list[tuple[list[str], list[str]]] = []
    for buffer, name in pairs:
        if found and follows.get(found[-1][0][-1]) == buffer:
            found[-1][0].append(buffer)
            found[-1][1].append(name)
        else:
            found.append(([buffer], [name]))
    return [(tuple(buffers), tuple(names)) for buffers, names in found]


def terms(nodes: list[Node], index: int) -> tuple[list[int], int | None]:
    """A sum taken apart: its products with transposed matrices, and the node of what is left, made where needed."""
    products: list[int] = []
    others: list[int] = []
    waiting = [index]
    while waiting:
        node = nodes[waiting[-1]]
        if node.op == "add":
            waiting[-1:] = reversed(node.args)
        else:
            (products if node.op == "product_t" else others).append(waiting.pop())
    if not products:
        return [], index
    return products, summed(nodes, others)


def summed(nodes: list[Node], values: Sequence[int]) -> int | None:
    """The node of a sum, appended to the nodes; None where there is nothing to add."""
    if not values:
        return None
    total = values[0]
    for value in values[1:]:
        nodes.append(Node("add", (total, value), size=nodes[total].size))
        total = len(nodes) - 1
    return total
