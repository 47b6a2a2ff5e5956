"""A call's forward and backward pass, in either mode: products ahead of the steps, the steps, and sums over all steps.

In mode S the steps are one kernel, in mode G each is products by torch and kernels between them. Products with inputs
are ahead; gradients of matrices, vectors and inputs are products and sums over all steps, in pieces of bounded memory.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from math import ceil
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gatework.engines.native.call import Call
from gatework.engines.native.forward import Result
from gatework.engines.triton import graphs, whole
from gatework.engines.triton.modes import asked_mode, mode
from gatework.engines.triton.passes import Pass, multiplied, side_by_side
from gatework.engines.triton.source.sequence import SequenceKernel, sequence
from gatework.engines.triton.source.step import Step, step
from gatework.lowering.call import Options, saved_numbers, tensor_spec
from gatework.lowering.keys import Key, Role
from gatework.lowering.plan import Store
from gatework.lowering.plans import BackwardBuffers, backward_buffers, forward_buffers, state_elements
from gatework.lowering.simplify import Ahead
from gatework.notation import Program
from gatework.notation.adjoint import adjoint

LARGE = 256 << 20  # bytes of the values that a backward pass keeps for products over steps, at most
PIECES = 8  # of a sequence whose saved values are computed again
_STEPWISE = frozenset({Role.INPUT, Role.STATE, Role.SAVED, Role.OUTPUT_GRADIENT, Role.INPUT_GRADIENT})


# -- what runs


def forward(call: Call) -> Result:
    """The forward pass of a call, whose results lie in memory of their own."""
    options, many = call.options, len(call.program.states)
    with torch.no_grad(), torch.autocast(call.tensors[0].device.type, enabled=False):
        made = graphs.run(("forward", _kind(call)), lambda given: _flat(_forward(_with(call, given))), _given(call))
    recorded = 1 + many + len(options.record)
    return Result(made[0], made[1 : 1 + many], made[1 + many : recorded], made[recorded:])


def backward(
    call: Call, saved: Sequence[Tensor], gradients: Sequence[Tensor | None], wanted: Sequence[bool]
) -> list[Tensor | None]:
    """The gradients by the call's tensors, None where none is wanted, from those by output and final states.

    saved: as the forward pass returned it.
    """
    present = tuple(gradient is not None for gradient in gradients)
    own = _given(call)

    def run(given: Sequence[Tensor]) -> list[Tensor]:
        rest = iter(given[len(own) + len(saved) :])
        kept = given[len(own) : len(own) + len(saved)]
        return _backward(_with(call, given), kept, [next(rest) if there else None for there in present], wanted)

    kind = "backward", _kind(call), present, tuple(wanted)
    with torch.no_grad(), torch.autocast(call.tensors[0].device.type, enabled=False):
        made = iter(graphs.run(kind, run, [*own, *saved, *(g for g in gradients if g is not None)]))
    return [next(made) if wants else None for wants in wanted]


def _kind(call: Call) -> tuple[Any, ...]:
    """What a call's launches depend on beside the shapes of its tensors."""
    tf32 = torch.backends.cuda.matmul.allow_tf32
    return call.options._replace(frozen=None), call.lengths is None, call.resets is None, tf32, asked_mode()


def _given(call: Call) -> list[Tensor]:
    return [*call.tensors, *(value for value in (call.lengths, call.resets) if value is not None)]


def _with(call: Call, given: Sequence[Tensor]) -> Call:
    """The call on other tensors, as `_given` lists them."""
    rest = iter(given[len(call.tensors) :])
    lengths, resets = (None if value is None else next(rest) for value in (call.lengths, call.resets))
    return Call(call.options, given[: len(call.tensors)], lengths, resets)


def _flat(result: Result) -> list[Tensor]:
    return [result.output, *result.finals, *result.recorded, *result.saved]


def modes_of(call: Call) -> tuple[str, str]:
    """The modes of a call's forward pass, which saves, and of its backward pass for all gradients."""
    program, element, (*_, units) = call.program, _element(call), call.sizes()
    forwards = forward_step(program, True, call.options.record, element).whole
    backwards = backward_step(program, tuple(tensor_spec(program).shapes), element).whole
    return mode(forwards, units, call.dtype), mode(backwards, units, call.dtype)


