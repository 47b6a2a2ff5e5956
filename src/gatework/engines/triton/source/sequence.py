"""A whole pass in one kernel: a program of it takes a group of sequences through all steps, and has all their units.

States, or gradients by them, stay in registers from step to step; matrices are loaded once, before the first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gatework.engines.triton.source.pointwise import lines
from gatework.lowering.keys import Key, Role
from gatework.lowering.plan import Source, Store
from gatework.notation import Node
from gatework.notation.ops import OPS

Place = tuple[Key, int]  # a buffer at a step offset

CARRIED = frozenset({Role.STATE, Role.STATE_GRADIENT})
_CONSTANT = frozenset({Role.VECTOR, Role.START})


@dataclass(frozen=True)
class SequenceKernel:
    """A kernel: what it reads and writes at each step, carries from step to step and multiplies with.

    The order of each is that of the kernel's arguments; `carried` are read before the first step and written after the
    last. matrices: a name, its rows and columns as sizes. sizes: of rows of units. row_functions: how many it computes.
    """

    reads: tuple[Place, ...]
    writes: tuple[Place, ...]
    carried: tuple[tuple[Place, Place], ...]
    matrices: tuple[tuple[str, str, str], ...]
    sizes: tuple[str, ...]
    row_functions: int
    text: str


def sequence(
    nodes: Sequence[Node], sources: Mapping[int, Source], stores: Mapping[int, Sequence[Store]]
) -> SequenceKernel:
    """The kernel of a pass, forward or backward. sources: where leaves lie. stores: what is kept of values."""
    return _Writer(nodes, sources).kernel(stores)


def _order(nodes: Sequence[Node], roots: Iterable[int], known: Mapping[int, Source]) -> list[int]:
    """What the roots need, each node after its arguments."""
    order: dict[int, None] = {}
    waiting = list(roots)
    while waiting:  # no recursion: a text may be long
        missing = [arg for arg in nodes[waiting[-1]].args if arg not in order] if waiting[-1] not in known else []
        if missing:
            waiting += missing
        else:
            order.setdefault(waiting.pop())
    return list(order)


class _Writer:
    """Writes a kernel: what is before the steps, a step, and what is after them."""

    def __init__(self, nodes: Sequence[Node], sources: Mapping[int, Source]) -> None:
        self.nodes, self.sources = nodes, sources
        self.reads: dict[Place, str] = {}
        self.writes: dict[Place, str] = {}
        self.carried: dict[Key, tuple[str, Place, Place]] = {}
        self.matrices: dict[str, tuple[str, str, str]] = {}
        self.sizes: dict[str, None] = {}
        self.before: list[str] = []
        self.body: list[str] = []
        self.after: list[str] = []

    def kernel(self, stores: Mapping[int, Sequence[Store]]) -> SequenceKernel:
        for index, each in stores.items():
            for store in each:
                if store.mode in ("state", "flow"):
                    self.carry(store, self.nodes[index].size)
        order = _order(self.nodes, stores, self.sources)
        for index in order:
            self.compute(index)
            for store in stores.get(index, ()):  # at once: a value that waits for it takes registers
                self.body += self.stored(index, store)
        carry = [f"{name} = {name}_new" for key, (name, *_) in self.carried.items() if key.role in CARRIED]
        self.body += carry
        return SequenceKernel(
            tuple(self.reads),
            tuple(self.writes),
            tuple((begin, end) for _, begin, end in self.carried.values()),
            tuple((matrix, rows, columns) for matrix, (_, rows, columns) in self.matrices.items()),
            tuple(self.sizes),
            sum(self.nodes[index].op in OPS and OPS[self.nodes[index].op].row for index in order),
            self.text(),
        )

    # -- what is carried

    def carry(self, store: Store, size: str) -> None:
        """Has a state, or the gradients by it, kept from step to step."""
        key = store.buffer
        self.keep(key, size, 0 if store.mode == "state" else 1, store.offset)
        if store.mode == "flow":
            self.keep(Key(Role.START_GRADIENT, key.of), size, 0, 0)

    def keep(self, key: Key, size: str, begin: int, end: int) -> None:
        name = f"c{len(self.carried)}"
        self.carried[key] = name, (key, begin), (key, end)
        self.size(size)
        self.before.append(f"{name} = {_load(f'{name}_first_at + row * {name}_first_row', size)}  # {key}")
        self.after.append(f"tl.store({name}_last_at + row * {name}_last_row + unit_{size}, {name}, stored_{size})")

    def size(self, size: str) -> str:
        self.sizes.setdefault(size)
        return size

    # -- values

    def compute(self, index: int) -> None:
        node = self.nodes[index]
        if node.size == "1":  # a number, or made of numbers
            self.body += lines(self.nodes, [index], "[1, 1]")
            return
        size = self.size(node.size)
        if index in self.sources:
            parts = [self.read(*place, size) for place in self.sources[index]]
            self.body.append(f"v{index} = {' + '.join(parts)}")
        elif node.op == "vector":
            self.body.append(f"v{index} = {self.read(Key(Role.VECTOR, node.name), 0, size)}")
        elif node.op in ("product", "product_t"):
            self.body.append(self.product(index, node))
        else:
            self.body += lines(self.nodes, [index], f"[ROWS, UNITS_{size}]", f"_{size}")

    def product(self, index: int, node: Node) -> str:
        inner, transposed = self.size(self.nodes[node.args[0]].size), node.op == "product_t"
        matrix = self.matrix(node.name, *((inner, node.size) if transposed else (node.size, inner)))
        operand = f"tl.where(inside_{inner}, v{node.args[0]}, 0.0).to({matrix}.dtype)"
        right = matrix if transposed else f"tl.trans({matrix})"
        return f"v{index} = tl.dot({operand}, {right}, input_precision=PRECISION)  # {node.op} {node.name}"

    def matrix(self, name: str, rows: str, columns: str) -> str:
        if name not in self.matrices:
            short = f"m{len(self.matrices)}"
            self.matrices[name] = short, rows, columns
            place = f"{short}_at + tl.trans(unit_{rows}) * {short}_row + unit_{columns}"
            self.before.append(f"{short} = tl.load({place}, tl.trans(inside_{rows}) & inside_{columns}, 0)  # {name}")
        return self.matrices[name][0]

    def read(self, key: Key, offset: int, size: str) -> str:
        """The name of a value that is loaded, at each step or before the first, or carried."""
        if key in self.carried and self.carried[key][1][1] == offset:
            return self.carried[key][0]
        if (key, offset) not in self.reads:
            name = self.reads[key, offset] = f"r{len(self.reads)}"
            constant = key.role in _CONSTANT
            place = (
                f"{name}_at + row * {name}_row" if constant else f"{name}_at + step * {name}_step + row * {name}_row"
            )
            (self.before if constant else self.body).append(f"{name} = {_load(place, size)}  # {key}")
        return self.reads[key, offset]

    # -- what is stored

    def stored(self, index: int, store: Store) -> list[str]:
        """The lines that store a value as its mode says."""
        key, size = store.buffer, self.nodes[index].size
        if store.mode == "flow":
            return self.flow(index, key)
        name = self.writes.setdefault((key, store.offset), f"w{len(self.writes)}")
        lines = [f"{name} = v{index}  # {key}"]
        if store.mode == "ended0":
            lines += ["if ENDS:", f"    {name} = tl.where(alive, {name}, 0.0)"]
        elif store.mode == "state":
            carried = self.carried[key][0]
            start = self.read(Key(Role.START, key.of), 0, size)
            lines += ["if ENDS:", f"    {name} = tl.where(alive, {name}, {carried})"]
            lines += ["if RESETS:", f"    {name} = tl.where(again, {start}, {name})", f"{carried}_new = {name}"]
        place = f"{name}_at + step * {name}_step + row * {name}_row + unit_{size}"
        return [*lines, f"tl.store({place}, {name}, stored_{size})"]

    def flow(self, index: int, key: Key) -> list[str]:
        """The lines that hand gradients by a state to the step before, or to the start where it was reset."""
        name, start = self.carried[key][0], self.carried[Key(Role.START_GRADIENT, key.of)][0]
        return [
            f"{name}_new = v{index}  # {key}",
            "if ENDS:",
            f"    {name}_new = tl.where(alive, {name}_new, {name})",
            "if RESETS:",
            f"    {start} = tl.where(again, {start} + {name}_new, {start})",
            f"    {name}_new = tl.where(again, 0.0, {name}_new)",
        ]

    # -- the text

    def text(self) -> str:
        arguments = [
            *(f"{name}_at, {name}_step, {name}_row," for name in (*self.reads.values(), *self.writes.values())),
            *(f"{c}_first_at, {c}_first_row, {c}_last_at, {c}_last_row," for c, *_ in self.carried.values()),
            *(f"{name}_at, {name}_row," for name, *_ in self.matrices.values()),
            *(f"units_{size}, UNITS_{size}: tl.constexpr," for size in self.sizes),
        ]
        setup = [line for size in self.sizes for line in _SIZE.format(size=size).splitlines()]
        return _FRAME.format(
            arguments="\n    ".join(arguments),
            before="\n    ".join([*setup, *self.before]),
            body="\n        ".join(self.body),
            after="\n    ".join(self.after),
        )


def _load(place: str, size: str) -> str:
    return f"tl.load({place} + unit_{size}, stored_{size}, 0).to(tl.float32)"


_SIZE = """\
unit_{size} = tl.arange(0, UNITS_{size})[None, :]
inside_{size} = unit_{size} < units_{size}
stored_{size} = (row < rows) & inside_{size}"""

_FRAME = """
@triton.jit
def kernel(
    {arguments}
    lengths, resets, begin, forwards, border, T, steps, rows,
    ENDS: tl.constexpr, RESETS: tl.constexpr, PRECISION: tl.constexpr, ROWS: tl.constexpr,
):
    row = (tl.program_id(0) * ROWS + tl.arange(0, ROWS)).to(tl.int64)[:, None]
    {before}
    for count in tl.range(0, steps, num_stages=1):
        step = tl.full([1, 1], 0, tl.int64) + count
        time = begin + step * forwards
        if ENDS:
            alive = time < tl.load(lengths + row, row < rows, 0)
        if RESETS:
            there = (row < rows) & (time + border > 0) & (time + border < T)
            again = tl.load(resets + (time + border) * rows + row, there, 0) != 0
        {body}
    {after}
"""
