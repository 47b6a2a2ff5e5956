"""What torch sees of a scan: a differentiable function, in eager code and where programs are traced or transformed.

torch.compile, torch.export and torch.jit look on before there is memory behind a tensor. To them a scan is one node,
`gatework::scan`, and its gradients are another, `gatework::scan_backward`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gatework.engines.cache import Cache
from gatework.engines.derivatives import derivatives, spread
from gatework.engines.eager import is_eager, is_transformed
from gatework.engines.native.backward import Backward, backward
from gatework.engines.native.backward import bound as bound_backward
from gatework.engines.native.call import Call, state_dtypes
from gatework.engines.native.forward import Forward, Result, forward
from gatework.engines.native.forward import bound as bound_forward
from gatework.engines.native.forward import run_at_once as forwards_at_once
from gatework.engines.native.memory import NAMES
from gatework.errors import InputError
from gatework.lowering.call import Options, saved_numbers, tensor_spec
from gatework.notation.recipe import read

_NOTHING = torch.empty(0, device="cpu")

BACKWARD = "the native engine gives derivatives by backward()"
TRANSFORMED = f"{BACKWARD}; for torch.func and forward mode build the layer with engine='auto' or 'reference'"
TWICE = f"{BACKWARD}; for gradients of gradients in a compiled function build the layer with engine='reference'"


def apply(call: Call, *, eager: bool) -> tuple[Tensor, Sequence[Tensor], Sequence[Tensor]]:
    """Output, final states and recorded values, differentiable in the call's tensors.

    eager: by `is_eager`, of all tensors of the call.
    """
    (program, record, train, recompute, *_), tensors, lengths, resets = call
    if eager:
        return bound(call)(tensors, lengths, resets)
    output, *rest = scan(program.recipe, tensors, " ".join(record), lengths, resets, train, recompute)
    states = len(program.states)
    return output, rest[:states], rest[states : states + len(record)]


@dataclass(frozen=True)
class Ready:
    """An eager call that is bound: called, it runs with tensors like those that it was bound for.

    places: of each tensor, which of the different ones it is: states that start alike are one tensor. different: where
    these are. backwards: what its backward pass takes for gradients of a kind.
    """

    options: Options
    forward: Forward
    places: list[int]
    different: list[int]
    backwards: Cache[Backward]

    def __call__(
        self, tensors: Sequence[Tensor], lengths: Tensor | None = None, resets: Tensor | None = None
    ) -> tuple[Tensor, Sequence[Tensor], Sequence[Tensor]]:
        """As `apply`."""
        if not self.options.train:
            result = self.forward.run(tensors, lengths, resets)
            return result.output, result.finals, result.recorded
        output, *rest = _apply_scan(self, lengths, resets, *tensors)  # type: ignore[no-untyped-call]
        states = len(self.options.program.states)
        return output, rest[:states], rest[states:]


def run_at_once(
    calls: Sequence[Ready], tensors: Sequence[Sequence[Tensor]]
) -> list[tuple[Tensor, Sequence[Tensor], Sequence[Tensor]]]:
    """As each of the calls by itself, at once where none is trained and each takes one thread."""
    if torch.get_num_threads() == 1 or any(call.options.train or call.forward.threads > 1 for call in calls):
        return [call(own) for call, own in zip(calls, tensors, strict=True)]
    results = forwards_at_once([call.forward for call in calls], tensors)
    return [(result.output, result.finals, result.recorded) for result in results]


def bound(call: Call, at_once: int = 1) -> Ready:
    """What runs such calls, of which so many are asked for at once where they do not train."""
    order: dict[int, int] = {}
    places = [order.setdefault(id(tensor), len(order)) for tensor in call.tensors]
    different = [places.index(place) for place in range(len(order))]
    forward = bound_forward(call, 1 if call.options.train else at_once)
    return Ready(call.options, forward, places, different, Cache())


class Scan(torch.autograd.Function):
    """A scan in eager code, with as little as possible around it.

    The output may lie in the memory of the states that the backward pass reads. It has an edit count of its own, so
    that it may be edited in place as torch's may; where it was, the backward pass runs the forward pass again.
    """

    @staticmethod
    def forward(
        ctx: Any, ready: Ready, lengths: Tensor | None, resets: Tensor | None, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        result = ready.forward.run(tensors, lengths, resets)
        output, *recorded = [value.data for value in (result.output, *result.recorded)]  # torch lets no view be edited
        ctx.ready, ctx.edits = ready, _edit_counter(output)  # which counts from 0
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(lengths, resets, *[tensors[place] for place in ready.different], *result.saved)
        if recorded:
            ctx.mark_non_differentiable(*recorded)
        return (output, *result.finals, *recorded)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        ready, edited = ctx.ready, ctx.edits._version > 0
        lengths, resets, *given = ctx.saved_tensors
        wanted, gradients = ctx.needs_input_grad[3:], gradients[: 1 + len(ready.options.program.states)]
        present = [gradient for gradient in gradients if gradient is not None]
        facts = wanted, tuple([gradient is not None for gradient in gradients]), edited
        tensors, saved = [given[place] for place in ready.places], given[len(ready.different) :]
        known = ready.backwards.get(facts, *given, *present)
        call = Call(ready.options, tensors, lengths, resets)
        if known is None and (torch.is_grad_enabled() or is_transformed() or not is_eager(*given, *present)):
            return None, None, None, *_watched_backward(call, [] if edited else saved, gradients, wanted)
        if edited:
            saved = forward(call).saved  # a hook may have saved the tensors in another order
        if known is None:
            known = bound_backward(call, saved, gradients, wanted)
            ready.backwards.put(known, facts, *given, *present)
        return None, None, None, *known.run([*tensors, *saved, *present], lengths, resets)

    @staticmethod
    def jvp(_ctx: Any, *_tangents: Any) -> Any:
        raise InputError(TRANSFORMED)


# As Scan.apply, for what `is_eager` lets through: without a search for wrappers that torch.func has left behind.
_apply_scan = super(torch.autograd.Function, Scan).apply


def _watched_backward(
    call: Call, saved: Sequence[Tensor], gradients: Sequence[Tensor | None], wanted: Sequence[bool]
) -> Sequence[Tensor | None]:
    """The gradients of an eager call where its backward pass is recorded, transformed or traced."""
    (program, _, _, recompute, reverse, _), tensors, lengths, resets = call
    if torch.is_grad_enabled() or is_transformed() or reverse:
        return derivatives(program, tensors, gradients, wanted, lengths, resets, reverse)
    given = tensors, saved, gradients, wanted, lengths, resets, recompute
    return spread(scan_backward(program.recipe, *given), wanted)


def _edit_counter(value: Tensor) -> Tensor:
    """A tensor without numbers whose `_version` counts the edits of another."""
    counter = value.detach()
    counter.data = _NOTHING
    return counter


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
    return scanned(forward, call_of(recipe, tensors, record, lengths, resets, train, recompute))


def scanned(forward: Callable[[Call], Result], call: Call) -> list[Tensor]:
    """What `scan` returns, by an engine's forward pass."""
    _check(call)
    result = forward(call)
    return [*map(_owning_copy, (result.output, *result.finals, *result.recorded)), *result.saved]


