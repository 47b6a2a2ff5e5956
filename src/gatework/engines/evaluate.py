"""Nodes of a Program, forward or backward, in torch's own operations."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from gatework.notation import Node
from gatework.notation.ops import NORM_EPSILON, OPS, TABLE, Op


def in_torch(op: Op) -> Callable[..., Tensor]:
    """An operation of the table as a function of tensors, or of tensors and plain numbers."""
    if op.name not in _FUNCTIONS:
        _FUNCTIONS[op.name] = _function(op)
    return _FUNCTIONS[op.name]


def _function(op: Op) -> Callable[..., Tensor]:
    names = {"torch": torch, "F": F, "EPSILON": NORM_EPSILON}
    function: Callable[..., Tensor] = eval(f"lambda {'a' if op.arity == 1 else 'a, b'}: {op.torch}", names)
    if op.infix or op.arity == 1:
        return function
    return lambda a, b: function(*_tensors(a, b))


def _tensors(*values: Any) -> list[Tensor]:
    """The values as tensors of one kind, where some are plain numbers."""
    like = next(value for value in values if isinstance(value, Tensor))
    return [v if isinstance(v, Tensor) else torch.as_tensor(v, dtype=like.dtype, device=like.device) for v in values]


# Made when this is imported: torch.compile reads what it finds here, and could not make it.
_FUNCTIONS = {op.name: _function(op) for op in TABLE}

Step = tuple[Callable[..., Any], tuple[int, ...], tuple[int, ...]]  # function, arguments, results


def schedule(nodes: Sequence[Node], order: Iterable[int], params: Mapping[str, Tensor]) -> list[Step]:
    """The nodes of `order` as calls; products of one operand become one product."""
    steps: list[Step] = []
    groups: dict[tuple[tuple[int, ...], tuple[int, ...]], list[int]] = defaultdict(list)
    for index in order:
        if nodes[index].op == "product":
            groups[nodes[index].args, nodes[index].stopped].append(index)
    for index in order:
        node = nodes[index]
        if node.op == "product":
            if group := groups.pop((node.args, node.stopped), None):
                function = _products([params[nodes[i].name] for i in group])
                steps.append((_stopping(function, node.stopped), node.args, tuple(group)))
        elif node.op == "product_t":
            steps.append((_products([params[node.name].T]), node.args, (index,)))
        elif node.op in OPS:
            steps.append((_stopping(in_torch(OPS[node.op]), node.stopped), node.args, (index,)))
    return steps


def _stopping(function: Callable[..., Any], stopped: tuple[int, ...]) -> Callable[..., Any]:
    """The function, with no gradient through the arguments in these places."""
    if not stopped:
        return function
    return lambda *values: function(*(v.detach() if place in stopped else v for place, v in enumerate(values)))


def _products(matrices: list[Tensor]) -> Callable[[Tensor], Tensor | tuple[Tensor, ...]]:
    if len(matrices) == 1:
        return lambda operand: F.linear(operand, matrices[0])
    stacked, sizes = torch.cat(matrices), [matrix.shape[0] for matrix in matrices]
    return lambda operand: torch.split(F.linear(operand, stacked), sizes, -1)


def evaluate(steps: list[Step], values: list[Any]) -> None:
    """Fills in the values that the steps compute."""
    for function, arguments, results in steps:
        result = function(*[values[argument] for argument in arguments])
        if len(results) == 1:
            values[results[0]] = result
        else:
            for index, part in zip(results, result, strict=True):
                values[index] = part


def leaves(nodes: Sequence[Node], **sources: Mapping[Any, Any]) -> list[Any]:
    """A list with each leaf's value in its place: numbers, and what `sources` has under the leaf's op and name."""
    return [
        node.value if node.op == "number" else sources.get(node.op, {}).get(node.name or node.source) for node in nodes
    ]
