"""One layer, one step at a time: weights packed once, the state in the core's own memory."""

from collections.abc import Mapping

import torch
from torch import Tensor

from gatework.engines.arguments import Arguments
from gatework.engines.native.call import outline
from gatework.engines.native.memory import DTYPES, allocated
from gatework.lowering.stream import bind
from gatework.notation import Program


class Stepper:
    """Runs a Program step by step; the buffers of its output and states are used in turn.

    Weights are packed when it is made: what becomes of them later is not seen. x: one input [B,I], for its sizes;
    inputs: what the Program reads beside x, one [1,B,size] each for all steps. weights: how they are stored.
    """

    def __init__(
        self,
        program: Program,
        params: Mapping[str, Tensor],
        x: Tensor,
        state: tuple[Tensor, ...],
        inputs: Mapping[str, Tensor],
        weights: str = "float32",
    ) -> None:
        copies = {name: value.detach().clone() for name, value in params.items()}
        given = Arguments(program, copies, x[None], state, inputs=inputs).tensors()
        tensors = [value.contiguous() for value in given]
        steps = bind(program, outline(tensors), torch.get_num_threads())
        made = [allocated(shape, DTYPES[element]) for shape, element in steps.results]
        self.states = made[: len(program.states)]
        self.reset(state, 0)
        output = made[steps.output]
        self.outputs = output[steps.lag], output[1 - steps.lag]  # where it is with the states after it
        self.memory, self.dtype = [*tensors, *made], x.dtype  # the core points into the memory
        core = steps.core([tensor.data_ptr() for tensor in self.memory], weights)
        self._step = core.step  # takes the address of an input [B,I], contiguous and of x's dtype

    def state(self, slot: int) -> list[Tensor]:
        """The states [B,size], until the next step but one; the slot of the next output is theirs."""
        return [series[slot].to(self.dtype) for series in self.states]

    def reset(self, state: tuple[Tensor, ...], slot: int) -> None:
        """Goes on from another state."""
        for series, value in zip(self.states, state, strict=True):
            series[slot] = value
