"""What a scan costs, for torch.utils.flop_counter: the products with matrices, two operations to a multiply-add."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.utils.flop_counter import register_flop_formula

from gatework.engines.native.operators import scan, scan_backward
from gatework.lowering.call import tensor_spec
from gatework.lowering.keys import Key, Role
from gatework.notation import Node, Program
from gatework.notation.recipe import read

Shape = Sequence[int]


def products(program: Program, shapes: Sequence[Shape]) -> Iterator[tuple[Node, int]]:
    """Each product with a matrix, and its operations over all steps and sequences."""
    by_key = dict(zip(tensor_spec(program).shapes, shapes, strict=True))
    T, B, _ = shapes[0]
    for node in program.nodes:
        if node.op == "product":
            rows, columns = by_key[Key(Role.MATRIX, node.name)]
            yield node, 2 * T * B * rows * columns


def forward(recipe: str, shapes: Sequence[Shape], *_options: Any, **_more: Any) -> int:
    return sum(cost for _, cost in products(read(recipe), shapes))


def backward(
    recipe: str,
    shapes: Sequence[Shape],
    saved: Sequence[Shape],
    _gradients: Any,
    wanted: Sequence[bool],
    _lengths: Any,
    _resets: Any,
    recompute: bool,
    **_more: Any,
) -> int:
    """Of each product a matrix's gradient and an operand's, where wanted; with `recompute` the forward pass as well."""
    program = read(recipe)
    asked = {key for key, wants in zip(tensor_spec(program).shapes, wanted, strict=True) if wants}
    passes = passes_gradients(program, asked)
    cost = forward(recipe, shapes) if recompute or not saved else 0
    for node, once in products(program, shapes):
        cost += once * ((Key(Role.MATRIX, node.name) in asked) + passes[node.args[0]])
    return cost


def passes_gradients(program: Program, asked: set[Key]) -> list[bool]:
    """Whether a gradient passes through each node on its way to what was asked for."""
    passes: list[bool] = []
    for node in program.nodes:
        match node.op:
            case "state":
                asks = True
            case "product":
                asks = Key(Role.MATRIX, node.name) in asked
            case "input" | "vector":
                asks = Key(Role(node.op), node.name) in asked
            case _:
                asks = False
        passes.append(asks or any(passes[argument] for argument in node.args))
    return passes


register_flop_formula(getattr(torch.ops.gatework, scan._name))(forward)
register_flop_formula(getattr(torch.ops.gatework, scan_backward._name))(backward)
