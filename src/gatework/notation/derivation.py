"""An Adjoint as the lines a person would write: the derivation that textbooks do by hand, for any cell."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gatework.notation.adjoint import Adjoint
from gatework.notation.equations import Line, Names, applied, leaf, spelled, value_names
from gatework.notation.expression import Expr, number, tidy
from gatework.notation.ops import functions
from gatework.notation.program import LEAVES, Node, is_wide
from gatework.notation.spelling import fixed, given, previous, value

MASKS = ("dropout ", "zoneout ")
DEEPEST = 25  # operations within one another in a line


@dataclass(frozen=True)
class Derivation:
    """The backward equations: gradients by the values of the step, by what enters it, by the parameters.

    `example` shows what a_i is, i = sigmoid(a_i), where a da_i occurs.
    """

    example: Line | None
    within: tuple[Line, ...]
    entering: tuple[Line, ...]
    parameters: tuple[Line, ...]


def derivation(adjoint: Adjoint) -> Derivation:
    """A line for the gradient of every named value, in the order of computation."""
    writer, program = Writer(adjoint), adjoint.program
    for index in sorted(writer.labels, reverse=True):
        writer.write_label(index)
    states = [Line(_sent_back(state.name), writer.by_leaf(adjoint.states, state.name)) for state in program.states]
    inputs = [
        Line(writer.gradient_of(given(name)), writer.by_leaf(adjoint.inputs, name))
        for name in program.inputs
        if not name.startswith(MASKS)
    ]
    parameters = [
        Line(
            writer.gradient_of(fixed(name)),
            writer.by_matrix(name) if kind == "matrix" else writer.by_leaf(adjoint.vectors, name),
            summed=True,
        )
        for name, kind in ((parameter.name, parameter.kind) for parameter in program.parameters)
    ]
    return Derivation(writer.example(), tuple(writer.lines), (*states, *inputs), tuple(parameters))


class Writer:
    """Writes gradients down, each before its first use.

    A gradient is called d_c where it is by the value c, da_i where it is by what a function makes i of, as in
    i = sigmoid(a_i). Long parts needed more than once get a line too: d_1 a gradient, v1 a value.
    """

    def __init__(self, adjoint: Adjoint) -> None:
        self.adjoint, self.program = adjoint, adjoint.program
        self.nodes, self.place = _merged(adjoint)
        self.gradients = {index: self.place[gradient] for index, gradient in adjoint.named}  # by forward node
        self.readers = Counter(arg for node in self.program.nodes for arg in node.args)
        self.unused = Names(self.program)
        self.lines: list[Line] = []
        self.values = value_names(self.program, self.unused)
        self.called = dict(self.values)  # node -> its name, given or written
        self.makers: dict[int, int] = {}  # what a function is applied to, if it has no name -> the function
        self.labels = {  # forward node -> what its gradient will be called
            index: self.gradient_of(name) for index, name in self.values.items() if index in self.gradients
        }
        for index, name in self.values.items():
            self.label_argument(index, name)
        self.shared = _worth_a_line(self.nodes, set(self.values), {self.gradients[i] for i in self.labels}, self.ends())

    def ends(self) -> Counter[int]:
        """How often the last lines, those by leaves and matrices, read each node."""
        adjoint = self.adjoint
        uses = Counter(self.place[index] for _, index in (*adjoint.states, *adjoint.inputs, *adjoint.vectors))
        uses.update(self.place[index] for _, pairs in adjoint.matrices for pair in pairs for index in pair)
        return uses

    # -- names

    def gradient_of(self, name: Expr) -> Expr:
        return Expr("name", text=self.unused.fresh(f"d_{name.text}"), latex=rf"\delta {name.latex}")

    def argument(self, name: Expr) -> Expr:
        """What a function makes `name` of: a_i, or another letter if the text has names such as a_i."""
        free = not any(taken.startswith("a_") for taken in self.program.names)
        return value(f"{'a' if free else 'arg'}_{name.text}")

    def label_argument(self, index: int, name: Expr) -> None:
        """Calls the gradient of what a function makes `name` of after `name`, if it has no name and no other use."""
        node = self.nodes[index]
        if index in self.gradients and node.op in functions() and len(node.args) == 1:
            (argument,) = node.args
            computed = self.nodes[argument].op not in LEAVES
            if computed and argument not in self.called and self.readers[argument] == 1:
                inner = self.argument(name)
                text = self.unused.fresh(f"d{inner.text}")
                self.labels[argument] = Expr("name", text=text, latex=rf"\delta {inner.latex}")
                self.makers[argument] = index

    def example(self) -> Line | None:
        """The first function of the text with a gradient called after it: i = sigmoid(a_i)."""
        written = {line.name for line in self.lines}
        for argument, maker in sorted(self.makers.items(), key=lambda pair: pair[1]):
            if self.labels[argument] in written:
                name = self.called[maker]
                return Line(name, Expr(self.nodes[maker].op, (self.argument(name),)))
        return None

    def name_part(self, index: int) -> tuple[Expr, Expr | None]:
        """A name for a part of its own line, and what it is the gradient by where the name does not tell."""
        by = max((forward for forward, gradient in self.gradients.items() if gradient == index), default=None)
        if by is None:
            name = value(self.unused.numbered("v"))
            self.label_argument(index, name)
            return name, None
        if by in self.labels:
            return self.labels[by], None
        if by in self.called:
            return self.gradient_of(self.called[by]), None
        text = self.unused.numbered("d_")
        name = Expr("name", text=text, latex=rf"\delta_{{{text.removeprefix('d_')},t}}")
        return name, spelled(self.program, by, self.called)

    # -- lines

    def write_label(self, index: int) -> None:
        """The gradient by a forward node, under its own name: an equation, or `d_g = d_c` where it has one already."""
        gradient, label = self.gradients[index], self.labels[index]
        if gradient not in self.called:
            self.write_parts(*self.nodes[gradient].args)
            self.lines.append(Line(label, tidy(self.passed_by(index))))
            self.called[gradient] = label
        elif index in self.values:
            self.lines.append(Line(label, self.called[gradient]))

    def passed_by(self, index: int) -> Expr:
        """The gradient by a forward node; what a function makes g of gets it by d_g, even where d_g = d_c."""
        if index not in self.makers:
            return self.written(self.gradients[index])
        maker = self.makers[index]
        outer = self.gradients[maker]
        usual, self.called[outer] = self.called[outer], self.labels[maker]
        expression = self.written(self.gradients[index])
        self.called[outer] = usual
        return expression

    def write_parts(self, *ends: int) -> None:
        """The lines that expressions of these nodes will refer to, those first that others refer to."""
        needed: set[int] = set()
        waiting = [*ends]
        while waiting:
            index = waiting.pop()
            if index not in needed and index not in self.called:
                needed.add(index)
                waiting += self.nodes[index].args
        for index in sorted(needed & self.shared):
            expression = tidy(self.written(index))
            name, by = self.name_part(index)
            self.lines.append(Line(name, expression, by=by))
            self.called[index] = name

    def by_leaf(self, gradients: Sequence[tuple[str, int]], name: str) -> Expr:
        gradient = dict(gradients).get(name)
        if gradient is None:
            return number(0.0)
        self.write_parts(self.place[gradient])
        return tidy(self.spelled(self.place[gradient]), backwards=True)

    def by_matrix(self, name: str) -> Expr:
        pairs = dict(self.adjoint.matrices).get(name, ())
        outer = []
        for gradient, operand in pairs:
            self.write_parts(self.place[gradient], self.place[operand])
            row = Expr("transpose", (self.spelled(self.place[operand]),))
            outer.append(Expr("matmul", (self.spelled(self.place[gradient]), row)))
        return tidy(Expr("total", tuple(outer)), backwards=True)

    # -- expressions

    def spelled(self, index: int) -> Expr:
        """A node by its name, or by its expression."""
        return self.called.get(index) or self.written(index)

    def written(self, index: int) -> Expr:
        """A node as what it is computed from."""
        node = self.nodes[index]
        if node.op == "gradient":
            return self.arriving(node.name)
        if node.op in LEAVES:
            return leaf(node)
        if index >= len(self.program.nodes) and node.op == "mul" and self.complements(*node.args):
            return applied(node, self.spelled(node.args[0]), self.written(node.args[1]))
        if node.op == "add":
            return Expr("total", tuple(map(self.spelled, self.addends(index))))
        return applied(node, *map(self.spelled, node.args))

    def complements(self, left: int, right: int) -> bool:
        """Whether a derivative y * (1 - y) meets a value named 1 - y: there the expression says more than the name."""
        beside = self.nodes[left].args[1] if self.nodes[left].op == "mul" else left
        node = self.nodes[right]
        return node.op == "sub" and node.args[1] == beside and self.nodes[node.args[0]].value == 1

    def addends(self, index: int) -> list[int]:
        """What a sum without names adds up: no recursion, since a gradient may have hundreds of terms."""
        last_first: list[int] = []
        while True:
            index, last = self.nodes[index].args
            last_first.append(last)
            if self.nodes[index].op != "add" or index in self.called:
                return [index, *reversed(last_first)]

    def arriving(self, name: str) -> Expr:
        """What reaches a new value from outside the step: by way of the output, and of the next step."""
        parts = []
        if name == self.program.output:
            new = value(name)
            parts.append(Expr("name", text=f"d_out({name})", latex=rf"\delta^{{\mathrm{{out}}}} {new.latex}"))
        if any(state.name == name for state in self.program.states):
            parts.append(_sent_back(name, following=True))
        return Expr("total", tuple(parts))


def _sent_back(name: str, *, following: bool = False) -> Expr:
    """The gradient by a state's old value, or that of the following step."""
    text = f"d_prev({name})"
    if following:
        return Expr("name", text=f"next({text})", latex=rf"\overleftarrow{{\delta}} {value(name).latex}")
    return Expr("name", text=text, latex=rf"\overleftarrow{{\delta}} {previous(name).latex}")


