"""The backward pass of a Program over a sequence, in the core."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import torch
from torch import Tensor

from gatework.engines.native.bound import Bound
from gatework.engines.native.call import Call, outline
from gatework.lowering.arrays import Array
from gatework.lowering.binding import Binding
from gatework.lowering.call import Options, Outline, saved_numbers, tensor_spec
from gatework.lowering.keys import Key, Role
from gatework.lowering.layout import Layout
from gatework.lowering.plans import BackwardPlan, backward_plan, forward_plan, state_elements
from gatework.notation import Program

ENOUGH, LARGE = 512, 16 << 20  # rows of a piece of a sequence at least, and bytes of what its products read at most
PIECES = 8  # with `recompute`, at most
_OUTPUT_GRADIENT = Key(Role.OUTPUT_GRADIENT)


def backward(
    call: Call, saved: Sequence[Tensor], gradients: Sequence[Tensor | None], wanted: Sequence[bool]
) -> list[Tensor | None]:
    """The gradients by the call's tensors, None where none is wanted, from those by output and final states.

    saved: as the forward pass returned it.
    """
    present = [gradient for gradient in gradients if gradient is not None]
    return bound(call, saved, gradients, wanted).run([*call.tensors, *saved, *present], call.lengths, call.resets)


def bound(
    call: Call, saved: Sequence[Tensor], gradients: Sequence[Tensor | None], wanted: Sequence[bool]
) -> "Backward":
    """The backward pass that runs such calls."""
    parts = call.tensors, saved, [gradient for gradient in gradients if gradient is not None]
    present = tuple([gradient is not None for gradient in gradients])
    return bind(call.options, tuple(wanted), *map(outline, parts), present, torch.get_num_threads())


@dataclass(frozen=True)
class Backward:
    """A backward pass that is bound.

    parts: of each result, the rows of the gradients that it is made of. places: of each of the call's tensors, which of
    these is its gradient; None where there is none. unfitted: whose gradients are wanted but not among these, or
    have another shape or dtype there.
    """

    call: Bound
    parts: tuple[tuple[int, ...], ...]
    places: tuple[int | None, ...]
    unfitted: tuple[int, ...]

    def run(self, tensors: Sequence[Tensor], lengths: Tensor | None, resets: Tensor | None) -> list[Tensor | None]:
        """The gradients by the call's tensors, which come first; after them what was saved, and gradients."""
        rows: list[Tensor] = []
        for whole, sizes in zip(self.call.run(tensors, lengths, resets), self.parts, strict=True):
            rows += whole.split_with_sizes(sizes) if len(sizes) > 1 else (whole,)
        made = [None if place is None else rows[place] for place in self.places]
        for which in self.unfitted:
            made[which] = _fitted(made[which], tensors[which])
        return made


def _fitted(gradient: Tensor | None, like: Tensor) -> Tensor:
    """A gradient in the shape and dtype of its tensor: summed over the steps that shared it."""
    if gradient is None:
        return torch.zeros_like(like)
    gradient = gradient if gradient.shape == like.shape else gradient.sum(0, keepdim=True)
    return gradient if gradient.dtype is like.dtype else gradient.to(like.dtype)


@lru_cache(maxsize=1024)
def bind(
    options: Options,
    wanted: tuple[bool, ...],
    tensors: Outline,
    saved: Outline,
    gradients: Outline,
    present: tuple[bool, ...],
    threads: int,
) -> Backward:
    program, recompute = options.program, options.recompute
    layout = Layout.of(program, tensors, threads, options.reverse)
    recipe, call = backward_recipe(program, wanted, layout.element), layout.call
    _place_saved(recipe, program, layout, call.give(saved, gaps=False))
    given = iter(call.give(gradients))
    results = _Results(call)
    _place_gradients(recipe, program, layout, [next(given) if there else None for there in present], results)
    joined = _joined_matrices(recipe.lowered, layout)
    width = sum(layout.units[size] for _, size in recipe.lowered.plan.factors)
    for first, last in _pieces(layout.T, layout.B, width, recompute):
        whole = last - first == layout.T
        part = layout if whole else layout.section(first, last)
        with call.temporary():
            if recompute:
                _recompute_saved(program, part)
            _run(recipe, part, first, layout.T, results)
            _add_matrix_gradients(recipe.lowered, part, results)
            _add_input_gradients(recipe.lowered, part, joined)
    for key, by_state in recipe.firsts:
        call.copy(results.add([key], (layout.B,), layout.arrays[by_state].shape[-1]), layout.arrays[by_state].step(0))
    return Backward(Bound.of(call), tuple(results.parts), *_places(program, tensors, wanted, results))


