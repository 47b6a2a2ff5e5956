"""Which of torch's fused functions a Program equals: by its nodes, whatever its names and the order of its text.

    LSTM  c = sigmoid(f) * c + sigmoid(i) * tanh(g), h = sigmoid(o) * tanh(c), or h = P @ (sigmoid(o) * tanh(c))
    GRU   h = sigmoid(z) * h + (1 - sigmoid(z)) * tanh(W @ x + b + sigmoid(r) * (U @ h + b))
    RNN   h = tanh(a) or relu(a)

where f, i, g, o, z, r and a are sums W @ x + U @ h + b, of which the vectors may be none, one or several.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gatework.notation import Program
from gatework.notation.program import Node, State


@dataclass(frozen=True)
class Gate:
    """A sum W @ x + U @ h + b as the names of its parameters; `inner` are the vectors that torch adds to U @ h."""

    matrix: str
    recurrent: str
    outer: tuple[str, ...] = ()
    inner: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fused:
    """One of torch's functions: its name, `gates` in the order of its rows, and the matrix of its projection.

    states: which of the Program's states is h and, of an LSTM, which is c.
    """

    kind: str
    gates: tuple[Gate, ...]
    states: tuple[int, ...] = (0,)
    projection: str = ""

    @property
    def has_biases(self) -> bool:
        return any(gate.outer or gate.inner for gate in self.gates)

    @property
    def weights(self) -> int:
        """How many tensors torch's function takes for a layer in one direction."""
        return 2 + 2 * self.has_biases + bool(self.projection)


class _OtherError(Exception):
    """The Program is none of torch's functions, and why."""


RECOGNISED: dict[str, Fused | str] = {}  # by recipe; a dict, not a cache: torch.compile looks into it


def recognise(program: Program) -> Fused | str:
    """The function that a Program equals, or why it equals none."""
    if program.recipe not in RECOGNISED:
        try:
            RECOGNISED[program.recipe] = _Reader(program).read()
        except _OtherError as error:
            RECOGNISED[program.recipe] = str(error)
    return RECOGNISED[program.recipe]


