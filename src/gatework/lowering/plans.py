"""What of a Program is stored where: the plan of its forward pass, and that of its backward pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from gatework.core import _native
from gatework.lowering.blocks import lower
from gatework.lowering.codes import check_operations, lacking
from gatework.lowering.keys import Key, Role
from gatework.lowering.placement import operands
from gatework.lowering.plan import Buffer, NativePlan, Source, Store
from gatework.lowering.simplify import Ahead, multiply_ahead
from gatework.notation import Node, Program
from gatework.notation.adjoint import Adjoint, adjoint

Names = tuple[str, ...]
Keys = tuple[Key, ...]


@dataclass(frozen=True)
class ForwardPlan:
    """A lowered Program: the nodes it saves for the backward pass, and the products done ahead of it, by node."""

    plan: NativePlan
    core: _native.Plan
    saved: tuple[int, ...]
    ahead: Mapping[int, Ahead]


@dataclass(frozen=True)
class BackwardPlan:
    """A lowered adjoint, and where the gradients are.

    inputs: gradients by inputs that the plan writes. vectors: parameters, each with its gradient, a total.
    matrices: factors that are interleaved, and for each operand that they are multiplied with, over all steps, the
    matrices whose gradients these products are part of.
    products: gradient by an input, ((factors, matrices), ...): what it has beside what the plan writes of it.
    """

    plan: NativePlan
    core: _native.Plan
    inputs: Keys
    vectors: tuple[tuple[Key, Key], ...]
    matrices: tuple[tuple[Keys, tuple[tuple[Key, Keys], ...]], ...]
    products: tuple[tuple[Key, tuple[tuple[Keys, Keys], ...]], ...]


class Buffers:
    """The nodes of a pass, its buffers, what is stored in them and read from them; `element` is that of most."""

    def __init__(self, nodes: list[Node], element: str) -> None:
        self.nodes, self.element = nodes, element
        self.buffers: dict[Key, Buffer] = {}
        self.stores: dict[int, list[Store]] = {}
        self.sources: dict[int, Source] = {}

    def add(self, key: Key, size: str, *, written: bool, element: str = "", layout: str = "series") -> Key:
        self.buffers.setdefault(key, Buffer(key, layout, size, size, written, element or self.element))
        return key

    def read(self, key: Key, node: int, element: str = "") -> None:
        """Has a leaf read from a series."""
        self.sources[node] = ((self.add(key, self.nodes[node].size, written=False, element=element), 0),)

    def store(self, key: Key, node: int, mode: str, offset: int = 0, element: str = "") -> None:
        """Has a value stored in a series."""
        self.add(key, self.nodes[node].size, written=True, element=element)
        self.stores.setdefault(node, []).append(Store(key, offset, mode))

    def lower(self, *, backwards: bool) -> NativePlan:
        buffers = self.buffers.values()
        return lower(self.nodes, self.sources, self.stores, buffers, backwards=backwards, element=self.element)


@lru_cache(maxsize=256)
def state_elements(program: Program, element: str) -> dict[str, str]:
    """The element of each state's series: `element` where products read it, else it is long-term memory and float32."""
    multiplied = (program.nodes[index] for index in operands(program.nodes, range(len(program.nodes))))
    names = {node.name for node in multiplied if node.op == "state"}
    return {state.name: element if state.name in names else "float32" for state in program.states}


# -- forward


@lru_cache(maxsize=256)
def forward_plan(
    program: Program, train: bool, own_output: bool, ahead: bool, record: Names, element: str = "float32"
) -> ForwardPlan:
    """The plan of a Program.

    train: it saves what the backward pass needs. own_output: it writes the output apart from the states.
    ahead: products with inputs are done for all steps before it runs, and read from buffers of that role.
    element: of what is given, returned and saved; see `state_elements` for states.
    """
    check_operations(lacking(program))
    saved = adjoint(program).saved if train else ()
    layout, before = forward_buffers(program, saved, own_output, ahead, record, element)
    plan = layout.lower(backwards=False)
    return ForwardPlan(plan, _native.Plan(list(plan.stream)), saved, before)


