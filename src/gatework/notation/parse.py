"""Text to Program: equations as a paper prints them, read and never evaluated."""

import ast
import math
import warnings
from collections.abc import Iterable, Mapping
from functools import lru_cache

from gatework.notation.graph import INFIX, Graph
from gatework.notation.ops import FUNCTIONS, OPS
from gatework.notation.program import Node, Program
from gatework.notation.sizes import sized
from gatework.notation.source import EquationError, EquationWarning, Statement, closest, statements

Pairs = Mapping[str, float] | Iterable[tuple[str, float]]


def parse(
    text: str,
    *,
    output: str = "h",
    constants: Pairs | None = None,
    start: Pairs | None = None,
    dropout: Iterable[str] = (),
    zoneout: Iterable[str] = (),
    taps: Iterable[str] = (),
) -> Program:
    """Compiles equations into a Program; raises EquationError, quoting the line, where they cannot be read.

    `constants` names numbers; `start` says where a state starts if not at 0. The rest adds inputs for a layer:
    `dropout` multiplies the named values by an input "dropout g", `zoneout` lets the named states move by
    an input "zoneout h" (1 moves, 0 stands still), `taps` adds an input "tap f", so that the gradient of the
    loss by that input is the gradient by the value.
    """
    return _parse(
        text, output, pairs("constants", constants), pairs("start", start), tuple(dropout), tuple(zoneout), tuple(taps)
    )


def pairs(what: str, given: Pairs | None) -> tuple[tuple[str, float], ...]:
    """The given names and numbers as a tuple; raises EquationError for a name given twice."""
    items = tuple(given.items() if isinstance(given, Mapping) else given or ())
    names = [name for name, _ in items]
    for name, value in items:
        if names.count(name) > 1:
            raise EquationError(f"{what}: {name!r} is given {names.count(name)} times; give it once")
        if not isinstance(value, int | float) or isinstance(value, bool) or math.isnan(value):
            raise EquationError(f"{what}: {name!r} is {value!r}; expected a number")
    return items


@lru_cache(maxsize=256)
def _parse(
    text: str,
    output: str,
    constants: tuple[tuple[str, float], ...],
    start: tuple[tuple[str, float], ...],
    dropout: tuple[str, ...],
    zoneout: tuple[str, ...],
    taps: tuple[str, ...],
) -> Program:
    reader = Reader(statements(text), dict(constants), dict(start), output, dropout, zoneout, taps)
    return reader.program(tuple(text.splitlines()))


