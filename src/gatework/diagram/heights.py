"""The heights at which the rows of a diagram lie: lines as straight as the order of the columns lets them be."""

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import NamedTuple

from gatework.diagram.columns import Columns, Slot, ends, slots, starts
from gatework.diagram.shapes import height

GAP, LINE_GAP, FOOT_GAP, MARKED_GAP = 16.0, 13.0, 9.0, 18.0
BUS_GAP, BUS_STEP, BUS = 22.0, 34.0, 3.0  # x and h enter below the gates that read them
# What a line's height is worth, by where it ends; what holds neighbours of a column together.
MEMORY, WIRE, MAIN, FOOT, TAP = 12.0, 4.0, 3.0, 2.0, 0.4
STEM, STACK = 0.7, 0.05
BENT = 20.0  # what it costs beside the way that a line has to turn
ALONE = 99.0  # no tie is as strong
NOWHERE: dict[int, float] = {}
ROUNDS = 40

Row = tuple[int, int]  # column, place in it


class Tie(NamedTuple):
    """Two rows that want the same height, or b lower by `apart`, or by that `at_least`."""

    a: int
    b: int
    weight: float
    apart: float = 0.0
    at_least: bool = False


def _separation(upper: Slot, lower: Slot) -> float:
    """How far apart the middles of two neighbours in a column are at least."""
    kinds = {upper.kind, lower.kind}
    gap = LINE_GAP if "element" not in kinds else FOOT_GAP if "foot" in kinds else GAP
    element, line = (upper.element, lower.net) if upper.element else (lower.element, upper.net)
    if element and "element" in kinds and any(i.source == line and i.port == "side" and i.mark for i in element.inputs):
        gap = MARKED_GAP
    return height(upper) / 2 + height(lower) / 2 + gap


class Heights:
    """Starts from rows packed to the top and moves them, alone or with all that lies level, while that helps."""

    def __init__(self, rows: Sequence[Sequence[Slot]], memory: Collection[int], buses: Collection[int]) -> None:
        self.rows = rows
        self.index = {(c, r): 0 for c, column in enumerate(rows) for r in range(len(column))}
        for number, row in enumerate(self.index):
            self.index[row] = number
        self.y = [0.0] * len(self.index)
        self.below: list[tuple[int, float] | None] = [None] * len(self.index)
        self.over: list[tuple[int, float] | None] = [None] * len(self.index)
        for c, column in enumerate(rows):
            for r in range(len(column) - 1):
                upper, lower = self.index[c, r], self.index[c, r + 1]
                apart = _separation(column[r], column[r + 1])
                self.below[upper], self.over[lower] = (lower, apart), (upper, apart)
                self.y[lower] = self.y[upper] + apart
        self.levels: dict[float, list[frozenset[int]]] = {}
        self.refused: set[tuple[frozenset[int], float]] = set()  # moves of groups that do not pay as things stand
        self.ties: list[list[Tie]] = [[] for _ in self.y]
        for c in range(len(rows) - 1):
            self.tie_lines(c, memory, buses)

    def tie(self, tie: Tie) -> None:
        self.ties[tie.a].append(tie)
        self.ties[tie.b].append(tie)

    def tie_lines(self, c: int, memory: Collection[int], buses: Collection[int]) -> None:
        begin = starts(self.rows[c])
        for net, places in ends(self.rows[c + 1]).items():
            start = self.index[c, begin[net]]
            gates = [at for at in places if (element := self.rows[c + 1][at].element) and element.kind == "gate"]
            under = net in buses and len(gates) > (c == 0)
            if under:  # below the gates, in the order of the column
                level = sum(other in buses for other, place in begin.items() if place < begin[net])
                apart = height(self.rows[c + 1][gates[-1]]) / 2 + BUS_GAP + BUS_STEP * level
                self.tie(Tie(self.index[c + 1, gates[-1]], start, BUS, apart, at_least=c > 0))
            for place in places:
                slot = self.rows[c + 1][place]
                if not (under and place in gates):
                    self.tie(Tie(start, self.index[c + 1, place], _weight_of(slot, net, memory)))

    def tie_neighbours(self, *, feet: bool) -> None:
        """Holds feet to their elements, or all other neighbours together."""
        for c, column in enumerate(self.rows):
            for r in range(len(column) - 1):
                upper, lower = column[r], column[r + 1]
                if ({upper.kind, lower.kind} >= {"element", "foot"}) == feet:
                    weight = STEM if feet else STACK
                    self.tie(Tie(self.index[c, r], self.index[c, r + 1], weight, _separation(upper, lower)))

    # -- descent

    def settle(self) -> dict[Row, float]:
        """The height of every row: first for straight lines, then close together as far as these stay."""
        for feet in (True, False):
            self.tie_neighbours(feet=feet)
            self.refused.clear()
            for _ in range(ROUNDS):
                if not sum(self.improve(number) for number in range(len(self.y))):
                    break
        top = min(self.y)
        return {row: self.y[number] - top for row, number in self.index.items()}

    def improve(self, number: int) -> bool:
        """Moves a row, or what lies level with it, to where one of its ties is content."""
        for group in self.groups(number):
            moves = {
                round(self.gap(tie, member, exactly=True), 3)
                for member in group
                for tie in self.ties[member]
                if not (tie.a in group and tie.b in group)
            }
            for move in sorted(moves, key=abs):
                if move and (group, move) not in self.refused:
                    if self.try_move(group, move):
                        return True
                    self.refused.add((group, move))
        return False

    def gap(self, tie: Tie, member: int, *, exactly: bool = False) -> float:
        """How far `member` must move for the tie to be content, or just so."""
        away = self.y[tie.b] - tie.apart - self.y[tie.a]
        if tie.at_least and away > 0 and not exactly:
            return 0.0
        return away if member == tie.a else -away

    def groups(self, number: int) -> list[frozenset[int]]:
        """The row alone, and all that is content with it, by strong ties and by weaker ones."""
        return list(dict.fromkeys([frozenset({number}), *(self.level(least)[number] for least in (WIRE, MAIN, FOOT))]))

    def level(self, least: float) -> list[frozenset[int]]:
        """For each row all that is content with it by ties of this weight at least."""
        if least not in self.levels:
            groups: list[frozenset[int] | None] = [None] * len(self.y)
            for number in range(len(self.y)):
                if groups[number] is None:
                    group = self.level_with(number, least)
                    for member in group:
                        groups[member] = group
            self.levels[least] = [group for group in groups if group is not None]
        return self.levels[least]

    def level_with(self, number: int, least: float) -> frozenset[int]:
        group, waiting = {number}, [number]
        while waiting:
            member = waiting.pop()
            for tie in self.ties[member]:
                other = tie.b if tie.a == member else tie.a
                level = not tie.at_least and abs(self.gap(tie, member)) < 1e-6
                if level and tie.weight >= least and other not in group:
                    group.add(other)
                    waiting.append(other)
        return frozenset(group)

    def try_move(self, group: frozenset[int], move: float) -> bool:
        """Moves the group, pushing what is in its way, if that pays."""
        for least in (ALONE, MAIN):
            shift = self.pushed(group, move, least)
            touched = {tie for member in shift for tie in self.ties[member]}
            drawn = [tie for tie in touched if shift.get(tie.a, 0.0) != shift.get(tie.b, 0.0)]
            gain = sum(self.cost(tie, NOWHERE) - self.cost(tie, shift) for tie in drawn)
            if gain > 1e-6:
                for member, by in shift.items():
                    self.y[member] += by
                self.levels = {}
                self.refused.clear()
                return True
        return False

    def pushed(self, group: frozenset[int], move: float, least: float) -> dict[int, float]:
        """How far each row moves when the group does: neighbours make room, with what lies level by strong ties.

        Nothing moves where making room finds no end.
        """
        y, shift = self.y, dict.fromkeys(group, move)
        waiting, sign = list(group), 1 if move > 0 else -1
        beside = self.below if move > 0 else self.over
        level = None if least == ALONE else self.level(least)
        for _ in range(6 * len(y)):
            if not waiting:
                return shift
            member = waiting.pop()
            neighbour = beside[member]
            if neighbour is None:
                continue
            other, apart = neighbour
            by = sign * (y[member] + shift[member] + sign * apart - y[other])
            if by <= 1e-9:
                continue
            for carried in level[other] if level else (other,):
                if by > sign * shift.get(carried, 0.0) + 1e-9:
                    shift[carried] = sign * by
                    waiting.append(carried)
        return {}

    def cost(self, tie: Tie, shift: dict[int, float]) -> float:
        a = self.y[tie.a] + shift.get(tie.a, 0.0)
        b = self.y[tie.b] + shift.get(tie.b, 0.0)
        away = max(0.0, a + tie.apart - b) if tie.at_least else abs(b - a - tie.apart)
        bent = away > 1e-6 and not tie.apart and tie.weight > TAP
        return tie.weight * (away + BENT * bent)


