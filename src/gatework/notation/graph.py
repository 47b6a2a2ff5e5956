"""Nodes under construction: each distinct value once, arithmetic with plain numbers done at once."""

import ast
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from gatework.notation.ops import OPS
from gatework.notation.program import Node

INFIX = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div"}


class Graph:
    """A growing list of nodes; `add` returns the index of the node asked for, an old one where it exists."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._index: dict[Node, int] = {}

    def add(self, node: Node) -> int:
        key = replace(node, line=0)
        if key not in self._index:
            self._index[key] = len(self.nodes)
            self.nodes.append(node)
        return self._index[key]

    def number(self, value: float, name: str = "") -> int:
        if not math.isfinite(value):
            raise OverflowError("the result is no finite number")
        return self.add(Node("number", name=name, value=float(value), size="1"))

    def apply(self, op: str, *args: int, line: int = 0, size: str = "") -> int:
        """The node `op(args)`, or the plain number or the argument it equals: 2 * 3, a + 0, 1 * a.

        A constant keeps its place beside a value, whatever it is: dt * a is printed with its dt.
        """
        nodes = [self.nodes[arg] for arg in args]
        if op == "div" and nodes[1].op == "number" and nodes[1].value == 0:
            raise ZeroDivisionError("division by zero")
        if all(node.op == "number" for node in nodes) and not OPS[op].row:
            return self.number(OPS[op].value(*(node.value for node in nodes)))
        match op, [node.value if node.op == "number" and not node.name else None for node in nodes]:
            case ("add" | "sub", [_, 0.0]) | ("mul" | "div", [_, 1.0]) | ("mul", [0.0, _]):
                return args[0]
            case ("add", [0.0, _]) | ("mul", [1.0, _]) | ("mul", [_, 0.0]):
                return args[1]
        return self.add(Node(op, args, size=size, line=line))

    def expression(self, text: str, names: Mapping[str, int], line: int = 0) -> int:
        """The node of an expression of the table of operations, over nodes by name."""
        return self._build(_parsed(text), names, line)

    def _build(self, tree: ast.expr, names: Mapping[str, int], line: int) -> int:
        match tree:
            case ast.Name(id=name):
                return names[name]
            case ast.Constant(value=value):
                return self.number(float(str(value)))
            case ast.UnaryOp(operand=operand):
                return self.apply("neg", self._build(operand, names, line), line=line)
            case ast.BinOp(left=left, op=sign, right=right):
                a, b = self._build(left, names, line), self._build(right, names, line)
                return self.apply(INFIX[type(sign)], a, b, line=line)
            case ast.Call(func=ast.Name(id=name), args=args):
                return self.apply(name, *(self._build(arg, names, line) for arg in args), line=line)
        raise AssertionError(f"the table of operations holds an expression out of the notation: {ast.unparse(tree)}")


@cache
def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body
