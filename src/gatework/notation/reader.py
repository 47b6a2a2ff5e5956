"""Statements to Program: one walk over the lines, in order, that grows the graph of nodes."""

import ast
import math

from gatework.notation.checks import check_constants, check_names, hint, states_of, targets, unusable
from gatework.notation.graph import INFIX, Graph
from gatework.notation.ops import OPS, functions
from gatework.notation.program import Node, Options, Program
from gatework.notation.retention import called, direct, retention
from gatework.notation.sizes import sized
from gatework.notation.source import EquationError, Statement, closest


class Reader:
    """Reads the lines of one text."""

    def __init__(self, lines: tuple[Statement, ...], options: Options) -> None:
        self.options = options
        self.constants = dict(options.constants)
        self.assigned = targets(lines, self.constants)
        check_constants(self.constants)
        self.graph = Graph()
        self.values: dict[str, int] = {}  # what a name means after its line
        self.written: dict[str, int] = {}  # each line's own value, before masks and taps
        self.kinds: dict[str, str] = {}  # parameter -> "matrix" or "vector", in order of appearance
        self.carried: set[str] = set()
        self.inputs: list[str] = []
        self.used_constants: list[str] = []

    def program(self, lines: tuple[str, ...]) -> Program:
        self.input("x", 0)
        for line in self.assigned.values():
            self.values[line.name] = self.assign(line)
        states = self.check_whole()
        new = {name: self.carry(name) for name in states}
        retentions = {called(name): self.retention(name, new[name]) for name in self.options.retention}
        program = Program(
            lines=lines,
            options=self.options,
            nodes=tuple(self.graph.nodes),
            inputs=tuple(self.inputs),
            states=(),
            parameters=(),
            named=tuple((self.values | new | retentions).items()),
        )
        places = {name: (value, self.written[name], self.assigned[name].number) for name, value in new.items()}
        return sized(program, places, dict(self.options.start), self.kinds)

    # -- the lines

    def assign(self, line: Statement) -> int:
        value = self.written[line.name] = self.read(line.expression, line)
        if self.graph.nodes[value].op == "number":
            raise line.error(line.expression, f"{line.name} is always the same number; expected a value per unit")
        if line.name in self.options.dropout:
            value = self.graph.apply("mul", value, self.input(f"dropout {line.name}", line.number), line=line.number)
        if line.name in self.options.taps and line.name not in self.options.zoneout:
            value = self.tap(line.name, value, line.number)
        return value

    def carry(self, name: str) -> int:
        """The value of a state that the next step sees: with zoneout, the new one only where the mask lets it move."""
        value, line = self.values[name], self.assigned[name].number
        if name not in self.options.zoneout:
            return value
        moves = self.input(f"zoneout {name}", line)
        names = {"new": value, "old": self.state(name, line), "moves": moves}
        value = self.graph.expression("old + moves * (new - old)", names, line)
        return self.tap(name, value, line) if name in self.options.taps else value

    def tap(self, name: str, value: int, line: int) -> int:
        return self.graph.apply("add", value, self.input(f"tap {name}", line), line=line)

    def retention(self, name: str, value: int) -> int:
        old = self.state(name, self.assigned[name].number)
        if value not in direct(self.graph.nodes, old):
            raise EquationError(f"retention: {name} has no direct path from step to step: no pointwise one leads there")
        return retention(self.graph, value, old)

    # -- the expressions

    def read(self, tree: ast.expr, line: Statement) -> int:
        match tree:
            case ast.Constant():
                return self.number(tree, line)
            case ast.Name():
                return self.name(tree, line)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.apply("neg", [operand], tree, line)
            case ast.BinOp(op=ast.MatMult()):
                return self.product(tree, line)
            case ast.BinOp(left=left, op=sign, right=right) if type(sign) in INFIX:
                return self.apply(INFIX[type(sign)], [left, right], tree, line)
            case ast.Call():
                return self.call(tree, line)
            case ast.BinOp(op=ast.Pow()):
                raise line.error(tree, "powers are not in the notation; write a * a, or exp(p * log(a))")
        raise line.error(tree, "expected + - * / @, unary minus, numbers, names and functions")

    def apply(self, op: str, args: list[ast.expr], tree: ast.expr, line: Statement) -> int:
        values = [self.read(arg, line) for arg in args]
        try:
            return self.graph.apply(op, *values, line=line.number)
        except (ArithmeticError, ValueError) as error:  # of plain numbers, which are computed at once
            raise line.error(tree, f"cannot be computed: {error}") from None

    def number(self, tree: ast.Constant, line: Statement) -> int:
        value = tree.value
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < math.inf:
            raise line.error(tree, f"expected a finite number, found {value!r}")
        try:
            return self.graph.number(float(value))
        except OverflowError:
            raise line.error(tree, "expected a finite number, found one beyond double precision") from None

    def name(self, tree: ast.Name, line: Statement) -> int:
        name = tree.id
        if name in self.values:
            return self.values[name]
        if name in self.assigned:  # read before its line: the previous step's value
            return self.state(name, line.number)
        if name == "x":
            return 0
        if name in self.constants:
            self.used_constants.append(name)
            return self.graph.number(self.constants[name], name)
        self.parameter(tree, line, "vector")
        return self.graph.add(Node("vector", name=name, line=line.number))

    def product(self, tree: ast.BinOp, line: Statement) -> int:
        left = tree.left
        if not isinstance(left, ast.Name):
            raise line.error(left, hint(left))
        if left.id in self.assigned or left.id == "x":
            what = "the input" if left.id == "x" else f"assigned in line {self.assigned[left.id].number}"
            raise line.error(
                left, f"left of @ stands a matrix, but {left.id} is {what}; for products unit by unit write *"
            )
        if left.id in self.constants:
            raise line.error(left, f"left of @ stands a matrix, but {left.id} is a constant; write *")
        self.parameter(left, line, "matrix")
        operand = self.vector(tree.right, line, "right of @ stands a vector such as x or h")
        return self.graph.add(Node("product", (operand,), left.id, line=line.number))

    def call(self, tree: ast.Call, line: Statement) -> int:
        if not isinstance(tree.func, ast.Name):
            raise line.error(tree.func, "expected the name of a function")
        name = tree.func.id
        if name == "prev":
            return self.prev(tree, line)
        if name not in functions():
            known = [*functions(), "prev"]
            raise line.error(
                tree.func, f"unknown function {name!r}{closest(name, known)}; there are {', '.join(known)}"
            )
        op = OPS[name]
        if tree.keywords or len(tree.args) != op.arity:
            keywords = f" and {len(tree.keywords)} by keyword" if tree.keywords else ""
            expected = f"{op.arity} argument{'s' * (op.arity > 1)}"
            raise line.error(tree, f"{name} takes {expected}, found {len(tree.args)}{keywords}")
        if op.row:
            operand = self.vector(tree.args[0], line, f"{name} works over the units of a vector")
            return self.graph.apply(name, operand, line=line.number)
        return self.apply(name, tree.args, tree, line)

    def prev(self, tree: ast.Call, line: Statement) -> int:
        match tree:
            case ast.Call(args=[ast.Name(id=name)], keywords=[]) if name in self.assigned:
                return self.state(name, line.number)
            case ast.Call(args=[ast.Name(id=name)], keywords=[]):
                raise line.error(
                    tree, f"{name} is never assigned, so it has no previous value{closest(name, self.assigned)}"
                )
        raise line.error(tree, "prev takes the name of an assigned value, such as prev(c)")

    def vector(self, tree: ast.expr, line: Statement, what: str) -> int:
        value = self.read(tree, line)
        if self.graph.nodes[value].op == "number":
            raise line.error(tree, f"{what}, found a number")
        return value

    # -- the leaves

    def state(self, name: str, line: int) -> int:
        self.carried.add(name)
        return self.graph.add(Node("state", name=name, line=line))

    def input(self, name: str, line: int) -> int:
        if name not in self.inputs:
            self.inputs.append(name)
        return self.graph.add(Node("input", name=name, line=line))

    def parameter(self, tree: ast.Name, line: Statement, kind: str) -> None:
        """Notes a name that is never assigned as a parameter of this kind."""
        name = tree.id
        if complaint := unusable(name):
            call = f"write {name}(...), or " if name in functions() or name == "prev" else ""
            raise line.error(tree, f"{complaint}; {call}choose another name for the parameter")
        if self.kinds.setdefault(name, kind) != kind:
            raise line.error(
                tree,
                f"{name} is used as a {self.kinds[name]} and here as a {kind}; "
                "a matrix stands left of @, a vector elsewhere: use two names",
            )

    def check_whole(self) -> list[str]:
        """What only the whole text shows; returns the states, the output first."""
        options = self.options
        states = states_of(self.assigned, self.carried, options.output)
        check_names("start", dict(options.start), states, "states")
        check_names("zoneout", options.zoneout, states, "states")
        check_names("dropout", options.dropout, list(self.assigned), "values")
        check_names("record", options.taps, list(self.assigned), "values")
        check_names("retention", options.retention, states, "states")
        check_names("constants", self.constants, self.used_constants, "names used and never assigned")
        return states
