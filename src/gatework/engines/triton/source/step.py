"""One step of a Program in Triton: its products, and a kernel for all that lies between them, over rows of one size.

A stage is products and then kernels: a product of a value made within the step opens the next stage. A kernel loads
what it reads, once, computes the nodes in float32 and stores what later stages, steps or passes read. Where it has row
functions a program of it has whole rows; else rows are split.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from gatework.engines.triton.source.pointwise import lines
from gatework.lowering.keys import Key, Role
from gatework.lowering.plan import Buffer, Source, Store
from gatework.notation import Node
from gatework.notation.ops import OPS
from gatework.notation.program import PRODUCTS

JOINED = "joined"  # a sum of products with transposed matrices: one argument for each


@dataclass(frozen=True)
class Product:
    """results, side by side = operand . matrices^T, one below the other; or, transposed, result = operands . matrices.

    size: of a result's row.
    """

    results: tuple[Key, ...]
    operands: tuple[Key, ...]
    matrices: tuple[str, ...]
    transposed: bool


@dataclass(frozen=True)
class Kernel:
    """A kernel over rows of `size` units: buffers at step offsets that it reads and writes, in the order of its text.

    whole: a program of it has whole rows.
    """

    size: str
    reads: tuple[tuple[Key, int], ...]
    writes: tuple[tuple[Key, int], ...]
    whole: bool
    text: str


@dataclass(frozen=True)
class Step:
    """Stages of a step: products, then kernels; and the values that one stage leaves for another, none of a product."""

    stages: tuple[tuple[tuple[Product, ...], tuple[Kernel, ...]], ...]
    between: tuple[Buffer, ...]


def step(
    nodes: Sequence[Node], sources: Mapping[int, Source], stores: Mapping[int, Sequence[Store]], element: str
) -> Step:
    """The step of a pass, forward or backward.

    sources: where leaves lie. stores: what is kept of values. element: of what products multiply.
    """
    return _Steps(nodes, sources, stores, element).step()


def _order(nodes: Sequence[Node], roots: Iterable[int], known: Collection[int] = ()) -> list[int]:
    """What the roots need, each node after its arguments; nothing that a known value was made of."""
    order: dict[int, None] = {}
    waiting = list(roots)
    while waiting:  # no recursion: a text may be long
        index = waiting[-1]
        missing = [] if index in known else [arg for arg in nodes[index].args if arg not in order]
        if missing:
            waiting += missing
        else:
            order.setdefault(waiting.pop())
    return list(order)


def _terms(nodes: Sequence[Node], index: int) -> list[int]:
    """What a sum adds up, in its order."""
    terms, waiting = list[int](), [index]
    while waiting:
        index = waiting.pop()
        if nodes[index].op == "add":
            waiting += reversed(nodes[index].args)
        else:
            terms.append(index)
    return terms


def _joined(nodes: Sequence[Node], roots: Collection[int]) -> tuple[list[Node], dict[int, tuple[str, ...]]]:
    """The nodes with a sum's products with transposed matrices as one node, and by that node the matrices."""
    out, matrices = list(nodes), dict[int, tuple[str, ...]]()
    others = [node for node in (nodes[index] for index in _order(nodes, roots)) if node.op != "add"]
    for head in sorted({*roots, *(arg for node in others for arg in node.args)}):
        terms = _terms(nodes, head)
        products = [nodes[term] for term in terms if nodes[term].op == "product_t"]
        if not products:
            continue
        place, total = head, Node(JOINED, tuple(node.args[0] for node in products), size=nodes[head].size)
        for term in (term for term in terms if nodes[term].op != "product_t"):
            out.append(total)
            place = len(out) - 1 if total.op == JOINED else place
            total = Node("add", (len(out) - 1, term), size=total.size)
        out[head] = total
        matrices[place] = tuple(node.name for node in products)
    return out, matrices


