"""The diagram of a cell in columns: which element stands in which, and in what order, with few lines crossing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from gatework.notation.diagram.elements import Element

Key = tuple[str, int]  # an element: its kind "new" or "", and its node
ABOVE_MEMORY, DISTANCE = 3.0, 0.02  # what disorder costs, in crossings


@dataclass(frozen=True)
class Slot:
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


Columns = list[list[Unit]]


def memory_nets(elements: Sequence[Element]) -> list[int]:
    """The nodes on the way of each old state to its new value, unit by unit: what flows along the top."""
    by_node = {element.node: element for element in elements if element.kind != "new"}
    new = {element.name: element.node for element in elements if element.kind == "new"}
    found: list[int] = []
    for old in elements:
        if old.kind == "old" and old.name in new:
            found += [node for node in way(by_node, new[old.name], old.node) if node not in found]
    return found


def way(by_node: dict[int, Element], node: int, goal: int) -> list[int]:
    """The elements from `goal` to `node`, through no gate and no control of a valve; empty if there is no such way."""
    if node == goal:
        return [node]
    element = by_node[node]
    if element.kind == "gate":
        return []
    entering = [i.source for i in element.inputs if element.kind != "valve" or i.port == "main"]
    ways = [[*found, node] for source in entering if (found := way(by_node, source, goal))]
    return min(ways, key=len, default=[])


# -- which column


def ranks(elements: Sequence[Element]) -> dict[int, int]:
    """The column of each element's node: as few passing lines as possible, gates early, all else late."""
    inner = [element for element in elements if element.kind != "new"]
    rank: dict[int, int] = {}
    for element in inner:
        rank[element.node] = 1 + max((rank[i.source] for i in element.inputs), default=-1)
    users: dict[int, list[Element]] = {element.node: [] for element in inner}
    for element in elements:
        for entering in element.inputs:
            users[entering.source].append(element)
    last = max(rank.values()) + 1

    def length(node: int) -> int:
        ends = [last if user.kind == "new" else rank[user.node] for user in users[node]]
        return max(ends) - rank[node]

    def cost(element: Element) -> int:
        return sum(map(length, {element.node, *(i.source for i in element.inputs)}))

    for _ in range(8):
        before = dict(rank)
        for element in reversed(inner):
            if element.kind in {"old", "input"}:
                continue
            low = 1 + max((rank[i.source] for i in element.inputs), default=-1)
            high = min(last if user.kind == "new" else rank[user.node] for user in users[element.node]) - 1
            choices = range(low, high + 1)
            costs = {}
            for choice in choices if element.kind == "gate" else reversed(choices):
                rank[element.node] = choice
                costs[choice] = cost(element)
            rank[element.node] = min(costs, key=lambda choice: costs[choice])
        if rank == before:
            break
    return rank


def columns(elements: Sequence[Element]) -> Columns:
    """The units of each column, in the order of the equations."""
    rank = ranks(elements)
    last = max(rank.values()) + 1
    found: Columns = [[] for _ in range(last + 1)]
    reach: dict[int, int] = {}
    for element in elements:
        place = last if element.kind == "new" else rank[element.node]
        feet = [i.source for i in element.inputs if i.port == "side"]
        found[place].append(Unit(element.node, element, above=feet[1:], below=feet[:1]))
        for entering in element.inputs:
            reach[entering.source] = max(reach.get(entering.source, 0), place)
    for net, end in reach.items():
        for place in range(rank[net] + 1, end):
            found[place].append(Unit(net))
    return found


# -- which order


def slots(column: Sequence[Unit]) -> list[Slot]:
    """The rows of a column; a line that passes beside its own foot is one with it."""
    rows = [slot for unit in column for slot in unit.slots()]
    kept = rows[:1]
    for before, slot in pairwise(rows):
        lines = before.net == slot.net and before.kind != "element" and slot.kind != "element"
        if lines:
            kept[-1] = Slot("wire" if "wire" in {kept[-1].kind, slot.kind} else "foot", slot.net)
        else:
            kept.append(slot)
    return kept


def starts(rows: Sequence[Slot]) -> dict[int, int]:
    """Net -> the row of a column that it leaves to the right."""
    found: dict[int, int] = {}
    for place, slot in enumerate(rows):
        if slot.kind == "wire" or (slot.kind == "element" and slot.element and slot.element.kind != "new"):
            found[slot.net] = place
    return found


def ends(rows: Sequence[Slot]) -> dict[int, list[int]]:
    """Net -> the rows of a column that it reaches from the left."""
    found: dict[int, list[int]] = {}
    for place, slot in enumerate(rows):
        if slot.element is None:
            found.setdefault(slot.net, []).append(place)
        else:
            for entering in slot.element.inputs:
                if entering.port != "side":
                    found.setdefault(entering.source, []).append(place)
    return found


