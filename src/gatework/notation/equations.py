"""A Program as the lines a person would write: names for its values, one line for each."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import count

from gatework.notation.expression import Expr, number
from gatework.notation.program import LEAVES, Node, Program
from gatework.notation.spelling import fixed, given, previous, transposed, value
from gatework.notation.stops import as_written


@dataclass(frozen=True)
class Line:
    """`name = expression`, or where it is `summed` over samples and steps, `name += expression`.

    `by`, where the name does not tell, is what it is the gradient by.
    """

    name: Expr
    expression: Expr
    summed: bool = False
    by: Expr | None = None


class Names:
    """Names for what has none: none of them twice, and none of the user's."""

    def __init__(self, program: Program) -> None:
        self.taken = {*program.names, *(node.name for node in program.nodes)}

    def fresh(self, name: str) -> str:
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name

    def numbered(self, stem: str) -> str:
        free = (f"{stem}{n}" for n in count(1) if not self.taken & {f"{stem}{n}", f"{stem}_{n}"})
        return self.fresh(next(free))


def equations(program: Program) -> list[Line]:
    """One line for each assigned name, in the order of the text."""
    program, _ = as_written(program)
    bare = read_bare(program)
    lines: list[Line] = []
    names: dict[int, Expr] = {}
    for name, index in _assigned(program, Names(program)):
        lines.append(Line(value(name), spelled(program, index, names, bare)))
        bare.discard(name)
        if program.nodes[index].op not in LEAVES:
            names.setdefault(index, value(name))
    return lines


def read_bare(program: Program) -> set[str]:
    """The names whose value of the step before the text reads without prev(...)."""
    source = "\n".join(program.lines)
    return {name for name in program.names if f"prev({name})" not in source}


def _assigned(program: Program, names: Names) -> list[tuple[str, int]]:
    """The assigned names and their nodes; a state c with zoneout has its value before the mask besides, as c_new."""
    assigned = []
    for name, index in program.named:
        for node in program.nodes:  # c = prev(c) + zoneout(c) * (c_new - prev(c))
            if node.op == "mul" and program.nodes[node.args[0]].name == f"zoneout {name}":
                assigned.append((names.fresh(f"{name}_new"), program.nodes[node.args[1]].args[0]))
        assigned.append((name, index))
    return assigned


def value_names(program: Program, names: Names) -> dict[int, Expr]:
    """Every computed node that has a name, with its first one."""
    names_of: dict[int, Expr] = {}
    for name, index in _assigned(program, names):
        if program.nodes[index].op not in LEAVES:
            names_of.setdefault(index, value(name))
    return names_of


def spelled(program: Program, index: int, names: Mapping[int, Expr], bare: Collection[str] = ()) -> Expr:
    """A node by its name, or as the expression it is in the text; c for prev(c) where c is in `bare`."""
    if index in names:
        return names[index]
    node = program.nodes[index]
    if node.op in LEAVES:
        return leaf(node, bare=node.name in bare)
    return applied(node, *(spelled(program, arg, names, bare) for arg in node.args))


def leaf(node: Node, *, bare: bool = False) -> Expr:
    """The name of a leaf of a Program; a state's is `bare` where c means prev(c)."""
    match node:
        case Node(op="state", name=name):
            return previous(name, bare=bare)
        case Node(op="input", name=name):
            return given(name)
        case Node(op="vector", name=name):
            return fixed(name)
        case Node(op="number", name="", value=plain):
            return number(plain)
        case Node(op="number", name=name):
            return fixed(name, scalar=True)
    raise AssertionError(f"{node.op} is no leaf of a Program")


def applied(node: Node, *args: Expr) -> Expr:
    """The operation of a node on what its arguments are called."""
    match node.op:
        case "product":
            return Expr("matmul", (fixed(node.name), *args))
        case "product_t":
            return Expr("matmul", (transposed(node.name), *args))
    return Expr(node.op, args)
