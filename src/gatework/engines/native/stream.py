"""One layer, one step at a time: weights packed once, the state in the core's own memory."""

from collections.abc import Mapping

from torch import Tensor

from gatework.core import _native
from gatework.engines.arguments import Arguments
from gatework.engines.native.call import Call, Options, state_dtypes
from gatework.engines.native.forward import needs_own_output
from gatework.engines.native.keys import Key, Role
from gatework.engines.native.memory import grid, table
from gatework.engines.native.plan import SIZES
from gatework.engines.native.plans import forward_plan
from gatework.notation import Program


class Stepper:
    """Runs a Program step by step; the buffers of its output and states are used in turn.

    Weights are packed when it is made: what becomes of them later is not seen. x: one input [B,I], for its sizes;
    inputs: what the Program reads beside x, one [1,B,size] each for all steps.
    """

    def __init__(
        self,
        program: Program,
        params: Mapping[str, Tensor],
        x: Tensor,
        state: tuple[Tensor, ...],
        inputs: Mapping[str, Tensor],
    ) -> None:
        copies = {name: value.detach().clone() for name, value in params.items()}
        tensors = Arguments(program, copies, x[None], state, inputs=inputs).tensors()
        memory = Call(Options(program), tensors).memory()
        own = needs_own_output(program, False, memory.element)
        lowered = forward_plan(program, False, own, False, (), memory.element)
        for carried, kind in zip(program.states, state_dtypes(program, memory), strict=True):
            memory.tensors[Key(Role.STATE, carried.name)] = memory.series(2, carried.size, kind)
        if own:
            memory.tensors[Key(Role.OUTPUT)] = memory.series(2, program.output_size, x.dtype)
        self.states = [memory.tensors[Key(Role.STATE, carried.name)] for carried in program.states]
        self.reset(state, 0)
        output = memory.tensors[Key(Role.OUTPUT) if own else Key(Role.STATE, program.output)]
        self.outputs = (output[0], output[1]) if own else (output[1], output[0])  # where it is with the states after it
        self.memory, self.dtype = memory, x.dtype  # the core points into the memory
        core = _native.Stream(
            lowered.core,
            [memory.units[size] for size in SIZES],
            memory.B,
            table(lowered.plan, memory),
            lowered.plan.numbers[Key(Role.INPUT, "x")],
            *grid(lowered.plan, memory),
        )
        self._step = core.step  # takes the address of an input [B,I], contiguous and of x's dtype

    def state(self, slot: int) -> list[Tensor]:
        """Copies of the states [B,size]; the slot of the next output is theirs."""
        return [series[slot].to(self.dtype, copy=True) for series in self.states]

    def reset(self, state: tuple[Tensor, ...], slot: int) -> None:
        """Goes on from another state."""
        for series, value in zip(self.states, state, strict=True):
            series[slot] = value
