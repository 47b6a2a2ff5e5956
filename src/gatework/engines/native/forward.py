"""The forward pass of a Program over a sequence, in the core."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from gatework.engines.native import bound as bound_calls
from gatework.engines.native.bound import Bound
from gatework.engines.native.call import Call, outline
from gatework.lowering import forward as lowered
from gatework.lowering.call import Frozen, Options, Outline
from gatework.lowering.forward import SHAPES
from gatework.lowering.threads import threads_at_once


class Result(NamedTuple):
    """Output [T,B,H], final states [B,size], recorded values [T,B,size].

    saved: for the backward pass: states [T+1,B,size], before each step and after the last; and what else is saved, in
    one piece.
    """

    output: Tensor
    finals: list[Tensor]
    recorded: list[Tensor]
    saved: list[Tensor]


def forward(call: Call) -> Result:
    return bound(call).run(call.tensors, call.lengths, call.resets)


def bound(call: Call, at_once: int = 1) -> "Forward":
    """The forward pass that runs such calls, of which so many are asked for at once."""
    binder, threads = _binder(call.options.frozen), torch.get_num_threads()
    given = call.options, outline(call.tensors), call.has_boundaries
    made: Forward = binder(*given, threads)
    least = threads_at_once(at_once, made.seconds, made.grid, threads)
    return made if least == threads else binder(*given, least)


def _binder(frozen: Frozen | None) -> Callable[..., "Forward"]:
    """What binds a call once: of frozen weights for the last few shapes, since each has its own packed weights."""
    if frozen is None:
        return bind
    if "native" not in frozen.made:
        frozen.made["native"] = lru_cache(maxsize=SHAPES)(bind.__wrapped__)
    made: Callable[..., Forward] = frozen.made["native"]
    return made


class Forward(NamedTuple):
    """A forward pass that is bound: the call, and where its results are."""

    call: Bound
    places: lowered.Forward

    @property
    def seconds(self) -> float:
        """Of its scan, reckoned."""
        return self.places.seconds

    @property
    def grid(self) -> tuple[int, int]:
        return self.places.grid

    @property
    def threads(self) -> int:
        """Those it was bound for."""
        return self.places.threads

    def run(self, tensors: Sequence[Tensor], lengths: Tensor | None, resets: Tensor | None) -> Result:
        """Its results, of tensors as they were bound, lengths [B] int64 and resets [T,B] uint8."""
        return self.result(self.call.run(tensors, lengths, resets))

    def result(self, made: list[Tensor]) -> Result:
        """What a run has made."""
        at = self.places
        output = made[at.output]
        return Result(
            output if at.since is None else output[1:] if at.since else output[:-1],
            made[at.finals :],
            made[at.recorded : at.finals],
            made[: at.saved],
        )


@lru_cache(maxsize=1024)
def bind(options: Options, tensors: Outline, has_boundaries: bool, threads: int) -> Forward:
    places = lowered.bind(options, tensors, has_boundaries, threads)
    return Forward(Bound.of(places.call), places)


def run_at_once(passes: Sequence[Forward], tensors: Sequence[Sequence[Tensor]]) -> list[Result]:
    """The results of passes of one thread each, without lengths and resets."""
    made = bound_calls.run_at_once([each.call for each in passes], tensors)
    return [each.result(own) for each, own in zip(passes, made, strict=True)]
