"""Nodes of a Program as lines of Triton, over a tile [ROWS, UNITS] of float32.

A tile may be larger than what it stands for: `inside` says which numbers count, `units` how many there are in a row.
"""

from collections.abc import Iterable, Sequence

from gatework.notation import Node
from gatework.notation.ops import NORM_EPSILON, OPS

# What begins a module of kernels; Triton has no tanh and no log1p that its interpreter knows.
HEADER = f'''\
import triton
import triton.language as tl


@triton.jit
def _sigmoid(a):
    small = tl.exp(-tl.abs(a))
    return tl.where(a >= 0, 1.0, small) / (1.0 + small)


@triton.jit
def _tanh(a):
    """By its series near 0, where the quotient would cancel."""
    square, small = a * a, tl.exp(-2.0 * tl.abs(a))
    quotient = (1.0 - small) / (1.0 + small)
    series = a * (1.0 + square * (-1 / 3 + square * (2 / 15 + square * (-17 / 315 + square * (62 / 2835)))))
    return tl.where(square < 0.0625, series, tl.where(a < 0, -quotient, quotient))


@triton.jit
def _log1p(a):
    """Of numbers from 0 to 1: by the series near 0, where 1 + a would lose what a is."""
    series = a * (1.0 - a * (1 / 2 - a * (1 / 3 - a * (1 / 4 - a / 5))))
    return tl.where(a < 0.03, series, tl.log(1.0 + a))


@triton.jit
def _sum(a, inside):
    return tl.sum(tl.where(inside, a, 0.0), 1, keep_dims=True)


@triton.jit
def _mean(a, inside, units):
    return _sum(a, inside) / units


@triton.jit
def _rstd(a, inside, units):
    centred = a - _mean(a, inside, units)
    return 1.0 / tl.sqrt(_mean(centred * centred, inside, units) + {NORM_EPSILON})


@triton.jit
def _softmax(a, inside):
    most = tl.max(tl.where(inside, a, float("-inf")), 1, keep_dims=True)
    powers = tl.exp(tl.where(inside, a - most, float("-inf")))
    return powers / _sum(powers, inside)

'''


def lines(nodes: Sequence[Node], made: Iterable[int], shape: str = "[ROWS, UNITS]", suffix: str = "") -> list[str]:
    """`v3 = ...` for each node that is made, in their order, of the values v0, v1, ... of others.

    suffix: of the names `inside` and `units` in a kernel that has several of them.
    """
    return [f"v{index} = tl.broadcast_to({_expression(nodes[index], suffix)}, {shape})" for index in made]


def _expression(node: Node, suffix: str) -> str:
    if node.op == "number":
        return f"tl.full([1, 1], {node.value!r}, tl.float32)"
    args = dict(zip("ab", (f"v{arg}" for arg in node.args), strict=False))
    return OPS[node.op].triton.format(**args, inside=f"inside{suffix}", units=f"units{suffix}")
