"""What follows from one order of the columns: heights, tracks, and how good it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gatework.diagram.columns import Columns, Slot, buses
from gatework.diagram.elements import Element, Input, memory_nets
from gatework.diagram.heights import heights
from gatework.diagram.routes import Route, meetings, routes, wire_styles

CROSSING, BEND, FAR, WIDE = 3.0, 1.5, 1 / 120, 0.2  # what makes one plan worse than another


@dataclass(frozen=True)
class Stem:
    """A line that enters the element in row `row` of a column from above or below, out of its row `foot`."""

    column: int
    row: int
    foot: int
    element: Element
    entering: Input


class Plan:
    """The rows, heights and tracks of a drawing, and what they cost."""

    def __init__(self, elements: Sequence[Element], columns: Columns) -> None:
        memory = memory_nets(elements)
        self.rows, self.y = heights(columns, memory, buses(elements))
        self.styles = wire_styles(self.rows, memory)
        self.routes = [
            routes(self.rows[c], self.rows[c + 1], self.y, c, self.styles[c + 1], memory)
            for c in range(len(self.rows) - 1)
        ]
        self.stems = [stem for c, column in enumerate(self.rows) for stem in _stems(c, column)]
        self.crossings = sum(map(self.crossed, self.stems))
        self.cost = WIDE * len(self.rows) + CROSSING * self.crossings
        for between in self.routes:
            self.measure(between)

    def measure(self, between: Sequence[Route]) -> None:
        """Adds what the lines between two columns cost."""
        bent = sorted((route for route in between if route.track >= 0), key=lambda route: route.track)
        for *_, paid in meetings(bent, [route for route in between if route.track < 0]):
            self.crossings += 1
            self.cost += CROSSING * paid
        for route in between:
            low, high = route.span
            bends = sum(not end.tap and abs(end.y - route.y) > 1 for end in route.ends)
            self.cost += FAR * (high - low) + BEND * bends

    def crossed(self, stem: Stem) -> int:
        """How many passing lines a stem crosses."""
        between = sorted((self.y[stem.column, stem.row], self.y[stem.column, stem.foot]))
        return sum(
            slot.kind == "wire" and between[0] < self.y[stem.column, r] < between[1]
            for r, slot in enumerate(self.rows[stem.column])
        )

    def is_only(self, stem: Stem) -> bool:
        """Whether its line only turns into the element, and ends there."""
        column, y = self.rows[stem.column], self.y[stem.column, stem.foot]
        passes = any(slot.kind == "wire" and self.y[stem.column, r] == y for r, slot in enumerate(column))
        others = [its for its in self.stems if (its.column, its.foot) == (stem.column, stem.foot)]
        return not passes and len(others) == 1


def _stems(c: int, column: Sequence[Slot]) -> Iterator[Stem]:
    """The lines that enter the elements of a column from the rows above and below them."""
    for r, slot in enumerate(column):
        if slot.element is None:
            continue
        sides = [entering for entering in slot.element.inputs if entering.port == "side"]
        for beside in (r - 1, r + 1):
            if 0 <= beside < len(column) and column[beside].element is None:
                for entering in [its for its in sides if its.source == column[beside].net][:1]:
                    sides.remove(entering)
                    yield Stem(c, r, beside, slot.element, entering)
