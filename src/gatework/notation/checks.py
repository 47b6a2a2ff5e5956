"""What a name may be, and what only the whole text shows."""

import ast
from collections.abc import Container, Iterable, Sequence

from gatework.notation.ops import OPS, functions
from gatework.notation.program import Program
from gatework.notation.source import EquationError, Statement, closest, shortened, statements
from gatework.notation.stops import as_written

DERIVED = frozenset(op.name for op in OPS.values() if op.meaning)


def targets(lines: Iterable[Statement], constants: Container[str]) -> dict[str, Statement]:
    """Each line by the name it assigns; raises EquationError where that name is taken."""
    assigned: dict[str, Statement] = {}
    for line in lines:
        name = line.name
        if name == "x":
            raise line.error(line.target, "x is the input and cannot be assigned")
        if name in constants:
            raise line.error(line.target, f"{name} is given as a constant; choose another name")
        if complaint := unusable(name):
            raise line.error(line.target, f"{complaint}; choose another name")
        if name in assigned:
            raise line.error(
                line.target,
                f"{name} is assigned in line {assigned[name].number} already; give each value a name of its own",
            )
        assigned[name] = line
    return assigned


def unusable(name: str) -> str:
    """Why a name cannot be used, or ""."""
    if name in functions() or name == "prev":
        return f"{name} is a function"
    if name in DERIVED:
        return f"{name} is a function of the derived equations"
    return "names start with a letter" if name.startswith("_") else ""


def check_constants(names: Iterable[str]) -> None:
    for name in names:
        if name == "x" or not name.isidentifier() or unusable(name):
            raise EquationError(f"constants: {name!r} cannot name a constant; choose another name")


def check_names(what: str, given: Iterable[str], known: Sequence[str], kind: str) -> None:
    """Raises EquationError where a given name is none of the known ones."""
    for name in given:
        if name not in known:
            listed = ", ".join(known) or "none"
            raise EquationError(f"{what}: {name!r} is not among the {kind}{closest(name, known)}: {listed}")


def states_of(assigned: dict[str, Statement], carried: Container[str], output: str) -> list[str]:
    """The states, the output first; raises EquationError where there is no output, or no state."""
    if output not in assigned:
        raise EquationError(
            f"the output {output} is never assigned{closest(output, assigned)}; "
            f"assigned are {', '.join(assigned)}: add a line {output} = ..., or name the output"
        )
    states = [name for name in assigned if name in carried]
    if not states:
        raise EquationError(
            f"no state: no value is read before its line, so nothing is carried from step to step; "
            f"read the last one, as in {output} = tanh(W @ x + U @ {output} + b)"
        )
    return sorted(states, key=lambda name: name != output)


def doubt(program: Program) -> str:
    """A complaint where no path, over any number of steps, leads from x to the output, or from a line to it."""
    program, _ = as_written(program)
    reached, lines = _before(program, program.names[program.output]), statements(str(program))
    if 0 not in reached:  # the first node is x
        line = next(line for line in lines if line.name == program.output)
        return f"{_quoted(line)}: no path leads from x to the output {line.name}; the cell ignores its input"
    for line in lines:
        if program.names[line.name] not in reached:
            near = closest(line.name, [parameter.name for parameter in program.parameters], "is it misspelt as")
            return f"{_quoted(line)}: the output {program.output} does not depend on {line.name}{near}"
    return ""


def _before(program: Program, last: int) -> set[int]:
    """The nodes that a node depends on, over any number of steps, itself included."""
    earlier: set[int] = set()
    waiting = [last]
    while waiting:
        index = waiting.pop()
        if index not in earlier:
            earlier.add(index)
            node = program.nodes[index]
            waiting.extend((program.names[node.name],) if node.op == "state" else node.args)
    return earlier


def _quoted(line: Statement) -> str:
    return f"line {line.number}: {shortened(line.line)}"


def hint(left: ast.expr) -> str:
    """What to write for something that is no name left of @."""
    match left:
        case ast.BinOp(op=ast.MatMult()):
            return "a product of two matrices; write A @ (B @ x)"
        case ast.BinOp(op=ast.Mult() | ast.Div()):
            return "* and / bind no closer than @; write a * (W @ x)"
        case ast.UnaryOp():
            return "the minus binds closer than @; write -(W @ x)"
    return "left of @ stands the name of a matrix, such as W in W @ x"
