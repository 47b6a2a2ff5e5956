"""A call that is bound, run on tensors: what a run returns is allocated, and the core is given addresses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from torch import Tensor

from gatework.core import _native
from gatework.engines.native.memory import DTYPES, LEAST, allocated, allocation
from gatework.lowering import isa
from gatework.lowering.binding import Binding

_ADDRESS = Tensor.data_ptr


@dataclass(frozen=True)
class Bound:
    """A call that is ready to run."""

    core: _native.Call
    apart: tuple[int, ...]
    allocations: Sequence[Callable[[], Tensor]]

    @classmethod
    def of(cls, call: Binding) -> Self:
        results = [allocation(shape, DTYPES[element]) for shape, element in call.results]
        return cls(call.core, tuple(call.apart), results)

    def given(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        """The tensors of a run as they were bound: some are copied."""
        if not self.apart:
            return tensors
        own = [*tensors]
        for place in self.apart:
            own[place] = _copied(own[place])
        return own

    def run(self, tensors: Sequence[Tensor], lengths: Tensor | None, resets: Tensor | None) -> list[Tensor]:
        """Its results, of tensors as they were bound, lengths [B] int64 and resets [T,B] uint8."""
        tensors = self.given(tensors)
        made = [allocate() for allocate in self.allocations]
        addresses = [*map(_ADDRESS, tensors), *map(_ADDRESS, made)]
        ends, borders = 0 if lengths is None else lengths.data_ptr(), 0 if resets is None else resets.data_ptr()
        try:
            self.core.run(addresses, ends, borders)
        except ValueError:
            isa.check()
            raise
        return made


def run_at_once(calls: Sequence[Bound], tensors: Sequence[Sequence[Tensor]]) -> list[list[Tensor]]:
    """The results of calls that take one thread each, without lengths and resets."""
    given = [call.given(own) for call, own in zip(calls, tensors, strict=True)]
    made = [[allocate() for allocate in call.allocations] for call in calls]
    addresses = [[*map(_ADDRESS, own), *map(_ADDRESS, new)] for own, new in zip(given, made, strict=True)]
    try:
        _native.run_together([(call.core, own, 0, 0) for call, own in zip(calls, addresses, strict=True)])
    except ValueError:
        isa.check()
        raise
    return made


def _copied(tensor: Tensor) -> Tensor:
    if tensor.numel() < LEAST:
        return tensor.contiguous()
    return allocated(tuple(tensor.shape), tensor.dtype).copy_(tensor)
