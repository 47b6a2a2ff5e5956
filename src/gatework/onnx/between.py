"""Steps between an encoder and a decoder: attention over a memory, and where the decoder's states start."""

from collections.abc import Mapping

import numpy as np

from gatework.network.steps import READ, READ_OUT, Bridge, CrossAttention
from gatework.onnx.graph import Array, Graph
from gatework.onnx.marks import within

HEADS = [1, 2, 0, 3]  # [N,B,heads,features] as [B,heads,N,features]
LEAST = float(np.finfo(np.float32).min)


def cross_attention(
    graph: Graph, step: CrossAttention, weights: Mapping[str, Array], values: dict[str, str], lengths: str | None
) -> None:
    """The context [T,B,M] of queries [T,B,Q], and the mean share [T,B,S] of each step of the memory [S,B,M]."""
    x, memory = values[step.x], values[step.memory]
    asked = x if step.weight is None else _product(graph, x, weights, step.weight)
    seen = None if step.coverage is None else _seen(graph, step, weights, values[READ])
    scores = _scores(graph, step, weights, _heads(graph, asked, step.heads), memory, seen)
    shares = _shares(graph, step, weights, scores, x, memory, lengths)
    if step.coverage is not None:
        now = graph.node("ReduceSum", shares, [2], keepdims=0)  # of one step
        values[READ_OUT] = graph.node("Add", values[READ], now)
    context = graph.node("MatMul", shares, _heads(graph, memory, step.heads))
    values[step.y] = graph.node("Reshape", graph.node("Transpose", context, perm=[2, 0, 1, 3]), [0, 0, -1])
    mean = graph.node("ReduceMean", shares, [1], keepdims=0)
    values[step.shares] = graph.node("Transpose", mean, perm=[1, 0, 2])


def _scores(
    graph: Graph, step: CrossAttention, weights: Mapping[str, Array], asked: str, memory: str, seen: str | None
) -> str:
    """How well queries [B,heads,T,A] and the steps of a memory [S,B,M] fit, [B,heads,T,S]; seen: [B,heads,1,..,S]."""
    if step.key is None or step.query is None:
        keys = graph.node("Transpose", _heads(graph, memory, step.heads), perm=[0, 1, 3, 2])
        products = graph.node("MatMul", asked, keys)
        return products if seen is None else graph.node("Add", products, graph.node("ReduceSum", seen, [3], keepdims=0))
    keys = _product(graph, memory, weights, step.key)
    if step.bias is not None:
        keys = graph.node("Add", keys, graph.constant(weights[step.bias], step.bias))
    keys = graph.node("Unsqueeze", _heads(graph, keys, step.heads), [2])
    fit = graph.node("Add", graph.node("Unsqueeze", asked, [3]), keys)  # [B,heads,T,S,A]
    if seen is not None:
        fit = graph.node("Add", fit, graph.node("Transpose", seen, perm=[0, 1, 2, 4, 3]))
    query = graph.constant(weights[step.query][:, None, None], step.query)
    return graph.node("ReduceSum", graph.node("Mul", graph.node("Tanh", fit), query), [-1], keepdims=0)


def _seen(graph: Graph, step: CrossAttention, weights: Mapping[str, Array], read: str) -> str:
    """What the scores take in of what was read before [B,heads,S], [B,heads,1,A or 1,S]."""
    assert step.coverage is not None
    kernel = weights[step.coverage]
    side = kernel.shape[-1] // 2
    seen = graph.node("Conv", read, graph.constant(kernel, step.coverage), pads=[side, side])
    S = graph.node("Slice", graph.node("Shape", read), [2], [3], [0])
    shape = graph.node("Concat", [0, step.heads, 1, len(kernel) // step.heads], S, axis=0)
    return graph.node("Reshape", seen, shape)


def _shares(
    graph: Graph,
    step: CrossAttention,
    weights: Mapping[str, Array],
    scores: str,
    x: str,
    memory: str,
    lengths: str | None,
) -> str:
    """The softmax over S of scores [B,heads,T,S] within lengths and window; 0 outside."""
    inside = None
    if lengths is not None:
        running = graph.node("Transpose", within(graph, memory, lengths), perm=[1, 0])  # [B,S]
        inside = graph.node("Unsqueeze", running, [1, 2])
    distance = None if step.window is None else _distance(graph, step, weights, x, memory, lengths)
    if distance is not None:
        near = graph.node("Not", graph.node("Less", graph.number(1), graph.node("Abs", distance)))
        inside = near if inside is None else graph.node("And", inside, near)
    if inside is None:
        return graph.node("Softmax", scores, axis=-1)
    shares = graph.node("Softmax", graph.node("Where", inside, scores, graph.number(LEAST)), axis=-1)
    shares = graph.node("Where", inside, shares, graph.number(0))  # also where no step is inside
    if distance is None:
        return shares
    square = graph.node("Mul", graph.node("Mul", distance, distance), graph.number(-2))
    return graph.node("Mul", shares, graph.node("Exp", square))


def _distance(
    graph: Graph, step: CrossAttention, weights: Mapping[str, Array], x: str, memory: str, lengths: str | None
) -> str:
    """How far the steps of a memory are from where queries look, in windows, [B,heads,T,S]."""
    W, b, v = step.place
    assert step.window is not None
    hidden = graph.node("Tanh", graph.node("Add", _product(graph, x, weights, W), graph.constant(weights[b], b)))
    share = graph.node("Transpose", graph.node("Sigmoid", _product(graph, hidden, weights, v)), perm=[1, 2, 0])
    S = graph.node("Gather", graph.node("Shape", memory), 0, axis=0)
    last = graph.node("Sub", S if lengths is None else lengths, 1)  # [] or [B]
    last = graph.node("Max", graph.node("Cast", last, to=1), graph.number(0))
    last = last if lengths is None else graph.node("Unsqueeze", last, [1, 2, 3])
    middle = graph.node("Mul", graph.node("Unsqueeze", share, [3]), last)
    steps = graph.node("Cast", graph.node("Range", 0, S, 1), to=1)
    return graph.node("Div", graph.node("Sub", steps, middle), graph.number(step.window))


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
