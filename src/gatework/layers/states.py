"""The named tuples in which layers return their states."""

from collections import namedtuple
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor
from torch.serialization import add_safe_globals

if TYPE_CHECKING:

    class State(tuple[Tensor, ...]):
        """A layer's state: a named tuple with a tensor [L*D,B,size] for each state of its cell, output first."""

        def __getattr__(self, name: str) -> Tensor: ...

else:
    State = tuple


class LSTMState(NamedTuple):
    """The state of an LSTM: h [L*D,B,H] (R in place of H with a projection) and c [L*D,B,H]."""

    h: Tensor
    c: Tensor


KNOWN: dict[tuple[str, ...], Any] = {}  # a dict, not a cache: torch.compile looks into it


def state_type(names: tuple[str, ...]) -> Any:
    """The named tuple of a cell's states, output first: (h, c) for an LSTM."""
    if names not in KNOWN:
        KNOWN[names] = picklable(LSTMState if names == LSTMState._fields else namedtuple("State", names))
    return KNOWN[names]


def picklable(made: Any) -> Any:
    """The named tuple with a way to pickle it: pickle knows no class that is made at run time."""
    made.__reduce__ = lambda self: (state_of, (made._fields, tuple(self)))
    return made


def state_of(names: tuple[str, ...], values: Sequence[Tensor]) -> Any:
    return state_type(names)(*values)


add_safe_globals([state_of])  # torch.load takes states as it is by default: nothing is run but this
