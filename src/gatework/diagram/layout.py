"""A cell as a drawing: its elements in their places, and the lines between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from gatework.diagram.arrangements import Plan, Stem
from gatework.diagram.columns import Slot, orders, slots, starts
from gatework.diagram.elements import Element, elements
from gatework.diagram.routes import Route, strongest
from gatework.diagram.shapes import size
from gatework.notation.program import Program

MARGIN, TRACK, SIDE, NAMED, NARROWEST = 18.0, 13.0, 14.0, 28.0, 34.0
TRIED, CLOSE = 6, 1.5  # orders of the columns that are laid out to the end, and by how much the best may be better


@dataclass(frozen=True)
class Box:
    """An element at its place: the middle, width and height."""

    element: Element
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Line:
    """A stretch of the line in which the value of a node runs.

    `style` is "memory", "pipe", "bus" (a whole vector, on its way to matrices) or "peep" (to a gate, unit by unit).
    """

    net: int
    style: str
    points: tuple[tuple[float, float], ...]
    ends_at: Element | None = None


@dataclass(frozen=True)
class Dot:
    """Where a line branches, or joins the others that enter a gate."""

    net: int
    style: str
    x: float
    y: float


@dataclass(frozen=True)
class Mark:
    """Beside an element the "sign" or factor of what enters, the "name" of what leaves, a "bubble" for 1 -."""

    kind: str
    text: str
    x: float
    y: float


@dataclass(frozen=True)
class Drawing:
    """What a page or a file draws; all in pixels, from the upper left corner."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    dots: tuple[Dot, ...]
    marks: tuple[Mark, ...]
    crossings: int


@lru_cache(maxsize=128)
def drawing(program: Program) -> Drawing:
    """Lays out the diagram of a cell; the same Program gives the same drawing."""
    shown = elements(program)
    ranked = sorted((pair for early in (True, False) for pair in orders(shown, early=early)), key=lambda pair: pair[0])
    good = [columns for cost, columns in ranked if cost <= ranked[0][0] + CLOSE]
    distinct = {tuple(tuple(slots(column)) for column in columns): columns for columns in reversed(good)}
    plans = [Plan(shown, columns) for columns in list(distinct.values())[-TRIED:]]
    return Draughtsman(min(reversed(plans), key=lambda plan: plan.cost)).drawing()