def _run(part: Pass, kernel: SequenceKernel, times: Sequence[int]) -> None:
    """Takes a pass through steps in its mode."""
    if mode(kernel, part.units, part.call.dtype) == "S":
        whole.run(part, kernel, times)
    else:
        part.run(times)


# -- forward


class ForwardStep(NamedTuple):
    step: Step
    whole: SequenceKernel  # all steps at once
    ahead: tuple[tuple[Key, tuple[tuple[Key, Ahead], ...]], ...]  # by operand


@lru_cache(maxsize=256)
def forward_step(program: Program, train: bool, record: tuple[str, ...], element: str) -> ForwardStep:
    """A step of the forward pass; train: it saves what the backward pass needs."""
    saved = adjoint(program).saved if train else ()
    layout, ahead = forward_buffers(program, saved, True, True, record, element)
    groups: dict[Key, list[tuple[Key, Ahead]]] = {}
    for index, product in ahead.items():
        groups.setdefault(Key(Role.INPUT, product.operand), []).append((Key(Role.AHEAD, index), product))
    made = step(layout.nodes, layout.sources, layout.stores, element)
    at_once = sequence(layout.nodes, layout.sources, layout.stores)
    return ForwardStep(made, at_once, tuple((operand, tuple(group)) for operand, group in groups.items()))


def _forward(call: Call) -> Result:
    program, record, train, recompute, *_ = call.options
    element = _element(call)
    saves = train and not recompute
    plan = forward_step(program, saves, record, element)
    run = Pass.of(call, plan.step)
    T, nodes = run.T, program.nodes
    states = [
        run.new(Key(Role.STATE, state.name), T + 1 if train else 2, state.size, each)
        for state, each in zip(program.states, state_elements(program, element).values(), strict=True)
    ]
    begin, end = (T - 1, 0) if run.reverse else (0, T - 1)
    for state in program.states:
        run.at(Key(Role.STATE, state.name), 0, begin).copy_(run.tensors[Key(Role.FIRST, state.name)])
    output = run.new(Key(Role.OUTPUT), T, program.output_size, element)
    recorded = [run.new(Key(Role.RECORDED, name), T, nodes[program.names[name]].size, element) for name in record]
    saved = [*states] if train else []
    if saves:
        saved.append(call.tensors[0].new_empty(saved_numbers(program, call.sizes())))
        run.place_saved(saved[-1], T)
    _multiply_ahead(run, plan)
    _run(run, plan.whole, run.times())
    finals = [run.at(Key(Role.STATE, s.name), 1, end).to(call.dtype, copy=True) for s in program.states]
    return Result(output, finals, recorded, saved)


def _element(call: Call) -> str:
    return str(call.dtype).removeprefix("torch.")


def _multiply_ahead(run: Pass, plan: ForwardStep) -> None:
    """The products with inputs, of all steps at once."""
    for operand, products in plan.ahead:
        values = run.series[operand].values
        parts = [run.tensors[Key(Role.MATRIX, product.matrix)] for _, product in products]
        result = multiplied(values.reshape(-1, values.shape[-1]), torch.cat(parts).t())
        result = result.view(*values.shape[:2], result.shape[1])
        for (key, product), part in zip(products, result.split_with_sizes([len(p) for p in parts], -1), strict=True):
            run.place(key, part.add_(run.tensors[Key(Role.VECTOR, product.vector)]) if product.vector else part)


# -- backward


class BackwardStep(NamedTuple):
    """A step of the backward pass, and the values it keeps for products over steps with their sizes, side by side."""

    step: Step
    whole: SequenceKernel
    factors: tuple[tuple[Key, str], ...]
    vectors: tuple[tuple[Key, Key], ...]  # vector, factor
    buffers: BackwardBuffers


@lru_cache(maxsize=256)
def backward_step(program: Program, asked: tuple[Key, ...], element: str) -> BackwardStep:
    """A step of the backward pass; asked: keys of the inputs and parameters whose gradients are wanted."""
    buffers = backward_buffers(program, asked, element)
    layout, vectors = buffers.layout, []
    totals = {total: vector for vector, total in buffers.vectors}
    for index, stores in layout.stores.items():
        for store in [store for store in stores if store.buffer in totals]:
            stores.remove(store)
            factor = Key(Role.FACTOR, index)
            vectors.append((totals[store.buffer], factor))
            if all(other.buffer != factor for other in stores):
                stores.append(Store(factor, 0, "ended0"))
    made = step(layout.nodes, layout.sources, layout.stores, element)
    at_once = sequence(layout.nodes, layout.sources, layout.stores)
    return BackwardStep(made, at_once, _factors(made), tuple(vectors), buffers)


