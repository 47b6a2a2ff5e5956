"""A Program one step at a time: weights packed once, the buffers of its output and states used in turn."""

from collections.abc import Sequence
from dataclasses import dataclass

from gatework.core import _native
from gatework.lowering.call import Outline
from gatework.lowering.forward import needs_own_output
from gatework.lowering.keys import Key, Role
from gatework.lowering.layout import STORAGES, Layout
from gatework.lowering.plan import SIZES
from gatework.lowering.plans import ForwardPlan, forward_plan, state_elements
from gatework.notation import Program

SLOTS = 2  # in which a series is written in turn


@dataclass(frozen=True)
class Steps:
    """A stream that is bound for its sizes.

    results: shape and element of the memories beside the tensors, one for each series, states first. output: which of
    them has the output. lag: in which slot the output is, after the slot of the states before it.
    """

    layout: Layout
    lowered: ForwardPlan
    results: Sequence[tuple[tuple[int, ...], str]]
    output: int
    lag: int

    def core(self, addresses: Sequence[int], weights: str) -> _native.Stream:
        """What runs the steps on memory at these addresses, tensors first; weights: how they are stored."""
        layout, plan = self.layout, self.lowered.plan
        return _native.Stream(
            self.lowered.core,
            [layout.units[size] for size in SIZES],
            layout.B,
            layout.table(plan),
            addresses,
            STORAGES[weights],
            plan.numbers[Key(Role.INPUT, "x")],
            *layout.grid(plan),
        )


def bind(program: Program, tensors: Outline, threads: int) -> Steps:
    """Binds a stream of tensors as a call has them, with one step of x."""
    layout = Layout.of(program, tensors, threads)
    call, units, element = layout.call, layout.units, layout.element
    own = needs_own_output(program, False, element)
    lowered = forward_plan(program, False, own, False, (), element)
    kinds = state_elements(program, element)
    series = {Key(Role.STATE, each.name): (each.size, kinds[each.name]) for each in program.states}
    if own:
        series[Key(Role.OUTPUT)] = program.output_size, element
    series |= {buffer.key: (buffer.columns, buffer.element) for buffer in lowered.plan.between}
    for key, (size, kind) in series.items():
        layout.arrays[key] = call.result(SLOTS, layout.B, units[size], element=kind)
    output = list(series).index(Key(Role.OUTPUT) if own else Key(Role.STATE, program.output))
    return Steps(layout, lowered, call.results, output, 0 if own else 1)