def _merged(adjoint: Adjoint) -> tuple[list[Node], list[int]]:
    """The Program's nodes, then those of the Adjoint that compute none of its values; and where each of these went."""
    nodes = list(adjoint.program.nodes)
    known = {replace(node, size="", line=0, stopped=()): index for index, node in enumerate(nodes)}
    place: list[int] = []
    for node in adjoint.nodes:
        if node.op == "saved":
            place.append(node.source)
            continue
        here = replace(node, args=tuple(place[arg] for arg in node.args), size="", line=0)
        if here not in known:
            known[here] = len(nodes)
            nodes.append(here)
        place.append(known[here])
    return nodes, place


def _worth_a_line(nodes: Sequence[Node], values: set[int], labelled: set[int], ends: Counter[int]) -> set[int]:
    """The nodes without a name that are long and needed more than once, or deep; `ends` counts uses by last lines."""
    worthy: set[int] = set()
    length: list[int] = []  # in operations; a name has none
    depth: list[int] = []
    backward: list[bool] = []  # whether a gradient is part of it
    for index, node in enumerate(nodes):
        named = index in values or index in labelled or node.op in LEAVES
        length.append(0 if named else sum(length[arg] for arg in node.args) + (node.op != "neg"))
        flat = node.op == "add"  # written as one sum
        depth.append(0 if named else max(depth[arg] + 1 - (flat and not nth) for nth, arg in enumerate(node.args)))
        backward.append(node.op == "gradient" or any(backward[arg] for arg in node.args))
        if depth[index] > DEEPEST:
            worthy.add(index)
            length[index] = depth[index] = 0

    uses = Counter(ends)
    for index in reversed(range(len(nodes))):
        node, times = nodes[index], uses[index]
        if times > 1 and length[index] and index not in values and index not in labelled and node.op != "neg":
            much = length[index] * (times - 1)
            if (backward[index] and (much > 1 or is_wide(node))) or length[index] > 2:
                worthy.add(index)
        if index not in values:
            for arg in node.args:
                uses[arg] += 1 if index in worthy or index in labelled else times
    return worthy
