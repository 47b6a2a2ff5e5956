"""A network and its weights as a model of ONNX, checked."""

from collections.abc import Mapping
from dataclasses import dataclass

import onnx
from onnx import ModelProto, helper

from gatework.errors import InputError
from gatework.network import Network, Port
from gatework.network.steps import LENGTHS, RESETS
from gatework.onnx.described import Described, starts
from gatework.onnx.emission import Emission
from gatework.onnx.graph import OLDEST, Graph
from gatework.onnx.scaling import scaled

MOST = 2**31 - 1  # bytes that a file of ONNX holds


@dataclass(frozen=True)
class Options:
    """states: go in and come out. lengths, resets: are inputs.

    operators: cells that are operators of ONNX become them. opset: version of the operators.
    """

    states: bool = True
    lengths: bool = False
    resets: bool = False
    operators: bool = True
    opset: int | None = None


def model(what: Described, options: Options) -> ModelProto:
    """The model, which onnx has checked in full."""
    network, opset = what.network, _opset(options.opset)
    graph = Graph(opset)
    emission = Emission(graph, what.weights, operators=options.operators)
    for port in _inputs(network, options):
        emission.values[port.name] = _input(graph, port, what)
    if what.scaling is not None:
        first = network.inputs[0].name
        emission.values[first] = scaled(graph, emission.values[first], what.scaling)
    states = network.states if options.states else {}
    emission.begin(network, [graph.input(name, (slots, "B", size)) for name, (slots, size) in states.items()])
    for step in network.steps:
        emission.emit(step)
    for port in network.outputs:
        value = emission.values[port.name]
        value = value if what.ending is None else what.ending.written(graph, emission.values, value)
        value = _turned(graph, value, port) if what.batch_first else value
        graph.output(port.name, value, _shape(port, what), port.dtype)
    for (name, (slots, size)), value in zip(states.items(), emission.final() if states else (), strict=True):
        graph.output(f"{name}_out", value, (slots, "B", size))
    start = {"start": starts(network, what.weights)} if states else {}
    return _checked(graph, opset, {**what.metadata, **start})


def _inputs(network: Network, options: Options) -> list[Port]:
    """What goes in beside the states."""
    more = [Port(LENGTHS, ("B",), "int64")] * options.lengths + [Port(RESETS, ("T", "B"), "bool")] * options.resets
    names = {port.name for port in network.inputs}
    return [*network.inputs, *(port for port in more if port.name not in names)]


def _opset(opset: int | None) -> int:
    newest = onnx.defs.onnx_opset_version()
    if opset is not None and not OLDEST <= opset <= newest:
        raise InputError(f"opset={opset}: expected {OLDEST} to {newest}, which the installed onnx knows")
    return OLDEST if opset is None else opset


def _shape(port: Port, what: Described) -> tuple[str | int, ...]:
    first, *rest = port.shape
    return (rest[0], first, *rest[1:]) if what.batch_first and first == "T" else port.shape


def _input(graph: Graph, port: Port, what: Described) -> str:
    shape = _shape(port, what)
    if what.scaling is not None and port == what.network.inputs[0]:  # before it is scaled
        shape = (*shape[:-1], what.scaling.columns)
    value = graph.input(port.name, shape, port.dtype)
    return _turned(graph, value, port) if what.batch_first else value


def _turned(graph: Graph, value: str, port: Port) -> str:
    """[B,T,...] as [T,B,...], or back; what has no steps stays."""
    if port.shape[0] != "T":
        return value
    return graph.node("Transpose", value, perm=[1, 0, *range(2, len(port.shape))])


def _checked(graph: Graph, opset: int, metadata: Mapping[str, str]) -> ModelProto:
    opsets = [helper.make_opsetid("", opset)]
    made = helper.make_model(
        graph.built("gatework", metadata.get("equations", "")),
        opset_imports=opsets,
        ir_version=helper.find_min_ir_version_for(opsets),
        producer_name="gatework",
        producer_version=metadata.get("gatework", ""),
    )
    helper.set_model_props(made, dict(metadata))
    if (size := made.ByteSize()) > MOST:
        raise InputError(f"the model takes {size / 1e9:.1f} GB, and a file of ONNX holds 2")
    onnx.checker.check_model(made, full_check=True)
    return made
