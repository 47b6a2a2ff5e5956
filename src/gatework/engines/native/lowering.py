"""Nodes of a Program, forward or backward, to a plan: the integers that the native core verifies and runs.

A plan is a list of blocks to run at every step. A block computes values of one size for a tile of rows and
units: first its products, each sum of products in one lane of registers, then its pointwise nodes. A row
function is a block of its own. Values that another block needs are stored in between.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from gatework.core import _native
from gatework.notation import Node
from gatework.notation.program import PRODUCTS

SIZES = ("I", "H", "R")
CODES, ROWS, MODES, KINDS, ELEMENTS = (
    _native.codes()[kind] for kind in ("pointwise", "rows", "modes", "kinds", "elements")
)


@dataclass(frozen=True)
class Buffer:
    """Memory that a plan reads or writes: a series [T,B,size], a vector, a matrix, a total over samples and steps."""

    name: str
    kind: str
    rows: str
    columns: str
    written: bool
    element: str = "float32"


Source = tuple[tuple[str, int], ...]  # where a leaf's value lies: the sum of buffers, each at a step offset


@dataclass(frozen=True)
class Store:
    """What happens to a value: it is stored in a buffer at a step offset, or summed into a total."""

    buffer: str
    offset: int = 0
    mode: str = "plain"


@dataclass(frozen=True)
class Plan:
    """The integers, the buffers in their order, and the values stored between blocks."""

    stream: tuple[int, ...]
    buffers: tuple[Buffer, ...]
    between: tuple[Buffer, ...]
    backwards: bool

    @cached_property
    def order(self) -> dict[str, int]:
        """The buffers' numbers by name."""
        return {buffer.name: number for number, buffer in enumerate(self.buffers)}

    @cached_property
    def series(self) -> tuple[tuple[str, str], ...]:
        """Values made for products over all steps, names and sizes, in the order in which they lie side by side."""
        return tuple((buffer.name, buffer.columns) for buffer in self.buffers if buffer.name.startswith("series "))

    @cached_property
    def matrices(self) -> tuple[tuple[str, str], ...]:
        """The sizes of the matrices it reads: rows, columns."""
        return tuple((buffer.rows, buffer.columns) for buffer in self.buffers if buffer.kind == "matrix")


@dataclass
class Block:
    """What one block computes: nodes of one size at one level; `row` is the node of a row function."""

    level: tuple[int, int]  # row functions of a level come before its tiles
    size: str
    products: list[int] = field(default_factory=list)
    pointwise: list[int] = field(default_factory=list)
    row: int | None = None


def lower(
    nodes: Sequence[Node],
    sources: Mapping[int, Source],
    stores: Mapping[int, Sequence[Store]],
    buffers: Iterable[Buffer],
    *,
    backwards: bool,
    element: str = "float32",
) -> Plan:
    """The plan that computes what `stores` asks for.

    nodes: in order. sources: where leaves lie that are no vector and no number. stores: node -> what to do with it.
    buffers: those that sources and stores name, besides vectors and matrices, which are found here.
    element: of vectors and matrices, and of values stored in between for products to read; the others are float32.
    """
    return Lowering(nodes, sources, stores, buffers, backwards, element).plan()


def operands(nodes: Sequence[Node], among: Iterable[int]) -> set[int]:
    """The nodes that products among these read."""
    return {nodes[index].args[0] for index in among if nodes[index].op in PRODUCTS}