class Reader:
    """Walks the statements once, in order, and grows the graph of nodes."""

    def __init__(
        self,
        lines: tuple[Statement, ...],
        constants: dict[str, float],
        start: dict[str, float],
        output: str,
        dropout: tuple[str, ...],
        zoneout: tuple[str, ...],
        taps: tuple[str, ...],
    ) -> None:
        self.statements = lines
        self.constants, self.start, self.output = constants, start, output
        self.dropout, self.zoneout, self.taps = dropout, zoneout, taps
        self.assigned: dict[str, Statement] = {}
        self.kinds: dict[str, str] = {}  # parameter -> "matrix" or "vector", in order of appearance
        self.carried: set[str] = set()
        self.inputs: list[str] = []
        self.graph = Graph()
        self.values: dict[str, int] = {}
        self.written: dict[str, int] = {}  # each line's own value, before masks and taps
        self.used_constants: set[str] = set()

    def program(self, lines: tuple[str, ...]) -> Program:
        self.check_targets()
        self.input("x", 0)
        for line in self.statements:
            self.values[line.name] = self.assign(line)
        states = self.check_whole()
        new = {name: self.carry(name) for name in states}
        program = sized(
            Program(
                lines=lines,
                nodes=tuple(self.graph.nodes),
                inputs=tuple(self.inputs),
                states=(),
                parameters=(),
                named=tuple((self.values | new).items()),
                output=self.output,
            ),
            {name: (new[name], self.written[name]) for name in states},
            self.start,
            self.kinds,
        )
        self.warn_unreached(program)
        return program

    # -- the lines

    def assign(self, line: Statement) -> int:
        try:
            value = self.read(line.expression, line)
        except (ArithmeticError, ValueError) as error:
            if isinstance(error, EquationError):
                raise
            raise line.error(line.expression, f"cannot be computed: {error}") from None
        self.written[line.name] = value
        if line.name in self.dropout:
            value = self.graph.apply("mul", value, self.input(f"dropout {line.name}", line.number), line=line.number)
        if line.name in self.taps and line.name not in self.zoneout:
            value = self.tap(line.name, value, line.number)
        return value

    def carry(self, name: str) -> int:
        """The value of a state that the next step sees: with zoneout, the new one only where the mask lets it move."""
        value, line = self.values[name], self.assigned[name].number
        if name not in self.zoneout:
            return value
        old = self.state(name, line)
        names = {"new": value, "old": old, "moves": self.input(f"zoneout {name}", line)}
        value = self.graph.expression("old + moves * (new - old)", names, line)
        return self.tap(name, value, line) if name in self.taps else value

    def tap(self, name: str, value: int, line: int) -> int:
        return self.graph.apply("add", value, self.input(f"tap {name}", line), line=line)

    # -- the expressions

    def read(self, tree: ast.expr, line: Statement) -> int:
        match tree:
            case ast.Constant(value=value):
                return self.graph.number(self.constant(value, tree, line))
            case ast.Name():
                return self.name(tree, line)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.graph.apply("neg", self.read(operand, line), line=line.number)
            case ast.BinOp(op=ast.MatMult()):
                return self.product(tree, line)
            case ast.BinOp(left=left, op=sign, right=right) if type(sign) in INFIX:
                a, b = self.read(left, line), self.read(right, line)
                return self.graph.apply(INFIX[type(sign)], a, b, line=line.number)
            case ast.Call():
                return self.call(tree, line)
            case ast.BinOp(op=ast.Pow()):
                raise line.error(tree, "powers are not in the notation; write a * a, or exp(p * log(a))")
        raise line.error(tree, "expected + - * / @, unary minus, numbers, names and functions")

    def constant(self, value: object, tree: ast.expr, line: Statement) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise line.error(tree, f"expected a finite number, found {value!r}")
        return float(value)

    def name(self, tree: ast.Name, line: Statement) -> int:
        name = tree.id
        if name in self.values:
            return self.values[name]
        if name in self.assigned:  # read before its line: the previous step's value
            return self.state(name, line.number)
        if name == "x":
            return 0
        if name in self.constants:
            self.used_constants.add(name)
            return self.graph.number(self.constants[name], name)
        self.check_parameter(tree, line, "vector")
        return self.graph.add(Node("vector", name=name, line=line.number))

    def product(self, tree: ast.BinOp, line: Statement) -> int:
        match tree.left:
            case ast.BinOp(op=ast.MatMult()):
                raise line.error(tree.left, "a product of two matrices; write A @ (B @ x)")
            case ast.Name(id=name) if name in self.assigned or name == "x":
                what = "the input" if name == "x" else f"assigned in line {self.assigned[name].number}"
                raise line.error(
                    tree.left, f"left of @ stands a matrix, but {name} is {what}; for products unit by unit write *"
                )
            case ast.Name(id=name) if name in self.constants:
                raise line.error(tree.left, f"left of @ stands a matrix, but {name} is a constant; write *")
            case ast.Name():
                self.check_parameter(tree.left, line, "matrix")
            case _:
                raise line.error(tree.left, "left of @ stands the name of a matrix, such as W in W @ x")
        operand = self.vector(tree.right, line, "right of @ stands a vector such as x or h")
        return self.graph.add(Node("product", (operand,), tree.left.id, line=line.number))

    def call(self, tree: ast.Call, line: Statement) -> int:
        if not isinstance(tree.func, ast.Name):
            raise line.error(tree.func, "expected the name of a function")
        name = tree.func.id
        if name == "prev":
            return self.prev(tree, line)
        if name not in FUNCTIONS:
            known = ", ".join([*FUNCTIONS, "prev"])
            raise line.error(
                tree.func, f"unknown function {name!r}{closest(name, [*FUNCTIONS, 'prev'])}; there are {known}"
            )
        op = OPS[name]
        if tree.keywords or len(tree.args) != op.arity:
            given = len(tree.args) + len(tree.keywords)
            raise line.error(tree, f"{name} takes {op.arity} argument{'s' * (op.arity > 1)}, found {given}")
        if op.row:
            args = [self.vector(tree.args[0], line, f"{name} works over the units of a vector")]
        else:
            args = [self.read(arg, line) for arg in tree.args]
        return self.graph.apply(name, *args, line=line.number)

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

    def state(self, name: str, line: int) -> int:
        self.carried.add(name)
        return self.graph.add(Node("state", name=name, line=line))

    def input(self, name: str, line: int) -> int:
        if name not in self.inputs:
            self.inputs.append(name)
        return self.graph.add(Node("input", name=name, line=line))

    # -- the checks

    def check_targets(self) -> None:
        """What a line may assign: a new name that is not taken."""
        for line in self.statements:
            taken = {
                "x": "x is the input and cannot be assigned",
                "prev": "prev is a function; choose another name",
                **dict.fromkeys(OPS, f"{line.name} is a function; choose another name"),
                **dict.fromkeys(self.constants, f"{line.name} is given as a constant; choose another name"),
            }
            if line.name in taken:
                raise line.error(line.target, taken[line.name])
            if line.name.startswith("_"):
                raise line.error(line.target, "names start with a letter")
            if line.name in self.assigned:
                first = self.assigned[line.name].number
                raise line.error(
                    line.target, f"{line.name} is assigned in line {first} already; give each value a name of its own"
                )
            self.assigned[line.name] = line
        for name in self.constants:
            if name in OPS or name in {"x", "prev"} or not name.isidentifier():
                raise EquationError(f"constants: {name!r} cannot name a constant; choose another name")

    def check_parameter(self, tree: ast.Name, line: Statement, kind: str) -> None:
        name = tree.id
        if name in OPS or name == "prev":
            raise line.error(tree, f"{name} is a function; write {name}(...), or choose another name for the parameter")
        if name.startswith("_"):
            raise line.error(tree, "names start with a letter")
        if self.kinds.setdefault(name, kind) != kind:
            raise line.error(
                tree,
                f"{name} is used as a {self.kinds[name]} and here as a {kind}; "
                "a matrix stands left of @, a vector elsewhere: use two names",
            )

    def check_whole(self) -> list[str]:
        """What only the whole text shows; returns the states, the output first."""
        if self.output not in self.assigned:
            raise EquationError(
                f"the output {self.output} is never assigned{closest(self.output, self.assigned)}; "
                f"assigned are {', '.join(self.assigned)}: add a line {self.output} = ..., or name the output"
            )
        if not self.carried:
            raise EquationError(
                f"no state: no value is read before its line, so nothing is carried from step to step; "
                f"read the last one, as in {self.output} = tanh(W @ x + U @ {self.output} + b)"
            )
        states = sorted(self.carried, key=lambda name: (name != self.output, list(self.assigned).index(name)))
        self.check_names("start", self.start, states, "states")
        self.check_names("zoneout", self.zoneout, states, "states")
        self.check_names("dropout", self.dropout, self.assigned, "values")
        self.check_names("record", self.taps, self.assigned, "values")
        self.check_names("constants", self.constants, self.used_constants, "names used and never assigned")
        for name, value in self.values.items():
            if self.graph.nodes[value].op == "number":
                line = self.assigned[name]
                raise line.error(line.expression, f"{name} is always the same number; expected a value per unit")
        return states

    def check_names(self, what: str, given: Iterable[str], known: Iterable[str], kind: str) -> None:
        known = list(known)
        for name in given:
            if name not in known:
                listed = ", ".join(known) or "none"
                raise EquationError(f"{what}: {name!r} is not among the {kind}{closest(name, known)}: {listed}")

    def warn_unreached(self, program: Program) -> None:
        if 0 not in reaching(program, program.names[self.output]):
            line = self.assigned[self.output]
            warnings.warn(
                f"line {line.number}: {line.line}: no path leads from x to the output {self.output}; "
                "the cell ignores its input",
                EquationWarning,
                stacklevel=2,
            )


def reaching(program: Program, goal: int) -> set[int]:
    """The nodes from which a path, over any number of steps, leads to the goal."""
    found: set[int] = set()
    waiting = [goal]
    while waiting:
        index = waiting.pop()
        if index not in found:
            found.add(index)
            node = program.nodes[index]
            waiting.extend((program.names[node.name],) if node.op == "state" else node.args)
    return found


def projected(text: str, output: str = "h") -> str:
    """The same equations with the output projected: `h = o * tanh(c)` becomes `h = P_h @ (o * tanh(c))`."""
    lines = text.splitlines()
    for line in statements(text):
        if line.name == output:
            start = len(line.line.encode()[: line.expression.col_offset].decode())
            lines[line.number - 1] = f"{line.line[:start]}P_{output} @ ({line.line[start:]})"
    return "\n".join(lines)
