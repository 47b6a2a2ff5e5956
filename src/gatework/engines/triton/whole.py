"""Mode S: all steps of a pass in one kernel, on the memory that a pass step by step has."""

from collections.abc import Sequence
from math import ceil

import torch
from torch import Tensor

from gatework.engines.triton.modes import ROWS, width
from gatework.engines.triton.modules import load
from gatework.engines.triton.passes import FUSED, Pass
from gatework.engines.triton.source.sequence import CARRIED, Place, SequenceKernel
from gatework.lowering.keys import Key, Role

WARPS = 8  # of a program: with 4, registers spill at the most units in bfloat16


def run(part: Pass, kernel: SequenceKernel, times: Sequence[int]) -> None:
    """Takes a pass through some steps, in their order."""
    if not times or not part.B:
        return
    begin, end = times[0], times[-1]
    forwards = 1 if part.reverse == part.backwards else -1
    matrices = [part.tensors[Key(Role.MATRIX, name)].contiguous() for name, *_ in kernel.matrices]
    arguments = [
        *(value for place in (*kernel.reads, *kernel.writes) for value in _series(part, place, begin, end, forwards)),
        *(value for first, last in kernel.carried for value in _ends(part, first, last, begin, end)),
        *(value for matrix in matrices for value in (matrix, matrix.stride(0))),
        *(value for size in kernel.sizes for value in (part.units[size], width(part.units[size]))),
    ]
    border = int(part.reverse == part.backwards)  # as passes.py has it
    load(kernel.text).kernel[(ceil(part.B / ROWS),)](
        *arguments,
        part.call.lengths,
        part.call.resets,
        begin,
        forwards,
        border,
        part.T,
        len(times),
        part.B,
        ENDS=part.call.lengths is not None,
        RESETS=part.call.resets is not None,
        PRECISION="tf32" if torch.backends.cuda.matmul.allow_tf32 else "ieee",
        ROWS=ROWS,
        num_warps=WARPS,
        enable_fp_fusion=FUSED,
    )


def _series(part: Pass, place: Place, begin: int, end: int, forwards: int) -> tuple[Tensor, int, int]:
    """Where a series is at the first step, and how far it is from step to step and from row to row."""
    key, offset = place
    slots = part.series[key].values.shape[0]
    if slots == 1 or (slots == 2 and key.role in CARRIED):  # used in turn: what stays is the last
        at = part.at(key, offset, end)
        return at, 0, at.stride(0)
    at = part.at(key, offset, begin)
    return at, forwards * part.series[key].values.stride(0), at.stride(0)


def _ends(part: Pass, first: Place, last: Place, begin: int, end: int) -> tuple[Tensor, int, Tensor, int]:
    before, after = part.at(*first, begin), part.at(*last, end)
    return before, before.stride(0), after, after.stride(0)
