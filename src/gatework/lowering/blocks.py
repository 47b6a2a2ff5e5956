"""Nodes of a Program, forward or backward, to a plan: the integers that the native core verifies and runs.

A plan is a list of blocks to run at every step. A block computes values of one size for a tile of rows and
units: first its products, each sum of products in one lane of registers, then its pointwise nodes. A row
function is a block of its own. Values that another block needs are stored in between.
"""

from collections.abc import Iterable, Mapping, Sequence

from gatework.lowering.codes import ELEMENTS, LAYOUTS, MAGIC, ROWS
from gatework.lowering.instructions import Instructions
from gatework.lowering.placement import Block, Placement
from gatework.lowering.plan import SIZES, Buffer, NativePlan, Source, Store
from gatework.lowering.simplify import fuse_derivatives
from gatework.notation import Node


def lower(
    nodes: Sequence[Node],
    sources: Mapping[int, Source],
    stores: Mapping[int, Sequence[Store]],
    buffers: Iterable[Buffer],
    *,
    backwards: bool,
    element: str = "float32",
) -> NativePlan:
    """The plan that computes what `stores` asks for.

    nodes: in order. sources: where leaves lie that are no vector and no number. stores: node -> what to do with it.
    buffers: those that sources and stores name, besides vectors and matrices, which are added here.
    element: of vectors and matrices, and of values stored in between for products to read; the others are float32.
    """
    placement = Placement(fuse_derivatives(nodes), sources, stores, buffers, element)
    body: list[int] = []  # before the head: instructions add parameters to the buffers
    level = None
    for block in placement.blocks:
        body += [int(block.level != level), *_block(placement, block)]
        level = block.level
    stream = (*_head(placement, backwards), len(placement.blocks), *body)
    return NativePlan(stream, tuple(placement.buffers.values()), tuple(placement.between))


def _head(placement: Placement, backwards: bool) -> list[int]:
    head = [MAGIC, int(backwards), int(_fuses(placement)), len(SIZES), len(placement.buffers)]
    for buffer in placement.buffers.values():
        head += [LAYOUTS[buffer.layout], SIZES.index(buffer.rows), SIZES.index(buffer.columns)]
        head += [int(buffer.written), ELEMENTS[buffer.element]]
    return head


def _block(placement: Placement, block: Block) -> list[int]:
    size, numbers = SIZES.index(block.size), placement.numbers
    if block.row is not None:
        node = placement.nodes[block.row]
        source, target = placement.place(node.args[0]), placement.place(block.row)
        return [size, ROWS[node.op] + 1, numbers[source], numbers[target]]
    code = Instructions(placement, block)
    starts = [0 if key is None else numbers[key] + 1 for key in code.starts]
    out = [size, 0, code.lanes_used, code.slots, *starts, len(code.groups)]
    for operand, terms in code.groups:
        out += [numbers[operand], 1, len(terms)]
        for lane, matrix, transposed in terms:
            out += [lane, numbers[matrix], int(transposed)]
    out.append(len(code.out))
    for instruction in code.out:
        out += instruction
    return out


def _fuses(placement: Placement) -> bool:
    """Whether the last block of a step and the first of the next can run tile by tile together.

    Each must be alone at its level, of one size, and the first must read no whole rows that the plan writes.
    """
    blocks, nodes = placement.blocks, placement.nodes
    if len(blocks) < 2:
        return False
    first, last = blocks[0], blocks[-1]
    operands = [placement.place(nodes[product].args[0]) for product in first.products]
    return (
        first.row is None
        and last.row is None
        and first.size == last.size
        and first.level[0] < last.level[0]
        and blocks[1].level[0] > first.level[0]
        and blocks[-2].level[0] < last.level[0]
        and not any(placement.buffers[key].written for key in operands)
    )