def _factors(step: Step) -> tuple[tuple[Key, str], ...]:
    """The values kept for products over steps, in the order in which products within a step read them."""
    written = {key: k.size for _, kernels in step.stages for k in kernels for key, _ in k.writes}
    read = [key for products, _ in step.stages for product in products for key in product.operands]
    return tuple((key, written[key]) for key in dict.fromkeys([*read, *written]) if key.role is Role.FACTOR)


def _backward(
    call: Call, saved: Sequence[Tensor], gradients: Sequence[Tensor | None], wanted: Sequence[bool]
) -> list[Tensor]:
    keys = tuple(tensor_spec(call.program).shapes)
    asked = tuple(key for key, wants in zip(keys, wanted, strict=True) if wants)
    plan = backward_step(call.program, asked, _element(call))
    run = Pass.of(call, plan.step, backwards=True)
    totals = dict[Key, Tensor]()
    _place_for_backward(run, plan, saved, gradients)
    for first, last in _pieces(run, plan):
        part = _section(run, first, last)
        if call.options.recompute:
            part.place_saved(_saved_again(part, first, last), last - first, first)
        _place_factors(part, plan, first, last)
        _run(part, plan.whole, [time for time in run.times() if first <= time < last])
        _add_parameter_gradients(part, plan, totals, last - first)
        _add_input_gradients(part, plan, last - first)
    return [_gradient(run, totals, key, tensor) for key, tensor in run.tensors.items() if key in asked]


def _place_for_backward(
    run: Pass, plan: BackwardStep, saved: Sequence[Tensor], gradients: Sequence[Tensor | None]
) -> None:
    """Places what was saved, the gradients by output and final states, and memory for those by states and inputs."""
    program, (by_output, *by_finals) = run.call.program, gradients
    for state, series in zip(program.states, saved, strict=False):
        run.place(Key(Role.STATE, state.name), series)
    for values in saved[len(program.states) :]:
        run.place_saved(values, run.T)
    if by_output is None:
        run.new(Key(Role.OUTPUT_GRADIENT), 1, program.output_size, "float32").zero_()
    else:
        run.place(Key(Role.OUTPUT_GRADIENT), by_output)
    end = 0 if run.reverse else run.T - 1
    for state, final in zip(program.states, by_finals, strict=True):
        run.new(Key(Role.START_GRADIENT, state.name), 1, state.size, "float32").zero_()
        key = Key(Role.STATE_GRADIENT, state.name)
        run.new(key, 2, state.size, "float32").zero_()
        if final is not None:
            run.at(key, 1, end).copy_(final)
    for gradient in {*plan.buffers.inputs, *(gradient for gradient, _ in plan.buffers.products)}:
        like = run.tensors[Key(Role.INPUT, gradient.of)]
        run.place(gradient, like.new_empty(run.T, run.B, like.shape[-1]))


