"""Steps of a network that go over time: convolutions, and what makes one vector of a sequence."""

from collections.abc import Mapping

import numpy as np

from gatework.network.norm import normed
from gatework.network.steps import Attention, Convolution, Summary
from gatework.onnx.graph import Array, Graph
from gatework.onnx.marks import column


def convolution(graph: Graph, step: Convolution, weights: Mapping[str, Array], x: str, lengths: str | None) -> str:
    """[T,B,C] to [ceil(T/stride),B,N]; the norm is part of the weights. What lies past a length is read as 0."""
    kernel, shift = normed(step, weights)  # [N,C,k], [N]
    W, b = graph.constant(kernel, step.weight), graph.constant(shift, step.shift)
    if lengths is not None:
        x = graph.node("Where", column(graph, x, lengths), x, graph.number(0))
    pads = [step.before, kernel.shape[-1] - 1 - step.before]  # behind as many as an output for the last steps needs
    turned = graph.node("Transpose", x, perm=[1, 2, 0])  # [B,C,T]
    y = graph.node("Relu", graph.node("Conv", turned, W, b, pads=pads, strides=[step.stride]))
    return graph.node("Transpose", y, perm=[2, 0, 1])


def shortened(graph: Graph, lengths: str, stride: int) -> str:
    """ceil(lengths / stride)."""
    return graph.node("Div", graph.node("Add", lengths, stride - 1), stride) if stride > 1 else lengths


def summary(graph: Graph, step: Summary, x: str, lengths: str) -> str:
    """[T,B,S] to [B,S], of the steps within the lengths; past them x is 0."""
    match step.how:
        case "mean":
            counts = graph.node("Cast", graph.node("Unsqueeze", lengths, [1]), to=1)  # [B,1] float32
            return graph.node("Div", graph.node("ReduceSum", x, [0], keepdims=0), counts)
        case "max":
            low = graph.number(-np.inf)
            return graph.node("ReduceMax", graph.node("Where", column(graph, x, lengths), x, low), [0], keepdims=0)
    last = _last(graph, x, lengths)
    if not step.bidirectional:
        return last
    first = graph.node("Gather", x, 0, axis=0)
    return graph.node("Concat", graph.halves(last)[0], graph.halves(first)[1], axis=-1)


def _last(graph: Graph, x: str, lengths: str) -> str:
    """x [T,B,S] at each sequence's last step, [B,S]."""
    B = graph.node("Gather", graph.node("Shape", x), 1, axis=0)
    places = [graph.node("Sub", lengths, 1), graph.node("Range", 0, B, 1)]
    return graph.node("GatherND", x, graph.node("Concat", *(graph.node("Unsqueeze", p, [1]) for p in places), axis=1))


def attention(graph: Graph, step: Attention, weights: Mapping[str, Array], x: str, lengths: str) -> str:
    """[T,B,S] to [B,S]: the mean of x by softmax over time of query . tanh(W x + b)."""
    W, query = (graph.constant(weights[name].T, name) for name in (step.weight, step.query))
    b = graph.constant(weights[step.bias], step.bias)
    scores = graph.node("MatMul", graph.node("Tanh", graph.node("Add", graph.node("MatMul", x, W), b)), query)
    scores = graph.node("Where", column(graph, x, lengths), scores, graph.number(-np.inf))  # [T,B,1]
    shares = graph.node("Softmax", graph.node("Transpose", scores, perm=[1, 2, 0]), axis=-1)  # [B,1,T]
    mean = graph.node("MatMul", shares, graph.node("Transpose", x, perm=[1, 0, 2]))  # [B,1,S]
    return graph.node("Reshape", mean, [0, -1])