class Lowering:
    """Sorts the needed nodes into blocks, decides what is stored in between, and writes the integers."""

    def __init__(
        self,
        nodes: Sequence[Node],
        sources: Mapping[int, Source],
        stores: Mapping[int, Sequence[Store]],
        buffers: Iterable[Buffer],
        backwards: bool,
        element: str,
    ) -> None:
        self.nodes, self.sources, self.backwards = fuse_derivatives(nodes), sources, backwards
        self.stores, self.element = stores, element
        self.buffers: dict[str, Buffer] = {buffer.name: buffer for buffer in buffers}
        self.numbers = {name: number for number, name in enumerate(self.buffers)}
        self.between: list[Buffer] = []
        self.blocks: list[Block] = []
        self.tiled: dict[tuple[int, str], Block] = {}  # level and size -> the block of tiles
        self.level: dict[int, int] = {}
        self.home: dict[int, Block] = {}
        needed = self.reach()
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

    def plan(self) -> Plan:
        body: list[int] = []
        level = None
        for block in self.blocks:
            body += [int(block.level != level), *self.written(block)]
            level = block.level
        head = [_native.MAGIC, int(self.backwards), int(self.fuses()), len(SIZES), len(self.buffers)]
        for buffer in self.buffers.values():
            head += [KINDS[buffer.kind], SIZES.index(buffer.rows), SIZES.index(buffer.columns)]
            head += [int(buffer.written), ELEMENTS[buffer.element]]
        stream = (*head, len(self.blocks), *body)
        return Plan(stream, tuple(self.buffers.values()), tuple(self.between), self.backwards)

    def fuses(self) -> bool:
        """Whether the last block of a step and the first of the next can run tile by tile together.

        Each must be alone at its level, of one size, and the first must read no whole rows that the plan writes.
        """
        if len(self.blocks) < 2:
            return False
        first, last = self.blocks[0], self.blocks[-1]
        operands = [self.place(self.nodes[product].args[0]) for product in first.products]
        return (
            first.row is None
            and last.row is None
            and first.size == last.size
            and first.level[0] < last.level[0]
            and self.blocks[1].level[0] > first.level[0]
            and self.blocks[-2].level[0] < last.level[0]
            and not any(self.buffers[name].written for name in operands)
        )

    # -- what is computed where

    def reach(self) -> list[int]:
        """The nodes that the stores need, in order."""
        found: set[int] = set()
        waiting = list(self.stores)
        while waiting:
            index = waiting.pop()
            if index not in found:
                found.add(index)
                waiting.extend(self.nodes[index].args)
        return sorted(found)

    def is_wide(self, index: int) -> bool:
        """Whether a node reads whole rows of its operand."""
        return self.nodes[index].op in ROWS or self.nodes[index].op in PRODUCTS

    def is_given(self, index: int) -> bool:
        """Whether any block can load a value, so that it needs no home."""
        return index in self.sources or self.nodes[index].op in ("vector", "number")

    def lies(self, index: int) -> bool:
        """Whether a value lies in one buffer, at its step, so that products and row functions can read it there."""
        return index in self.sources and len(self.sources[index]) == 1 and self.sources[index][0][1] == 0

    def sort(self, index: int) -> None:
        """Gives a node its level and its block."""
        node = self.nodes[index]
        level = max((self.level[arg] for arg in node.args), default=0)
        if self.is_wide(index) and not self.lies(node.args[0]):
            level += 1
        self.level[index] = level
        if node.op in ROWS:
            self.home[index] = Block((level, 0), node.size, row=index)
            self.blocks.append(self.home[index])
            if index in self.stores:  # read back by the tiles of its level, and stored from there
                self.tiles(level, node.size).pointwise.append(index)
        elif not self.is_given(index) or index in self.stores:
            self.home[index] = block = self.tiles(level, node.size)
            computed = node.op in PRODUCTS and not self.is_given(index)
            (block.products if computed else block.pointwise).append(index)

    def tiles(self, level: int, size: str) -> Block:
        if (level, size) not in self.tiled:
            self.tiled[level, size] = block = Block((level, 1), size)
            self.blocks.append(block)
        return self.tiled[level, size]

    def spill(self, index: int) -> None:
        """Has the arguments stored that this node reads from another block, or as whole rows."""
        if self.nodes[index].op in ROWS:
            self.keep(index)
        for arg in self.nodes[index].args:
            wide = self.is_wide(index) and not self.lies(arg)
            if wide or (not self.is_given(arg) and self.home[arg] is not self.home[index]):
                self.keep(arg)

    def keep(self, index: int) -> None:
        name, size = self.place(index), self.nodes[index].size
        if name in self.buffers:
            return
        self.between.append(Buffer(name, "series", size, size, True, self.passed(index)))
        self.hold(self.between[-1])
        self.uses[index] += 2
        if index not in self.home:
            self.home[index] = self.tiles(0, size)
            self.home[index].pointwise.insert(0, index)

    def passed(self, index: int) -> str:
        """What a value is kept in from one block to another: the same whatever else is stored of it."""
        return self.element if index in self.operands else "float32"

    def place(self, index: int) -> str:
        """The buffer where another block finds a value at its step."""
        if self.lies(index):
            return self.sources[index][0][0]
        whole = [s.buffer for s in self.stores.get(index, ()) if s.offset == 0 and s.mode in ("plain", "ended0")]
        series = [self.buffers[buffer] for buffer in whole if self.buffers[buffer].kind == "series"]
        fitting = [buffer.name for buffer in series if buffer.element == self.passed(index)]
        return fitting[0] if fitting else f"between {index}"

    # -- one block as integers

    def written(self, block: Block) -> list[int]:
        size = SIZES.index(block.size)
        if block.row is not None:
            node = self.nodes[block.row]
            source, target = self.place(node.args[0]), self.place(block.row)
            return [size, ROWS[node.op] + 1, self.number(source), self.number(target)]
        code = Code(self, block)
        starts = [self.number(name) + 1 if name else 0 for name in code.starts]
        out = [size, 0, code.lanes_used, code.slots, *starts, len(code.groups)]
        for buffer, terms in code.groups:
            out += [self.number(buffer), 1, len(terms)]
            for lane, matrix, transposed in terms:
                out += [lane, matrix, int(transposed)]
        out.append(len(code.out))
        for instruction in code.out:
            out += instruction
        return out

    def number(self, name: str) -> int:
        return self.numbers[name]

    def hold(self, buffer: Buffer) -> None:
        """Has the plan have a buffer, if it has none of this name."""
        if buffer.name not in self.buffers:
            self.numbers[buffer.name] = len(self.buffers)
            self.buffers[buffer.name] = buffer

    def vector(self, node: Node) -> str:
        """The buffer of a vector parameter."""
        self.parameter("vector", node.name, node.size, node.size)
        return f"vector {node.name}"

    def parameter(self, kind: str, name: str, rows: str, columns: str) -> int:
        key = f"{kind} {name}"
        self.hold(Buffer(key, kind, rows, columns, False, self.element))
        return self.number(key)


