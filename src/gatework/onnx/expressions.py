"""The operations' table as nodes of ONNX: its column `onnx`, read."""

import ast
from functools import cache
from typing import Any

from gatework.notation.ops import NORM_EPSILON, OPS, Op
from gatework.onnx.graph import Graph


def apply(graph: Graph, op: Op, *args: str) -> str:
    """The value of an operation of the table, of values in the graph."""
    value: str = _build(graph, _parsed(op.onnx), dict(zip("ab", args, strict=False)))
    return value


def _build(graph: Graph, tree: ast.expr, names: dict[str, str]) -> Any:
    match tree:
        case ast.Name(id="EPSILON"):
            return graph.number(NORM_EPSILON)
        case ast.Name(id=name):
            return names[name]
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
            values = [_build(graph, arg, names) for arg in args]
            if name in OPS:
                return apply(graph, OPS[name], *values)
            return graph.node(name, *values, **{str(k.arg): ast.literal_eval(k.value) for k in keywords})
    return ast.literal_eval(tree)  # an axis, or a list of them


@cache
def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body
