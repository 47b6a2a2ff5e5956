"""A cell as a drawing: its elements in their places, and the lines between them."""

from collections.abc import Sequence
from dataclasses import dataclass

from gatework.notation.diagram.columns import Slot, memory_nets, ordered, starts
from gatework.notation.diagram.elements import Element, elements
from gatework.notation.diagram.heights import heights
from gatework.notation.diagram.routes import Route, meetings, routes, wire_styles
from gatework.notation.diagram.shapes import size
from gatework.notation.program import Program

MARGIN, TRACK, SIDE, NARROWEST = 18.0, 13.0, 14.0, 34.0


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
    """A stretch of the line in which the value of a node runs: "pipe", "bus" (whole vectors) or "peep"."""

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
    """A sign or factor beside the port of an element."""

    text: str
    x: float
    y: float
    anchor: str = "start"


@dataclass(frozen=True)
class Drawing:
    """What a page or a file draws; all in pixels, from the upper left corner."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    dots: tuple[Dot, ...]
    marks: tuple[Mark, ...]
    memory: tuple[int, ...]
    crossings: int


def drawing(program: Program) -> Drawing:
    """Lays out the diagram of a cell; the same Program gives the same drawing."""
    return Draughtsman(elements(program)).drawing()


class Draughtsman:
    def __init__(self, found: Sequence[Element]) -> None:
        self.memory = memory_nets(found)
        self.rows, self.y = heights(ordered(found), self.memory)
        styles = wire_styles(self.rows)
        self.routes = [
            routes(self.rows[c], self.rows[c + 1], self.y, c, styles[c + 1]) for c in range(len(self.rows) - 1)
        ]
        self.styles = styles
        self.boxes: list[Box] = []
        self.lines: list[Line] = []
        self.dots: list[Dot] = []
        self.marks: list[Mark] = []

    def drawing(self) -> Drawing:
        self.place()
        for c, found in enumerate(self.routes):
            for route in found:
                self.draw_route(c, route, found)
        for c in range(len(self.rows)):
            self.draw_column(c)
        bottom = max(box.y + box.height / 2 for box in self.boxes)
        bottom = max(bottom, *(y for line in self.lines for _, y in line.points))
        crossed = 0
        for found in self.routes:
            bent = sorted((r for r in found if r.track >= 0), key=lambda r: r.track)
            crossed += sum(1 for _ in meetings(bent, [r for r in found if r.track < 0]))
        return Drawing(
            self.right[-1] + MARGIN, bottom + MARGIN, tuple(self.boxes), tuple(self.lines), tuple(self.dots),
            tuple(self.marks), tuple(self.memory), crossed,
        )  # fmt: skip

    def place(self) -> None:
        """Where each column begins and ends, and its elements stand."""
        self.left, self.right, self.middle = [], [], []
        x = MARGIN
        for c, column in enumerate(self.rows):
            width = max([size(slot.element)[0] for slot in column if slot.element], default=10.0)
            self.left.append(x)
            self.right.append(x + width)
            self.middle.append(x + width / 2)
            tracks = 1 + max((route.track for route in self.routes[c]), default=-1) if c < len(self.routes) else 0
            x += width + max(NARROWEST, 2 * SIDE + TRACK * (tracks - 1))
        top = MARGIN + max(size(column[0].element)[1] / 2 if column[0].element else 0 for column in self.rows if column)
        self.y = {row: y + top for row, y in self.y.items()}
        for c, column in enumerate(self.rows):
            for r, slot in enumerate(column):
                if slot.element:
                    self.boxes.append(Box(slot.element, self.middle[c], self.y[c, r], *size(slot.element)))

    def start_x(self, c: int, net: int) -> float:
        slot = self.rows[c][starts(self.rows[c])[net]]
        return self.middle[c] + size(slot.element)[0] / 2 if slot.element else self.right[c]

    def end_x(self, c: int, slot: Slot) -> float:
        if slot.element:
            return self.middle[c] - size(slot.element)[0] / 2
        return self.middle[c] if slot.kind == "foot" else self.left[c]

    def track_x(self, c: int, route: Route) -> float:
        bent = [r for r in self.routes[c] if r.track >= 0]
        tracks = 1 + max((r.track for r in bent), default=0)
        room = self.left[c + 1] - self.right[c]
        return self.right[c] + room / 2 + TRACK * (route.track - (tracks - 1) / 2)

    def draw_route(self, c: int, route: Route, beside: Sequence[Route]) -> None:
        top = self.y_shift(c, route)
        x0, x1 = self.start_x(c, route.net), self.track_x(c, route)
        for end in route.ends:
            slot = self.rows[c + 1][end.row]
            y1 = self.y[c + 1, end.row]
            x2 = self.end_x(c + 1, slot)
            points = ((x0, top), (x2, y1)) if abs(y1 - top) < 1e-6 else ((x0, top), (x1, top), (x1, y1), (x2, y1))
            self.lines.append(Line(route.net, end.style, points, slot.element))
        self.draw_dots(c, route, beside, top, x1)

    def y_shift(self, c: int, route: Route) -> float:
        return self.y[c, starts(self.rows[c])[route.net]]

    def draw_dots(self, c: int, route: Route, beside: Sequence[Route], top: float, x: float) -> None:
        """Where the route branches off its track, and where it joins others before a gate."""
        ys = [self.y[c + 1, end.row] for end in route.ends]
        low, high = min([top, *ys]), max([top, *ys])
        if route.track >= 0:
            for y in dict.fromkeys([top, *ys]):
                arms = (y == top) + (y in ys) + (y > low) + (y < high)
                if arms > 2:
                    styles = [end.style for end, its in zip(route.ends, ys, strict=True) if its == y]
                    self.dots.append(Dot(route.net, styles[0] if styles else "bus", x, y))
        for end, y in zip(route.ends, ys, strict=True):
            others = [o for o in beside if o is not route and any(e.tap and e.row == end.row for e in o.ends)]
            if end.tap and route.track >= 0 and any(o.track < route.track for o in others):
                self.dots.append(Dot(route.net, end.style, x, y))

    def draw_column(self, c: int) -> None:
        """Passing lines, and what enters elements from above and below, with its marks."""
        column = self.rows[c]
        for r, slot in enumerate(column):
            y = self.y[c, r]
            if slot.kind == "wire":
                style = self.styles[c].get(slot.net, "bus")
                self.lines.append(Line(slot.net, style, ((self.left[c], y), (self.right[c], y))))
            if slot.element is None:
                continue
            sides = [i for i in slot.element.inputs if i.port == "side"]
            for beside in (r - 1, r + 1):
                if not 0 <= beside < len(column) or column[beside].element:
                    continue
                net = column[beside].net
                for entering in [i for i in sides if i.source == net][:1]:
                    sides.remove(entering)
                    self.draw_foot(c, slot.element, entering.mark, net, self.y[c, beside], y)
                    if column[beside].kind == "wire":
                        self.dots.append(Dot(net, "pipe", self.middle[c], self.y[c, beside]))
            for entering in slot.element.inputs:
                if entering.port == "main" and entering.mark:
                    self.marks.append(Mark(entering.mark, self.end_x(c, slot) - 4, y - 6, "end"))

    def draw_foot(self, c: int, element: Element, mark: str, net: int, foot: float, y: float) -> None:
        x, edge = self.middle[c], 0.0 if element.kind == "valve" else size(element)[1] / 2
        tip = y + edge if foot > y else y - edge
        self.lines.append(Line(net, "pipe", ((x, foot), (x, tip)), element))
        if mark:
            inner = y + size(element)[1] / 2 if foot > y else y - size(element)[1] / 2
            self.marks.append(Mark(mark, x + 5, (inner + foot) / 2 + 4))
