"""Which way a pass runs: G, step by step; or S, a whole sequence in one kernel.

S runs where the environment variable GATEWORK_TRITON_MODE=S asks for it and rows are short enough: it has been
checked in Triton's interpreter, and timed nowhere.
"""

import os
from collections.abc import Iterable

import torch

from gatework.errors import InputError

MODES = ("S", "G")
UNITS = {torch.bfloat16: 128, torch.float32: 64}  # of a row that a program of mode S has, at most


def mode(units: Iterable[int], dtype: torch.dtype) -> str:
    """The mode for rows of these sizes."""
    asked = os.environ.get("GATEWORK_TRITON_MODE", "G")
    if asked not in MODES:
        raise InputError(f"GATEWORK_TRITON_MODE={asked!r}; expected {' or '.join(MODES)}, or unset it")
    return asked if max(units, default=0) <= UNITS[dtype] else "G"
