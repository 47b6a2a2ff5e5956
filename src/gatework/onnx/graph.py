"""A graph of ONNX under construction: names, constants, nodes, and what differs between versions of operators."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

Array = npt.NDArray[Any]
Input = str | int | Sequence[int]  # a value by its name, or numbers that become a constant

OLDEST = 11  # opset: the first in which CumSum is an operator, and all others take negative axes
# Operators that take their last list of numbers as an input from this opset on, and as an attribute before.
_AS_INPUT = {
    "ReduceSum": ("axes", 13),
    "ReduceMean": ("axes", 18),
    "ReduceMax": ("axes", 18),
    "ReduceLogSumExp": ("axes", 18),
    "Split": ("split", 13),
    "Unsqueeze": ("axes", 13),
}
TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "uint8": TensorProto.UINT8, "bool": TensorProto.BOOL}


class Graph:
    """A graph, or the body of one of its Scans, which shares its names and sees none of its values.

    prefix: what all names begin with.
    """

    def __init__(self, opset: int, names: Counter[str] | None = None, prefix: str = "") -> None:
        self.opset, self.prefix = opset, prefix
        self._names: Counter[str] = Counter() if names is None else names
        self._nodes: list[NodeProto] = []
        self._constants: dict[bytes, str] = {}
        self._tensors: list[TensorProto] = []
        self._made: dict[tuple[Any, ...], str] = {}
        self._results: set[str] = set()
        self._renamed: dict[str, str] = {}
        self._inputs: list[ValueInfoProto] = []
        self._outputs: list[ValueInfoProto] = []

    def body(self) -> "Graph":
        return Graph(self.opset, self._names, self.prefix)

    def name(self, wanted: str) -> str:
        """The name, with a number behind it where it is taken."""
        wanted = self.prefix + wanted
        while True:
            self._names[wanted] += 1
            if self._names[wanted] == 1:
                return wanted
            wanted = f"{wanted}_{self._names[wanted]}"

    def input(self, wanted: str, shape: Sequence[str | int], dtype: str = "float32") -> str:
        name = self.name(wanted)
        self._inputs.append(helper.make_tensor_value_info(name, TYPES[dtype], list(shape)))
        return name

    def output(self, wanted: str, value: str, shape: Sequence[str | int], dtype: str = "float32") -> None:
        """Has a value leave the graph, by this name from now on."""
        name = self.name(wanted)
        if value in self._results and value not in self._renamed:
            self._renamed[value] = name
        else:  # what came in, or leaves by another name too
            self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, TYPES[dtype], list(shape)))

    def constant(self, value: Array, wanted: str = "constant") -> str:
        """The name of a constant; equal ones are one."""
        key = hashlib.sha256(f"{value.dtype}{value.shape}".encode() + value.tobytes()).digest()
        if key not in self._constants:
            name = self._constants[key] = self.name(wanted)
            self._tensors.append(numpy_helper.from_array(value, name))
        return self._constants[key]

    def number(self, value: float) -> str:
        return self.constant(np.array(value, np.float32))

    def node(self, operator: str, *inputs: Input, wanted: str = "", **attributes: Any) -> str:
        """The one result of an operator; the same call again is the same value."""
        key = operator, *map(str, inputs), repr(attributes)
        if key not in self._made:
            (self._made[key],) = self.nodes(operator, [wanted], *inputs, **attributes)
        return self._made[key]

    def nodes(self, operator: str, wanted: Sequence[str], *inputs: Input, **attributes: Any) -> list[str]:
        """The results of an operator, by these names."""
        listed, since = _AS_INPUT.get(operator, ("", 0))
        if self.opset < since and isinstance(inputs[-1], list):
            *inputs, attributes[listed] = inputs  # type: ignore[assignment]
        names = [self.name(name or operator.lower()) for name in wanted]
        node = helper.make_node(operator, [self._as_input(value) for value in inputs], names, **attributes)
        self._nodes.append(node)
        self._results.update(names)
        return names

    def _as_input(self, value: Input) -> str:
        return value if isinstance(value, str) else self.constant(np.array(value, np.int64))

    def split(self, value: str, sizes: Sequence[int], wanted: Sequence[str]) -> list[str]:
        """The parts of a value along its last axis."""
        return [value] if len(sizes) == 1 else self.nodes("Split", wanted, value, list(sizes), axis=-1)

    def halves(self, value: str) -> list[str]:
        """The first and the second half of a value along its last axis."""
        return self.nodes("Split", ["", ""], value, axis=-1, **({"num_outputs": 2} if self.opset >= 18 else {}))

    def reversed(self, value: str) -> str:
        """A value with its steps, the first axis, in reverse order."""
        return self.node("Slice", value, [-1], [-(1 << 62)], [0], [-1])

    def built(self, name: str, doc: str = "") -> GraphProto:
        for node in self._nodes:
            node.input[:] = [self._renamed.get(value, value) for value in node.input]
            node.output[:] = [self._renamed.get(value, value) for value in node.output]
        return helper.make_graph(self._nodes, name, self._inputs, self._outputs, self._tensors, doc_string=doc)
