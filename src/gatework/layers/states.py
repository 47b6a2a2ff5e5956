"""The named tuple in which a layer returns its state."""

from collections import namedtuple
from collections.abc import Sequence
from typing import Any

from torch import Tensor

KNOWN: dict[tuple[str, ...], Any] = {}  # a dict, not a cache: torch.compile looks into it


def state_type(names: tuple[str, ...]) -> Any:
    """The named tuple of a cell's states, output first: (h, c) for an LSTM."""
    if names not in KNOWN:
        KNOWN[names] = picklable(namedtuple("State", names))
    return KNOWN[names]


def picklable(made: Any) -> Any:
    """The named tuple, told how to be found again: pickle knows no class that is made at run time."""
    made.__reduce__ = lambda self: (state_of, (made._fields, tuple(self)))
    return made


def state_of(names: tuple[str, ...], values: Sequence[Tensor]) -> Any:
    return state_type(names)(*values)
