"""What was decided for one call and holds for the next: all that it depends on is compared at once.

Tensors are compared by what torch has for compiled code: their kinds, dtypes, shapes, strides, whether they want
gradients, and the dispatch keys that they and torch's modes add. So a mode that looks on is seen, as by `is_eager`.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

import torch
from torch import Tensor
from torch.autograd import forward_ad

try:
    from torch._C._dynamo.guards import TensorGuards
except ImportError:  # torch's own, which it may take away: then nothing is remembered
    TensorGuards = None  # type: ignore[assignment, misc]

V = TypeVar("V")

MOST = 8  # calls of different kinds


class Cache(Generic[V]):
    """What was decided for the last few kinds of eager calls; of a copy's calls nothing is known."""

    def __init__(self) -> None:
        self._entries: dict[Hashable, tuple[TensorGuards, V]] = {}

    def get(self, facts: Hashable, *tensors: Tensor) -> V | None:
        """What was decided where the facts were these and the tensors alike; None where nothing was."""
        if torch.compiler.is_compiling() or forward_ad._current_level >= 0:
            return None
        known = self._entries.get((facts, torch.is_grad_enabled(), torch.get_num_threads()))
        return known[1] if known is not None and known[0].check(*tensors) else None

    def put(self, value: V, facts: Hashable, *tensors: Tensor) -> None:
        """Remembers what was decided, of tensors that are eager."""
        if TensorGuards is None or forward_ad._current_level >= 0:
            return
        if len(self._entries) >= MOST:
            self._entries.clear()
        guards = TensorGuards(*tensors, dynamic_dims_sizes=None, dynamic_dims_strides=None)
        self._entries[facts, torch.is_grad_enabled(), torch.get_num_threads()] = guards, value

    def __reduce__(self) -> "tuple[type[Cache[V]], tuple[()]]":
        return Cache, ()
