"""One layer, one step at a time: weights packed once, the state in the core's own memory."""

from collections.abc import Mapping

import torch
from torch import Tensor

from gatework.core import _native
from gatework.engines.arguments import Arguments
from gatework.engines.native.call import outline
from gatework.engines.native.forward import needs_own_output
from gatework.engines.native.keys import Key, Role
from gatework.engines.native.layout import STORAGES, Layout
from gatework.engines.native.memory import allocated
from gatework.engines.native.plan import SIZES
from gatework.engines.native.plans import forward_plan, state_elements
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
        layout = Layout.of(program, outline(tensors), torch.get_num_threads())
        call, units, element = layout.call, layout.units, layout.element
        own = needs_own_output(program, False, element)
        lowered = forward_plan(program, False, own, False, (), element)
        kinds = state_elements(program, element)
        series = {Key(Role.STATE, each.name): (each.size, kinds[each.name]) for each in program.states}
        if own:
            series[Key(Role.OUTPUT)] = program.output_size, element
        series |= {buffer.key: (buffer.columns, buffer.element) for buffer in lowered.plan.between}
        for key, (size, kind) in series.items():
            layout.arrays[key] = call.result(2, layout.B, units[size], element=kind)
        made = [allocated(shape, dtype) for shape, dtype in call.results]
        self.states = made[: len(program.states)]
        self.reset(state, 0)
        output = made[list(series).index(Key(Role.OUTPUT) if own else Key(Role.STATE, program.output))]
        self.outputs = (output[0], output[1]) if own else (output[1], output[0])  # where it is with the states after it
        self.memory, self.dtype = [*tensors, *made], x.dtype  # the core points into the memory
        core = _native.Stream(
            lowered.core,
            [units[size] for size in SIZES],
            layout.B,
            layout.table(lowered.plan),
            [tensor.data_ptr() for tensor in self.memory],
            STORAGES[weights],
            lowered.plan.numbers[Key(Role.INPUT, "x")],
            *layout.grid(lowered.plan),
        )
        self._step = core.step  # takes the address of an input [B,I], contiguous and of x's dtype

    def state(self, slot: int) -> list[Tensor]:
        """The states [B,size], until the next step but one; the slot of the next output is theirs."""
        return [series[slot].to(self.dtype) for series in self.states]

    def reset(self, state: tuple[Tensor, ...], slot: int) -> None:
        """Goes on from another state."""
        for series, value in zip(self.states, state, strict=True):
            series[slot] = value
