"""The forward pass of a Program over a sequence, in the core."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from gatework.engines.native.call import Call, Options, allocate_saved, saved_numbers, without_autocast
from gatework.engines.native.keys import Key, Role
from gatework.engines.native.memory import DTYPES, execute
from gatework.engines.native.plans import ForwardPlan, forward_plan, state_elements
from gatework.engines.native.products import products
from gatework.notation import Program

FEW = 6  # rows below which products with inputs are done ahead, for all steps at once


class Result(NamedTuple):
    """Output [T,B,H], final states [B,size], recorded values [T,B,size].

    saved: for the backward pass: states [T+1,B,size], before each step and after the last; and what else is saved, in
    one piece.
    """

    output: Tensor
    finals: list[Tensor]
    recorded: list[Tensor]
    saved: list[Tensor]


@without_autocast
def forward(call: Call) -> Result:
    memory, options = call.memory(), call.options
    T, tensors, dtype = memory.T, memory.tensors, memory.dtype
    recipe = forward_recipe(options, call.has_boundaries, memory.B < FEW, memory.element)
    states = []
    for key, first, size, kind, every_step in recipe.states:
        tensors[key] = series = memory.series(T + 1 if every_step else 2, size, kind)
        series[0] = tensors[first]
        states.append(series)
    for key, size in recipe.results:
        tensors[key] = memory.series(T, size, dtype)
    saved = states if options.train else []
    if recipe.lowered.saved:
        saved = [*saved, allocate_saved(options.program, memory, saved_numbers(options.program, memory))]
    for operand, matrices, results in recipe.ahead:
        values = products(memory.flat(tensors[operand]), [tensors[key].t() for key in matrices])
        for key, value in zip(results, values, strict=True):
            tensors[key] = value.view(T, memory.B, value.shape[1])
    execute(recipe.lowered.core, recipe.lowered.plan, memory, call.lengths, call.resets, recipe.starts)
    output = tensors[recipe.output]
    return Result(
        output[1:] if recipe.output.role is Role.STATE else output,
        [_final(series, T, dtype) for series in states],
        [tensors[key] for key in recipe.recorded],
        saved,
    )


@dataclass(frozen=True)
class ForwardRecipe:
    """What forward passes of one kind have in common.

    states: key, that of what it starts from, size, dtype, whether there is memory for every step. results: keys and
    sizes of what is returned beside them, of which `recorded` was asked for. output: the key of the output. starts:
    see `NativePlan.starts`. ahead: products with an input that are done ahead of the steps: operand, matrices, results.
    """

    lowered: ForwardPlan
    states: tuple[tuple[Key, Key, str, torch.dtype, bool], ...]
    results: tuple[tuple[Key, str], ...]
    recorded: tuple[Key, ...]
    output: Key
    starts: list[int]
    ahead: tuple[tuple[Key, tuple[Key, ...], tuple[Key, ...]], ...]


@lru_cache(maxsize=256)
def forward_recipe(options: Options, has_boundaries: bool, few: bool, element: str) -> ForwardRecipe:
    program, record, train, recompute = options
    nodes, elements = program.nodes, state_elements(program, element)
    own = needs_own_output(program, has_boundaries, element)
    lowered = forward_plan(program, train and not recompute, own, few, record, element)
    output = Key(Role.OUTPUT) if own else Key(Role.STATE, program.output)
    recorded = tuple(Key(Role.RECORDED, name) for name in record)
    sizes = [nodes[program.names[name]].size for name in record]
    states = [
        (
            Key(Role.STATE, state.name),
            Key(Role.FIRST, state.name),
            state.size,
            DTYPES[elements[state.name]],
            train or (state.name == program.output and not own),
        )
        for state in program.states
    ]
    restarts = {Key(Role.STATE, state.name): Key(Role.START, state.name) for state in program.states}
    return ForwardRecipe(
        lowered,
        tuple(states),
        (*([(output, program.output_size)] if own else []), *zip(recorded, sizes, strict=True)),
        recorded,
        output,
        lowered.plan.starts(restarts),
        _ahead(program, lowered.ahead),
    )


def _ahead(program: Program, products: Sequence[int]) -> tuple[tuple[Key, tuple[Key, ...], tuple[Key, ...]], ...]:
    """Products by their operand: operand, matrices, results."""
    nodes, by_operand = program.nodes, dict[Key, list[int]]()
    for index in products:
        by_operand.setdefault(Key(Role.INPUT, nodes[nodes[index].args[0]].name), []).append(index)
    return tuple(
        (operand, tuple(Key(Role.MATRIX, nodes[i].name) for i in group), tuple(Key(Role.AHEAD, i) for i in group))
        for operand, group in by_operand.items()
    )


def needs_own_output(program: Program, has_boundaries: bool, element: str) -> bool:
    """Whether the output is not simply the states after each step, as they are stored."""
    carried = {state.name: state.node for state in program.states}
    same = carried.get(program.output) == program.names[program.output]
    return has_boundaries or not same or state_elements(program, element)[program.output] != element


def _final(series: Tensor, T: int, dtype: torch.dtype) -> Tensor:
    """What a series of states ends with, apart from what is returned or saved of the series."""
    last = series[T % series.shape[0]]
    if last.dtype != dtype:
        return last.to(dtype)
    return last if series.shape[0] < T else last.clone()
