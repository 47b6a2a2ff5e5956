"""A cell: a name, its equations, and where they matter what its states and parameters start at."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property, partial
from textwrap import dedent
from typing import Any, TypeVar

from gatework.errors import InputError
from gatework.notation import Program, parse

Rule = float | str  # how a parameter starts: a number, or a rule of gatework.layers.initial such as "orthogonal"
V = TypeVar("V")


class FrozenMap(Mapping[str, V]):
    """An immutable mapping that can be hashed, copied and pickled. Its order counts when compared."""

    def __init__(self, items: Mapping[str, V] | None = None) -> None:
        self._items = dict(items or {})

    def __getitem__(self, key: str) -> V:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, FrozenMap):  # init rules are tried in order, so order is part of the meaning
            return tuple(self.items()) == tuple(other.items())
        return self._items == other

    def __hash__(self) -> int:
        return hash(tuple(self.items()))

    def __repr__(self) -> str:
        return repr(self._items)


NOTHING: FrozenMap[Any] = FrozenMap()


@dataclass(frozen=True, repr=False)
class Cell:
    """A recurrent cell: a name and its equations.

    One step: new states and the output from x, the states before it and the parameters, such as
    h = tanh(W_h @ x + U_h @ h + b_h). None stands for an empty mapping.

    Args:
        name: letters, digits and _.
        equations: a line `name = expression` each (docs/notation.md).
        output: the value that leaves the cell.
        init: how parameters start, by name or by pattern such as "U_*" (a name goes before a pattern, an earlier
            pattern before a later one), by the rules of `gatework.layers.initial`.
        start: where a state starts if not at 0, by name.
        constants: names in the equations that are numbers.
        words: what the field calls the named values, such as {"f": "forget gate"}; those it has no word for keep
            their letter, and names that the equations do not have are passed over.
        source: who described the cell.

    Shapes:
        x [I]; states and output [H]; W_* [H,I], U_* [H,H], b_* [H], unless the equations say otherwise.

    Raises:
        EquationError: equations that cannot be read.
        InputError: a name or `init` that cannot be used.
    """

    name: str
    equations: str
    _: KW_ONLY
    output: str = "h"
    init: Mapping[str, Rule] = NOTHING
    start: Mapping[str, float] = NOTHING
    constants: Mapping[str, float] = NOTHING
    words: Mapping[str, str] = field(default=NOTHING, compare=False)
    source: str = ""

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise InputError(f"cell name {self.name!r}: expected letters, digits and _, such as 'my_lstm'")
        # Only the right and lower margins go, so that errors still count the lines as they were given.
        object.__setattr__(self, "equations", dedent(self.equations).rstrip())
        for given in ("init", "start", "constants"):
            object.__setattr__(self, given, FrozenMap(getattr(self, given)))
        words = {name: word for name, word in self.words.items() if name in self.program.names}
        object.__setattr__(self, "words", FrozenMap(words))
        names = [parameter.name for parameter in self.program.parameters]
        for key in self.init:
            if not any(fnmatchcase(name, key) for name in names):
                raise InputError(
                    f"init of cell {self.name}: {key!r} matches no parameter; there are {', '.join(names) or 'none'}"
                )

    @cached_property
    def program(self) -> Program:
        """The equations compiled: what engines run and pages draw."""
        return parse(self.equations, output=self.output, constants=self.constants, start=self.start)

    def __str__(self) -> str:
        return self.equations

    def __repr__(self) -> str:
        return f"Cell({self.name!r}, {len(self.program.lines)} lines, output {self.output!r})"


class Registry(Mapping[str, Cell]):
    """Cells by name, in the order of `entries`, calls of Cell; each is read when it is first asked for."""

    def __init__(self, entries: Iterable[partial[Cell]]) -> None:
        self._entries = {entry.args[0]: entry for entry in entries}
        self._cells: dict[str, Cell] = {}

    def __getitem__(self, name: str) -> Cell:
        if name not in self._cells:
            self._cells[name] = self._entries[name]()
        return self._cells[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __repr__(self) -> str:
        return f"cells: {', '.join(self)}"
