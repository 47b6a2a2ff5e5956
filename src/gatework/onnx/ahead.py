"""Quantiles that several networks side by side expect."""

from collections.abc import Mapping

from gatework.network.steps import Quantiles
from gatework.onnx.graph import Array, Graph


def quantiles(graph: Graph, step: Quantiles, weights: Mapping[str, Array], x: str, known: str | None) -> str:
    """x [B,M*H] and columns known in the future [B,h,K] to the mean [B,h,P] of the networks from `first` on."""
    W, b, first = weights[step.weight], weights[step.bias], step.first  # [M,H,h*P], [M,h,P]
    M, H, _ = W.shape
    each = graph.node("Transpose", graph.node("Reshape", x, [-1, M, H]), perm=[1, 0, 2])
    each = graph.node("Slice", each, [first], [M], [0])  # [M,B,H]
    made = graph.node("MatMul", each, graph.constant(W[first:], step.weight))
    made = graph.node("Reshape", made, [M - first, -1, *b.shape[1:]])  # [M,B,h,P]
    made = graph.node("Add", made, graph.constant(b[first:, None], step.bias))
    if known is not None and step.mix is not None and step.mixed is not None:
        mix, mixed = weights[step.mix][first:], weights[step.mixed][first:]
        by_state = graph.node("MatMul", each, graph.constant(mix[:, :H], f"{step.mix}.state"))
        by_known = graph.node("MatMul", known, graph.constant(mix[:, None, H:], f"{step.mix}.known"))
        units = graph.node("Tanh", graph.node("Add", graph.node("Unsqueeze", by_state, [2]), by_known))  # [M,B,h,U]
        made = graph.node("Add", made, graph.node("MatMul", units, graph.constant(mixed[:, None], step.mixed)))
    return graph.node("ReduceMean", made, [0], keepdims=0)
