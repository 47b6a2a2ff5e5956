"""A linear layer as a Program without a state: the core packs its matrix, and stores it as narrow as a cell's."""

from functools import cache

from gatework.notation.program import Node, Options, Parameter, Program

_NO_OPTIONS = Options("y", (), (), (), (), ())


@cache
def linear(bias: bool) -> Program:
    """y = W @ x + b, or without b: x [B,I] -> y [B,H] for rows of any kind, W [H,I], b [H]."""
    nodes = [Node("input", name="x", size="I"), Node("product", (0,), name="W", size="H")]
    parameters = [Parameter("W", "matrix", ("H", "I"))]
    if bias:
        nodes += [Node("vector", name="b", size="H"), Node("add", (1, 2), size="H")]
        parameters.append(Parameter("b", "vector", ("H",)))
    lines = ("y = W @ x + b",) if bias else ("y = W @ x",)
    named = (("y", len(nodes) - 1),)
    return Program(lines, _NO_OPTIONS, tuple(nodes), ("x",), (), tuple(parameters), named)
