"""The user's text, line by line, and errors that quote it."""

import ast
import difflib
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

DEEPEST = 100  # operations within one another in one line; a sum of n terms is n - 1
LONGEST = 240  # characters of a line that an error quotes in full


class EquationError(ValueError):
    """The equations cannot be read: one line that quotes the user's, marks the place and names the remedy."""


class EquationWarning(UserWarning):
    """The equations can be read, but hardly say what was meant."""


@dataclass(frozen=True)
class Statement:
    """One line `name = expression` of the text, with its place."""

    number: int
    line: str
    name: str
    target: ast.Name
    expression: ast.expr

    def names(self) -> Iterator[ast.Name]:
        """Every name of the line, at its place."""
        yield self.target
        yield from (node for node in ast.walk(self.expression) if isinstance(node, ast.Name))

    def error(self, place: ast.expr, message: str) -> EquationError:
        """An error at `place`, a part of this line."""
        raw = self.line.encode()  # ast counts bytes
        start, end = (len(raw[:column].decode()) for column in (place.col_offset, place.end_col_offset or len(raw)))
        return EquationError(f"line {self.number}: {_mark(self.line, start, end)}: {message}")


def _mark(line: str, start: int, end: int) -> str:
    """The line with `>>` and `<<` around the place: `h = >>sigmod<<(x)`; of a very long line what is near it."""
    before, place, after = line[:start], line[start:end], line[end:]
    if len(line) > LONGEST:
        part = LONGEST // 4
        before = before if len(before) <= part else f"...{before[-part:]}"
        place = place if len(place) <= 2 * part else f"{place[:part]}...{place[-part:]}"
        after = after if len(after) <= part else f"{after[:part]}..."
    return f"{before}>>{place}<<{after}"


def shortened(line: str) -> str:
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."


def statements(text: str) -> tuple[Statement, ...]:
    """Reads the text into its assignments; raises EquationError where a line is none, or there is no line."""
    lines = tuple(
        _statement(number, line.strip())
        for number, line in enumerate(text.splitlines(), start=1)
        if line.split("#")[0].strip()
    )
    if not lines:
        raise EquationError("the equations are empty: write one assignment a line, such as h = tanh(W @ x + U @ h + b)")
    return lines


def _statement(number: int, line: str) -> Statement:
    body = _parsed(number, line)
    match body:
        case [ast.Assign(targets=[ast.Name(id=name) as target], value=expression)]:
            return Statement(number, line.split("#", maxsplit=1)[0].rstrip(), name, target, expression)
    raise EquationError(
        f"line {number}: {shortened(line)}: not an assignment; a line reads name = expression, such as h = o * tanh(c)"
    )


def _parsed(number: int, line: str) -> list[ast.stmt]:
    """The line as Python reads it; raises EquationError where it cannot, or only at great depth."""
    try:
        with warnings.catch_warnings():  # of Python, on text that is no equation anyway
            warnings.simplefilter("ignore")
            body = ast.parse(line).body
    except (RecursionError, MemoryError):
        raise _too_deep(number, line) from None
    except (SyntaxError, ValueError) as error:
        raise _unreadable(number, line, error) from None
    level: list[ast.AST] = [*body]
    for _ in range(DEEPEST + 2):  # beside the operations: the assignment, the name or number within
        level = [child for node in level for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
    if level:
        raise _too_deep(number, line)
    return body


def _too_deep(number: int, line: str) -> EquationError:
    return EquationError(
        f"line {number}: {shortened(line)}: more than {DEEPEST} operations within one another; "
        "give parts of it names of their own"
    )


def _unreadable(number: int, line: str, error: SyntaxError | ValueError) -> EquationError:
    """Python's own complaint, with its place marked in the user's line."""
    if not isinstance(error, SyntaxError):  # a NUL character, half a surrogate pair
        return EquationError(f"line {number}: {shortened(line)!r}: {error}")
    column = min(max((error.offset or 1) - 1, 0), len(line))
    end = column + 1 if column < len(line) else column
    complaint = error.msg
    if "forgot a comma" in complaint:  # Python's guess for W x
        complaint = "two values side by side; a matrix product is W @ x, a product unit by unit i * g"
    return EquationError(
        f"line {number}: {_mark(line, column, end)}: {complaint}; "
        "expected name = expression of + - * / @, numbers, names and functions"
    )


def closest(name: str, known: Iterable[str], question: str = "did you mean") -> str:
    """`; did you mean 'sigmoid'?`, or nothing where no name is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; {question} {near[0]!r}?" if near else ""