def crossings(left: Sequence[Slot], right: Sequence[Slot]) -> float:
    """About how often lines cross between two columns, and how far they lead up or down."""
    begin, end = starts(left), ends(right)
    nets = sorted((net for net in end if net in begin), key=lambda net: begin[net])
    cost = 0.0
    for place, first in enumerate(nets):
        mine = end[first]
        cost += DISTANCE * (max(mine) - min(mine) + abs(begin[first] / len(left) - sum(mine) / len(mine) / len(right)))
        for second in nets[place + 1 :]:
            theirs = end[second]
            lower = sum(row > min(theirs) and row not in theirs for row in mine)
            upper = sum(row < max(mine) and row not in mine for row in theirs)
            cost += min(lower, upper)
    return cost


def disorder(column: Sequence[Unit], place: int, last: int, memory: Sequence[int]) -> float:
    """What stands above the memory, and what of the input or output does not stand below."""
    cost = 0.0
    worth = {net: place for place, net in enumerate(memory)}
    for upper, lower in pairs(column):
        if lower.net in worth and is_memory(lower, worth) and not is_memory(upper, worth):
            cost += ABOVE_MEMORY
    if place in {0, last}:
        for upper, lower in pairs(column):
            cost += 0.5 * (level(upper) > level(lower))
    return cost


def is_memory(unit: Unit, worth: dict[int, int]) -> bool:
    return unit.net in worth


def level(unit: Unit) -> int:
    """At the left x stands below the states."""
    return int(unit.element is not None and unit.element.kind == "input")


def pairs(column: Sequence[Unit]) -> Iterator[tuple[Unit, Unit]]:
    for place, upper in enumerate(column):
        for lower in column[place + 1 :]:
            yield upper, lower


class Ordering:
    """Looks for an order of all columns with few crossings: from several starts, a move at a time."""

    def __init__(self, drawn: Columns, memory: Sequence[int]) -> None:
        self.columns, self.memory = drawn, memory

    def cost(self, places: Sequence[int]) -> float:
        """What the columns `places` and the lines beside them cost."""
        touched = sorted({channel for place in places for channel in (place - 1, place)})
        rows = {place: slots(self.columns[place]) for c in touched for place in (c, c + 1) if self.exists(place)}
        lines = sum(crossings(rows[c], rows[c + 1]) for c in touched if self.exists(c) and self.exists(c + 1))
        last = len(self.columns) - 1
        return lines + sum(disorder(self.columns[place], place, last, self.memory) for place in places)

    def exists(self, place: int) -> bool:
        return 0 <= place < len(self.columns)

    def total(self) -> float:
        return self.cost(range(len(self.columns)))

    def settle(self) -> float:
        """Takes every move that helps till none does; returns what is left to pay."""
        better = True
        while better:
            better = False
            for place in range(len(self.columns)):
                better |= self.settle_column(place)
        return self.total()

    def settle_column(self, place: int) -> bool:
        improved = False
        best = self.cost([place])
        for unit in list(self.columns[place]):
            column = self.columns[place]
            home = column.index(unit)
            feet = (unit.above, unit.below)
            found = None
            for above, below in {(tuple(a), tuple(b)): (a, b) for a, b in (feet, feet[::-1])}.values():
                unit.above, unit.below = above, below
                column.remove(unit)
                for target in range(len(column) + 1):
                    column.insert(target, unit)
                    cost = self.cost([place])
                    if cost < best - 1e-9:
                        best, found = cost, (target, above, below)
                    column.pop(target)
                column.insert(home, unit)
            unit.above, unit.below = feet
            if found is not None:
                column.remove(unit)
                target, unit.above, unit.below = found
                column.insert(target, unit)
                improved = True
        return improved

    def sweep(self, *, forward: bool) -> None:
        """Sorts each column by the middle of what its units hang on."""
        order = range(1, len(self.columns)) if forward else range(len(self.columns) - 2, -1, -1)
        for place in order:
            beside = slots(self.columns[place - 1 if forward else place + 1])
            rows = starts(beside) if forward else {net: sum(at) / len(at) for net, at in ends(beside).items()}
            column = self.columns[place]
            middle = {}
            for index, unit in enumerate(column):
                nets = sources(unit) if forward else [unit.net]
                known = [rows[net] for net in nets if net in rows]
                middle[id(unit)] = sum(known) / len(known) if known else index
            column.sort(key=lambda unit: middle[id(unit)])


def sources(unit: Unit) -> list[int]:
    return [unit.net] if unit.element is None else [i.source for i in unit.element.inputs]


def ordered(elements: Sequence[Element]) -> Columns:
    """The columns in the best order found; the same for the same cell."""
    memory = memory_nets(elements)
    drawn = columns(elements)
    kept: tuple[float, Columns] | None = None
    for start in range(4):
        ordering = Ordering(copied(drawn), memory)
        for column in ordering.columns:
            column.sort(key=lambda unit: unit.net not in memory)
            if start % 2:
                column[:] = column[::-1]
        for turn in range(start // 2 * 4):
            ordering.sweep(forward=turn % 2 == 0)
        cost = ordering.settle()
        if kept is None or cost < kept[0] - 1e-9:
            kept = cost, ordering.columns
    assert kept is not None
    return kept[1]


def copied(drawn: Columns) -> Columns:
    return [[Unit(unit.net, unit.element, list(unit.above), list(unit.below)) for unit in column] for column in drawn]
