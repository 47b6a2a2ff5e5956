"""What an engine is called with, and what it returns: one contract for all of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from gatework.lowering.call import Frozen
from gatework.notation import Program

Results = tuple[Tensor, tuple[Tensor, ...], dict[str, Tensor]]  # output [T,B,size], final state, recorded values


@dataclass(frozen=True)
class Arguments:
    """One run of a Program over a sequence, differentiable in every tensor but `lengths` and `resets`.

    params: name -> tensor, shaped as `program.parameters` says. x: [T,B,I]. state: one [B,size] per state.
    start: like state, which it is by default. resets: [T,B] bool; before such a step the state is the start again,
        and no gradient crosses.
    lengths: [B]; past its length a sequence's state stands still, its output is 0, and gradients pass.
    inputs: what the Program reads beside x, each [T,B,size] or [1,B,size] for all steps: dropout and zoneout
        masks, taps. Whoever calls draws them, so every engine sees the same numbers.
    record: names of assigned values, returned as [T,B,size] each.
    recompute: training saves the states alone, and the backward pass computes the rest again.
    reverse: from each sequence's end to its beginning; all that is given and returned is in the order of time.
    frozen: the parameters never change, and no gradients are asked for: what is made of them is kept.
    """

    program: Program
    params: Mapping[str, Tensor]
    x: Tensor
    state: tuple[Tensor, ...]
    start: tuple[Tensor, ...] | None = None
    lengths: Tensor | None = None
    resets: Tensor | None = None
    inputs: Mapping[str, Tensor] = field(default_factory=dict)
    record: Sequence[str] = ()
    recompute: bool = False
    reverse: bool = False
    frozen: "Frozen | None" = None

    @classmethod
    def from_tensors(
        cls,
        program: Program,
        tensors: Sequence[Tensor],
        lengths: Tensor | None,
        resets: Tensor | None,
        record: Sequence[str] = (),
    ) -> "Arguments":
        """The arguments whose `tensors` these are."""
        many, states = len(program.inputs), len(program.states)
        (x, *inputs), tensors = tensors[:many], tensors[many:]
        return cls(
            program,
            {p.name: value for p, value in zip(program.parameters, tensors[2 * states :], strict=True)},
            x,
            tuple(tensors[:states]),
            start=tuple(tensors[states : 2 * states]),
            lengths=lengths,
            resets=None if resets is None else resets.bool(),
            inputs=dict(zip(program.inputs[1:], inputs, strict=True)),
            record=record,
        )

    def tensors(self) -> list[Tensor]:
        """What gradients may be asked for, in the order of the Program: inputs, states, starts, parameters."""
        program = self.program
        inputs = [self.inputs[name] for name in program.inputs[1:]]
        return [self.x, *inputs, *self.state, *self.restart, *[self.params[p.name] for p in program.parameters]]

    @property
    def restart(self) -> tuple[Tensor, ...]:
        """The state that resets go back to."""
        return self.state if self.start is None else self.start

    def running(self) -> Tensor | None:
        """[T,B], whether a step lies before its sequence's end; None where all do."""
        if self.lengths is None:
            return None
        return torch.arange(self.x.shape[0], device=self.x.device)[:, None] < self.lengths

    def without_padding(self, running: Tensor | None) -> "Arguments":
        """The same with x 0 and no resets past the ends of sequences: nothing there (NaN, say) enters any sum."""
        if running is None:
            return self
        resets = None if self.resets is None else self.resets & running
        return replace(self, x=torch.where(running[:, :, None], self.x, 0), resets=resets)


Run = Callable[[Arguments], Results]


@dataclass(frozen=True)
class Stack:
    """Layers of one Program in one or both directions, each on the output of the one below, with nothing between.

    params, state, start: of each layer in each direction in turn, l0, l0_reverse, l1 and so on. x, lengths and resets
    are those of Arguments.
    """

    program: Program
    params: Sequence[Mapping[str, Tensor]]
    x: Tensor
    state: Sequence[tuple[Tensor, ...]]
    start: Sequence[tuple[Tensor, ...]]
    lengths: Tensor | None = None
    resets: Tensor | None = None
    bidirectional: bool = False

    @classmethod
    def of(cls, arguments: Arguments) -> "Stack":
        """The stack of one layer, forwards."""
        a = arguments
        return cls(a.program, [a.params], a.x, [a.state], [a.restart], a.lengths, a.resets)

    def direction(self, slot: int) -> int:
        """Of one of the states: 0 forwards, 1 backwards."""
        return slot % 2 if self.bidirectional else 0

    def tensors(self) -> list[Tensor]:
        """All that gradients may be asked for."""
        states = [value for values in (*self.state, *self.start) for value in values]
        return [self.x, *states, *[value for params in self.params for value in params.values()]]


StackResults = tuple[Tensor, list[tuple[Tensor, ...]]]  # output [T,B,D*size], final states as they were given
RunStack = Callable[[Stack], StackResults | None]  # None where it takes separate calls
