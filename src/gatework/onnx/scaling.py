"""Measured numbers to what a network reads, as the first nodes of a model."""

import numpy as np

from gatework.onnx.graph import Graph
from gatework.runs.scaling import FARTHEST, Bends, Scaling


def scaled(graph: Graph, x: str, scaling: Scaling) -> str:
    """[T,B,C] to what `Scaling.encode` makes of it, [T,B,I]."""
    gaps = graph.node("IsNaN", x)
    distance = graph.node("Sub", _bent(graph, x, scaling.bent), _row(graph, scaling.mean))
    value = graph.node("Div", distance, _row(graph, scaling.scale))
    value = graph.node("Max", graph.node("Min", value, graph.number(FARTHEST)), graph.number(-FARTHEST))
    value = graph.node("Where", gaps, graph.number(0), value)
    missing = [column for column, there in enumerate(scaling.missing) if there]
    if not missing:
        return value
    where = graph.node("Gather", graph.node("Cast", gaps, to=1), missing, axis=2)  # float32
    return graph.node("Concat", value, where, axis=-1)


def _bent(graph: Graph, x: str, bends: Bends) -> str:
    if not any(bends):
        return x
    middle, unit = zip(*(bend or (0.0, 1.0) for bend in bends), strict=True)
    bent = graph.node("Asinh", graph.node("Div", graph.node("Sub", x, _row(graph, middle)), _row(graph, unit)))
    return graph.node("Where", graph.constant(np.array([bend is not None for bend in bends])), bent, x)


def _row(graph: Graph, values: tuple[float, ...]) -> str:
    return graph.constant(np.array(values, np.float32))