def forward_buffers(
    program: Program, saved: Sequence[int], own_output: bool, ahead: bool, record: Names, element: str
) -> tuple[Buffers, dict[int, Ahead]]:
    """What a forward pass reads and stores, and the products done ahead of it, by node; see `forward_plan`."""
    nodes, names, elements = program.nodes, program.names, state_elements(program, element)
    layout = Buffers(list(nodes), element)
    for state in program.states:
        layout.store(Key(Role.STATE, state.name), state.node, "state", 1, elements[state.name])
        layout.add(Key(Role.START, state.name), state.size, written=False)
    if own_output:
        layout.store(Key(Role.OUTPUT), names[program.output], "ended0")
    for name in record:
        layout.store(Key(Role.RECORDED, name), names[name], "ended0")
    for index in saved:
        layout.store(Key(Role.SAVED, index), index, "plain")
    before = dict[int, Ahead]()
    if ahead:
        layout.nodes, before = multiply_ahead(nodes, layout.stores)
    for index, node in enumerate(layout.nodes):
        if node.op == "input":
            layout.read(Key(Role.INPUT, node.name), index)
        elif node.op == "state":
            layout.read(Key(Role.STATE, node.name), index, elements[node.name])
        elif index in before:
            layout.read(Key(Role.AHEAD, index), index, "float32")
    return layout, before


# -- backward


@lru_cache(maxsize=256)
def backward_plan(program: Program, wanted: Keys, element: str = "float32") -> BackwardPlan:
    """The plan of the derived backward Program; `wanted` holds the inputs and parameters whose gradients count.

    element: of what is given, returned and saved; gradients by states and totals are float32.
    """
    back = backward_buffers(program, wanted, element)
    plan = back.layout.lower(backwards=True)
    follows = dict(pairwise(key for key, _ in plan.factors))
    return BackwardPlan(
        plan,
        _native.Plan(list(plan.stream)),
        back.inputs,
        back.vectors,
        _by_factors(back.matrices, follows),
        tuple((gradient, tuple(_interleaved(pairs, follows))) for gradient, pairs in back.products),
    )


class BackwardBuffers(NamedTuple):
    """What a backward pass reads and stores, and where the gradients are: `BackwardPlan`, with nothing interleaved.

    matrices: an operand, a factor, and the matrix whose gradient their product over all steps is part of.
    """

    layout: Buffers
    inputs: Keys
    vectors: tuple[tuple[Key, Key], ...]
    matrices: tuple[tuple[Key, Key, Key], ...]
    products: tuple[tuple[Key, tuple[tuple[Key, Key], ...]], ...]


def backward_buffers(program: Program, wanted: Keys, element: str) -> BackwardBuffers:
    """What the derived backward Program reads and stores; see `backward_plan`."""
    back, asked = adjoint(program), frozenset(wanted)
    nodes = list(back.nodes)
    layout = Buffers(nodes, element)
    _read_leaves(layout, program, element)
    _store_state_gradients(layout, program, back)
    matrices = [
        (_factor(layout, operand), _factor(layout, gradient), Key(Role.MATRIX, name))
        for name, pairs in back.matrices
        if Key(Role.MATRIX, name) in asked
        for gradient, operand in pairs
    ]
    inputs, products = _store_input_gradients(layout, [p for p in back.inputs if Key(Role.INPUT, p[0]) in asked])
    vectors = []
    for name, index in back.vectors:
        vector, total = Key(Role.VECTOR, name), Key(Role.VECTOR_GRADIENT, name)
        if vector in asked:
            vectors.append((vector, total))
            layout.add(total, nodes[index].size, written=True, element="float32", layout="total")
            layout.stores.setdefault(index, []).append(Store(total))
    return BackwardBuffers(layout, inputs, tuple(vectors), tuple(matrices), products)


def _read_leaves(layout: Buffers, program: Program, element: str) -> None:
    """Says where the leaves of a backward Program lie: what the forward pass read and saved, and gradients."""
    elements = state_elements(program, element)
    for index, node in enumerate(layout.nodes):
        match node.op:
            case "input":
                layout.read(Key(Role.INPUT, node.name), index)
            case "state":
                layout.read(Key(Role.STATE, node.name), index, elements[node.name])
            case "saved":
                layout.read(Key(Role.SAVED, node.source), index)
            case "gradient":
                parts = [(Key(Role.STATE_GRADIENT, node.name), 1)] if node.name in elements else []
                if node.name == program.output:
                    parts.append((layout.add(Key(Role.OUTPUT_GRADIENT), node.size, written=False), 0))
                layout.sources[index] = tuple(parts)