class _Steps:
    """Finds the stage of each node, and which values go from one to another."""

    def __init__(
        self, nodes: Sequence[Node], sources: Mapping[int, Source], stores: Mapping[int, Sequence[Store]], element: str
    ) -> None:
        self.nodes, self.matrices = _joined(nodes, stores)
        self.sources, self.element = sources, element
        self.stores = {index: list(each) for index, each in stores.items()}
        self.order = _order(self.nodes, stores, sources.keys())
        self.levels: dict[int, int] = {}
        for index in self.order:
            self.levels[index] = self.level(index)
        self.between: dict[Key, Buffer] = {}
        for index in self.order:
            self.hand_over(index)

    def is_leaf(self, index: int) -> bool:
        return index in self.sources or not self.nodes[index].args

    def is_product(self, index: int) -> bool:
        return not self.is_leaf(index) and (self.nodes[index].op in PRODUCTS or self.nodes[index].op == JOINED)

    def level(self, index: int) -> int:
        if self.is_leaf(index):
            return 0
        args = self.nodes[index].args
        before = max(self.levels[arg] for arg in args)
        if not self.is_product(index):
            return before
        return before + (self.nodes[index].op == JOINED or not self.is_leaf(args[0]))

    def hand_over(self, index: int) -> None:
        """Has the arguments of a node stored that are made in an earlier stage."""
        if self.is_leaf(index):
            return
        node = self.nodes[index]
        for arg in node.args:
            if node.op == JOINED:
                self.store(arg, Key(Role.FACTOR, arg), "ended0", self.element)
            elif self.is_leaf(arg) or self.is_product(arg):
                continue
            elif self.is_product(index) or self.levels[arg] < self.levels[index]:
                multiplied = self.is_product(index)
                self.store(arg, Key(Role.BETWEEN, arg), "plain", self.element if multiplied else "float32")

    def store(self, index: int, key: Key, mode: str, element: str) -> None:
        stores = self.stores.setdefault(index, [])
        if all(each.buffer != key for each in stores):
            stores.append(Store(key, 0, mode))
        if key.role is Role.BETWEEN:
            size = self.nodes[index].size
            known = self.between.get(key)
            if known is None or element == self.element:
                self.between[key] = Buffer(key, "series", size, size, True, element)

    def step(self) -> Step:
        groups: dict[int, dict[str, list[int]]] = {}
        for index in self.order:
            if index in self.stores:
                groups.setdefault(self.levels[index], {}).setdefault(self.nodes[index].size, []).append(index)
        last = max((self.levels[index] for index in self.order), default=-1)
        stages = tuple(
            (self.products(level), tuple(self.kernel(*group) for group in groups.get(level, {}).items()))
            for level in range(last + 1)
        )
        return Step(stages, tuple(self.between.values()))

    def products(self, level: int) -> tuple[Product, ...]:
        """Those of a stage: the matrices of one operand as one product."""
        groups: dict[tuple[Key, ...], list[int]] = {}
        transposed: list[Product] = []
        for index in self.order:
            if not self.is_product(index) or self.levels[index] != level:
                continue
            node, result = self.nodes[index], Key(Role.BETWEEN, index)
            if node.op == JOINED:
                factors = tuple(Key(Role.FACTOR, arg) for arg in node.args)
                transposed.append(Product((result,), factors, self.matrices[index], True))
            else:
                groups.setdefault((self.operand(node.args[0]),), []).append(index)
        plain = [
            Product(
                tuple(Key(Role.BETWEEN, index) for index in group),
                operand,
                tuple(self.nodes[index].name for index in group),
                False,
            )
            for operand, group in groups.items()
        ]
        return (*plain, *transposed)

    def operand(self, index: int) -> Key:
        if not self.is_leaf(index):
            return Key(Role.BETWEEN, index)
        return self.read(index)[0][0]

    def read(self, index: int) -> Source:
        """Where a value lies that a kernel does not make."""
        node = self.nodes[index]
        if index in self.sources:
            return self.sources[index]
        return ((Key(Role.VECTOR, node.name) if node.op == "vector" else Key(Role.BETWEEN, index), 0),)

    def kernel(self, size: str, stored: Sequence[int]) -> Kernel:
        level = self.levels[stored[0]]
        outside = {index: self.read(index) for index in self.order if not self.is_made(index, level)}
        needed = _order(self.nodes, stored, outside.keys())
        stores = [(index, store) for index in stored for store in self.stores[index]]
        return _Text(self.nodes, outside, needed, stores).kernel(size)

    def is_made(self, index: int, level: int) -> bool:
        """Whether the kernels of a stage compute a node; numbers they write down."""
        if self.nodes[index].op == "number":
            return True
        return self.levels[index] == level and not self.is_leaf(index) and not self.is_product(index)


