"""Any cell as a Scan over the steps, its products with x ahead of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from onnx import GraphProto

from gatework.network.steps import Direction
from gatework.notation.ops import OPS
from gatework.onnx.expressions import apply
from gatework.onnx.graph import Array, Graph
from gatework.onnx.sums import Group, Plan, Rows, Sum


@dataclass(frozen=True)
class Sequences:
    """What a direction runs over: x [T,B,I], the states [B,size] before the first step, and marks [T,B,1] or none.

    resets: before which steps the state is the start again. running: which lie within the lengths.
    """

    x: str
    state: Sequence[str]
    resets: str | None = None
    running: str | None = None


class Cell:
    """One direction of a layer: its Program as it is run, its weights by parameter, its sizes.

    place: what names in the graph begin with.
    """

    def __init__(self, direction: Direction, weights: Mapping[str, Array], place: str) -> None:
        self.place, self.program, self.inputs = place, direction.program, direction.inputs
        self.plan, self.sizes = Plan(direction.program, direction.inputs), direction.sizes
        self.weights = {name: weights[tensor] for name, tensor in direction.weights.items()}
        starts = [direction.starts[state.name] for state in direction.program.states]
        self.starts = [weights[start] if isinstance(start, str) else np.float32(start) for start in starts]

    def size(self, node: int) -> int:
        return self.sizes[self.plan.nodes[node].size]

    def matrix(self, each: Sum, size: int) -> Array:
        """The sum of a sum's matrices [size,I]."""
        return sum((self.weights[name] for name in each.matrices), np.zeros((size, self.size(0)), np.float32))

    def vector(self, each: Sum, size: int) -> Array:
        """The sum of a sum's vectors and its number [size]."""
        return sum((self.weights[name] for name in each.vectors), np.full(size, each.number, np.float32))

    def matrices(self, rows: Sequence[Rows]) -> Array:
        """Of all rows, one under the other [N,I]."""
        return np.concatenate([self.matrix(each, self.size(node)) for each, node in _each(rows)])

    def vectors(self, rows: Sequence[Rows]) -> Array:
        """Of all rows, one after the other [N]."""
        return np.concatenate([self.vector(each, self.size(node)) for each, node in _each(rows)])

    def evaluated(self, graph: Graph, index: int, args: Sequence[str]) -> str:
        """The value of one node, of the values of its arguments, in the graph of all steps or of one."""
        node = self.plan.nodes[index]
        match node.op:
            case "number":
                return graph.number(node.value)
            case "input":
                return graph.number(self.inputs[node.name])
            case "vector":
                return graph.constant(self.weights[node.name], f"{self.place}.{node.name}")
            case "product":
                return graph.node("MatMul", *args, self._transposed(graph, node.name))
        return apply(graph, OPS[node.op], *args)

    def _transposed(self, graph: Graph, matrix: str) -> str:
        return graph.constant(self.weights[matrix].T, f"{self.place}.{matrix}")


def _each(rows: Sequence[Rows]) -> list[tuple[Sum, int]]:
    return [pair for one in rows for pair in zip(one.sums, one.results, strict=True)]


def scan(graph: Graph, cell: Cell, given: Sequences) -> tuple[str, list[str]]:
    """Writes a direction into a graph: the output [T,B,size] and the final states [B,size]."""
    states, output = cell.plan.program.states, cell.plan.program.output
    series = _series(graph, cell, given.x)
    marks = {name: mark for name, mark in (("resets", given.resets), ("running", given.running)) if mark is not None}
    body = Step(graph, cell, [name for name, _, _ in series], [size for _, size, _ in series], list(marks))
    scanned = [value for *_, value in series] + list(marks.values())
    if not scanned:  # of a cell that does not read x: it counts the steps
        body.graph.input("x_t", ["B", cell.size(0)])
        scanned = [given.x]
    *final, y = graph.nodes(
        "Scan",
        [*(f"{cell.place}.{state.name}.final" for state in states), f"{cell.place}.{output}"],
        *given.state,
        *scanned,
        body=body.built(),
        num_scan_inputs=len(scanned),
    )
    return y, final


# -- ahead of the steps


def _series(graph: Graph, cell: Cell, x: str) -> list[tuple[str, int, str]]:
    """What the steps read of x: a name, the size, the value [T,B,size]; what is added to products first."""
    plan = cell.plan
    rows = [group.rows for group in plan.added] + [Rows((each,), (node,)) for node, each in plan.ahead.items()]
    parts = _products(graph, cell, x, rows)
    known = {0: x} | dict(zip(plan.ahead, parts[len(plan.added) :], strict=True))
    many = [(plan.called(one.results), sum(map(cell.size, one.results))) for one in rows[: len(plan.added)]]
    added = [(name, size, part) for (name, size), part in zip(many, parts, strict=False)]
    return added + [(plan.called((n,)), cell.size(n), _ahead(graph, cell, n, known)) for n in plan.series]


