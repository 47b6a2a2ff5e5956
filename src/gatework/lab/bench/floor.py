"""The least time of a training step: that of its multiply-adds, or that of the bytes it moves."""

import math
from functools import cache

from gatework.cells import Cell
from gatework.lab.bench.machine import bandwidth, ceiling
from gatework.lab.bench.measure import Shape
from gatework.lab.bench.work import activations, recurrent_weights, sizes_of_layers, work

CEILING_SECONDS = 0.1  # of the FMA loop
BANDWIDTH_SECONDS = 0.03  # of the reading loop, for each size
LEAST, MOST = 2**12, 2**28  # bytes that it reads over and over


def floor(cell: Cell, shape: Shape, threads: int) -> float:
    """Seconds below which no training step ends: the longer of its multiply-adds and of its bytes.

    The bandwidth is that of one core times the threads. Caches near a core scale so and main memory does not, so the
    floor is on the low side.
    """
    layers = sizes_of_layers(cell, shape)
    moved = shape.T * shape.B * sum(activations(cell.program, sizes) for sizes in layers)
    weights = sum(recurrent_weights(cell.program, sizes) for sizes in layers)
    moving = moved / _bytes_per_second(moved) + 2 * shape.T * weights / _bytes_per_second(weights)
    return max(work(cell, shape, train=True) / _multiplies_per_second(threads), moving / threads)


@cache
def _multiplies_per_second(threads: int) -> float:
    return ceiling(CEILING_SECONDS, threads) * 1e9 / 2


def _bytes_per_second(amount: int) -> float:
    """Of a core that reads so many bytes over and over."""
    return _measured(2 ** round(math.log2(min(max(amount, LEAST), MOST))))


@cache
def _measured(amount: int) -> float:
    return bandwidth(amount, BANDWIDTH_SECONDS) * 1e9
