"""A user's own model of torch with layers in it: how torch.onnx.export(dynamo=True) translates `gatework::scan`."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple

import onnx
import onnx_ir as ir
import torch
from onnxscript import evaluator
from torch import Tensor, nn

from gatework.engines import choose
from gatework.engines.native.operators import scan as operator
from gatework.errors import InputError
from gatework.layers import Recurrent
from gatework.network import Network, Port
from gatework.network.steps import LENGTHS, RESETS, Direction, Layer
from gatework.notation import Program
from gatework.notation.recipe import read
from gatework.onnx.described import arrays
from gatework.onnx.emission import Emission
from gatework.onnx.graph import Graph

OPSET = 18  # in which torch's own translations are written
Parameters = Mapping[str, Tensor]


class Call(NamedTuple):
    """The arguments of `gatework::scan`."""

    recipe: str
    tensors: Sequence[ir.Value]
    record: str
    lengths: ir.Value | None
    resets: ir.Value | None
    train: bool
    recompute: bool


def module(model: nn.Module, example: Sequence[Any] | None, dynamic_shapes: Any, opset: int | None) -> Any:
    """Any module with layers in it as a model of ONNX, by torch.onnx.export."""
    if example is None:
        raise InputError(
            f"a {type(model).__name__} is traced with inputs: gw.onnx.export(model, path, example=(x,)), and "
            "dynamic_shapes=({0: 'T', 1: 'B'},) for sizes that are to be free"
        )
    table = translations(model)
    options = {"opset_version": opset, "dynamic_shapes": dynamic_shapes, "verbose": False}
    try:
        with warnings.catch_warnings(category=FutureWarning, action="ignore"):  # torch's, about itself
            made = torch.onnx.export(model, tuple(example), dynamo=True, custom_translation_table=table, **options)
    except Exception as error:
        if (own := _own(error)) is not None:
            raise own from None
        raise
    assert made is not None
    onnx.checker.check_model(made.model_proto, full_check=True)
    return made.model_proto


def _own(error: BaseException | None) -> InputError | None:
    """The error of ours that an error of torch was raised from."""
    return error if error is None or isinstance(error, InputError) else _own(error.__cause__)


def translations(model: nn.Module) -> dict[Callable[..., Any], Callable[..., Any]]:
    """What torch.onnx.export(model, ..., dynamo=True, custom_translation_table=...) takes for a model with layers.

    Args:
        model: the module that is exported, which has the layers' weights.
    """
    for name, layer in model.named_modules():
        if isinstance(layer, Recurrent):
            _check_layer(name, layer)
    named = {f"p_{name.replace('.', '_')}".lower(): tensor for name, tensor in model.named_parameters()}

    places = count()

    def translate(*arguments: Any) -> list[ir.Value]:
        return translated(Call(*arguments), named, f"scan_{next(places)}.")

    return {getattr(torch.ops.gatework, operator._name).default: translate}


def _check_layer(name: str, layer: Recurrent) -> None:
    """Raises InputError for a layer that torch would not see as one operation, and would write out step by step."""
    anchor = layer.anchor
    engine = choose(layer.engine, anchor.device, anchor.dtype, layer.lacks)
    if engine.name != "native" or anchor.dtype != torch.float32:
        raise InputError(
            f"{name} runs in {anchor.dtype} on {anchor.device}, engine {engine.name}; expected float32 on the CPU and "
            "the native engine: model.float().cpu(), layers with engine='auto'"
        )


def translated(call: Call, parameters: Parameters, prefix: str) -> list[ir.Value]:
    """Writes a scan into the graph that torch is making: output and final states; names begin with the prefix."""
    program = read(call.recipe)
    states = len(program.states)
    x, *rest = call.tensors[: 1 + 2 * states]
    _check(call, program, rest[states:] if call.resets is not None else (), parameters)
    weights = dict(zip((p.name for p in program.parameters), call.tensors[1 + 2 * states :], strict=True))
    network, arrays_by_name = _network(program, {name: _numbers(value, parameters) for name, value in weights.items()})
    graph = _graph(network, arrays_by_name, call, prefix)
    given = [x, *rest[:states], *(value for value in (call.lengths, call.resets) if value is not None)]
    return inlined(graph, given)


def _check(call: Call, program: Program, starts: Sequence[ir.Value], parameters: Parameters) -> None:
    """Raises InputError for a scan that has no translation."""
    if call.record or call.train:
        raise InputError("a model is exported outside training: call eval(), and export it outside gw.record")
    if len(program.inputs) > 1:
        raise InputError(
            f"{', '.join(program.inputs[1:])} has no translation within a model of torch; gw.onnx.export writes "
            "the layer by itself"
        )
    if any(_is_learnt(start, parameters) for start in starts):
        raise InputError(
            "resets to a learnt start have no translation within a model of torch; gw.onnx.export writes the layer by "
            "itself"
        )


def _is_learnt(start: ir.Value | None, parameters: Parameters) -> bool:
    """Whether a start state is computed from a layer's learnt ones."""
    node = None if start is None else start.producer()
    if node is None:
        return start is not None and start.name in parameters and "_initial_" in start.name
    return any(_is_learnt(each, parameters) for each in node.inputs)


