"""The forward pass of a Program over a sequence: bound for its sizes, and where its results are."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from gatework.lowering.binding import Binding
from gatework.lowering.call import Options, Outline, saved_numbers, tensor_spec
from gatework.lowering.keys import Key, Role
from gatework.lowering.layout import Layout
from gatework.lowering.plans import ForwardPlan, forward_plan, state_elements
from gatework.lowering.simplify import Ahead
from gatework.lowering.threads import step_seconds
from gatework.notation import Program

SHAPES = 8  # of which frozen weights are kept packed
FEW = 6  # rows below which products with inputs are done ahead, for all steps at once


@dataclass(frozen=True)
class Forward:
    """A forward pass that is bound, and where its results are.

    saved: how many are for the backward pass. output: which is the output; or states, from the `since`-th on, where
    that is not None. recorded, finals: the first of these. seconds, grid: of its scan, reckoned. threads: those it was
    bound for.
    """

    call: Binding
    saved: int
    output: int
    since: int | None
    recorded: int
    finals: int
    seconds: float
    grid: tuple[int, int]
    threads: int


def bind(options: Options, tensors: Outline, has_boundaries: bool, threads: int) -> Forward:
    """Binds such calls; has_boundaries: whether sequences may end or start again between their steps."""
    program = options.program
    layout = Layout.of(program, tensors, threads, options.reverse, options.frozen)
    call, arrays, T, B, units = layout.call, layout.arrays, layout.T, layout.B, layout.units
    few = B < FEW and T > 1 and (options.frozen is None or options.frozen.storage == layout.element)
    recipe = forward_recipe(options, has_boundaries, few, layout.element)
    for key, first, size, element, every_step in recipe.states:
        if every_step:
            layout.place(key, call.result(T + 1, B, units[size], element=element))
        else:
            arrays[key] = call.scratch(2, B, units[size], element=element)
        call.copy(arrays[key].step(0), arrays[first])
    kept = [key for key, *_, every_step in recipe.states if every_step]
    if recipe.lowered.saved:
        whole = call.result(saved_numbers(program, layout.sizes), element=layout.element)
        layout.place_consecutive(tensor_spec(program).saved, whole)
    saved = len(call.results) if options.train else 0
    output = kept.index(recipe.output) if recipe.output in kept else len(call.results)
    for key, size in recipe.results:
        layout.place(key, call.result(T, B, units[size], element=layout.element))
    finals = len(call.results)
    for operand, products in recipe.ahead:
        for place, matrix, vector in products:
            layout.place(place, call.scratch(T, B, arrays[matrix].shape[0]))
            if vector is None:
                call.clear(arrays[place])
            else:
                call.copy(arrays[place], arrays[vector].repeated(T, B))
        right = [arrays[matrix].t() for _, matrix, _ in products]
        call.products(
            layout.flat(arrays[operand]), right, [layout.flat(arrays[place]) for place, *_ in products], add=True
        )
    layout.scan(recipe.lowered.core, recipe.lowered.plan, recipe.starts, steps=T)
    for key, *_ in recipe.states:
        states = arrays[key]
        call.copy(call.result(*states.shape[1:], element=layout.element), states.step(T % states.shape[0]))
    since = None if recipe.output not in kept else 0 if options.reverse else 1  # those after each step, in time
    matrices = recipe.lowered.plan.matrices
    return Forward(
        call,
        saved,
        output,
        since,
        recorded=finals - len(options.record),
        finals=finals,
        seconds=T * step_seconds(matrices, units, B),
        grid=layout.grid(recipe.lowered.plan),
        threads=threads,
    )


@dataclass(frozen=True)
class ForwardRecipe:
    """What forward passes of one kind have in common.

    states: key, that of what it starts from, size, element, whether there is memory for every step. results: keys and
    sizes of what is returned beside them, those that are recorded last. output: the key of the output. starts: see
    `NativePlan.starts`. ahead: products with an input that are done ahead of the steps: operand; of each where it is,
    its matrix, the vector that is added or None.
    """

    lowered: ForwardPlan
    states: tuple[tuple[Key, Key, str, str, bool], ...]
    results: tuple[tuple[Key, str], ...]
    output: Key
    starts: list[int]
    ahead: tuple[tuple[Key, tuple[tuple[Key, Key, Key | None], ...]], ...]


@lru_cache(maxsize=256)
def forward_recipe(options: Options, has_boundaries: bool, few: bool, element: str) -> ForwardRecipe:
    program, record, train, recompute, *_ = options
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
            elements[state.name],
            train or (state.name == program.output and not own),
        )
        for state in program.states
    ]
    restarts = {Key(Role.STATE, state.name): Key(Role.START, state.name) for state in program.states}
    return ForwardRecipe(
        lowered,
        tuple(states),
        (*([(output, program.output_size)] if own else []), *zip(recorded, sizes, strict=True)),
        output,
        lowered.plan.starts(restarts),
        _ahead(lowered.ahead),
    )


def _ahead(products: Mapping[int, Ahead]) -> tuple[tuple[Key, tuple[tuple[Key, Key, Key | None], ...]], ...]:
    """Products by their operand."""
    by_operand: dict[Key, list[tuple[Key, Key, Key | None]]] = {}
    for index, (operand, matrix, vector) in products.items():
        added = Key(Role.VECTOR, vector) if vector else None
        product = Key(Role.AHEAD, index), Key(Role.MATRIX, matrix), added
        by_operand.setdefault(Key(Role.INPUT, operand), []).append(product)
    return tuple((operand, tuple(group)) for operand, group in by_operand.items())


def needs_own_output(program: Program, has_boundaries: bool, element: str) -> bool:
    """Whether the output is not simply the states after each step, as they are stored."""
    carried = {state.name: state.node for state in program.states}
    same = carried.get(program.output) == program.names[program.output]
    return has_boundaries or not same or state_elements(program, element)[program.output] != element
