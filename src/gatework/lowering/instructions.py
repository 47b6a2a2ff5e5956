"""The instructions of a block of tiles: lanes of products, slots of values, pointwise operations."""

import struct
from collections.abc import Mapping, Sequence

from gatework.lowering.codes import CODES, MODES
from gatework.lowering.keys import Key, Role
from gatework.lowering.placement import Block, Placement
from gatework.lowering.plan import Source

Term = tuple[int, Key, bool]  # lane += matrix . operand, the matrix perhaps transposed
Group = tuple[Key, list[Term]]  # an operand, and all that is multiplied with it at once


class Instructions:
    """The instructions of a block of tiles.

    The products of one sum share a lane. Every value has a slot, the lanes the first ones; a slot is free again
    after its last reader.
    """

    def __init__(self, placement: Placement, block: Block) -> None:
        self.placed, self.block, self.nodes = placement, block, placement.nodes
        self.lanes: dict[int, int] = {}  # product -> lane
        self.sums: dict[int, list[int]] = {}  # sum -> its first product and the terms beside its lane
        self.begun: dict[int, int] = {}  # first product of a sum -> the term its lane starts from
        self.inside: set[int] = set()  # additions and products that are part of a sum
        self.share_lanes()
        self.order_lanes()
        self.lanes_used = self.slots = len(set(self.lanes.values()))
        self.starts: list[Key | None] = [None] * self.lanes_used  # the buffer a lane starts from
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
        lanes = self.complete_lanes()
        functions = self.functions_of(lanes, order)
        at_once = {*lanes, *functions}
        for indices in [lanes, functions, *([index] for index in order if index not in at_once)]:
            for index in indices:
                self.compute(index)
            for index in indices:
                self.keep(index)

    # -- lanes

    def share_lanes(self) -> None:
        products, inner = set(self.block.products), set(self.block.products) | set(self.block.pointwise)
        parents = {arg for i in self.block.pointwise if self.nodes[i].op == "add" for arg in self.nodes[i].args}
        many = 0
        for root in self.block.pointwise:
            if self.nodes[root].op != "add" or (root in parents and self.placed.uses[root] == 1):
                continue
            terms, adds = self.terms(root, inner)
            shared = [term for term in terms if term in products and self.placed.uses[term] == 1]
            if shared:
                self.lanes |= dict.fromkeys(shared, many)
                self.sums[root] = [shared[0], *(term for term in terms if self.lanes.get(term) != many)]
                self.inside |= adds | set(shared)
                many += 1
        for product in self.block.products:
            if product not in self.lanes:
                self.lanes[product] = many
                many += 1

    def order_lanes(self) -> None:
        """Puts lanes side by side that go through one function, so that it may run over them at once."""
        function = {node.args[0]: node.op for node in map(self.nodes.__getitem__, self.block.pointwise) if node.args}
        summed = {first: root for root, (first, *_) in self.sums.items()}
        values = {lane: summed.get(product, product) for product, lane in reversed(self.lanes.items())}
        order = sorted(values, key=lambda lane: (function.get(values[lane], ""), lane))
        places = {lane: place for place, lane in enumerate(order)}
        self.lanes = {product: places[lane] for product, lane in self.lanes.items()}

    def complete_lanes(self) -> dict[int, int]:
        """The values that are what a lane holds after its products, with their lanes."""
        whole = {root: self.lanes[first] for root, (first, *_) in self.sums.items() if self.arguments(root) == (first,)}
        return whole | {product: lane for product, lane in self.lanes.items() if product not in self.inside}

    def functions_of(self, lanes: Mapping[int, int], order: Sequence[int]) -> list[int]:
        """What needs one of these lanes alone, in the order of lanes."""
        functions = {i: args[0] for i in order if i not in lanes and len(args := self.arguments(i)) == 1}
        return sorted((i for i, arg in functions.items() if arg in lanes), key=lambda index: lanes[functions[index]])

    def terms(self, root: int, inner: set[int]) -> tuple[list[int], set[int]]:
        """The terms of a sum, through additions that nothing else reads; and those additions."""
        terms: list[int] = []
        adds: set[int] = set()
        waiting = [*reversed(self.nodes[root].args)]
        while waiting:  # no recursion: a sum may have thousands of terms
            index = waiting.pop()
            if self.nodes[index].op == "add" and index in inner and self.placed.uses[index] == 1:
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
                    self.starts[self.lanes[first]] = self.placed.vector(node.name, node.size)
                elif self.placed.is_stored(term):
                    self.starts[self.lanes[first]] = self.placed.place(term)
                else:
                    continue
                self.begun[first] = term
                break

    def grouped(self) -> list[Group]:
        """The products by operand: lanes in order, each once in a group."""
        groups: list[Group] = []
        by_place: dict[Key, list[list[Term]]] = {}
        for product in sorted(self.block.products, key=lambda product: self.lanes[product]):
            node, operand = self.nodes[product], self.nodes[self.nodes[product].args[0]]
            transposed = node.op == "product_t"
            shape = (operand.size, node.size) if transposed else (node.size, operand.size)
            place = self.placed.place(node.args[0])
            term = (self.lanes[product], self.placed.matrix(node.name, *shape), transposed)
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
        return self.placed.is_loadable(index) or self.placed.home[index] is not self.block

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

    def keep(self, index: int) -> None:
        """Stores a value where it is wanted, and frees its slot where nothing else reads it."""
        self.store(index)
        if not self.left.get(index):
            self.free.append(self.slot[index])

    def store(self, index: int) -> None:
        for store in self.placed.stores.get(index, ()):
            op = "total" if self.placed.buffers[store.buffer].layout == "total" else "store"
            self.emit(op, self.slot[index], self.placed.numbers[store.buffer], store.offset, store.mode)
        between = Key(Role.BETWEEN, index)
        if self.placed.home[index] is self.block and between in self.placed.buffers:
            self.emit("store", self.slot[index], self.placed.numbers[between], 0)

    def read(self, index: int) -> int:
        """The slot of a value, loaded on its first use."""
        if index not in self.slot:
            self.slot[index] = target = self.take()
            node = self.nodes[index]
            if node.op == "number":
                self.emit("constant", target, 0, 0, number=node.value)
            elif node.op == "vector":
                self.emit("spread", target, self.placed.numbers[self.placed.vector(node.name, node.size)], 0)
            else:
                self.load(target, self.placed.sources.get(index, ((self.placed.place(index), 0),)))
        return self.slot[index]

    def load(self, target: int, parts: Source) -> None:
        (buffer, offset), *more = parts
        self.emit("load", target, self.placed.numbers[buffer], offset)
        for buffer, offset in more:
            other = self.take()
            self.emit("load", other, self.placed.numbers[buffer], offset)
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
