"""CUDA graphs: the launches of a pass, captured by the shapes of its tensors and replayed as one."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from threading import Lock
from typing import Protocol

import torch
from torch import Tensor

MOST = 16  # graphs that are kept, each with the memory that it runs in

Function = Callable[[Sequence[Tensor]], list[Tensor]]


class Recording(Protocol):
    """Work that was recorded: `replay` does it again, on the numbers that are then in the same memory."""

    def replay(self) -> None: ...


Record = Callable[[Function, Sequence[Tensor]], tuple[Recording, list[Tensor]]]


def captured(function: Function, tensors: Sequence[Tensor]) -> tuple[Recording, list[Tensor]]:
    """A CUDA graph of what a function launches, and the tensors that it leaves its results in.

    It runs once before, on another stream: while a graph is captured nothing may be compiled or set up.
    """
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        function(tensors)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = function(tensors)
    return graph, results


class Graphs:
    """The graphs of the last few kinds of calls."""

    def __init__(self, record: Record = captured, most: int = MOST) -> None:
        self._record, self._most, self._lock = record, most, Lock()
        self._kept: OrderedDict[Hashable, tuple[Recording, list[Tensor], list[Tensor]] | None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def run(self, kind: Hashable, function: Function, tensors: Sequence[Tensor]) -> list[Tensor]:
        """function(tensors), which launches the same for all tensors of the same shapes in calls of one kind.

        The first call of a kind runs as it is, since there may be no other; the second is recorded, and replayed from
        then on: tensors are copied to where the graph reads them, results from where it leaves them.
        """
        key = kind, tuple((tensor.shape, tensor.dtype, tensor.device) for tensor in tensors)
        with self._lock:
            if key not in self._kept:
                self._keep(key)
                return function(tensors)
            self._kept.move_to_end(key)
            known = self._kept[key]
            if known is None:
                given = [tensor.clone(memory_format=torch.contiguous_format) for tensor in tensors]
                known = self._kept[key] = (*self._record(function, given), given)
            recording, results, given = known
            for to, tensor in zip(given, tensors, strict=True):
                to.copy_(tensor)
            recording.replay()
            return [result.clone() for result in results]

    def _keep(self, key: Hashable) -> None:
        """Notes a kind of call, in the place of the one that is longest unused."""
        while len(self._kept) >= self._most:
            self._kept.popitem(last=False)
        self._kept[key] = None


GRAPHS = Graphs()


def run(kind: Hashable, function: Function, tensors: Sequence[Tensor]) -> list[Tensor]:
    """function(tensors): on a CUDA device by a graph, unless what is launched there is being captured already."""
    first = tensors[0]
    if not first.is_cuda or torch.cuda.is_current_stream_capturing():
        return function(tensors)
    with torch.cuda.device(first.device):
        return GRAPHS.run((kind, torch.cuda.current_stream().cuda_stream), function, tensors)