class _Results:
    """The gradients that a run returns, by the tensors that they are for: each result is the rows of one or several."""

    def __init__(self, call: Binding) -> None:
        self.call = call
        self.arrays: dict[Key, Array] = {}
        self.keys: list[Key] = []
        self.parts: list[tuple[int, ...]] = []
        self.products: dict[tuple[object, ...], Array] = {}  # of which factors, operand and matrices

    def add(self, keys: Sequence[Key], rows: tuple[int, ...], *more: int, element: str = "float32") -> Array:
        """A new result, with so many rows for each of the keys."""
        whole = self.call.result(sum(rows), *more, element=element)
        self.arrays.update(zip(keys, whole.rows(rows), strict=True))
        self.keys += keys
        self.parts.append(rows)
        return whole


def _places(
    program: Program, tensors: Outline, wanted: tuple[bool, ...], results: _Results
) -> tuple[tuple[int | None, ...], tuple[int, ...]]:
    """See `Backward`."""
    order = {key: place for place, key in enumerate(results.keys)}
    places: list[int | None] = []
    unfitted: list[int] = []
    outlines = zip(tensor_spec(program).shapes, tensors.shapes, tensors.elements, wanted, strict=True)
    for which, (key, shape, element, wants) in enumerate(outlines):
        places.append(order.get(key) if wants else None)
        array = results.arrays.get(key)
        if wants and (array is None or array.shape != shape or array.element != element):
            unfitted.append(which)
    return tuple(places), tuple(unfitted)


@dataclass(frozen=True)
class BackwardRecipe:
    """What backward passes of one kind have in common.

    states: of each the keys of its series, its gradient, the gradient by its start, and its size. restarts: gradient
    by a state -> gradient by its start; starts: the same for the core. inputs: those with a gradient, and that.
    firsts, wanted_starts: first states and starts whose gradients are wanted, and what has these.
    """

    lowered: BackwardPlan
    states: tuple[tuple[Key, Key, Key, str], ...]
    restarts: dict[Key, Key]
    starts: list[int]
    inputs: tuple[tuple[Key, Key], ...]
    firsts: tuple[tuple[Key, Key], ...]
    wanted_starts: dict[Key, Key]


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
        tuple((first, key) for key in restarts if (first := Key(Role.FIRST, key.of)) in asked),
        {key: start for key in restarts.values() if (start := Key(Role.START, key.of)) in asked},
    )


def _place_saved(recipe: BackwardRecipe, program: Program, layout: Layout, saved: Sequence[Array]) -> None:
    """Places what the forward pass saved: the series of the states and, but for `recompute`, one piece of the rest."""
    for (state, *_), series in zip(recipe.states, saved, strict=False):
        layout.place(state, series)
    for whole in saved[len(recipe.states) :]:
        layout.place_consecutive(tensor_spec(program).saved, whole)


def _place_gradients(
    recipe: BackwardRecipe, program: Program, layout: Layout, given: Sequence[Array | None], results: _Results
) -> None:
    """Places the gradients by output and final states, and memory for those by states, starts and inputs."""
    call, arrays, B, (by_output, *by_finals) = layout.call, layout.arrays, layout.B, given
    if by_output is None:
        by_output = call.scratch(1, B, layout.units[program.output_size], element=layout.element)
        call.clear(by_output)
    layout.place(_OUTPUT_GRADIENT, by_output)
    for (_, by_state, by_start, size), final in zip(recipe.states, by_finals, strict=True):
        units, start = layout.units[size], recipe.wanted_starts.get(by_start)
        arrays[by_state] = flow = call.scratch(2, B, units)
        arrays[by_start] = call.scratch(B, units) if start is None else results.add([start], (B,), units)
        call.clear(arrays[by_start])
        if final is None:
            call.clear(flow.step(0))
        else:
            call.copy(flow.step(0), final)
    for key, gradient in recipe.inputs:
        layout.place(gradient, results.add([key], (layout.T,), B, arrays[key].shape[-1], element=layout.element))