class _Text:
    """Writes a kernel: loads, values, stores."""

    def __init__(
        self,
        nodes: Sequence[Node],
        outside: Mapping[int, Source],
        needed: Sequence[int],
        stores: Sequence[tuple[int, Store]],
    ) -> None:
        self.reads: dict[tuple[Key, int], str] = {}
        self.writes: dict[tuple[Key, int], str] = {}
        self.made = [index for index in needed if index not in outside]
        values = [f"v{i} = {' + '.join(self.read(*place) for place in outside[i])}" for i in needed if i in outside]
        values += lines(nodes, self.made)
        self.whole = any(nodes[index].op in OPS and OPS[nodes[index].op].row for index in self.made)
        stored = [line for index, store in stores for line in self.stored(f"v{index}", store)]
        self.body = [*self.loads(), *values, *stored]

    def read(self, key: Key, offset: int) -> str:
        """The name of a value that is loaded."""
        return self.reads.setdefault((key, offset), f"r{len(self.reads)}")

    def loads(self) -> list[str]:
        return [f"{r} = tl.load({r}_at + row * {r}_row + unit, inside, 0).to(tl.float32)" for r in self.reads.values()]

    def stored(self, value: str, store: Store) -> list[str]:
        """The lines that store a value as its mode says."""
        key, offset, mode = store.buffer, store.offset, store.mode
        name = self.writes.setdefault((key, offset), f"w{len(self.writes)}")
        lines = [f"{name} = {value}"]
        if mode == "ended0":
            lines += ["if ENDS:", f"    {name} = tl.where(alive, {name}, 0.0)"]
        elif mode == "state":
            old, start = self.read(key, 0), self.read(Key(Role.START, key.of), 0)
            lines += ["if ENDS:", f"    {name} = tl.where(alive, {name}, {old})"]
            lines += ["if RESETS:", f"    {name} = tl.where(again, {start}, {name})"]
        elif mode == "flow":
            by_start = Key(Role.START_GRADIENT, key.of)
            before, total = self.read(key, 1), self.read(by_start, 0)
            start = self.writes.setdefault((by_start, 0), f"w{len(self.writes)}")
            lines += ["if ENDS:", f"    {name} = tl.where(alive, {name}, {before})"]
            lines += ["if RESETS:", f"    {start} = tl.where(again, {total} + {name}, {total})"]
            lines += [f"    {_store(start)}", f"    {name} = tl.where(again, 0.0, {name})"]
        return [*lines, _store(name)]

    def kernel(self, size: str) -> Kernel:
        pointers = [f"{name}_at, {name}_row" for name in (*self.reads.values(), *self.writes.values())]
        text = _FRAME.format(pointers=",\n    ".join(pointers), body="\n    ".join(self.body))
        return Kernel(size, tuple(self.reads), tuple(self.writes), self.whole, text)


def _store(name: str) -> str:
    return f"tl.store({name}_at + row * {name}_row + unit, {name}, inside)"


_FRAME = """
@triton.jit(do_not_specialize=["time"])
def kernel(
    {pointers},
    lengths, resets, time, rows, units,
    ENDS: tl.constexpr, RESETS: tl.constexpr, ROWS: tl.constexpr, UNITS: tl.constexpr,
):
    line = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    row = line.to(tl.int64)[:, None]
    unit = tl.program_id(1) * UNITS + tl.arange(0, UNITS)[None, :]
    inside = (row < rows) & (unit < units)
    if ENDS:
        alive = time < tl.load(lengths + row, row < rows, 0)
    if RESETS:
        again = tl.load(resets + row, row < rows, 0) != 0
    {body}
"""