def _products(graph: Graph, cell: Cell, x: str, rows: Sequence[Rows]) -> list[str]:
    """One product with x [T,B,I] for all rows, and its parts [T,B,size]."""
    if not rows:
        return []
    value = graph.node("MatMul", x, graph.constant(cell.matrices(rows).T, f"{cell.place}.W"))
    if (b := cell.vectors(rows)).any():
        value = graph.node("Add", value, graph.constant(b, f"{cell.place}.b"))
    sizes = [sum(map(cell.size, one.results)) for one in rows]
    return graph.split(value, sizes, [f"{cell.place}.{cell.plan.called(one.results)}.x" for one in rows])


def _ahead(graph: Graph, cell: Cell, node: int, known: dict[int, str]) -> str:
    """The value of a node that needs no state, of all steps."""
    if node not in known:
        args = [_ahead(graph, cell, arg, known) for arg in cell.plan.nodes[node].args]
        known[node] = cell.evaluated(graph, node, args)
    return known[node]


class Step:
    """The body of a Scan: one step.

    series, sizes: what it reads of x, by name, as `_series` has it. marks: "resets" and "running", those there are.
    """

    def __init__(
        self, outer: Graph, cell: Cell, series: Sequence[str], sizes: Sequence[int], marks: Sequence[str]
    ) -> None:
        self.graph, self.cell, self.plan = outer.body(), cell, cell.plan
        self.states = self.plan.program.states
        widths = [cell.sizes[state.size] for state in self.states]
        old = [self.graph.input(f"{s.name}_old", ["B", size]) for s, size in zip(self.states, widths, strict=True)]
        slices = [self.graph.input(f"{name}_t", ["B", size]) for name, size in zip(series, sizes, strict=True)]
        flags = {name: self.graph.input(f"{name}_t", ["B", 1], "bool") for name in marks}
        before = self._started(old, flags.get("resets"))
        self.values = self._known(before, slices)
        self.addends = dict(zip(self.plan.added, slices, strict=False))
        self._compute()
        new = self._moved(before, flags.get("running"))
        for state, size, value in zip(self.states, widths, new, strict=True):
            self.graph.output(f"{state.name}_new", value, ["B", size])
        output, name = self.plan.ends[-1], self.plan.program.output
        self.graph.output(f"{name}_t", self._of_each(output, before[0]), ["B", cell.size(output)])

    def built(self) -> GraphProto:
        return self.graph.built(f"{self.cell.place} step", str(self.cell.program))

    def _started(self, old: Sequence[str], resets: str | None) -> list[str]:
        """The states before the step, at the start where a reset is."""
        if resets is None:
            return list(old)
        starts = [self.graph.constant(np.asarray(start), f"{self.cell.place}.start") for start in self.cell.starts]
        return [self.graph.node("Where", resets, start, value) for start, value in zip(starts, old, strict=True)]

    def _known(self, states: Sequence[str], slices: Sequence[str]) -> dict[int, str]:
        """The values of old states, and of what was computed ahead."""
        by_name = dict(zip((state.name for state in self.states), states, strict=True))
        old = {index: by_name[node.name] for index, node in enumerate(self.plan.nodes) if node.op == "state"}
        return old | dict(zip(self.plan.series, slices[len(self.plan.added) :], strict=True))

    def _compute(self) -> None:
        for index in self.plan.inside:
            if index in self.values:
                continue
            if index in self.plan.products:
                self._multiply(self.plan.products[index])
            else:
                args = [self.values[arg] for arg in self.plan.nodes[index].args]
                self.values[index] = self.cell.evaluated(self.graph, index, args)

    def _multiply(self, group: Group) -> None:
        """The products of a group with what is added to them, by one product."""
        cell, graph, results = self.cell, self.graph, group.rows.results
        U = np.concatenate([cell.weights[name] for name in group.matrices])
        addend = self.addends.get(group)
        if addend is None and (b := cell.vectors([group.rows])).any():
            addend = graph.constant(b, f"{cell.place}.b")
        operands = self.values[group.operand], graph.constant(U.T, f"{cell.place}.U")
        product = graph.node("MatMul", *operands) if addend is None else graph.node("Gemm", *operands, addend)
        names = [f"{cell.place}.{self.plan.called((node,))}" for node in results]
        self.values.update(zip(results, graph.split(product, list(map(cell.size, results)), names), strict=True))

    def _moved(self, before: Sequence[str], running: str | None) -> list[str]:
        """The states after the step; past a length they stand still."""
        new = [self._of_each(state.node, old) for state, old in zip(self.states, before, strict=True)]
        if running is None:
            return new
        return [self.graph.node("Where", running, *pair) for pair in zip(new, before, strict=True)]

    def _of_each(self, node: int, like: str) -> str:
        """The value of a node for each sequence of the batch."""
        value = self.values[node]
        if node in self.plan.varying:
            return value
        B = self.graph.node("Slice", self.graph.node("Shape", like), [0], [1], [0])
        return self.graph.node("Expand", value, self.graph.node("Concat", B, [self.cell.size(node)], axis=0))