@scan.register_fake
def scan_shapes(recipe: str, tensors: Sequence[Tensor], *options: Any) -> list[Tensor]:
    call = call_of(recipe, tensors, *options)
    program, (T, B, units), new = call.program, call.sizes(), tensors[0].new_empty
    widths = [units[state.size] for state in program.states]
    recorded = [units[program.nodes[program.names[name]].size] for name in call.options.record]
    return [
        new(T, B, units[program.output_size]),
        *(new(B, width) for width in widths),
        *(new(T, B, width) for width in recorded),
        *(new(shape, dtype=dtype) for shape, dtype in _saved_shapes(call) if call.options.train),
    ]


def _saved_shapes(call: Call) -> list[tuple[list[int], torch.dtype]]:
    """Shape and dtype of what a forward pass leaves for the backward pass."""
    program, sizes = call.program, call.sizes()
    shapes = [[sizes.T + 1, sizes.B, sizes.units[state.size]] for state in program.states]
    saved = list(zip(shapes, state_dtypes(program, NAMES[call.dtype]), strict=True))
    return saved if call.options.recompute else [*saved, ([saved_numbers(program, sizes)], call.dtype)]


def call_of(
    recipe: str,
    tensors: Sequence[Tensor],
    record: str,
    lengths: Tensor | None,
    resets: Tensor | None,
    train: bool,
    recompute: bool,
) -> Call:
    lengths, resets = (None if value is None else value.contiguous() for value in (lengths, resets))
    return Call(Options(read(recipe), tuple(record.split()), train, recompute), tensors, lengths, resets)


