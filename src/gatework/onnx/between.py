"""Steps between an encoder and a decoder: attention over a memory, and where the decoder's states start."""

from collections.abc import Mapping

import numpy as np

from gatework.network.steps import Bridge, CrossAttention
from gatework.onnx.graph import Array, Graph
from gatework.onnx.marks import within

HEADS = [1, 2, 0, 3]  # [N,B,heads,features] as [B,heads,N,features]
LEAST = float(np.finfo(np.float32).min)


def cross_attention(
    graph: Graph, step: CrossAttention, weights: Mapping[str, Array], x: str, memory: str, lengths: str | None
) -> tuple[str, str]:
    """The context [T,B,M] of queries x [T,B,Q], and the mean share [T,B,S] of each step of the memory [S,B,M]."""
    asked = x if step.weight is None else _product(graph, x, weights, step.weight)
    values = _heads(graph, memory, step.heads)
    scores = _scores(graph, step, weights, _heads(graph, asked, step.heads), memory)
    if lengths is None:
        shares = graph.node("Softmax", scores, axis=-1)
    else:
        running = graph.node("Transpose", within(graph, memory, lengths), perm=[1, 0])  # [B,S]
        running = graph.node("Unsqueeze", running, [1, 2])
        shares = graph.node("Softmax", graph.node("Where", running, scores, graph.number(LEAST)), axis=-1)
        shares = graph.node("Where", running, shares, graph.number(0))  # also where a sequence has no step
    context = graph.node("Transpose", graph.node("MatMul", shares, values), perm=[2, 0, 1, 3])
    mean = graph.node("Transpose", graph.node("ReduceMean", shares, [1], keepdims=0), perm=[1, 0, 2])
    return graph.node("Reshape", context, [0, 0, -1]), mean


def _scores(graph: Graph, step: CrossAttention, weights: Mapping[str, Array], asked: str, memory: str) -> str:
    """How well queries [B,heads,T,A] and the steps of a memory [S,B,M] fit, [B,heads,T,S]."""
    if step.key is None or step.query is None:
        keys = graph.node("Transpose", _heads(graph, memory, step.heads), perm=[0, 1, 3, 2])
        return graph.node("MatMul", asked, keys)
    keys = _product(graph, memory, weights, step.key)
    if step.bias is not None:
        keys = graph.node("Add", keys, graph.constant(weights[step.bias], step.bias))
    keys = graph.node("Unsqueeze", _heads(graph, keys, step.heads), [2])
    fit = graph.node("Tanh", graph.node("Add", graph.node("Unsqueeze", asked, [3]), keys))  # [B,heads,T,S,A]
    query = graph.constant(weights[step.query][:, None, None], step.query)
    return graph.node("ReduceSum", graph.node("Mul", fit, query), [-1], keepdims=0)


def _product(graph: Graph, x: str, weights: Mapping[str, Array], weight: str) -> str:
    return graph.node("MatMul", x, graph.constant(np.ascontiguousarray(weights[weight].T), weight))


def _heads(graph: Graph, value: str, heads: int) -> str:
    """[N,B,features] as [B,heads,N,features/heads]."""
    return graph.node("Transpose", graph.node("Reshape", value, [0, 0, heads, -1]), perm=HEADS)


def bridge(graph: Graph, step: Bridge, weights: Mapping[str, Array], final: str) -> str:
    """Where a state of a decoder starts [L,B,size], from the state [L*D,B,H] that the encoder's layers end with."""
    if not step.weights:
        B = graph.node("Slice", graph.node("Shape", final), [1], [2], [0])
        shape = graph.node("Concat", [step.layers], B, [step.size], axis=0)
        return graph.node("Expand", graph.number(step.start), shape)
    rows, D, made = slice(step.first, step.first + step.size), step.directions, []
    for layer, (W, b) in enumerate(zip(step.weights, step.biases, strict=True)):
        own = graph.node("Slice", final, [layer * D], [(layer + 1) * D], [0])
        h = graph.node("Reshape", graph.node("Transpose", own, perm=[1, 0, 2]), [0, -1])  # [B,D*H]
        product = graph.node("MatMul", h, graph.constant(np.ascontiguousarray(weights[W][rows].T), W))
        value = graph.node("Tanh", graph.node("Add", product, graph.constant(weights[b][rows], b)))
        made.append(graph.node("Unsqueeze", graph.node("Add", value, graph.number(step.start)), [0]))
    return made[0] if len(made) == 1 else graph.node("Concat", *made, axis=0)