def fuse_derivatives(nodes: Sequence[Node]) -> list[Node]:
    """The nodes with g y (1 - y) and g (1 - y y), the derivatives of sigmoid and tanh, as one operation each."""

    def factors(index: int, op: str) -> tuple[int, ...]:
        return nodes[index].args if nodes[index].op == op else ()

    def is_one(index: int) -> bool:
        return nodes[index].op == "number" and nodes[index].value == 1.0

    out = list(nodes)
    for index, node in enumerate(nodes):
        if node.op != "mul":
            continue
        left, right = node.args
        one, taken = factors(right, "sub") or (None, None)
        if one is None or taken is None or not is_one(one):
            continue
        gradient = factors(left, "mul")
        if taken in gradient:
            other = gradient[1 - gradient.index(taken)]
            out[index] = replace(node, op="sigmoid_back", args=(other, taken))
        elif factors(taken, "mul") and len(set(nodes[taken].args)) == 1:
            out[index] = replace(node, op="tanh_back", args=(left, nodes[taken].args[0]))
    return out


class Code:
    """The instructions of a block of tiles.

    The products of one sum share a lane. Every value has a slot, the lanes the first ones; a slot is free again
    after its last reader.
    """

    def __init__(self, lowering: Lowering, block: Block) -> None:
        self.low, self.block, self.nodes = lowering, block, lowering.nodes
        self.lanes: dict[int, int] = {}  # product -> lane
        self.sums: dict[int, list[int]] = {}  # sum -> its first product and the terms beside its lane
        self.begun: dict[int, int] = {}  # first product of a sum -> the term its lane starts from
        self.inside: set[int] = set()  # additions and products that are part of a sum
        self.share_lanes()
        self.lanes_used = self.slots = len(set(self.lanes.values()))
        self.starts: list[str | None] = [None] * self.lanes_used  # the buffer a lane starts from
        self.groups = self.grouped()
        self.slot: dict[int, int] = {}
        self.left: dict[int, int] = {}  # value -> readers still to come
        self.free: list[int] = []
        self.out: list[list[int]] = []
        self.start_lanes()
        order = sorted({*block.products, *block.pointwise} - self.inside)
        for index in order:
            for arg in self.arguments(index):
                self.left[arg] = self.left.get(arg, 0) + 1
        for index in order:
            self.compute(index)

    # -- lanes

    def share_lanes(self) -> None:
        products, inner = set(self.block.products), set(self.block.products) | set(self.block.pointwise)
        parents = {arg for i in self.block.pointwise if self.nodes[i].op == "add" for arg in self.nodes[i].args}
        many = 0
        for root in self.block.pointwise:
            if self.nodes[root].op != "add" or (root in parents and self.low.uses[root] == 1):
                continue
            terms, adds = self.terms(root, inner)
            own = [term for term in terms if term in products and self.low.uses[term] == 1]
            if own:
                self.lanes |= dict.fromkeys(own, many)
                self.sums[root] = [own[0], *(term for term in terms if self.lanes.get(term) != many)]
                self.inside |= adds | set(own)
                many += 1
        for product in self.block.products:
            if product not in self.lanes:
                self.lanes[product] = many
                many += 1

    def terms(self, root: int, inner: set[int]) -> tuple[list[int], set[int]]:
        """The terms of a sum, through additions that nothing else reads; and those additions."""
        terms: list[int] = []
        adds: set[int] = set()
        waiting = [*reversed(self.nodes[root].args)]
        while waiting:  # no recursion: a sum may have thousands of terms
            index = waiting.pop()
            if self.nodes[index].op == "add" and index in inner and self.low.uses[index] == 1:
                adds.add(index)
                waiting += reversed(self.nodes[index].args)
            else:
                terms.append(index)
        return terms, adds

    def start_lanes(self) -> None:
        """Lets each lane start from one term beside its products, a vector or a value that lies in memory."""
        for first, *rest in self.sums.values():
            for term in rest:
                node = self.nodes[term]
                if node.op == "vector":
                    self.starts[self.lanes[first]] = self.low.vector(node)
                elif self.low.lies(term):
                    self.starts[self.lanes[first]] = self.low.place(term)
                else:
                    continue
                self.begun[first] = term
                break

    def grouped(self) -> list[tuple[str, list[tuple[int, int, bool]]]]:
        """The products by operand: lanes in order, each once in a group."""
        groups: list[tuple[str, list[tuple[int, int, bool]]]] = []
        by_place: dict[str, list[list[tuple[int, int, bool]]]] = {}
        for product in sorted(self.block.products, key=lambda product: self.lanes[product]):
            node, operand = self.nodes[product], self.nodes[self.nodes[product].args[0]]
            transposed = node.op == "product_t"
            shape = (operand.size, node.size) if transposed else (node.size, operand.size)
            place = self.low.place(node.args[0])
            term = (self.lanes[product], self.low.parameter("matrix", node.name, *shape), transposed)
            fitting = (terms for terms in by_place.setdefault(place, []) if terms[-1][0] != term[0])
            if (terms := next(fitting, None)) is not None:
                terms.append(term)
            else:
                groups.append((place, [term]))
                by_place[place].append(groups[-1][1])
        return groups

    # -- pointwise

    def arguments(self, index: int) -> tuple[int, ...]:
        if index in self.sums:
            first, *rest = self.sums[index]
            return (first, *(term for term in rest if term != self.begun.get(first)))
        return () if index in self.lanes or self.is_read(index) else self.nodes[index].args

    def is_read(self, index: int) -> bool:
        """Whether a value is loaded here, not computed."""
        return self.low.is_given(index) or self.low.home[index] is not self.block

    def compute(self, index: int) -> None:
        if index in self.lanes:
            self.slot[index] = self.lanes[index]
        elif index in self.sums:
            first, *rest = self.arguments(index)
            target = self.slot[index] = self.lanes[first]
            for term in rest:
                self.emit("add", target, target, self.read(term))
                self.done(term)
        elif self.is_read(index):
            self.read(index)
        else:
            args = self.nodes[index].args
            operands = [self.read(arg) for arg in args]
            for arg in args:
                self.done(arg)
            self.slot[index] = target = self.take()
            self.emit(self.nodes[index].op, target, operands[0], operands[-1])
        self.store(index)
        if not self.left.get(index):
            self.free.append(self.slot[index])

    def store(self, index: int) -> None:
        for store in self.low.stores.get(index, ()):
            op = "total" if self.low.buffers[store.buffer].kind == "total" else "store"
            self.emit(op, self.slot[index], self.low.number(store.buffer), store.offset, store.mode)
        if self.low.home[index] is self.block and f"between {index}" in self.low.buffers:
            self.emit("store", self.slot[index], self.low.number(f"between {index}"), 0)

    def read(self, index: int) -> int:
        """The slot of a value, loaded on its first use."""
        if index not in self.slot:
            self.slot[index] = target = self.take()
            node = self.nodes[index]
            if node.op == "number":
                self.emit("constant", target, 0, 0, number=node.value)
            elif node.op == "vector":
                self.emit("spread", target, self.low.number(self.low.vector(node)), 0)
            else:
                self.load(target, self.low.sources.get(index, ((self.low.place(index), 0),)))
        return self.slot[index]

    def load(self, target: int, parts: Source) -> None:
        (buffer, offset), *more = parts
        self.emit("load", target, self.low.number(buffer), offset)
        for buffer, offset in more:
            other = self.take()
            self.emit("load", other, self.low.number(buffer), offset)
            self.emit("add", target, target, other)
            self.free.append(other)

    def done(self, index: int) -> None:
        self.left[index] -= 1
        if self.left[index] == 0:
            self.free.append(self.slot[index])

    def take(self) -> int:
        if self.free:
            return self.free.pop()
        self.slots += 1
        return self.slots - 1

    def emit(self, op: str, target: int, a: int, b: int, mode: str = "plain", number: float = 0.0) -> None:
        (bits,) = struct.unpack("<i", struct.pack("<f", number))
        self.out.append([CODES[op], target, a, b, bits, MODES[mode]])