def _owning_copy(value: Tensor) -> Tensor:
    """The value in memory that is all its own, copied unless it is; of empty memory no size shows whether it is."""
    whole = 0 < value.untyped_storage().nbytes() == value.numel() * value.element_size() and value.is_contiguous()
    return value if whole else value.clone(memory_format=torch.contiguous_format)


def _check(call: Call) -> None:
    """Raises InputError where the tensors of a call do not fit its Program or one another."""
    shapes, tensors = tensor_spec(call.program).shapes, call.tensors
    if tensors and tensors[0].dim() != 3:
        raise InputError(f"gatework::scan: x is {list(tensors[0].shape)}; expected [T,B,I]")
    if len(tensors) != len(shapes):
        raise InputError(
            f"gatework::scan: {len(tensors)} tensors given; expected {len(shapes)}: {', '.join(map(str, shapes))}"
        )
    T, B, units = call.sizes()
    sizes, dtype = {**units, "T": T, "B": B}, call.dtype if call.dtype in NAMES else torch.float32
    for (key, shape), tensor in zip(shapes.items(), tensors, strict=True):
        _check_fit(str(key), tensor, [sizes[size] for size in shape], dtype)
    if call.lengths is not None:
        _check_fit("lengths", call.lengths, [B], torch.int64)
        if bool(((call.lengths < 0) | (call.lengths > T)).any()):
            raise InputError(f"lengths holds {call.lengths.tolist()}; expected 0 to T = {T}")
    if call.resets is not None:
        _check_fit("resets", call.resets, [T, B], torch.uint8)


def _check_fit(name: str, tensor: Tensor | None, shape: list[int], dtype: torch.dtype) -> None:
    """The tensor has this shape, but perhaps one step for all, and this dtype."""
    if tensor is None:
        return
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

    Where it has saved nothing, called for inference, the forward pass is run again.
    """
    call = call_of(recipe, tensors, "", lengths, resets, True, recompute)
    return scanned_backward(forward, backward, call, saved, gradients, wanted)


def scanned_backward(
    forward: Callable[[Call], Result],
    backward: Callable[..., Sequence[Tensor | None]],
    call: Call,
    saved: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    wanted: Sequence[bool],
) -> list[Tensor]:
    """What `scan_backward` returns, by an engine's passes."""
    _check(call)
    program, (T, B, units) = call.program, call.sizes()
    results = [[T, B, units[program.output_size]], *([B, units[state.size]] for state in program.states)]
    if len(gradients) != len(results):
        raise InputError(f"gatework::scan_backward: {len(gradients)} gradients given; expected {len(results)}")
    for value, shape in zip(gradients, results, strict=True):
        _check_fit("a gradient", value, shape, call.dtype)
    expected = _saved_shapes(call) if saved else []
    if len(saved) != len(expected):
        raise InputError(f"gatework::scan_backward: {len(saved)} tensors saved; expected {len(expected)}")
    for value, (shape, dtype) in zip(saved, expected, strict=True):
        _check_fit("what was saved", value, shape, dtype)
    by_tensors = backward(call, saved or forward(call).saved, gradients, wanted)
    return [_owning_copy(value) for value in by_tensors if value is not None]


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
    ctx.recipe, ctx.recompute, ctx.many, ctx.states = recipe, recompute, len(tensors), states
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(lengths, resets, *tensors, *output[1 + states + shown :])


def scan_gradients(ctx: Any, gradients: list[Tensor | None]) -> tuple[Any, ...]:
    lengths, resets, *saved = ctx.saved_tensors
    tensors, saved, wanted = saved[: ctx.many], saved[ctx.many :], ctx.needs_input_grad[1]
    by_tensors = scan_backward(
        ctx.recipe, tensors, saved, gradients[: 1 + ctx.states], wanted, lengths, resets, ctx.recompute
    )
    return None, spread(by_tensors, wanted), None, None, None, None, None


def refuse(_ctx: Any, *_gradients: Any) -> Any:
    raise InputError(TWICE)


torch.library.register_autograd(scan._qualname, scan_gradients, setup_context=save)
torch.library.register_autograd(scan_backward._qualname, refuse)
