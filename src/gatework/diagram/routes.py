"""The lines of a diagram between two columns: each value goes up or down on a track of its own, few crossing."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

from gatework.diagram.columns import Slot, ends, starts

NEAR = 3.0  # heights closer than this count as equal
TOUCH = 20.0  # what two lines that seem to be one cost, in crossings
MOST_PERMUTED = 5


@dataclass(frozen=True)
class End:
    """Where a line ends at the right: the row and its height, and how it is drawn, one of STYLES."""

    row: int
    y: float
    style: str
    tap: bool


@dataclass(frozen=True)
class Route:
    """A value on its way between two columns; `track` counts from the left, -1 where it runs straight."""

    net: int
    y: float
    ends: tuple[End, ...]
    track: int = -1

    @property
    def span(self) -> tuple[float, float]:
        heights = [self.y, *(end.y for end in self.ends)]
        return min(heights), max(heights)

    @property
    def is_straight(self) -> bool:
        low, high = self.span
        return high - low < 1e-6


STYLES = ("peep", "bus", "pipe", "memory")  # the weakest first


def _style_of(slot: Slot, net: int, wire: str, memory: Collection[int]) -> str:
    """How the line to this slot is drawn."""
    if slot.kind == "wire":
        return wire
    element = slot.element
    if element is None:
        return "pipe"
    if net in memory and (element.node in memory or element.kind == "new"):
        return "memory"
    ports = {i.port for i in element.inputs if i.source == net}
    return "bus" if "matrix" in ports else "peep" if "vector" in ports else "pipe"


def strongest(styles: Iterable[str]) -> str:
    return max(styles, key=STYLES.index)


def wire_styles(rows: Sequence[Sequence[Slot]], memory: Collection[int]) -> list[dict[int, str]]:
    """For each column how its passing lines are drawn: by the strongest of what they lead to."""
    passing: list[dict[int, str]] = [{} for _ in rows]
    for c in range(len(rows) - 2, -1, -1):
        after = passing[c + 1]
        for net, places in ends(rows[c + 1]).items():
            styles = [_style_of(rows[c + 1][place], net, after.get(net, "peep"), memory) for place in places]
            passing[c][net] = strongest(styles)
        for slot in rows[c]:
            sides = [i.source for i in slot.element.inputs if i.port == "side"] if slot.element else []
            passing[c] |= {net: strongest(["pipe", passing[c].get(net, "pipe")]) for net in sides}
    return passing


def routes(
    left: Sequence[Slot],
    right: Sequence[Slot],
    y: Mapping[tuple[int, int], float],
    c: int,
    styles: Mapping[int, str],
    memory: Collection[int],
) -> list[Route]:
    """The lines from column c to the next, their tracks chosen; `styles` are those of the lines that go on."""
    begin = starts(left)
    result = []
    for net, places in ends(right).items():
        its = []
        for place in places:
            slot = right[place]
            tap = slot.element is not None and slot.element.kind == "gate"
            its.append(End(place, y[c + 1, place], _style_of(slot, net, styles.get(net, "bus"), memory), tap))
        result.append(Route(net, y[c, begin[net]], tuple(its)))
    return _tracked(result)


def _tracked(unordered: Sequence[Route]) -> list[Route]:
    """Gives each route that is not straight a track: the order with the fewest crossings, then close together."""
    bent = sorted((route for route in unordered if not route.is_straight), key=lambda route: (route.span, route.net))
    straight = [route for route in unordered if route.is_straight]
    order = _best_order(bent, straight)
    tracks: dict[int, int] = {}
    for place, route in enumerate(order):
        earlier = [tracks[other.net] for other in order[:place] if _overlap(route, other)]
        tracks[route.net] = 1 + max(earlier, default=-1)
    return [Route(route.net, route.y, route.ends, tracks.get(route.net, -1)) for route in unordered]


def _overlap(a: Route, b: Route) -> bool:
    return a.span[0] < b.span[1] + 10 and b.span[0] < a.span[1] + 10


def _best_order(bent: Sequence[Route], straight: Sequence[Route]) -> Sequence[Route]:
    if len(bent) <= MOST_PERMUTED:
        return min(permutations(bent), key=lambda order: _conflicts(order, straight), default=())
    order = list(bent)
    best = _conflicts(order, straight)
    better = True
    while better:
        better = False
        for route in list(order):
            home = order.index(route)
            for target in range(len(order)):
                order.remove(route)
                order.insert(target, route)
                cost = _conflicts(order, straight)
                if cost < best:
                    best, home, better = cost, target, True
            order.remove(route)
            order.insert(home, route)
    return order


def _conflicts(order: Sequence[Route], straight: Sequence[Route]) -> float:
    """Crossings, and lines that would seem to be one."""
    return sum(cost for *_, cost in meetings(order, straight))


def meetings(order: Sequence[Route], straight: Sequence[Route]) -> Iterator[tuple[Route, Route, float, float]]:
    """Where a line of one value meets the track of another: (the line's, the track's, height, cost)."""
    for place, track in enumerate(order):
        for route in straight:
            yield from _meets(route, track, [(route.y, None), *((end.y, end) for end in route.ends)][:1], route.ends)
        for other_place, route in enumerate(order):
            if other_place > place:
                yield from _meets(route, track, [(route.y, None)], ())
            elif other_place < place:
                yield from _meets(route, track, [(end.y, end) for end in route.ends], ())
        for route in order[:place]:
            for end in route.ends:  # from the left to `track`, where a line to the right lies already
                if abs(end.y - track.y) < NEAR:
                    yield route, track, track.y, TOUCH


def _meets(
    route: Route, track: Route, lines: Sequence[tuple[float, End | None]], through: Sequence[End]
) -> Iterator[tuple[Route, Route, float, float]]:
    low, high = track.span
    for y, end in lines:
        rows = {e.row for e in through} if end is None else {end.row}
        if any(other.row in rows and other.tap for other in track.ends):
            continue  # both enter one gate, and are joined before it
        if low + NEAR < y < high - NEAR:
            close = any(abs(other - y) < NEAR for other in (track.y, *(e.y for e in track.ends)))
            yield route, track, y, TOUCH if close else 1.0
        elif low - NEAR <= y <= high + NEAR:
            yield route, track, y, TOUCH
