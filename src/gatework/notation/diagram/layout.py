"""A cell as a drawing: its elements in their places, and the lines between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from gatework.notation.diagram.columns import Columns, Slot, buses, orders, slots, starts
from gatework.notation.diagram.elements import Element, elements, memory_nets
from gatework.notation.diagram.heights import heights
from gatework.notation.diagram.routes import Route, meetings, routes, strongest, wire_styles
from gatework.notation.diagram.shapes import size
from gatework.notation.program import Program

MARGIN, TRACK, SIDE, NAMED, NARROWEST = 18.0, 13.0, 14.0, 28.0, 34.0
CROSSING, BEND, FAR, WIDE = 3.0, 1.5, 1 / 120, 0.2  # what makes one plan worse than another
TRIED = 6  # orders of the columns that are laid out to the end


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
    found = elements(program)
    ranked = sorted((pair for early in (True, False) for pair in orders(found, early=early)), key=lambda pair: pair[0])
    distinct = {tuple(tuple(slots(column)) for column in columns): columns for _, columns in reversed(ranked)}
    plans = [Plan(found, columns) for columns in list(distinct.values())[-TRIED:]]
    return Draughtsman(min(reversed(plans), key=lambda plan: plan.cost)).drawing()


class Plan:
    """The rows, heights and tracks that follow from one order of the columns, and what they cost."""

    def __init__(self, found: Sequence[Element], columns: Columns) -> None:
        memory = memory_nets(found)
        self.rows, self.y = heights(columns, memory, buses(found))
        self.styles = wire_styles(self.rows, memory)
        self.routes = [
            routes(self.rows[c], self.rows[c + 1], self.y, c, self.styles[c + 1], memory)
            for c in range(len(self.rows) - 1)
        ]
        self.crossings = 0
        self.cost = WIDE * len(self.rows)
        for between in self.routes:
            self.measure(between)

    def measure(self, between: Sequence[Route]) -> None:
        """Adds what the lines between two columns cost."""
        for *_, paid in meetings(order(between), [route for route in between if route.track < 0]):
            self.crossings += 1
            self.cost += CROSSING * paid
        for route in between:
            low, high = route.span
            bends = sum(not end.tap and abs(end.y - route.y) > 1 for end in route.ends)
            self.cost += FAR * (high - low) + BEND * bends


def order(between: Sequence[Route]) -> list[Route]:
    """The routes that are not straight, from the left."""
    return sorted((route for route in between if route.track >= 0), key=lambda route: route.track)


class Draughtsman:
    """Draws a plan: places the elements, then the lines column by column."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.rows, self.routes, self.styles = plan, plan.rows, plan.routes, plan.styles
        self.boxes: list[Box] = []
        self.lines: list[Line] = []
        self.dots: list[Dot] = []
        self.marks: list[Mark] = []
        self.ending = {slot.element.node for column in self.rows for slot in column if is_new(slot) and slot.element}
        self.place()

    def drawing(self) -> Drawing:
        for c, between in enumerate(self.routes):
            for route in between:
                self.draw_route(c, route, between)
        for c in range(len(self.rows)):
            self.draw_column(c)
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
        tops = [self.plan.y[c, r] - half(slot) for c, column in enumerate(self.rows) for r, slot in enumerate(column)]
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
            middle = () if abs(its - y) < 1e-6 else ((track, y), (track, its))
            self.lines.append(
                Line(route.net, end.style, ((x, y), *middle, (self.end_x(c + 1, slot), its)), slot.element)
            )
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
        """Passing lines, and what enters elements from above and below, with its marks."""
        for r, slot in enumerate(self.rows[c]):
            y = self.y[c, r]
            if slot.kind == "wire":
                style = self.styles[c].get(slot.net, "bus")
                self.lines.append(Line(slot.net, style, ((self.left[c], y), (self.right[c], y))))
            if slot.element:
                self.draw_marks(c, slot.element, y)
                self.draw_feet(c, r, slot.element)

    def draw_feet(self, c: int, r: int, element: Element) -> None:
        """The lines into an element from the rows above and below it."""
        sides = [entering for entering in element.inputs if entering.port == "side"]
        x, y, column = self.middle[c], self.y[c, r], self.rows[c]
        for beside in (r - 1, r + 1):
            if not 0 <= beside < len(column) or column[beside].element:
                continue
            entering = next((its for its in sides if its.source == column[beside].net), None)
            if entering is None:
                continue
            sides.remove(entering)
            foot = self.y[c, beside]
            towards = 1 if foot > y else -1
            edge = 0.0 if element.kind == "valve" else size(element)[1] / 2
            self.lines.append(Line(entering.source, "pipe", ((x, foot), (x, y + towards * edge)), element))
            if any(slot.kind == "wire" and self.y[c, at] == foot for at, slot in enumerate(column)):
                self.dots.append(Dot(entering.source, "pipe", x, foot))
            if entering.mark:
                self.marks.append(Mark("sign", entering.mark, x + 8, y + towards * (size(element)[1] / 2 + 9) + 4))
                if element.kind == "valve":
                    self.marks.append(Mark("bubble", "", x, y + towards * 6))

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


def is_new(slot: Slot) -> bool:
    return slot.element is not None and slot.element.kind == "new"


def half(slot: Slot) -> float:
    return size(slot.element)[1] / 2 if slot.element else 0.0