def _pieces(T: int, B: int, width: int, recompute: bool) -> Iterator[tuple[int, int]]:
    """Steps from..to that are taken back at once, the last ones first.

    So many that the values for products over steps, `width` numbers a row, take no more than LARGE bytes: they are read
    again while they lie in a cache, and their memory is used again. With `recompute` so few that all can be recomputed.
    """
    least = ceil(ENOUGH / max(B, 1))
    steps = max(ceil(T / PIECES) if recompute else LARGE // max(4 * B * width, 1), least)
    last = T
    while last > steps:
        yield last - steps, last
        last -= steps
    yield 0, last


def _recompute_saved(program: Program, layout: Layout) -> None:
    """Computes the saved values again: from the states all steps are known at once, and run as rows of a single one."""
    lowered, rows = forward_plan(program, True, False, False, (), layout.element), layout.T * layout.B
    call, spec = layout.call, tensor_spec(program)
    flat = Layout(call, 1, rows, layout.units, layout.element, arrays=dict(layout.arrays))
    for name in program.inputs:
        key = Key(Role.INPUT, name)
        flat.arrays[key] = layout.flat(layout.arrays[key]).as_step()
    for name, element in state_elements(program, layout.element).items():
        key = Key(Role.STATE, name)
        states = layout.flat(layout.arrays[key].steps(0, layout.T))
        series = call.scratch(2, *states.shape, element=element)
        call.copy(series.step(0), states)
        flat.arrays.update({key: series, Key(Role.START, name): series.step(0)})
    whole = call.scratch(saved_numbers(program, layout.sizes), element=layout.element)
    flat.place_consecutive(spec.saved, whole)
    flat.scan(lowered.core, lowered.plan, lowered.plan.no_starts)
    layout.place_consecutive(spec.saved, whole)


def _run(recipe: BackwardRecipe, layout: Layout, first: int, steps: int, results: _Results) -> None:
    """Runs the backward plan over the steps from `first` on, of so many in all; sums up the gradients by vectors."""
    call, arrays, plan, vectors = layout.call, layout.arrays, recipe.lowered.plan, recipe.lowered.vectors
    for gradient in recipe.restarts if layout.T % 2 else ():
        call.copy(arrays[gradient].step(1), arrays[gradient].step(0))
    layout.place_interleaved(plan.factors)
    totals, again = dict(plan.totals), any(vector in results.arrays for vector, _ in vectors)
    if vectors:
        rows = tuple(layout.units[totals[total]] for _, total in vectors)
        whole = call.scratch(sum(rows)) if again else results.add([vector for vector, _ in vectors], rows)
        arrays.update(zip([total for _, total in vectors], whole.rows(rows), strict=True))
    layout.scan(recipe.lowered.core, plan, recipe.starts, first=first, steps=steps)
    for vector, total in vectors if again else ():
        call.copy(results.arrays[vector], arrays[total], add=True)
    for by_state, by_start in recipe.restarts.items() if first else ():  # the core sees no step before its first
        call.core.restart(arrays[by_state].step(0).described, arrays[by_start].described, first, steps)


def _add_matrix_gradients(lowered: BackwardPlan, layout: Layout, results: _Results) -> None:
    """Adds to the matrices' gradients, of factors x operands, as large products."""
    call = layout.call
    for factors, users in lowered.matrices:
        rows = tuple(layout.arrays[key].shape[-1] for key in factors)
        new: list[tuple[Array, Array]] = []
        more: list[tuple[Array, Array]] = []
        apart: list[tuple[Sequence[Key], Array]] = []  # products that belong to gradients which others have begun
        for operand, matrices in users:
            right, begun = _operand(layout, operand), results.products.get((factors, operand, matrices))
            if begun is not None:
                more.append((right, begun))
                continue
            if results.arrays.keys().isdisjoint(matrices):
                whole = results.products[factors, operand, matrices] = results.add(matrices, rows, right.shape[1])
            else:
                whole = call.scratch(sum(rows), right.shape[1])
                apart.append((matrices, whole))
            new.append((right, whole))
        for pairs in (new, more):
            if pairs:
                left = layout.joined(factors).t()
                call.products(left, [right for right, _ in pairs], [whole for _, whole in pairs], add=pairs is more)
        for keys, whole in apart:
            for key, part in zip(keys, whole.rows(rows), strict=True):
                call.copy(results.arrays[key], part, add=True)


def _operand(layout: Layout, key: Key) -> Array:
    """What a matrix was multiplied with at all steps, [T*B,size]: of states, those before each step."""
    values = layout.arrays[key]
    return layout.flat(values.steps(0, layout.T) if key.role is Role.STATE else values)


def _joined_matrices(lowered: BackwardPlan, layout: Layout) -> dict[Sequence[Key], Array]:
    """The matrices that inputs' gradients are products with, one below the other."""
    call, joined = layout.call, dict[Sequence[Key], Array]()
    for matrices in (matrices for _, pairs in lowered.products for _, matrices in pairs):
        parts = [layout.arrays[key] for key in matrices]
        rows = tuple(part.shape[0] for part in parts)
        joined[matrices] = whole = call.scratch(sum(rows), parts[0].shape[1], element=layout.element)
        for to, part in zip(whole.rows(rows), parts, strict=True):
            call.copy(to, part)
    return joined


def _add_input_gradients(lowered: BackwardPlan, layout: Layout, joined: Mapping[Sequence[Key], Array]) -> None:
    """Adds to what the plan has written of each input's gradient [T,B,I]: factors x matrices, as large products."""
    call, arrays, begun = layout.call, layout.arrays, set(lowered.inputs)
    for gradient, pairs in lowered.products:
        out = layout.flat(arrays[gradient])
        for factors, matrices in pairs:
            whole, add = joined[matrices], gradient in begun
            if out.element == "float32":
                call.products(layout.joined(factors), [whole], [out], add=add)
            else:
                wide = call.scratch(*out.shape)
                call.products(layout.joined(factors), [whole], [wide])
                call.copy(out, wide, add=add)
            begun.add(gradient)
