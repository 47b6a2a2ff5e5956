"""The steps of a network as nodes of ONNX, a function a kind of step."""

import math
from collections.abc import Mapping, Sequence
from functools import singledispatchmethod

import numpy as np

from gatework.network import Network
from gatework.network.steps import (
    RESETS,
    Add,
    Affine,
    Attention,
    Average,
    Bridge,
    Convolution,
    CrossAttention,
    Embedding,
    Join,
    Layer,
    Linear,
    LogSoftmax,
    OneHot,
    Part,
    Quantiles,
    Softmax,
    Step,
    Summary,
    Tanh,
)
from gatework.onnx import ahead, between, operators, over_time
from gatework.onnx.graph import Array, Graph
from gatework.onnx.marks import Marks, column
from gatework.onnx.recognise import Operator, Roles, recognised
from gatework.onnx.scan import Cell, Sequences, scan


class Emission:
    """A network being written into a graph.

    values: the arrays of the network by name, as they are called in the graph; lengths and resets are among them where
    the network has them as inputs. operators: cells that are operators of ONNX become them.
    """

    def __init__(self, graph: Graph, weights: Mapping[str, Array], *, operators: bool) -> None:
        self.graph, self.weights, self.operators = graph, weights, operators
        self.values: dict[str, str] = {}
        self._given: dict[str, str] = {}
        self._final: dict[str, list[str]] = {}

    def begin(self, network: Network, given: Sequence[str]) -> None:
        """given: the states [L*D,B,size] that the layers start from, none where they start by themselves."""
        self._given = dict(zip(network.states, given, strict=False))
        self._final = {name: [] for name in network.states}

    def final(self) -> list[str]:
        """The states [L*D,B,size] after the last step."""
        return [self._joined(parts, axis=0) for parts in self._final.values()]

    @singledispatchmethod
    def emit(self, step: Step) -> None:
        raise NotImplementedError(f"no operators of ONNX stand for {type(step).__name__}")

    @emit.register
    def _(self, step: Layer) -> None:
        found = recognised(step.directions[0].program) if self.operators and RESETS not in self.values else None
        self.values[step.y], final = self._by_scans(step) if found is None else self._by_operator(step, found)
        for name, parts in zip(self._final, final, strict=True):
            self._final[name] += parts

    @emit.register
    def _(self, step: Embedding) -> None:
        table = self.graph.constant(self.weights[step.weight], step.weight)
        self.values[step.y] = self.graph.node("Gather", table, self.values[step.x], axis=0)

    @emit.register
    def _(self, step: OneHot) -> None:
        values = self.graph.constant(np.array([0, 1], np.float32))
        self.values[step.y] = self.graph.node("OneHot", self.values[step.x], step.classes, values, axis=-1)

    @emit.register
    def _(self, step: Linear) -> None:
        weight = self.graph.constant(self.weights[step.weight].T, step.weight)
        value = self.graph.node("MatMul", self.values[step.x], weight)
        if step.bias is not None:
            value = self.graph.node("Add", value, self.graph.constant(self.weights[step.bias], step.bias))
        self.values[step.y] = value

    @emit.register
    def _(self, step: Add) -> None:
        first, *rest = (self.values[x] for x in step.xs)
        for other in rest:
            first = self.graph.node("Add", first, other)
        self.values[step.y] = first

    @emit.register
    def _(self, step: Join) -> None:
        self.values[step.y] = self.graph.node("Concat", *(self.values[x] for x in step.xs), axis=-1)

    @emit.register
    def _(self, step: Part) -> None:
        x, ends = self.values[step.x], ([step.first], [step.last])
        self.values[step.y] = self.graph.node("Slice", x, *ends, [-1], [step.stride])

    @emit.register
    def _(self, step: LogSoftmax) -> None:
        self.values[step.y] = self._normalised("LogSoftmax", step)

    @emit.register
    def _(self, step: Softmax) -> None:
        self.values[step.y] = self._normalised("Softmax", step)

    def _normalised(self, operator: str, step: LogSoftmax | Softmax) -> str:
        """A softmax over the last axis, or each of its parts by itself."""
        x, sizes, node = self.values[step.x], step.sizes, self.graph.node
        if len(set(sizes)) == 1:
            return node("Reshape", node(operator, node("Reshape", x, [-1, sizes[0]]), axis=-1), node("Shape", x))
        parts = self.graph.split(x, sizes, [""] * len(sizes)) if sizes else [x]
        made = [node(operator, part, axis=-1) for part in parts]
        return made[0] if len(made) == 1 else node("Concat", *made, axis=-1)

    @emit.register
    def _(self, step: Affine) -> None:
        scaled = self.graph.node("Mul", self.values[step.x], self.graph.number(step.scale))
        self.values[step.y] = self.graph.node("Add", scaled, self.graph.number(step.shift))

    @emit.register
    def _(self, step: Average) -> None:
        parts = [self.graph.node("Unsqueeze", self.values[x], [0]) for x in step.xs]
        value, many = self.graph.node("Concat", *parts, axis=0), len(parts)
        if step.logarithms:
            total = self.graph.node("ReduceLogSumExp", value, [0], keepdims=0)
            self.values[step.y] = self.graph.node("Sub", total, self.graph.number(math.log(many)))
        else:
            self.values[step.y] = self.graph.node("ReduceMean", value, [0], keepdims=0)

    @emit.register
    def _(self, step: Convolution) -> None:
        lengths = self.values.get(step.lengths)
        self.values[step.y] = over_time.convolution(self.graph, step, self.weights, self.values[step.x], lengths)
        if lengths is not None:
            new = self.values[step.new_lengths] = over_time.shortened(self.graph, lengths, step.stride)
            running = column(self.graph, self.values[step.y], new)
            self.values[step.y] = self.graph.node("Where", running, self.values[step.y], self.graph.number(0))

    @emit.register
    def _(self, step: Summary) -> None:
        x = self.values[step.x]
        self.values[step.y] = over_time.summary(self.graph, step, x, self._lengths(step.lengths, x))

    @emit.register
    def _(self, step: Attention) -> None:
        x = self.values[step.x]
        lengths = self._lengths(step.lengths, x)
        self.values[step.y] = over_time.attention(self.graph, step, self.weights, x, lengths)

    @emit.register
    def _(self, step: CrossAttention) -> None:
        between.cross_attention(self.graph, step, self.weights, self.values, self.values.get(step.lengths))

    @emit.register
    def _(self, step: Bridge) -> None:
        final = self._joined(self._final[step.state], axis=0)
        self.values[step.y] = between.bridge(self.graph, step, self.weights, final)

    @emit.register
    def _(self, step: Tanh) -> None:
        self.values[step.y] = self.graph.node("Tanh", self.values[step.x])

    @emit.register
    def _(self, step: Quantiles) -> None:
        known = None if step.known is None else self.values[step.known]
        self.values[step.y] = ahead.quantiles(self.graph, step, self.weights, self.values[step.x], known)

    def _lengths(self, name: str, x: str) -> str:
        """Where sequences end, [B]; where that is no input after the last step."""
        if name in self.values:
            return self.values[name]
        T, B = (self.graph.node("Slice", self.graph.node("Shape", x), [k], [k + 1], [0]) for k in (0, 1))
        return self.graph.node("Expand", T, B)

    # -- recurrent layers

    def _by_operator(self, layer: Layer, found: tuple[Operator, Roles]) -> tuple[str, list[list[str]]]:
        """Output [T,B,D*H] and the final state [D,B,H] of each name, by one operator for both directions."""
        starts = [start for direction in layer.directions for start in direction.starts.values()]
        state = [] if not self._given and set(starts) == {0.0} else self._state_of_all(layer)
        x, lengths = self.values[layer.x], self.values.get(layer.lengths)
        output, final = operators.run(self.graph, layer, found, self.weights, x, state, lengths)
        if self._given and lengths is not None:  # ONNX Runtime ends a sequence without steps at 0
            some = self.graph.node("Unsqueeze", self.graph.node("Greater", lengths, 0), [1])
            final = [self.graph.node("Where", some, *pair) for pair in zip(final, state, strict=True)]
        return output, [[value] for value in final]

    def _by_scans(self, layer: Layer) -> tuple[str, list[list[str]]]:
        """The same by a Scan a direction; the final states [1,B,size] one by one."""
        marks = Marks.of(self.graph, self.values[layer.x], self.values.get(layer.lengths), self.values.get(RESETS))
        outputs, finals = [], []
        for place, direction in enumerate(layer.directions):
            cell = Cell(direction, self.weights, layer.y + "_reverse" * place)
            output, final = self._scan(cell, marks, layer, place)
            outputs.append(output)
            finals.append([self.graph.node("Unsqueeze", value, [0]) for value in final])
        output = self._joined(outputs, axis=-1)
        if (running := marks.columns[1]) is not None:
            output = self.graph.node("Where", running, output, self.graph.number(0))
        return output, [list(parts) for parts in zip(*finals, strict=True)]

    def _scan(self, cell: Cell, marks: Marks, layer: Layer, place: int) -> tuple[str, list[str]]:
        """One direction; the reverse from the last step on, which moves no state where it lies past a length."""
        x, state = self.values[layer.x], self._state_of(layer, place)
        if not place:
            return scan(self.graph, cell, Sequences(x, state, *marks.columns))
        turned = Sequences(self.graph.reversed(x), state, *marks.turned().columns)
        output, final = scan(self.graph, cell, turned)
        return self.graph.reversed(output), final

    def _state_of(self, layer: Layer, place: int) -> list[str]:
        """The state [B,size] of each name that a direction starts from."""
        if self._given:
            return [self.graph.node("Gather", value, layer.slot + place, axis=0) for value in self._given.values()]
        direction = layer.directions[place]
        B = self.graph.node("Slice", self.graph.node("Shape", self.values[layer.x]), [1], [2], [0])
        return [
            self.graph.node(
                "Expand",
                self._start(direction.starts[state.name]),
                self.graph.node("Concat", B, [direction.sizes[state.size]], axis=0),
            )
            for state in direction.program.states
        ]

    def _start(self, start: float | str) -> str:
        return self.graph.constant(self.weights[start], start) if isinstance(start, str) else self.graph.number(start)

    def _state_of_all(self, layer: Layer) -> list[str]:
        """The same of all directions at once, [D,B,size]."""
        D = len(layer.directions)
        if self._given:
            return [self.graph.node("Slice", v, [layer.slot], [layer.slot + D], [0]) for v in self._given.values()]
        places = [[self.graph.node("Unsqueeze", v, [0]) for v in self._state_of(layer, place)] for place in range(D)]
        return [self._joined(parts, axis=0) for parts in zip(*places, strict=True)]

    def _joined(self, parts: Sequence[str], axis: int) -> str:
        return parts[0] if len(parts) == 1 else self.graph.node("Concat", *parts, axis=axis)
