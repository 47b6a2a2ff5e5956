"""The heights at which the rows of a diagram lie: lines as straight as the order of the columns lets them be."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from gatework.notation.diagram.columns import Columns, Slot, ends, slots, starts
from gatework.notation.diagram.shapes import height

GAP, LINE_GAP, FOOT_GAP = 16.0, 13.0, 9.0
MEMORY, WIRE, MAIN, FOOT, TAP, STEM = 12.0, 4.0, 3.0, 2.0, 0.4, 0.7  # what a line's height is worth, by where it ends

Row = tuple[int, int]  # column, place in it


@dataclass(frozen=True)
class Tie:
    """Two rows that want the same height, or `apart` from one another."""

    a: int
    b: int
    weight: float
    apart: float = 0.0


def separation(upper: Slot, lower: Slot) -> float:
    """How far apart the middles of two neighbours in a column are at least."""
    kinds = {upper.kind, lower.kind}
    gap = LINE_GAP if "element" not in kinds else FOOT_GAP if "foot" in kinds else GAP
    return height(upper) / 2 + height(lower) / 2 + gap


class Heights:
    """Starts from rows packed to the top and moves them, alone or with all that lies level, while that helps."""

    def __init__(self, rows: Sequence[Sequence[Slot]], memory: Collection[int]) -> None:
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
                apart = separation(column[r], column[r + 1])
                self.below[upper], self.over[lower] = (lower, apart), (upper, apart)
                self.y[lower] = self.y[upper] + apart
        self.ties: list[Tie] = []
        for c, column in enumerate(rows):
            self.tie_lines(c, memory)
            self.tie_feet(c, column)
        self.held: list[list[Tie]] = [[] for _ in self.y]
        for tie in self.ties:
            self.held[tie.a].append(tie)
            self.held[tie.b].append(tie)

    def tie_lines(self, c: int, memory: Collection[int]) -> None:
        if c + 1 == len(self.rows):
            return
        begin = starts(self.rows[c])
        for net, places in ends(self.rows[c + 1]).items():
            for place in places:
                slot = self.rows[c + 1][place]
                weight = weight_of(slot)
                if net in memory and (slot.kind == "wire" or (slot.element and slot.element.node in memory)):
                    weight = MEMORY if slot.kind != "wire" else max(weight, MEMORY / 2)
                self.ties.append(Tie(self.index[c, begin[net]], self.index[c + 1, place], weight))

    def tie_feet(self, c: int, column: Sequence[Slot]) -> None:
        for r in range(len(column) - 1):
            upper, lower = column[r], column[r + 1]
            if {upper.kind, lower.kind} >= {"element", "foot"}:
                self.ties.append(Tie(self.index[c, r], self.index[c, r + 1], STEM, separation(upper, lower)))

    # -- descent

    def settle(self) -> dict[Row, float]:
        """The height of every row."""
        for _ in range(60):
            if not sum(self.improve(number) for number in range(len(self.y))):
                break
        top = min(self.y)
        return {row: self.y[number] - top for row, number in self.index.items()}

    def improve(self, number: int) -> bool:
        """Moves a row, or what lies level with it, to where one of its ties is content."""
        for group in self.groups(number):
            moves = {
                round(self.gap(tie, member), 3)
                for member in group
                for tie in self.held[member]
                if not (tie.a in group and tie.b in group)
            }
            for move in sorted(moves, key=abs):
                if move and self.try_move(group, move):
                    return True
        return False

    def gap(self, tie: Tie, member: int) -> float:
        """How far `member` must move for the tie to be content."""
        return (self.y[tie.b] - tie.apart - self.y[tie.a]) * (1 if member == tie.a else -1)

    def groups(self, number: int) -> list[frozenset[int]]:
        """The row alone, and all that is content with it, by strong ties and by all of them."""
        found = [frozenset({number})]
        for least in (WIRE, MAIN, FOOT):
            group = self.level_with({number}, least)
            if group not in found:
                found.append(group)
        return found

    def level_with(self, seed: Collection[int], least: float) -> frozenset[int]:
        group, waiting = set(seed), list(seed)
        while waiting:
            member = waiting.pop()
            for tie in self.held[member]:
                other = tie.b if tie.a == member else tie.a
                if tie.weight >= least and other not in group and abs(self.gap(tie, member)) < 1e-6:
                    group.add(other)
                    waiting.append(other)
        return frozenset(group)

    def try_move(self, group: frozenset[int], move: float) -> bool:
        """Moves the group, pushing what is in its way, if that pays."""
        for least in (99.0, MAIN):
            shift = self.pushed(group, move, least)
            touched = {tie for member in shift for tie in self.held[member]}
            before = sum(self.cost(tie, {}) for tie in touched)
            if sum(self.cost(tie, shift) for tie in touched) < before - 1e-6:
                for member, by in shift.items():
                    self.y[member] += by
                return True
        return False

    def pushed(self, group: frozenset[int], move: float, least: float) -> dict[int, float]:
        """How far each row moves when the group does: neighbours make room, with what lies level by strong ties."""
        shift = dict.fromkeys(group, move)
        waiting = list(group)
        while waiting:
            member = waiting.pop()
            beside = self.below[member] if move > 0 else self.over[member]
            if beside is None:
                continue
            other, apart = beside
            place = self.y[member] + shift[member]
            by = place + apart - self.y[other] if move > 0 else place - apart - self.y[other]
            if by * (1 if move > 0 else -1) <= 1e-9:
                continue
            for carried in self.level_with({other}, least):
                if abs(by) > abs(shift.get(carried, 0.0)) + 1e-9:
                    shift[carried] = by
                    waiting.append(carried)
        return shift

    def cost(self, tie: Tie, shift: dict[int, float]) -> float:
        a = self.y[tie.a] + shift.get(tie.a, 0.0)
        b = self.y[tie.b] + shift.get(tie.b, 0.0)
        away = abs(b - a - tie.apart)
        return tie.weight * (away + (6.0 if away > 1e-6 else 0.0))


def weight_of(slot: Slot) -> float:
    if slot.element is None:
        return WIRE if slot.kind == "wire" else FOOT
    return TAP if slot.element.kind == "gate" else MAIN


def heights(drawn: Columns, memory: Collection[int]) -> tuple[list[list[Slot]], dict[Row, float]]:
    """The rows of every column and the height of each."""
    rows = [slots(column) for column in drawn]
    return rows, Heights(rows, memory).settle()
