"""The engine "torch": torch's own fused LSTM, GRU and RNN, for Programs that equal one of them.

cuDNN on CUDA, oneDNN or composed operations on the CPU, whatever torch has elsewhere. `recognise` decides by the
equations which function a Program is; `weights` lays its parameters out as that function reads them.
"""

import warnings
from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils._python_dispatch import _disable_current_modes

from gatework.engines.arguments import Arguments, Results
from gatework.engines.eager import is_eager, is_tracing, is_wrapper
from gatework.engines.reverse_direction import run_reversed
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
    known, states = recognise(arguments.program), arguments.state
    if isinstance(known, str):
        return known
    if arguments.resets is not None:
        return "resets inside a sequence"
    if known.projection and states[0].shape == states[1].shape:
        return "projection to as many units as the memory has"  # it tells one by the sizes
    hidden = [name for name in arguments.record if name != arguments.program.output]
    return f"recorded {', '.join(hidden)}" if hidden else ""


def run(arguments: Arguments) -> Results:
    """Executes a Program that equals one of torch's functions over a sequence.

    Raises InputError where it equals none, and where `beyond` names something.
    """
    known, lacks = recognise(arguments.program), beyond(arguments)
    if not isinstance(known, Fused):
        reason = refusal(arguments.program, arguments.x.device, arguments.x.dtype)
        raise InputError(f"engine='torch' {reason}: use engine='auto' or 'reference'")
    if lacks:
        raise InputError(f"engine='torch' has no {lacks}: use engine='auto' or engine='reference'")
    if is_watched(arguments):
        raise InputError("engine='torch' runs eager calls: for what torch's tools trace or wrap use engine='reference'")
    if arguments.reverse:
        return run_reversed(run, arguments)
    if 0 in arguments.x.shape[:2]:
        output, states = _empty(arguments, known), arguments.state
    elif arguments.lengths is None or arguments.x.is_meta:  # which has shapes alone, and no lengths to pack by
        output, states = _called(arguments, known)
    else:
        output, states = _with_lengths(arguments, known, arguments.lengths)
    return output, states, dict.fromkeys(arguments.record, output)


def is_watched(arguments: Arguments) -> bool:
    """Whether a tool of torch writes down or replaces what is done, which packing and fused functions do not bear.

    torch.compile alone does bear them, of whole sequences.
    """
    if torch.compiler.is_compiling():
        return torch.compiler.is_exporting() or arguments.lengths is not None
    extra = [value for value in (arguments.lengths,) if value is not None]
    return is_tracing() or not is_eager() or any(map(is_wrapper, (*arguments.tensors(), *extra)))


def _empty(arguments: Arguments, fused: Fused) -> Tensor:
    """The output of no steps, or of no sequences."""
    return arguments.x.new_zeros(*arguments.x.shape[:2], arguments.state[fused.states[0]].shape[-1])


def _called(arguments: Arguments, fused: Fused) -> tuple[Tensor, tuple[Tensor, ...]]:
    output, *last = _call(fused, arguments.x, *_rest(arguments, fused), False)
    return output, _states(last, fused)


def _with_lengths(arguments: Arguments, fused: Fused, lengths: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    """As `_called`, up to each sequence's end: packed, which takes no empty sequence, so these run one step unseen."""
    T = len(arguments.x)
    arguments = arguments.without_padding(arguments.running())
    given = pack_padded_sequence(arguments.x, lengths.clamp(min=1).cpu(), enforce_sorted=False)
    order, back = given.sorted_indices, given.unsorted_indices
    assert order is not None and back is not None  # as of all that is unsorted
    sorted_state = tuple(value.index_select(0, order) for value in arguments.state)
    rest = _rest(replace(arguments, state=sorted_state), fused)
    data, *last = _call(fused, given.data, given.batch_sizes, *rest)
    output, _ = pad_packed_sequence(given._replace(data=data), total_length=T)
    some = (lengths > 0)[:, None]
    new = (value.index_select(0, back) for value in _states(last, fused))
    states = tuple(torch.where(some, after, before) for after, before in zip(new, arguments.state, strict=True))
    return torch.where(some, output, 0), states


def _call(fused: Fused, *given: Any) -> Any:
    function = getattr(torch, fused.kind)
    if not fused.projection:
        return function(*given)
    with warnings.catch_warnings():  # that oneDNN has no projection, and torch's own operations run
        warnings.filterwarnings("ignore", "LSTM with projections is not supported with oneDNN")
        return function(*given)


def _rest(arguments: Arguments, fused: Fused) -> tuple[Any, ...]:
    """What the functions take after the sequence: states, weights, biases, layers, dropout, training, directions."""
    states = tuple(arguments.state[place][None].contiguous() for place in fused.states)
    training = torch.is_grad_enabled()  # cuDNN keeps what its backward pass reads in training alone
    given = states if fused.kind == "lstm" else states[0]
    return given, packed(fused, arguments.params), fused.has_biases, 1, 0.0, training, False


def _states(last: list[Tensor], fused: Fused) -> tuple[Tensor, ...]:
    """Torch's h, or h and c, in the order of the Program."""
    return tuple(value[0] for _, value in sorted(zip(fused.states, last, strict=True), key=lambda pair: pair[0]))
