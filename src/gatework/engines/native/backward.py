"""The backward pass of a Program over a sequence, in the core."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import torch
from torch import Tensor

from gatework.engines.native import boundaries
from gatework.engines.native.call import (
    Call,
    allocate_saved,
    dense,
    saved_numbers,
    state_dtypes,
    tensor_spec,
    without_autocast,
)
from gatework.engines.native.keys import Key, Role
from gatework.engines.native.memory import Memory, allocated, execute
from gatework.engines.native.plans import BackwardPlan, backward_plan, forward_plan
from gatework.engines.native.products import product, products
from gatework.notation import Program

PIECES, ENOUGH = 8, 512  # with `recompute`: pieces of a sequence at most, and rows of each at least
_STEPWISE = frozenset({Role.INPUT, Role.STATE, Role.OUTPUT_GRADIENT, Role.INPUT_GRADIENT})
_OUTPUT_GRADIENT = Key(Role.OUTPUT_GRADIENT)


@dataclass(frozen=True)
class BackwardRecipe:
    """What backward passes of one kind have in common.

    states: of each the keys of its series, its gradient, the gradient by its start, and its size. restarts: gradient
    by a state -> gradient by its start; starts: the same for the core. inputs: those with a gradient, and that.
    wanted: the call's tensors whose gradients are, None in place of others. by_states: first states and starts, and
    their gradients.
    """

    lowered: BackwardPlan
    states: tuple[tuple[Key, Key, Key, str], ...]
    restarts: dict[Key, Key]
    starts: list[int]
    inputs: tuple[tuple[Key, Key], ...]
    by_states: tuple[tuple[Key, Key], ...]
    wanted: tuple[Key | None, ...]


@lru_cache(maxsize=256)
def backward_recipe(program: Program, wanted: tuple[bool, ...], element: str) -> BackwardRecipe:
    keys = tuple(tensor_spec(program).shapes)
    asked = tuple(key for key, wants in zip(keys, wanted, strict=True) if wants)
    lowered = backward_plan(program, asked, element)
    states = tuple(
        (
            Key(Role.STATE, state.name),
            Key(Role.STATE_GRADIENT, state.name),
            Key(Role.START_GRADIENT, state.name),
            state.size,
        )
        for state in program.states
    )
    restarts = {by_state: by_start for _, by_state, by_start, _ in states}
    names = {key.of for key in (*lowered.inputs, *(gradient for gradient, _ in lowered.products))}
    return BackwardRecipe(
        lowered,
        states,
        restarts,
        lowered.plan.starts(restarts),
        tuple((Key(Role.INPUT, name), Key(Role.INPUT_GRADIENT, name)) for name in program.inputs if name in names),
        tuple((Key(Role.FIRST, key.of), key) for key in restarts)
        + tuple((Key(Role.START, key.of), key) for key in restarts.values()),
        tuple(key if wants else None for key, wants in zip(keys, wanted, strict=True)),
    )


@without_autocast
def backward(
    call: Call, saved: Sequence[Tensor], gradients: Sequence[Tensor | None], wanted: Sequence[bool]
) -> list[Tensor | None]:
    """The gradients by the call's tensors, None where none is wanted, from those by output and final states.

    saved: as the forward pass returned it.
    """
    program, recompute, memory = call.program, call.options.recompute, call.memory()
    recipe = backward_recipe(program, tuple(wanted), memory.element)
    _place_saved(recipe, program, memory, saved)
    _place_gradients(recipe, program, memory, gradients)
    by_tensors: dict[Key, Tensor] = {}
    for first, last in _pieces(memory, recompute):
        part = memory if last - first == memory.T else _section(memory, first, last)
        if recompute:
            _recompute_saved(program, part)
        _run(call, recipe, part, first)
        for key, value in _parameter_gradients(recipe.lowered, part).items():
            by_tensors[key] = by_tensors[key].add_(value) if key in by_tensors else value
        _add_input_gradients(recipe.lowered, part)
    for key, gradient in recipe.by_states:
        value = memory.tensors[gradient]
        by_tensors[key] = value[0] if value.dim() == 3 else value  # the first of two steps in turn
    for key, gradient in recipe.inputs:
        by_tensors[key] = memory.tensors[gradient]
    return [
        None if key is None else _fitted(by_tensors.get(key), tensor)
        for key, tensor in zip(recipe.wanted, call.tensors, strict=True)
    ]


def _place_saved(recipe: BackwardRecipe, program: Program, memory: Memory, saved: Sequence[Tensor]) -> None:
    """Places what the forward pass saved: the series of the states and, but for `recompute`, one piece of the rest."""
    for (state, *_), series in zip(recipe.states, saved, strict=False):
        memory.tensors[state] = series
    for whole in saved[len(recipe.states) :]:
        memory.place_consecutive(tensor_spec(program).saved, whole)


def _place_gradients(
    recipe: BackwardRecipe, program: Program, memory: Memory, gradients: Sequence[Tensor | None]
) -> None:
    """Places the gradients by output and final states, and memory for those by states, starts and inputs."""
    tensors, (by_output, *by_finals) = memory.tensors, gradients
    if by_output is None:
        by_output = _zeros(1, memory.B, memory.units[program.output_size]).to(memory.dtype)
    tensors[_OUTPUT_GRADIENT] = dense(by_output)
    for (_, by_state, by_start, size), final in zip(recipe.states, by_finals, strict=True):
        tensors[by_state] = flow = _zeros(2, memory.B, memory.units[size])
        if final is not None:
            flow[0] = final
        tensors[by_start] = _zeros(memory.B, memory.units[size])
    for key, gradient in recipe.inputs:
        tensors[gradient] = allocated(memory.T, memory.B, tensors[key].shape[-1], dtype=memory.dtype)


def _zeros(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.float32, device="cpu")


def _pieces(memory: Memory, recompute: bool) -> Iterator[tuple[int, int]]:
    """Steps from..to that are taken back at once, the last ones first: all of them, or few enough to be recomputed."""
    steps = max(ceil(memory.T / PIECES), ceil(ENOUGH / max(memory.B, 1))) if recompute else memory.T
    last = memory.T
    while last > steps:
        yield last - steps, last
        last -= steps
    yield 0, last


def _section(memory: Memory, first: int, last: int) -> Memory:
    """The same memory, of some steps."""

    def steps(tensor: Tensor) -> Tensor:
        return tensor if tensor.shape[0] == 1 else tensor[first:last]  # one step may stand for all

    tensors = {key: steps(t) if key.role in _STEPWISE else t for key, t in memory.tensors.items()}
    return Memory(last - first, memory.B, memory.units, tensors)


def _recompute_saved(program: Program, memory: Memory) -> None:
    """Computes the saved values again: from the states all steps are known at once, and run as rows of a single one."""
    lowered, rows = forward_plan(program, True, False, False, (), memory.element), memory.T * memory.B
    flat = Memory(1, rows, memory.units, dict(memory.tensors))
    for name in program.inputs:
        key = Key(Role.INPUT, name)
        flat.tensors[key] = memory.flat(memory.tensors[key])[None]
    for state, kind in zip(program.states, state_dtypes(program, memory), strict=True):
        key = Key(Role.STATE, state.name)
        series = flat.series(2, state.size, kind)
        series[0] = memory.flat(memory.tensors[key][: memory.T])
        flat.tensors |= {key: series, Key(Role.START, state.name): series[0]}
    whole = allocate_saved(program, flat, saved_numbers(program, memory))
    execute(lowered.core, lowered.plan, flat, None, None, lowered.plan.no_starts)
    memory.place_consecutive(tensor_spec(program).saved, whole)


def _run(call: Call, recipe: BackwardRecipe, memory: Memory, first: int) -> None:
    """Runs the backward plan over the steps from `first` on."""
    tensors, T, lengths, resets = memory.tensors, memory.T, call.lengths, call.resets
    plan = recipe.lowered.plan
    for gradient in recipe.restarts if T % 2 else ():
        tensors[gradient][1] = tensors[gradient][0]
    width = sum(memory.units[size] for _, size in plan.factors)
    memory.place_interleaved(plan.factors, allocated(T, memory.B, width, dtype=memory.dtype))
    for key, size in plan.totals:
        tensors[key] = allocated(memory.units[size], dtype=torch.float32)
    if first or call.options.recompute:
        lengths, resets = boundaries.of_steps(lengths, resets, first, T)
    execute(recipe.lowered.core, plan, memory, lengths, resets, recipe.starts)
    if first and resets is not None:  # the core never looks at what lies before its first step
        boundaries.reset_gradients(memory, resets[0], recipe.restarts)


def _parameter_gradients(lowered: BackwardPlan, memory: Memory) -> dict[Key, Tensor]:
    """A vector's gradient as the plan has summed it; a matrix's, of factors x operands, as large products."""
    sums = {vector: memory.tensors[total] for vector, total in lowered.vectors}
    for factors, users in lowered.matrices:
        operands = [_operand(memory, operand) for operand, _ in users]
        results = products(memory.joined(factors).t(), operands)
        for (_, matrices), result in zip(users, results, strict=True):
            sizes = [memory.units_of(key) for key in factors]
            parts = result.split_with_sizes(sizes) if len(sizes) > 1 else (result,)
            for key, part in zip(matrices, parts, strict=True):
                sums[key] = sums[key] + part if key in sums else part
    return sums


def _operand(memory: Memory, key: Key) -> Tensor:
    """What a matrix was multiplied with at all steps, [T*B,size]: of states, those before each step."""
    values = memory.tensor(key)
    return memory.flat(values[: memory.T] if key.role is Role.STATE else values)


def _add_input_gradients(lowered: BackwardPlan, memory: Memory) -> None:
    """Adds to what the plan has written of each input's gradient [T,B,I]: factors x matrices, as large products."""
    begun = set(lowered.inputs)
    for gradient, pairs in lowered.products:
        out = memory.tensors[gradient].flatten(0, 1)
        for factors, matrices in pairs:
            whole = torch.cat([memory.tensors[key] for key in matrices])
            if out.dtype == torch.float32:
                product(memory.joined(factors), whole, out, add=gradient in begun)
            elif gradient in begun:
                out.add_(product(memory.joined(factors), whole))
            else:
                out.copy_(product(memory.joined(factors), whole))
            begun.add(gradient)


def _fitted(gradient: Tensor | None, like: Tensor) -> Tensor:
    """A gradient in the shape and dtype of its tensor: summed over the steps that shared it."""
    if gradient is None:
        return torch.zeros_like(like)
    gradient = gradient if gradient.shape == like.shape else gradient.sum(0, keepdim=True)
    return gradient if gradient.dtype is like.dtype else gradient.to(like.dtype)