def _store_state_gradients(layout: Buffers, program: Program, back: Adjoint) -> None:
    """Has the gradients by the old states go to the step before, or to the start where the state was reset."""
    by_state = dict(back.states)
    for state in program.states:
        node = by_state.get(state.name)
        if node is None:  # nothing of the old value comes through
            node = _append(layout.nodes, Node("number", value=0.0, size=state.size))
        layout.add(Key(Role.STATE_GRADIENT, state.name), state.size, written=True, element="float32")
        layout.add(Key(Role.START_GRADIENT, state.name), state.size, written=True, element="float32")
        layout.store(Key(Role.STATE_GRADIENT, state.name), node, "flow")


def _store_input_gradients(
    layout: Buffers, gradients: Sequence[tuple[str, int]]
) -> tuple[Keys, tuple[tuple[Key, tuple[tuple[Key, Key], ...]], ...]]:
    """The gradients by inputs that the plan writes, and the products of all steps that are added to gradients."""
    written, products = [], []
    for name, index in gradients:
        gradient = Key(Role.INPUT_GRADIENT, name)
        large, rest = _terms(layout.nodes, index)
        if large:
            pairs = [(layout.nodes[term].args[0], Key(Role.MATRIX, layout.nodes[term].name)) for term in large]
            products.append((gradient, tuple((_factor(layout, factor), matrix) for factor, matrix in pairs)))
        if rest is not None:
            written.append(gradient)
            layout.store(gradient, rest, "ended0")
    return tuple(written), tuple(products)


def _factor(layout: Buffers, index: int) -> Key:
    """The buffer where a value is at every step: a leaf's own, or one it is stored in."""
    if index in layout.sources and len(layout.sources[index]) == 1 and layout.sources[index][0][1] == 0:
        return layout.sources[index][0][0]
    key = Key(Role.FACTOR, index)
    if key not in layout.buffers:
        layout.store(key, index, "ended0")
    return key


def _by_factors(
    matrices: Sequence[tuple[Key, Key, Key]], follows: Mapping[Key, Key]
) -> tuple[tuple[Keys, tuple[tuple[Key, Keys], ...]], ...]:
    """Operand, factor, matrix: brought together where operands have factors in common that are interleaved."""
    by_operand: dict[Key, list[tuple[Key, Key]]] = {}
    for operand, factor, matrix in matrices:
        by_operand.setdefault(operand, []).append((factor, matrix))
    groups: dict[Keys, list[tuple[Key, Keys]]] = {}
    for operand, pairs in by_operand.items():
        for factors, names in _interleaved(pairs, follows):
            groups.setdefault(factors, []).append((operand, names))
    return tuple((factors, tuple(users)) for factors, users in groups.items())


def _interleaved(pairs: Sequence[tuple[Key, Key]], follows: Mapping[Key, Key]) -> list[tuple[Keys, Keys]]:
    """Factors, each with its matrix, joined where the next lies after the one before."""
    joined: list[tuple[list[Key], list[Key]]] = []
    for factor, matrix in pairs:
        if joined and follows.get(joined[-1][0][-1]) == factor:
            joined[-1][0].append(factor)
            joined[-1][1].append(matrix)
        else:
            joined.append(([factor], [matrix]))
    return [(tuple(factors), tuple(matrices)) for factors, matrices in joined]


def _terms(nodes: list[Node], index: int) -> tuple[list[int], int | None]:
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
    return products, _summed(nodes, others)


def _summed(nodes: list[Node], values: Sequence[int]) -> int | None:
    """The node of a sum, appended to the nodes; None where there is nothing to add."""
    if not values:
        return None
    total = values[0]
    for value in values[1:]:
        total = _append(nodes, Node("add", (total, value), size=nodes[total].size))
    return total


def _append(nodes: list[Node], node: Node) -> int:
    nodes.append(node)
    return len(nodes) - 1
