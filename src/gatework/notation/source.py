"""The user's text, line by line, and errors that quote it."""

import ast
import difflib
from collections.abc import Iterable
from dataclasses import dataclass


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

    def error(self, place: ast.AST | None, message: str) -> EquationError:
        """An error at `place`, a node of this line; the whole line where it is None."""
        return EquationError(f"line {self.number}: {mark(self.line, place)}: {message}")


def mark(line: str, place: ast.AST | None) -> str:
    """The line with `>>` and `<<` around the place: `h = >>sigmod<<(x)`."""
    if not isinstance(place, ast.expr):
        return line
    raw = line.encode()  # ast counts bytes
    start, end = place.col_offset, place.end_col_offset or len(raw)
    return f"{raw[:start].decode()}>>{raw[start:end].decode()}<<{raw[end:].decode()}"


def statements(text: str) -> tuple[Statement, ...]:
    """Reads the text into its assignments; raises EquationError where a line is none, or there is no line."""
    found = tuple(
        statement(number, line.strip())
        for number, line in enumerate(text.splitlines(), start=1)
        if line.split("#")[0].strip()
    )
    if not found:
        raise EquationError("the equations are empty: write one assignment a line, such as h = tanh(W @ x + U @ h + b)")
    return found


def statement(number: int, line: str) -> Statement:
    try:
        body = ast.parse(line).body
    except (SyntaxError, ValueError) as error:
        raise unreadable(number, line, error) from None
    match body:
        case [ast.Assign(targets=[ast.Name(id=name) as target], value=expression)]:
            return Statement(number, line.split("#", maxsplit=1)[0].rstrip(), name, target, expression)
    raise EquationError(
        f"line {number}: {line}: not an assignment; a line reads name = expression, such as h = o * tanh(c)"
    )


def unreadable(number: int, line: str, error: SyntaxError | ValueError) -> EquationError:
    """Python's own complaint, with the place it found marked in the user's line."""
    if not isinstance(error, SyntaxError):  # a NUL character
        return EquationError(f"line {number}: {line!r}: {error}")
    column = min(max((error.offset or 1) - 1, 0), len(line))
    end = column + 1 if column < len(line) else column
    quoted = f"{line[:column]}>>{line[column:end]}<<{line[end:]}"
    return EquationError(
        f"line {number}: {quoted}: {error.msg}; expected name = expression of + - * / @, numbers, names and functions"
    )


def closest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'sigmoid'?`, or nothing where no name is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
