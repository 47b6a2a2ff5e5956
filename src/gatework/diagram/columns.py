"""The diagram of a cell in columns: which element stands in which, and in what order, with few lines crossing."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise, permutations
from typing import NamedTuple

from gatework.diagram.elements import Element, memory_ways

ABOVE_MEMORY, BELOW_BUS, DISTANCE, BOLD = 1.5, 0.4, 0.02, 2.5  # what disorder costs, in crossings
MOST_WAYS = 3  # orders of the memories that are tried


class Slot(NamedTuple):
    """A row of a column: an element, or a line that passes ("wire") or ends at the element beside it ("foot")."""

    kind: str  # "element", "wire", "foot"
    net: int  # the node whose value leaves the element, or runs in the line
    element: Element | None = None


@dataclass
class Unit:
    """What keeps together in a column: a passing line, or an element with the lines that enter from above and below."""

    net: int
    element: Element | None = None
    above: list[int] = field(default_factory=list)
    below: list[int] = field(default_factory=list)

    def slots(self) -> list[Slot]:
        if self.element is None:
            return [Slot("wire", self.net)]
        return [
            *(Slot("foot", net) for net in self.above),
            Slot("element", self.net, self.element),
            *(Slot("foot", net) for net in self.below),
        ]

    def copy(self) -> "Unit":
        return Unit(self.net, self.element, list(self.above), list(self.below))


Columns = list[list[Unit]]


# -- which column


class Ranks:
    """The column of each element: as few passing lines as possible, or, `early`, gates as far left as they can be."""

    def __init__(self, elements: Sequence[Element], *, early: bool) -> None:
        self.inner = [element for element in elements if element.kind != "new"]
        self.early = early
        self.users: dict[int, list[Element]] = {element.node: [] for element in self.inner}
        for element in elements:
            for entering in element.inputs:
                self.users[entering.source].append(element)
        self.rank: dict[int, int] = {}
        for element in self.inner:
            self.rank[element.node] = self.lowest(element)
        self.last = max(self.rank.values()) + 1
        self.settle()

    def lowest(self, element: Element) -> int:
        return 1 + max((self.rank[i.source] for i in element.inputs), default=-1)

    def end(self, user: Element) -> int:
        return self.last if user.kind == "new" else self.rank[user.node]

    def cost(self, element: Element) -> int:
        """How many columns the lines to and from an element lead through."""
        nets = {element.node, *(i.source for i in element.inputs)}
        return sum(max(map(self.end, self.users[net])) - self.rank[net] for net in nets)

    def settle(self) -> None:
        for _ in range(8):
            before = dict(self.rank)
            for element in reversed(self.inner):
                if element.kind not in {"old", "input"} and not (self.early and element.kind == "gate"):
                    self.improve(element)
            if self.rank == before:
                return

    def improve(self, element: Element) -> None:
        choices = list(range(self.lowest(element), min(map(self.end, self.users[element.node]))))
        costs = {}
        for choice in choices if element.kind == "gate" else reversed(choices):
            self.rank[element.node] = choice
            costs[choice] = self.cost(element)
        self.rank[element.node] = min(costs, key=lambda choice: costs[choice])


def _columns(elements: Sequence[Element], *, early: bool) -> Columns:
    """The units of each column, in the order of the equations."""
    ranks = Ranks(elements, early=early)
    columns: Columns = [[] for _ in range(ranks.last + 1)]
    reach: dict[int, int] = {}
    for element in elements:
        place = ranks.end(element)
        feet = [i.source for i in element.inputs if i.port == "side"]
        columns[place].append(Unit(element.node, element, above=feet[1:], below=feet[:1]))
        for entering in element.inputs:
            reach[entering.source] = max(reach.get(entering.source, 0), place)
    for net, end in reach.items():
        for place in range(ranks.rank[net] + 1, end):
            columns[place].append(Unit(net))
    return columns


# -- which order


def slots(column: Sequence[Unit]) -> list[Slot]:
    """The rows of a column; a line that passes beside its own foot is one with it."""
    rows = [slot for unit in column for slot in unit.slots()]
    joined = rows[:1]
    for before, slot in pairwise(rows):
        if before.net == slot.net and before.kind != "element" and slot.kind != "element":
            joined[-1] = Slot("wire" if "wire" in {joined[-1].kind, slot.kind} else "foot", slot.net)
        else:
            joined.append(slot)
    return joined


def starts(rows: Sequence[Slot]) -> dict[int, int]:
    """Net -> the row of a column that it leaves to the right."""
    rows_by_net: dict[int, int] = {}
    for place, slot in enumerate(rows):
        if slot.kind == "wire" or (slot.element and slot.element.kind != "new"):
            rows_by_net[slot.net] = place
    return rows_by_net


def ends(rows: Sequence[Slot]) -> dict[int, list[int]]:
    """Net -> the rows of a column that it reaches from the left."""
    rows_by_net: dict[int, list[int]] = {}
    for place, slot in enumerate(rows):
        if slot.element is None:
            rows_by_net.setdefault(slot.net, []).append(place)
        else:
            for entering in slot.element.inputs:
                if entering.port != "side":
                    rows_by_net.setdefault(entering.source, []).append(place)
    return rows_by_net


def _crossings(begin: Mapping[int, int], end: Mapping[int, list[int]], memory: Collection[int]) -> float:
    """About how often lines cross between two columns, and how far they lead up or down."""
    nets = sorted((net for net in end if net in begin), key=lambda net: begin[net])
    spans = [(end[net], min(end[net]), max(end[net])) for net in nets]
    cost = 0.0
    for place, (mine, top, bottom) in enumerate(spans):
        cost += DISTANCE * (bottom - top + abs(begin[nets[place]] - sum(mine) / len(mine)))
        for other, (theirs, their_top, _) in enumerate(spans[place + 1 :], place + 1):
            if bottom > their_top:
                lower = len([row for row in mine if row > their_top and row not in theirs])
                upper = len([row for row in theirs if row < bottom and row not in mine])
                bold = nets[place] in memory and nets[other] in memory
                cost += min(lower, upper) * (BOLD if bold else 1.0)
    return cost


class Ordering:
    """Looks for an order of all columns with few crossings: from several starts, a move at a time."""

    def __init__(self, drawn: Columns, memory: Sequence[int], buses: frozenset[int]) -> None:
        self.columns, self.memory, self.buses = drawn, frozenset(memory), buses

    def total(self) -> float:
        rows = [slots(column) for column in self.columns]
        lines = sum(_crossings(starts(left), ends(right), self.memory) for left, right in pairwise(rows))
        return lines + sum(map(self.disorder, self.columns))

    def disorder(self, column: Sequence[Unit]) -> float:
        """What stands above the memory, and below lines that only lead to gates."""
        cost = 0.0
        for upper, lower in _pairs(column):
            if lower.net in self.memory and upper.net not in self.memory:
                cost += ABOVE_MEMORY
            if upper.net in self.buses:
                is_input = upper.element is not None and upper.element.kind == "input"
                cost += BELOW_BUS * (is_input if lower.net in self.buses else 1.0)
        return cost

    def settle(self) -> float:
        """Takes every move that helps till none does; returns what is left to pay."""
        places = range(len(self.columns))
        waiting = set(places)  # those that changed since they were looked at, or stand beside one that did
        while waiting:
            for place in places:
                if place in waiting:
                    waiting.discard(place)
                    if self.settle_column(place):
                        waiting |= {place - 1, place, place + 1} & set(places)
        return self.total()

    def settle_column(self, place: int) -> bool:
        """Moves each unit of a column to its best place, its feet turned or not."""
        column, improved = self.columns[place], False
        begin = starts(slots(self.columns[place - 1])) if place else {}
        end = ends(slots(self.columns[place + 1])) if place + 1 < len(self.columns) else {}

        def cost(most: float) -> float:
            """What the column costs as it is, not counted to the end where that is more than `most`."""
            rows = slots(column)
            paid = self.disorder(column) + _crossings(begin, ends(rows), self.memory)
            return paid if paid > most else paid + _crossings(starts(rows), end, self.memory)

        best = cost(math.inf)
        for unit in list(column):
            home, feet, better = column.index(unit), (unit.above, unit.below), None
            for unit.above, unit.below in (feet, feet[::-1]) if feet[0] or feet[1] else (feet,):
                column.remove(unit)
                for target in range(len(column) + 1):
                    column.insert(target, unit)
                    if (paid := cost(best)) < best - 1e-9:
                        best, better = paid, (target, unit.above, unit.below)
                    column.pop(target)
                column.insert(home, unit)
            unit.above, unit.below = feet
            if better is not None:
                column.remove(unit)
                target, unit.above, unit.below = better
                column.insert(target, unit)
                improved = True
        return improved

    def sweep(self, rank: Mapping[int, int], *, forward: bool) -> None:
        """Sorts each column by the middle of what its units hang on."""
        order = range(1, len(self.columns)) if forward else range(len(self.columns) - 2, -1, -1)
        for place in order:
            beside = slots(self.columns[place - 1 if forward else place + 1])
            known = ends(beside)
            rows = starts(beside) if forward else {net: sum(at) / len(at) for net, at in known.items()}
            middle = {}
            for index, unit in enumerate(self.columns[place]):
                hung = [rows[net] for net in (_sources(unit) if forward else [unit.net]) if net in rows]
                middle[id(unit)] = sum(hung) / len(hung) if hung else index
            self.columns[place].sort(key=lambda unit: (rank.get(unit.net, 0), middle[id(unit)]))


def _pairs(column: Sequence[Unit]) -> Iterator[tuple[Unit, Unit]]:
    for place, upper in enumerate(column):
        for lower in column[place + 1 :]:
            yield upper, lower


def _sources(unit: Unit) -> list[int]:
    return [unit.net] if unit.element is None else [i.source for i in unit.element.inputs]


def buses(elements: Sequence[Element]) -> frozenset[int]:
    """The old states and inputs that only gates read."""
    ports: dict[int, set[str]] = {}
    for element in elements:
        for entering in element.inputs:
            ports.setdefault(entering.source, set()).add(entering.port)
    sources = {element.node for element in elements if element.kind in {"old", "input"}}
    return frozenset(net for net, its in ports.items() if net in sources and its <= {"matrix", "vector"})


def orders(elements: Sequence[Element], *, early: bool) -> list[tuple[float, Columns]]:
    """The columns in the orders reached from several starts, the same for the same cell, and about what each costs."""
    thin, ways = buses(elements), memory_ways(elements)
    drawn = _columns(elements, early=early)
    ordered: list[tuple[float, Columns]] = []
    for memories in islice(permutations(ways), MOST_WAYS):
        memory = list(dict.fromkeys(net for nets in memories for net in nets))
        rank = {net: place - len(memory) for place, net in enumerate(memory)} | dict.fromkeys(thin, 1)
        for start in range(4):
            ordering = Ordering([[unit.copy() for unit in column] for column in drawn], memory, thin)
            for column in ordering.columns:
                if start % 2:
                    column.reverse()
                column.sort(key=lambda unit: rank.get(unit.net, 0))
            for turn in range(start // 2 * 3):
                ordering.sweep(rank, forward=turn % 2 == 0)
            ordered.append((ordering.settle(), ordering.columns))
    return sorted(ordered, key=lambda pair: pair[0])