class Draughtsman:
    """Draws a plan: places the elements, then the lines column by column."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.rows, self.routes, self.styles = plan, plan.rows, plan.routes, plan.styles
        self.boxes: list[Box] = []
        self.lines: list[Line] = []
        self.dots: list[Dot] = []
        self.marks: list[Mark] = []
        self.ending = {slot.element.node for column in self.rows for slot in column if _is_new(slot) and slot.element}
        self.place()

    def drawing(self) -> Drawing:
        for c, between in enumerate(self.routes):
            for route in between:
                self.draw_route(c, route, between)
        for c in range(len(self.rows)):
            self.draw_column(c)
        for stem in self.plan.stems:
            self.draw_stem(stem)
        lowest = [box.y + box.height / 2 for box in self.boxes] + [y for line in self.lines for _, y in line.points]
        return Drawing(
            width=self.right[-1] + MARGIN,
            height=max(lowest) + MARGIN,
            boxes=tuple(self.boxes),
            lines=tuple(self.lines),
            dots=tuple(dict.fromkeys(self.dots)),
            marks=tuple(self.marks),
            crossings=self.plan.crossings,
        )

    def place(self) -> None:
        """Where each column begins and ends, and its elements stand."""
        self.left: list[float] = []
        self.right: list[float] = []
        self.middle: list[float] = []
        self.lead: list[float] = []
        x = MARGIN
        for c, column in enumerate(self.rows):
            width = max([size(slot.element)[0] for slot in column if slot.element], default=10.0)
            self.left.append(x)
            self.right.append(x + width)
            self.middle.append(x + width / 2)
            self.lead.append(NAMED if any(self.is_named(slot.element) for slot in column) else SIDE)
            x += width + self.room(c)
        tops = [self.plan.y[c, r] - _half(slot) for c, column in enumerate(self.rows) for r, slot in enumerate(column)]
        self.y = {row: y + MARGIN - min(tops) for row, y in self.plan.y.items()}
        for c, column in enumerate(self.rows):
            for r, slot in enumerate(column):
                if slot.element:
                    self.boxes.append(Box(slot.element, self.middle[c], self.y[c, r], *size(slot.element)))

    def room(self, c: int) -> float:
        """The distance of a column from the next: as many tracks as there are."""
        tracks = 1 + max((route.track for route in self.routes[c]), default=-1) if c < len(self.routes) else 0
        return max(NARROWEST, self.lead[c] + SIDE + TRACK * (tracks - 1))

    # -- lines

    def start_x(self, c: int, net: int) -> float:
        slot = self.rows[c][starts(self.rows[c])[net]]
        return self.middle[c] + size(slot.element)[0] / 2 if slot.element else self.right[c]

    def end_x(self, c: int, slot: Slot) -> float:
        if slot.element:
            return self.middle[c] - size(slot.element)[0] / 2
        return self.middle[c] if slot.kind == "foot" else self.left[c]

    def track_x(self, c: int, route: Route) -> float:
        tracks = 1 + max((route.track for route in self.routes[c]), default=0)
        low, high = self.right[c] + self.lead[c], self.left[c + 1] - SIDE
        return (low + high) / 2 + TRACK * (route.track - (tracks - 1) / 2)

    def draw_route(self, c: int, route: Route, between: Sequence[Route]) -> None:
        y = self.y[c, starts(self.rows[c])[route.net]]
        x, track = self.start_x(c, route.net), self.track_x(c, route)
        for end in route.ends:
            slot, its = self.rows[c + 1][end.row], self.y[c + 1, end.row]
            points = [(x, y), (track, y), (track, its)] if abs(its - y) > 1e-6 else [(x, y)]
            points.append((self.end_x(c + 1, slot), its))
            into = slot.element
            for stem in self.plan.stems:
                if (stem.column, stem.foot) == (c + 1, end.row) and self.plan.is_only(stem):
                    points.append((self.middle[c + 1], self.tip(stem)))
                    into = stem.element
            self.lines.append(Line(route.net, end.style, tuple(points), into))
        if route.track >= 0:
            self.draw_dots(c, route, between, y, track)

    def draw_dots(self, c: int, route: Route, between: Sequence[Route], start: float, x: float) -> None:
        """Where the route branches off its track, and where it joins others before a gate."""
        ys = {self.y[c + 1, end.row]: end for end in route.ends}
        low, high = min([start, *ys]), max([start, *ys])
        for y in dict.fromkeys([start, *ys]):
            arms = (y == start) + (y in ys) + (y > low) + (y < high)
            joins = y in ys and ys[y].tap and any(
                other.track < route.track and any(end.row == ys[y].row for end in other.ends) for other in between
            )  # fmt: skip
            if arms > 2 or joins:
                style = strongest(end.style for end in route.ends) if y == start else ys[y].style
                self.dots.append(Dot(route.net, style, x, y))

    def draw_column(self, c: int) -> None:
        """The passing lines, and what is written beside elements."""
        for r, slot in enumerate(self.rows[c]):
            y = self.y[c, r]
            if slot.kind == "wire":
                style = self.styles[c].get(slot.net, "bus")
                self.lines.append(Line(slot.net, style, ((self.left[c], y), (self.right[c], y))))
            if slot.element:
                self.draw_marks(c, slot.element, y)

    def draw_stem(self, stem: Stem) -> None:
        """The line into an element from above or below, where it is no part of a route, and its mark."""
        x, y, foot = self.middle[stem.column], self.y[stem.column, stem.row], self.y[stem.column, stem.foot]
        towards = 1 if foot > y else -1
        if not self.plan.is_only(stem):
            self.lines.append(Line(stem.entering.source, "pipe", ((x, foot), (x, self.tip(stem))), stem.element))
            self.dots.append(Dot(stem.entering.source, "pipe", x, foot))
        if stem.entering.mark:
            middle = y + towards * (size(stem.element)[1] / 2 + 9)
            self.marks.append(Mark("sign", stem.entering.mark, x + 8, middle + 4))
            if stem.element.kind == "valve":
                self.marks.append(Mark("bubble", "", x, y + towards * 6))

    def tip(self, stem: Stem) -> float:
        """The height at which a line from above or below enters: the edge, of a valve the middle."""
        y, foot = self.y[stem.column, stem.row], self.y[stem.column, stem.foot]
        edge = 0.0 if stem.element.kind == "valve" else size(stem.element)[1] / 2
        return y + edge if foot > y else y - edge

    def draw_marks(self, c: int, element: Element, y: float) -> None:
        for entering in element.inputs:
            if entering.port == "main" and entering.mark:
                self.marks.append(Mark("before", entering.mark, self.middle[c] - size(element)[0] / 2 - 8, y - 7))
        if self.is_named(element):
            self.marks.append(Mark("name", element.name, self.middle[c] + size(element)[0] / 2 + 4, y - 6))

    def is_named(self, element: Element | None) -> bool:
        """Whether the name of its value is written beside it: inside there is no room, nor at an end of its line."""
        inside = {"old", "input", "new", "gate", "function", "constant"}
        return (
            element is not None
            and bool(element.name)
            and element.kind not in inside
            and element.node not in self.ending
        )


def _is_new(slot: Slot) -> bool:
    return slot.element is not None and slot.element.kind == "new"


def _half(slot: Slot) -> float:
    return size(slot.element)[1] / 2 if slot.element else 0.0
