"""Measured numbers to what a network reads, as the first nodes of a model."""

from dataclasses import dataclass

import numpy as np

from gatework.onnx.graph import Graph


@dataclass(frozen=True)
class Scaling:
    """Of each of C columns (bend(x) - mean) / scale, at most `farthest` from 0; a missing number, NaN, becomes 0.

    missing: the columns for each of which a further one says where a number is missing, 1 or 0. bent: bend(x) is
    asinh((x - middle) / unit) of a column with (middle, unit), x of one with None.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    farthest: float
    missing: tuple[int, ...] = ()
    bent: tuple[tuple[float, float] | None, ...] = ()

    def scaled(self, graph: Graph, x: str) -> str:
        """[T,B,C] to [T,B,C + the number of `missing`]."""
        gaps = graph.node("IsNaN", x)
        value = graph.node(
            "Div", graph.node("Sub", self._bent(graph, x), _row(graph, self.mean)), _row(graph, self.scale)
        )
        value = graph.node("Max", graph.node("Min", value, graph.number(self.farthest)), graph.number(-self.farthest))
        value = graph.node("Where", gaps, graph.number(0), value)
        if not self.missing:
            return value
        where = graph.node("Gather", graph.node("Cast", gaps, to=1), list(self.missing), axis=2)  # float32
        return graph.node("Concat", value, where, axis=-1)

    def _bent(self, graph: Graph, x: str) -> str:
        if not any(self.bent):
            return x
        middle, unit = zip(*(bend or (0.0, 1.0) for bend in self.bent), strict=True)
        bent = graph.node("Asinh", graph.node("Div", graph.node("Sub", x, _row(graph, middle)), _row(graph, unit)))
        return graph.node("Where", graph.constant(np.array([bend is not None for bend in self.bent])), bent, x)


def _row(graph: Graph, values: tuple[float, ...]) -> str:
    return graph.constant(np.array(values, np.float32))