def _numbers(value: ir.Value, parameters: Parameters) -> Tensor:
    if value.name not in parameters:
        raise InputError(
            "a layer's weights are computed in the model, by a norm or another parametrisation: bake them in first, by "
            "torch.nn.utils.parametrize.remove_parametrizations"
        )
    return parameters[value.name]


def _network(program: Program, weights: Mapping[str, Tensor]) -> tuple[Network, Mapping[str, Any]]:
    """One direction of one layer, and its weights as arrays."""
    shapes = {p.name: p.shape for p in program.parameters}
    sizes = {side: size for name, own in weights.items() for side, size in zip(shapes[name], own.shape, strict=True)}
    starts: dict[str, float | str] = {state.name: state.start for state in program.states}
    direction = Direction(program, sizes, {name: name for name in weights}, starts, {})
    x, y = Port("x", ("T", "B", sizes[program.nodes[0].size])), Port("y", ("T", "B", sizes[program.output_size]))
    return Network((x,), (y,), (Layer("x", "y", (direction,)),)), arrays(weights)


def _graph(network: Network, weights: Mapping[str, Any], call: Call, prefix: str) -> ir.Graph:
    """The scan as a graph by itself: x, states [B,size], lengths and resets in, output and final states out."""
    graph = Graph(OPSET, prefix=prefix)
    emission = Emission(graph, weights, operators=True)
    (x,), (y,) = network.inputs, network.outputs
    emission.values[x.name] = graph.input(x.name, x.shape)
    given = [graph.input(name, ("B", size)) for name, (_, size) in network.states.items()]
    if call.lengths is not None:
        emission.values[LENGTHS] = graph.input(LENGTHS, ("B",), "int64")
    if call.resets is not None:
        emission.values[RESETS] = graph.node("Cast", graph.input(RESETS, ("T", "B"), "uint8"), to=9)  # bool
    emission.begin(network, [graph.node("Unsqueeze", value, [0]) for value in given])
    for step in network.steps:
        emission.emit(step)
    graph.output(y.name, emission.values[y.name], y.shape)
    for (name, (_, size)), value in zip(network.states.items(), emission.final(), strict=True):
        graph.output(f"{name}_out", graph.node("Gather", value, 0, axis=0), ("B", size))
    return ir.serde.deserialize_graph(graph.built("scan"))


def inlined(graph: ir.Graph, given: Sequence[ir.Value]) -> list[ir.Value]:
    """Moves the nodes of a graph into the one that torch is making; returns its outputs."""
    recorder = evaluator.default()
    for inner, outer in zip(graph.inputs, given, strict=True):
        ir.convenience.replace_all_uses_with(inner, outer)
    for value in graph.initializers.values():
        constant = ir.Node("", "Constant", [], [ir.AttrTensor("value", value.const_value)])
        ir.convenience.replace_all_uses_with(value, constant.outputs[0])
        recorder.nodes.append(constant)
    outputs, nodes = list(graph.outputs), list(graph)
    graph.outputs.clear()
    graph.remove(nodes)
    for node in nodes:
        recorder.nodes.append(node)
    return outputs