def _weight_of(slot: Slot, net: int, memory: Collection[int]) -> float:
    """What it is worth that a line ends at the height it began at."""
    if slot.element is None:
        return FOOT if slot.kind == "foot" else MEMORY / 2 if net in memory else WIRE
    if net in memory and slot.element.node in memory:
        return MEMORY
    return TAP if slot.element.kind == "gate" and len(slot.element.inputs) > 1 else MAIN


def heights(
    drawn: Columns, memory: Collection[int], buses: Collection[int]
) -> tuple[list[list[Slot]], dict[Row, float]]:
    """The rows of every column and the height of each."""
    rows = [slots(column) for column in drawn]
    y = Heights(rows, memory, buses).settle()
    for c, (left, right) in enumerate(pairwise(rows)):
        begin = starts(left)
        for r, slot in enumerate(right):
            if slot.kind == "foot" and _is_free(right, y, c + 1, r, y[c, begin[slot.net]]):
                y[c + 1, r] = y[c, begin[slot.net]]
    return rows, y


def _is_free(column: Sequence[Slot], y: dict[Row, float], c: int, r: int, target: float) -> bool:
    """Whether a foot may come to lie at the height `target`, with nothing but lines between it and its element."""
    beside = [at for at in (r - 1, r + 1) if 0 <= at < len(column) and column[at].element]
    if len(beside) != 1:
        return False
    middle = y[c, beside[0]]
    if (target - middle) * (y[c, r] - middle) <= 0 or abs(target - middle) < _separation(column[beside[0]], column[r]):
        return False
    low, high = min(middle, target), max(middle, target)
    for at, slot in enumerate(column):
        if at in {r, beside[0]} or (slot.net == column[r].net and slot.kind == "wire"):
            continue
        top, bottom = _reach(column, y, c, at)
        if top - LINE_GAP < target < bottom + LINE_GAP or (slot.kind != "wire" and top < high and bottom > low):
            return False
    return True


def _reach(column: Sequence[Slot], y: dict[Row, float], c: int, r: int) -> tuple[float, float]:
    """From where to where a row takes room: an element with the lines that enter it from above and below."""
    slot = column[r]
    edges = [y[c, r] - height(slot) / 2, y[c, r] + height(slot) / 2]
    if slot.element:
        sides = {entering.source for entering in slot.element.inputs if entering.port == "side"}
        beside = [at for at in (r - 1, r + 1) if 0 <= at < len(column) and column[at].net in sides]
        edges += [y[c, at] for at in beside]
    return min(edges), max(edges)