class _Reader:
    """The nodes of a Program, read for what torch computes; raises _OtherError where it computes something else."""

    def __init__(self, program: Program) -> None:
        self.program, self.nodes = program, program.nodes

    def read(self) -> Fused:
        program = self.program
        if program.inputs != ("x",):
            raise _OtherError("masks and taps act inside the cell")
        if any(node.stopped for node in self.nodes):
            raise _OtherError("a gradient is stopped")
        place = [state.name for state in program.states].index(program.output) if self._carries_output() else -1
        if place < 0 or len(program.states) > 2:
            raise _OtherError(f"its states are {', '.join(state.name for state in program.states)}")
        self.h = program.states[place]
        if len(program.states) == 2:
            return self._lstm(program.states[1 - place], (place, 1 - place))
        return self._gru() if self.nodes[self.h.node].op == "add" else self._rnn()

    def _carries_output(self) -> bool:
        return any(state.name == self.program.output for state in self.program.states)

    def _lstm(self, c: State, places: tuple[int, int]) -> Fused:
        top, projection = self.nodes[self.h.node], ""
        if top.op == "product":
            top, projection = self.nodes[top.args[0]], top.name
        shown = self._pair(top, "mul", "sigmoid", "tanh")
        if shown is None or self.nodes[shown[1]].args != (c.node,):
            raise self._other(top, f"a sigmoid gate * tanh({c.name})")
        parts = self._sorted(self.nodes[c.node], "add", lambda node: self._old(node, c) is not None)
        kept = None if parts is None else self._old(self.nodes[parts[0]], c)
        written = None if parts is None else self._pair(self.nodes[parts[1]], "mul", "sigmoid", "tanh")
        if kept is None or written is None or self.nodes[kept].op != "sigmoid":
            raise self._other(self.nodes[c.node], f"a sigmoid gate * {c.name} + a sigmoid gate * tanh(...)")
        gates = tuple(self._gate(index) for index in (written[0], kept, written[1], shown[0]))
        return Fused("lstm", gates, places, projection)

    def _gru(self) -> Fused:
        h, top = self.h, self.nodes[self.h.node]
        expected = f"z * {h.name} + (1 - z) * tanh(W @ x + b + r * (U @ {h.name} + b)), z and r sigmoid gates"
        parts = self._sorted(top, "add", lambda node: self._old(node, h) is not None)
        kept = None if parts is None else self._old(self.nodes[parts[0]], h)
        new = None if parts is None else self._pair(self.nodes[parts[1]], "mul", "sub", "tanh")
        if kept is None or new is None or self.nodes[kept].op != "sigmoid":
            raise self._other(top, expected)
        one, z = (self.nodes[index] for index in self.nodes[new[0]].args)
        if (one.op, one.value) != ("number", 1.0) or z != self.nodes[kept]:
            raise self._other(top, expected)
        update, (reset, candidate) = self._gate(kept), self._candidate(new[1], expected)
        return Fused("gru", (reset, update, candidate))

    def _candidate(self, index: int, expected: str) -> tuple[Gate, Gate]:
        """The reset gate of a GRU, and its candidate tanh(W @ x + b + r * (U @ h + b))."""
        terms = self._terms(self.nodes[index].args[0])
        products = [term for term in terms if self.nodes[term].op == "mul"]
        if len(products) != 1:
            raise self._other(self.nodes[index], expected)
        parts = self._sorted(self.nodes[products[0]], "mul", lambda node: node.op == "sigmoid")
        if parts is None:
            raise self._other(self.nodes[index], expected)
        outer = self._sum([term for term in terms if term not in products], self.nodes[index])
        inner = self._sum(self._terms(parts[1]), self.nodes[index])
        if not outer[0] or outer[1] or inner[0] or not inner[1]:
            raise self._other(self.nodes[index], expected)
        return self._gate(parts[0]), Gate(outer[0], inner[1], outer[2], inner[2])

    def _rnn(self) -> Fused:
        top = self.nodes[self.h.node]
        if top.op not in ("tanh", "relu"):
            raise self._other(top, "tanh or relu of a sum, or the steps of a GRU")
        return Fused(f"rnn_{top.op}", (self._gate(self.h.node),))

    def _gate(self, index: int) -> Gate:
        """A function of W @ x + U @ h + b: torch has two vectors, here may be any number."""
        node = self.nodes[index]
        matrix, recurrent, vectors = self._sum(self._terms(node.args[0]), node)
        if not matrix or not recurrent:
            raise self._other(node, f"a function of W @ x + U @ {self.h.name} + b")
        return Gate(matrix, recurrent, vectors[:1], vectors[1:])

    def _sum(self, terms: list[int], line: Node) -> tuple[str, str, tuple[str, ...]]:
        """The matrices of x and of h, "" where one is missing, and the vectors of a sum of nothing else."""
        matrices, vectors = {"input": "", "state": ""}, []
        for node in (self.nodes[term] for term in terms):
            operand = self.nodes[node.args[0]] if node.op == "product" else node
            if node.op == "vector":
                vectors.append(node.name)
            elif node.op == "product" and operand.name in ("x", self.h.name) and matrices.get(operand.op) == "":
                matrices[operand.op] = node.name
            else:
                raise self._other(line, f"a function of W @ x + U @ {self.h.name} + b")
        return matrices["input"], matrices["state"], tuple(vectors)

    def _terms(self, index: int) -> list[int]:
        """What a sum adds up, in whatever brackets, but zeros, which biases are that a layer goes without."""
        terms, waiting = [], [index]
        while waiting:  # no recursion: a sum may be as long as a text
            node = self.nodes[waiting[-1]]
            if node.op == "add":
                waiting[-1:] = reversed(node.args)
            elif (node.op, node.value) == ("number", 0.0):
                waiting.pop()
            else:
                terms.append(waiting.pop())
        return terms

    def _old(self, node: Node, state: State) -> int | None:
        """Of a product with a state of the step before, the other factor."""

        def is_old(factor: Node) -> bool:
            return (factor.op, factor.name) == ("state", state.name)

        parts = self._sorted(node, "mul", is_old)
        return None if parts is None else parts[1]

    def _pair(self, node: Node, op: str, first: str, second: str) -> tuple[int, int] | None:
        """The arguments of an operation that commutes, sorted by their own operations; None where these are others."""
        parts = self._sorted(node, op, lambda arg: arg.op == first)
        return parts if parts is not None and self.nodes[parts[1]].op == second else None

    def _sorted(self, node: Node, op: str, is_first: Callable[[Node], bool]) -> tuple[int, int] | None:
        """The arguments of an operation that commutes, first the only one of which something holds."""
        if node.op != op:
            return None
        holds = [is_first(self.nodes[arg]) for arg in node.args]
        if sum(holds) != 1:
            return None
        a, b = node.args
        return (a, b) if holds[0] else (b, a)

    def _other(self, node: Node, expected: str) -> _OtherError:
        line = self.program.lines[node.line - 1].strip() if node.line else "a line"
        return _OtherError(f"{line!r} is not {expected}")
