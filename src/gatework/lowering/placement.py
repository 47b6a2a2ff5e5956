"""What is computed where: the needed nodes in blocks, and what is stored from one block to another."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gatework.lowering.codes import ROWS
from gatework.lowering.keys import Key, Role
from gatework.lowering.plan import Buffer, Source, Store
from gatework.notation import Node
from gatework.notation.program import PRODUCTS


@dataclass
class Block:
    """What one block computes: nodes of one size at one level; `row` is the node of a row function."""

    level: tuple[int, int]  # row functions of a level come before its tiles
    size: str
    products: list[int] = field(default_factory=list)
    pointwise: list[int] = field(default_factory=list)
    row: int | None = None


def operands(nodes: Sequence[Node], among: Iterable[int]) -> set[int]:
    """The nodes that products among these read."""
    return {nodes[index].args[0] for index in among if nodes[index].op in PRODUCTS}


class Placement:
    """Sorts the needed nodes into blocks and decides what is stored in between.

    Its arguments are those of `gatework.lowering.blocks.lower`.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        sources: Mapping[int, Source],
        stores: Mapping[int, Sequence[Store]],
        buffers: Iterable[Buffer],
        element: str,
    ) -> None:
        self.nodes, self.sources, self.stores, self.element = nodes, sources, stores, element
        self.buffers = {buffer.key: buffer for buffer in buffers}
        self.numbers = {key: number for number, key in enumerate(self.buffers)}
        self.between: list[Buffer] = []
        self.blocks: list[Block] = []
        self.tiled: dict[tuple[int, str], Block] = {}  # level and size -> the block of tiles
        self.level: dict[int, int] = {}
        self.home: dict[int, Block] = {}
        needed = self.reached()
        self.operands = operands(self.nodes, needed)
        self.uses = dict.fromkeys(needed, 0)
        for index in needed:
            for arg in self.nodes[index].args:
                self.uses[arg] += 1
        for index in stores:
            self.uses[index] += 2  # a stored value is wanted as it is
        for index in needed:
            self.sort(index)
        for index in needed:
            self.spill(index)
        self.blocks.sort(key=lambda block: block.level)

    # -- what is computed where

    def reached(self) -> list[int]:
        """The nodes that the stores need, in order."""
        needed: set[int] = set()
        waiting = list(self.stores)
        while waiting:
            index = waiting.pop()
            if index not in needed:
                needed.add(index)
                waiting.extend(self.nodes[index].args)
        return sorted(needed)

    def is_wide(self, index: int) -> bool:
        """Whether a node reads whole rows of its operand."""
        return self.nodes[index].op in ROWS or self.nodes[index].op in PRODUCTS

    def is_loadable(self, index: int) -> bool:
        """Whether any block can load a value, so that it needs no home."""
        return index in self.sources or self.nodes[index].op in ("vector", "number")

    def is_stored(self, index: int) -> bool:
        """Whether a leaf lies in one buffer, at its step, so that products and row functions can read it there."""
        return index in self.sources and len(self.sources[index]) == 1 and self.sources[index][0][1] == 0

    def sort(self, index: int) -> None:
        """Gives a node its level and its block."""
        node = self.nodes[index]
        level = max((self.level[arg] for arg in node.args), default=0)
        if self.is_wide(index) and not self.is_stored(node.args[0]):
            level += 1
        self.level[index] = level
        if node.op in ROWS:
            self.home[index] = Block((level, 0), node.size, row=index)
            self.blocks.append(self.home[index])
            if index in self.stores:  # read back by the tiles of its level, and stored from there
                self.tiles(level, node.size).pointwise.append(index)
        elif not self.is_loadable(index) or index in self.stores:
            self.home[index] = block = self.tiles(level, node.size)
            computed = node.op in PRODUCTS and not self.is_loadable(index)
            (block.products if computed else block.pointwise).append(index)

    def tiles(self, level: int, size: str) -> Block:
        if (level, size) not in self.tiled:
            self.tiled[level, size] = block = Block((level, 1), size)
            self.blocks.append(block)
        return self.tiled[level, size]

    def spill(self, index: int) -> None:
        """Has the arguments stored that this node reads from another block, or as whole rows."""
        if self.nodes[index].op in ROWS:
            self.store_between(index)
        for arg in self.nodes[index].args:
            wide = self.is_wide(index) and not self.is_stored(arg)
            if wide or (not self.is_loadable(arg) and self.home[arg] is not self.home[index]):
                self.store_between(arg)

    def store_between(self, index: int) -> None:
        """Has a value stored where other blocks find it, if it is stored nowhere yet."""
        key, size = self.place(index), self.nodes[index].size
        if key in self.buffers:
            return
        self.between.append(Buffer(key, "series", size, size, True, self.passed(index)))
        self.add(self.between[-1])
        self.uses[index] += 2
        if index not in self.home:
            self.home[index] = self.tiles(0, size)
            self.home[index].pointwise.insert(0, index)

    def passed(self, index: int) -> str:
        """The element in which a value goes from one block to another: the same whatever else is stored of it."""
        return self.element if index in self.operands else "float32"

    def place(self, index: int) -> Key:
        """The buffer where another block finds a value at its step."""
        if self.is_stored(index):
            return self.sources[index][0][0]
        whole = [s.buffer for s in self.stores.get(index, ()) if s.offset == 0 and s.mode in ("plain", "ended0")]
        series = [self.buffers[key] for key in whole if self.buffers[key].layout == "series"]
        fitting = [buffer.key for buffer in series if buffer.element == self.passed(index)]
        return fitting[0] if fitting else Key(Role.BETWEEN, index)

    # -- buffers

    def add(self, buffer: Buffer) -> None:
        """Gives the plan a buffer, if it has none of this key."""
        if buffer.key not in self.buffers:
            self.numbers[buffer.key] = len(self.buffers)
            self.buffers[buffer.key] = buffer

    def vector(self, name: str, size: str) -> Key:
        """The buffer of a vector parameter."""
        return self.parameter(Key(Role.VECTOR, name), size, size)

    def matrix(self, name: str, rows: str, columns: str) -> Key:
        """The buffer of a matrix."""
        return self.parameter(Key(Role.MATRIX, name), rows, columns)

    def parameter(self, key: Key, rows: str, columns: str) -> Key:
        self.add(Buffer(key, key.role.value, rows, columns, False, self.element))
        return key
