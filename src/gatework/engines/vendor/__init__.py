"""The engine "torch": torch's own fused LSTM, GRU and RNN, for Programs that equal one of them.

cuDNN on CUDA, oneDNN or composed operations on the CPU, whatever torch has elsewhere. `recognise` decides by the
equations which function a Program is; `weights` lays its parameters out as that function reads them.
"""

import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

from gatework.engines.arguments import Arguments, Results, Stack, StackResults
from gatework.engines.eager import is_eager, is_tracing, is_wrapper
from gatework.engines.reverse_direction import run_reversed
from gatework.engines.vendor.pieces import cut
from gatework.engines.vendor.recognise import Fused
from gatework.engines.vendor.recognise import recognise as recognise
from gatework.engines.vendor.weights import packed
from gatework.errors import InputError
from gatework.notation import Program


def runs(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether torch has its fused functions there: it is asked, once for each device and dtype."""
    return device.type == "meta" or torch.compiler.is_compiling() or _asked(device.type, dtype)


@lru_cache
def _asked(device: str, dtype: torch.dtype) -> bool:
    try:
        with _disable_current_modes(), torch.inference_mode(False), torch.enable_grad():
            x, state = (torch.zeros(1, 1, 1, device=device, dtype=dtype) for _ in range(2))
            weights = [torch.zeros(4, 1, device=device, dtype=dtype, requires_grad=True) for _ in range(2)]
            output = torch.lstm(x, (state, state), weights, False, 1, 0.0, True, False, False)[0]
            torch.autograd.grad(output.sum(), weights)
    except (RuntimeError, AssertionError, NotImplementedError):  # AssertionError: torch is built without the device
        return False
    return True


def refusal(program: Program, device: torch.device, dtype: torch.dtype) -> str:
    """Why the engine does not run a Program there; empty where it does."""
    known = recognise(program)
    if isinstance(known, str):
        return f"runs torch's LSTM, GRU (reset after) and RNN, and this cell is none of them: {known}"
    return "" if runs(device, dtype) else f"has no {str(dtype).removeprefix('torch.')} on {device.type}"


def beyond(arguments: Arguments) -> str:
    """What a call asks for that torch's functions have not; empty where they have all of it."""
    known = recognise(arguments.program)
    if isinstance(known, str):
        return known
    if lacks := _lacks(Stack.of(arguments), known):
        return lacks
    hidden = [name for name in arguments.record if name != arguments.program.output]
    return f"recorded {', '.join(hidden)}" if hidden else ""


def _lacks(stack: Stack, fused: Fused) -> str:
    states = stack.state[0]
    if fused.projection and states[0].shape == states[1].shape:
        return "projection to as many units as the memory has"  # it tells one by the sizes
    return ""


def run(arguments: Arguments) -> Results:
    """Executes a Program that equals one of torch's functions over a sequence.

    Raises InputError where it equals none, and where `beyond` names something.
    """
    known, lacks, stack = recognise(arguments.program), beyond(arguments), Stack.of(arguments)
    if not isinstance(known, Fused):
        reason = refusal(arguments.program, arguments.x.device, arguments.x.dtype)
        raise InputError(f"engine='torch' {reason}: use engine='auto' or 'reference'")
    if lacks:
        raise InputError(f"engine='torch' has no {lacks}: use engine='auto' or engine='reference'")
    if is_watched(stack):
        raise InputError("engine='torch' runs eager calls: for what torch's tools trace or wrap use engine='reference'")
    if arguments.reverse:
        return run_reversed(run, arguments)
    output, states = _run(stack, known)
    return output, states[0], dict.fromkeys(arguments.record, output)


def run_stack(stack: Stack) -> StackResults | None:
    """Executes layers and their reverse directions in one call; None where `run` refuses such a layer."""
    known = recognise(stack.program)
    if not isinstance(known, Fused) or _lacks(stack, known) or is_watched(stack):
        return None
    return _run(stack, known)


def is_watched(stack: Stack) -> bool:
    """Whether a tool of torch writes down or replaces what is done, which packing and fused functions do not bear.

    torch.compile alone does bear them, of whole sequences.
    """
    cuts = [value for value in (stack.lengths, stack.resets) if value is not None]
    if torch.compiler.is_compiling():
        return torch.compiler.is_exporting() or bool(cuts)
    return is_tracing() or not is_eager() or any(map(is_wrapper, (*stack.tensors(), *cuts)))


def _run(stack: Stack, fused: Fused) -> StackResults:
    T, B = stack.x.shape[:2]
    if 0 in (T, B):
        return _empty(stack, fused)
    whole = stack.lengths is None and stack.resets is None
    if whole or stack.x.is_meta:  # which has shapes alone, and nothing to cut by
        output, *last = _call(fused, stack.x, *_rest(stack, fused, stack.state), False)
        return output, _states(last, fused)
    pieces = cut(stack)
    if pieces is None:
        return _empty(stack, fused)
    x = stack.x.flatten(0, 1).index_select(0, pieces.steps)
    data, *last = _call(fused, x, pieces.batch_sizes, *_rest(stack, fused, pieces.states(stack)))
    output = data.new_zeros(T, B, data.shape[1]).index_put((pieces.steps // B, pieces.steps % B), data)  # no view
    return output, pieces.ends(stack, _states(last, fused))


def _empty(stack: Stack, fused: Fused) -> StackResults:
    """The results of no steps, or of no sequences."""
    size = stack.state[0][fused.states[0]].shape[-1] * (1 + stack.bidirectional)
    return stack.x.new_zeros(*stack.x.shape[:2], size), list(stack.state)


def _call(fused: Fused, *given: Any) -> Any:
    function = getattr(torch, fused.kind)
    if not fused.projection:
        return function(*given)
    with warnings.catch_warnings():  # that oneDNN has no projection, and torch's own operations run
        warnings.filterwarnings("ignore", "LSTM with projections is not supported with oneDNN")
        return function(*given)


def _rest(stack: Stack, fused: Fused, states: Sequence[tuple[Tensor, ...]]) -> tuple[Any, ...]:
    """What the functions take after the sequence: states, weights, biases, layers, dropout, training, directions."""
    joined = tuple(torch.stack([each[place] for each in states]) for place in fused.states)  # [L*D,B,size]
    training = torch.is_grad_enabled()  # cuDNN keeps what its backward pass reads in training alone
    weights, layers = packed(fused, stack.params, stack.bidirectional), len(stack.params) // (1 + stack.bidirectional)
    given = joined if fused.kind == "lstm" else joined[0]
    return given, weights, fused.has_biases, layers, 0.0, training, stack.bidirectional


def _states(last: list[Tensor], fused: Fused) -> list[tuple[Tensor, ...]]:
    """Torch's h, or h and c, of each layer and direction, in the order of the Program."""
    in_order = [value for _, value in sorted(zip(fused.states, last, strict=True), key=lambda pair: pair[0])]
    return list(zip(*(value.unbind() for value in in_order), strict=True))
