"""A network and its weights as a model of ONNX, checked."""

from collections.abc import Mapping
from dataclasses import dataclass

import onnx
from gatework.errors import InputError
from gatework.network import Network, Port
from gatework.network.steps import LENGTHS, RESETS
from gatework.onnx.emission import Emission
from gatework.onnx.graph import OLDEST, Array, Graph
from onnx import ModelProto, helper

MOST = 2**31 - 1  # bytes that a file of ONNX holds


@dataclass(frozen=True)
class Options:
    """states: go in and come out. lengths, resets: are inputs. batch_first: what goes in and comes out is [B,T,...].

    operators: cells that are operators of ONNX become them. opset: version of the operators.
    """

    states: bool = True
    lengths: bool = False
    resets: bool = False
    batch_first: bool = False
    operators: bool = True
    opset: int | None = None


def model(network: Network, weights: Mapping[str, Array], options: Options, metadata: Mapping[str, str]) -> ModelProto:
    """The model, which onnx has checked in full. weights: by the network's names."""
    opset = _opset(options.opset)
    graph = Graph(opset)
    emission = Emission(graph, weights, operators=options.operators)
    ports = [*network.inputs]
    ports += [Port(LENGTHS, ("B",), "int64")] * options.lengths + [Port(RESETS, ("T", "B"), "bool")] * options.resets
    for port in ports:
        emission.values[port.name] = _input(graph, port, options.batch_first)
    given = [graph.input(name, (slots, "B", size)) for name, (slots, size) in network.states.items() if options.states]
    emission.begin(network, given)
    for step in network.steps:
        emission.emit(step)
    for port in network.outputs:
        value = emission.values[port.name]
        value = _turned(graph, value, port) if options.batch_first else value
        graph.output(port.name, value, _shape(port, options.batch_first), port.dtype)
    for (name, (slots, size)), value in zip(network.states.items(), emission.final() if given else (), strict=False):
        graph.output(f"{name}_out", value, (slots, "B", size))
    return _checked(graph, opset, metadata)


def _opset(opset: int | None) -> int:
    newest = onnx.defs.onnx_opset_version()
    if opset is not None and not OLDEST <= opset <= newest:
        raise InputError(f"opset={opset}: expected {OLDEST} to {newest}, which the installed onnx knows")
    return OLDEST if opset is None else opset


def _shape(port: Port, batch_first: bool) -> tuple[str | int, ...]:
    first, *rest = port.shape
    return (rest[0], first, *rest[1:]) if batch_first and first == "T" else port.shape


def _input(graph: Graph, port: Port, batch_first: bool) -> str:
    value = graph.input(port.name, _shape(port, batch_first), port.dtype)
    return _turned(graph, value, port) if batch_first else value


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
