"""What torch sees of a scan: a differentiable function, in eager code and where programs are traced or transformed.

torch.compile, torch.export and torch.func look on before there is memory behind a tensor. To them a scan is one node,
`gatework::scan`, and its gradients are another, `gatework::scan_backward`.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import Parameter
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from gatework.engines.native.memory import DTYPES
from gatework.engines.native.scan import Call, backward, forward, kept_numbers, outline, state_dtypes
from gatework.errors import InputError
from gatework.notation.recipe import read

ONCE = (
    "the native engine gives first derivatives, by backward(); for gradients of gradients, forward mode and torch.func "
    "build the layer with engine='reference'"
)


def apply(call: Call, tensors: Sequence[Tensor]) -> tuple[Tensor, Sequence[Tensor], Sequence[Tensor]]:
    """Output, final states and recorded values, differentiable in the tensors, which come as `outline` names them."""
    if torch._C._are_functorch_transforms_active():
        raise InputError(ONCE)
    if plain(tensors[0]):
        if not call.train and forward_ad._current_level < 0:  # nobody differentiates
            result = forward(call, tensors)
            return result.output, result.finals, result.recorded
        output, *rest = Scan.apply(call, *tensors)  # type: ignore[no-untyped-call]
    else:
        recipe, record = call.program.recipe, " ".join(call.record)
        output, *rest = scan(recipe, tensors, record, call.lengths, call.resets, call.train, call.recompute)
    states = len(call.program.states)
    return output, rest[:states], rest[states : states + len(call.record)]


def plain(x: Tensor) -> bool:
    """Whether a tensor is memory, and nobody looks on."""
    return not (torch.compiler.is_compiling() or type(x) not in (Tensor, Parameter) or is_in_torch_dispatch_mode())


class Scan(torch.autograd.Function):
    """A scan in eager code, with as little as possible around it."""

    @staticmethod
    def forward(ctx: Any, call: Call, *tensors: Tensor) -> tuple[Tensor, ...]:
        result = forward(call, tensors)
        ctx.call = call
        ctx.set_materialize_grads(False)
        if call.train:
            ctx.save_for_backward(*tensors, *result.states, *result.kept)
        ctx.mark_non_differentiable(*result.recorded)
        return (result.output, *result.finals, *result.recorded)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        call: Call = ctx.call
        many, states = len(outline(call.program).shapes), len(call.program.states)
        tensors, saved = ctx.saved_tensors[:many], ctx.saved_tensors[many:]
        wanted, gradients = ctx.needs_input_grad[1:], gradients[: 1 + states]
        if torch.is_grad_enabled():  # so that who differentiates once more is told
            found = scan_backward(
                call.program.recipe, tensors, saved, gradients, wanted, call.lengths, call.resets, call.recompute
            )
            return None, *spread(found, wanted)
        return None, *backward(call, tensors, saved[:states], saved[states:], gradients, wanted)

    @staticmethod
    def jvp(_ctx: Any, *_tangents: Any) -> Any:
        raise InputError(ONCE)


def spread(found: Sequence[Tensor], wanted: Sequence[bool]) -> list[Tensor | None]:
    """What was found in the places where it was wanted, None elsewhere."""
    values = iter(found)
    return [next(values) if wants else None for wants in wanted]


# -- operators: a Program comes as its recipe, names in one string; no result shares memory with another


@torch.library.custom_op("gatework::scan", mutates_args=(), device_types="cpu")
def scan(
    recipe: str,
    tensors: Sequence[Tensor],
    record: str,
    lengths: Tensor | None,
    resets: Tensor | None,
    train: bool,
    recompute: bool,
) -> list[Tensor]:
    """Output, final states, recorded values; where training, the states and what else the backward pass needs."""
    call = call_of(recipe, record, lengths, resets, train, recompute)
    check(call, tensors)
    result = forward(call, tensors)
    return [own(value) for value in (result.output, *result.finals, *result.recorded)] + result.states + result.kept


@scan.register_fake
def scan_shapes(recipe: str, tensors: Sequence[Tensor], *options: Any) -> list[Tensor]:
    call = call_of(recipe, *options)
    program, memory, new = call.program, call.memory(tensors), tensors[0].new_empty
    T, B, units = memory.T, memory.B, memory.units
    widths = [units[state.size] for state in program.states]
    kinds = state_dtypes(program, memory)
    recorded = [units[program.nodes[program.names[name]].size] for name in call.record]
    return [
        new(T, B, units[program.output_size]),
        *(new(B, width) for width in widths),
        *(new(T, B, width) for width in recorded),
        *(new(T + 1, B, width, dtype=kind) for width, kind in zip(widths, kinds, strict=True) if call.train),
        *(new(kept_numbers(program, memory)) for _ in range(call.train and not call.recompute)),
    ]


def call_of(
    recipe: str, record: str, lengths: Tensor | None, resets: Tensor | None, train: bool, recompute: bool
) -> Call:
    return Call(read(recipe), tuple(record.split()), lengths, resets, train, recompute)


def own(value: Tensor) -> Tensor:
    """The value in memory that is all its own."""
    return value if value.untyped_storage().nbytes() == value.numel() * value.element_size() else value.clone()


def check(call: Call, tensors: Sequence[Tensor]) -> None:
    """Raises InputError where the tensors of a call do not fit its Program or one another."""
    shapes = outline(call.program).shapes
    if len(tensors) != len(shapes):
        raise InputError(f"gatework::scan: {len(tensors)} tensors given; expected {len(shapes)}: {', '.join(shapes)}")
    memory = call.memory(tensors)
    sizes = {**memory.units, "T": memory.T, "B": memory.B}
    dtype = memory.dtype if memory.dtype in DTYPES.values() else torch.float32
    for (name, shape), tensor in zip(shapes.items(), tensors, strict=True):
        fit(name, tensor, [sizes[size] for size in shape], dtype)
    if call.lengths is not None:
        fit("lengths", call.lengths, [memory.B], torch.int64)
    if call.resets is not None:
        fit("resets", call.resets, [memory.T, memory.B], torch.uint8)


def fit(name: str, tensor: Tensor, shape: list[int], dtype: torch.dtype) -> None:
    """The tensor has this shape, but perhaps one step for all, and this dtype."""
    fits = list(tensor.shape) == shape or (len(shape) == 3 and list(tensor.shape) == [1, *shape[1:]])
    if not fits or tensor.dtype != dtype:
        raise InputError(f"gatework::scan: {name} is {list(tensor.shape)} {tensor.dtype}; expected {shape} {dtype}")


@torch.library.custom_op("gatework::scan_backward", mutates_args=(), device_types="cpu")
def scan_backward(
    recipe: str,
    tensors: Sequence[Tensor],
    saved: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    wanted: Sequence[bool],
    lengths: Tensor | None,
    resets: Tensor | None,
    recompute: bool,
) -> list[Tensor]:
    """The wanted gradients by the tensors, from those by output and final states and from what `scan` saved.

    Where it has saved nothing, since nobody was to differentiate, the forward pass is done again.
    """
    call = call_of(recipe, "", lengths, resets, True, recompute)
    check(call, tensors)
    memory = call.memory(tensors)
    kinds = (*state_dtypes(call.program, memory), memory.dtype)
    same = all(value.dtype == kind for value, kind in zip(saved, kinds, strict=False))
    if not same or any(value is not None and value.dtype != memory.dtype for value in gradients):
        raise InputError(f"gatework::scan_backward: expected what was saved, and the gradients, in {memory.element}")
    if not saved:
        result = forward(call, tensors)
        saved = result.states + result.kept
    states = len(call.program.states)
    found = backward(call, tensors, saved[:states], saved[states:], gradients, wanted)
    return [own(value) for value in found if value is not None]


@scan_backward.register_fake
def scan_backward_shapes(
    _recipe: str,
    tensors: Sequence[Tensor],
    _saved: Sequence[Tensor],
    _gradients: Sequence[Tensor | None],
    wanted: Sequence[bool],
    *_options: Any,
) -> list[Tensor]:
    return [value.new_empty(value.shape) for value, wants in zip(tensors, wanted, strict=True) if wants]


# -- derivatives of the operators


def save(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    recipe, tensors, record, lengths, resets, _, recompute = inputs
    states, shown = len(read(recipe).states), len(record.split())
    ctx.recipe, ctx.lengths, ctx.resets, ctx.recompute = recipe, lengths, resets, recompute
    ctx.many, ctx.states = len(tensors), states
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*tensors, *output[1 + states + shown :])


def scan_gradients(ctx: Any, gradients: list[Tensor | None]) -> tuple[Any, ...]:
    tensors, saved = list(ctx.saved_tensors[: ctx.many]), list(ctx.saved_tensors[ctx.many :])
    wanted = ctx.needs_input_grad[1]
    found = scan_backward(
        ctx.recipe, tensors, saved, gradients[: 1 + ctx.states], wanted, ctx.lengths, ctx.resets, ctx.recompute
    )
    return None, spread(found, wanted), None, None, None, None, None


def refuse(_ctx: Any, *_gradients: Any) -> Any:
    raise InputError(ONCE)


torch.library.register_autograd(scan._qualname, scan_gradients, setup_context=save)
torch.library.register_autograd(scan_backward._qualname, refuse)