def _pieces(run: Pass, plan: BackwardStep) -> Iterator[tuple[int, int]]:
    """Steps from..to that are taken back at once, in the order in which they are."""
    numbers = run.B * sum(run.units[size] for _, size in plan.factors)
    steps = max(1, LARGE // max(1, numbers * run.call.tensors[0].element_size()))
    if run.call.options.recompute:
        steps = min(steps, ceil(run.T / PIECES))
    starts = range(0, run.T, max(steps, 1))
    for first in starts if run.reverse else reversed(starts):
        yield first, min(first + steps, run.T)


def _section(run: Pass, first: int, last: int) -> Pass:
    """The same pass with the series of some steps; what is placed there is its own."""
    part = Pass(run.call, run.step, run.T, run.B, run.units, run.backwards, dict(run.series), run.matrices)
    for key, (values, _) in run.series.items():
        if key.role in _STEPWISE and values.shape[0] > 1:
            part.place(key, values[first : last + (key.role is Role.STATE)], first)
    return part


def _saved_again(part: Pass, first: int, last: int) -> Tensor:
    """The saved values of some steps: from the states all are known at once, and run as rows of a single one."""
    call, rows = part.call, (last - first) * part.B
    tensors = dict(part.tensors)
    for key, tensor in tensors.items():
        if key.role is Role.INPUT:
            steps = part.series[key].values.expand(last - first, -1, -1)
            tensors[key] = steps.reshape(1, rows, tensor.shape[-1])
    for state in call.program.states:
        old = _operand(part, Key(Role.STATE, state.name), last - first)
        tensors |= {Key(role, state.name): old for role in (Role.FIRST, Role.START)}
    return _forward(Call(Options(call.program, train=True), list(tensors.values()))).saved[-1]


def _place_factors(part: Pass, plan: BackwardStep, first: int, last: int) -> None:
    """Memory for the values kept for products over steps, side by side."""
    widths = [part.units[size] for _, size in plan.factors]
    whole = part.call.tensors[0].new_empty(last - first, part.B, sum(widths))
    for (key, _), values in zip(plan.factors, whole.split_with_sizes(widths, -1), strict=True):
        part.place(key, values, first)


def _operand(part: Pass, key: Key, steps: int) -> Tensor:
    """The values of all steps of a piece, [steps*B,size]: of states those before each."""
    values = part.series[key].values
    if key.role is Role.STATE:
        values = values[1:] if part.reverse else values[:-1]
    return values.expand(steps, part.B, -1).reshape(steps * part.B, values.shape[-1])


def _joined_factors(part: Pass, factors: Sequence[Key], steps: int) -> Tensor:
    joined = side_by_side([part.series[key].values.expand(steps, part.B, -1) for key in factors])
    return joined.reshape(steps * part.B, joined.shape[-1])


def _add_parameter_gradients(part: Pass, plan: BackwardStep, totals: dict[Key, Tensor], steps: int) -> None:
    """Adds to the gradients of matrices products of factors and operands, to those of vectors sums of factors."""
    by_operand: dict[Key, list[tuple[Key, Key]]] = {}
    for operand, factor, matrix in plan.buffers.matrices:
        by_operand.setdefault(operand, []).append((factor, matrix))
    for operand, pairs in by_operand.items():
        factors = _joined_factors(part, [factor for factor, _ in pairs], steps)
        product = multiplied(factors.t(), _operand(part, operand, steps).to(factors.dtype))
        widths = [part.series[factor].values.shape[-1] for factor, _ in pairs]
        for (_, matrix), piece in zip(pairs, product.split_with_sizes(widths), strict=True):
            _add(totals, matrix, piece)
    for vector, factor in plan.vectors:
        _add(totals, vector, part.series[factor].values.sum((0, 1), dtype=torch.float32))


def _add(totals: dict[Key, Tensor], key: Key, value: Tensor) -> None:
    totals[key] = totals[key] + value if key in totals else value


def _add_input_gradients(part: Pass, plan: BackwardStep, steps: int) -> None:
    """Adds to what the kernels have written of each input's gradient products of factors and matrices."""
    for gradient, pairs in plan.buffers.products:
        factors = _joined_factors(part, [factor for factor, _ in pairs], steps)
        matrices = torch.cat([part.tensors[matrix] for _, matrix in pairs])
        values = part.series[gradient].values
        product = multiplied(factors, matrices).view(values.shape)
        values.copy_(values + product if gradient in plan.buffers.inputs else product)


def _gradient(run: Pass, totals: Mapping[Key, Tensor], key: Key, tensor: Tensor) -> Tensor:
    """The gradient by a tensor of the call, in its shape and dtype."""
    begin = run.T - 1 if run.reverse else 0
    by_input = Key(Role.INPUT_GRADIENT, key.of)
    if key.role is Role.FIRST:
        made = run.at(Key(Role.STATE_GRADIENT, key.of), 0, begin)
    elif key.role is Role.START:
        made = run.series[Key(Role.START_GRADIENT, key.of)].values[0]
    elif key.role is Role.INPUT and by_input in run.series:
        made = run.series[by_input].values
    elif key in totals:
        made = totals[key]
    else:
        return torch.zeros_like(tensor)
    made = made if made.shape == tensor.shape else made.sum(0, keepdim=True)
    return made.to(tensor.dtype)
