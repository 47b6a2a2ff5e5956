"""What a layer may be given: each check returns the value in the form the layer uses, or raises InputError."""

import math
import sys
import warnings
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gatework.engines import is_eager
from gatework.errors import InputError
from gatework.layers.autocast import autocast_dtype
from gatework.notation import State


def size(name: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"{name} is {value!r}; expected a whole number of at least {least}")


def flag(name: str, value: bool) -> None:
    if not isinstance(value, bool):
        raise InputError(f"{name} is {value!r}; expected True or False")


def choice(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise InputError(f"{name} is {value!r}; expected {' or '.join(map(repr, known))}")


def probability(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError(f"{name} is {value!r}; expected a probability between 0 and 1")
    return float(value)


def probabilities(name: str, given: Mapping[str, float] | None) -> dict[str, float]:
    if given is not None and not (isinstance(given, Mapping) and all(isinstance(key, str) for key in given)):
        raise InputError(f'{name} is {given!r}; expected probabilities by name, such as {{"h": 0.1}}')
    return {key: probability(f"{name}[{key!r}]", value) for key, value in (given or {}).items()}


def warn(message: str) -> None:
    """A UserWarning at the line outside gatework that led to it."""
    frame, depth = sys._getframe(), 1
    while (caller := frame.f_back) is not None and caller.f_globals.get("__name__", "").startswith("gatework."):
        frame, depth = caller, depth + 1
    warnings.warn(message, UserWarning, stacklevel=depth + 1)


def can_stand_still(zoneout: Mapping[str, float], states: Sequence[State]) -> None:
    """Raises InputError for a state under zoneout that starts at infinity, from which zoneout cannot interpolate."""
    finite = [state.name for state in states if not math.isinf(state.start)]
    for name, rate in zoneout.items():
        if rate > 0 and name not in finite:
            raise InputError(f"zoneout: {name} starts at infinity, so it cannot stand still; there are {finite}")


def sequence(x: Tensor, input_size: int, batch_first: bool) -> None:
    """x is [T,B,I], with batch_first [B,T,I], or [T,I]."""
    if isinstance(x, Tensor) and x.dim() in (2, 3) and x.shape[-1] == input_size:
        return
    order = "[B,T,I]" if batch_first else "[T,B,I]"
    if not isinstance(x, Tensor):
        raise InputError(f"x is {type(x).__name__}; expected a tensor {order}")
    if x.dim() not in (2, 3):
        raise InputError(f"x has shape {list(x.shape)}; expected {order}, or [T,I] without a batch")
    raise InputError(f"x has shape {list(x.shape)}; expected {order} with I = input_size = {input_size} as the last")


def like(tensor: Tensor, name: str, anchor: Tensor) -> None:
    """The tensor has the layer's device and, outside autocast, its dtype."""
    if tensor.device != anchor.device:
        raise InputError(f"{name} is on {tensor.device}, the layer on {anchor.device}; move one with .to(...)")
    if tensor.dtype != anchor.dtype and not (tensor.dtype.is_floating_point and autocast_dtype(anchor)):
        raise InputError(f"{name} is {tensor.dtype}, the layer {anchor.dtype}; convert one with .to(...)")


def alike(weights: Mapping[str, Tensor], place: str) -> None:
    """All weights of one layer in one direction have one device and dtype."""
    dtype, device, first = None, None, ""
    for name, tensor in weights.items():
        if dtype is None:
            dtype, device, first = tensor.dtype, tensor.device, name
        elif tensor.dtype != dtype or tensor.device != device:
            both = f"{first} {dtype} on {device}, {name} {tensor.dtype} on {tensor.device}"
            raise InputError(f"the weights of {place} are of two kinds, {both}; convert the layer with .to(...)")


def states(tensors: Sequence[Tensor] | None, names: Sequence[str], anchor: Tensor) -> None:
    """Each state has the layer's device and dtype."""
    if tensors is None:
        return
    for name, value in zip(names, tensors, strict=True):
        like(value, f"state {name}", anchor)


def lengths(value: Tensor | Sequence[int], T: int, B: int, device: torch.device) -> Tensor:
    """[B] whole numbers from 0 to T."""
    try:
        values = _lengths_tensor(value, T, device)
    except InputError:
        raise
    except (TypeError, ValueError, RuntimeError):
        raise InputError(f"lengths is {value!r}; expected [{B}] whole numbers") from None
    if values.shape != (B,) or values.is_floating_point() or values.dtype == torch.bool:
        raise InputError(f"lengths has shape {list(values.shape)} and {values.dtype}; expected [{B}] whole numbers")
    if is_eager(values) and bool(((values < 0) | (values > T)).any()):
        bad = values[(values < 0) | (values > T)][0].item()
        raise InputError(f"lengths holds {bad}; expected 0 to T = {T}")
    return values


def ids(name: str, value: Tensor, order: str, count: int, ignored: int | None = None) -> None:
    """Whole numbers from 0 to count - 1 as torch's embeddings take them, or `ignored`; two dimensions."""
    if not isinstance(value, Tensor) or value.dim() != 2 or value.dtype != torch.int64:
        what = f"{list(value.shape)} {value.dtype}" if isinstance(value, Tensor) else type(value).__name__
        raise InputError(f"{name} is {what}; expected a tensor of torch.int64 {order}")
    if is_eager(value) and value.is_cpu:
        bad = (value < 0) | (value >= count)
        bad = bad if ignored is None else bad & (value != ignored)
        if bool(bad.any()):
            or_ignored = "" if ignored is None else f", or {ignored}"
            raise InputError(f"{name} holds {value[bad][0].item()}; expected 0 to {count - 1}{or_ignored}")


def _lengths_tensor(value: Tensor | Sequence[int], T: int, device: torch.device) -> Tensor:
    """As a tensor; a list also where torch.compile reads, without being a constant there."""
    if isinstance(value, (list, tuple)):  # torch.compile of older versions does not read list | tuple
        compiled = torch.compiler.is_compiling() and not torch.compiler.is_exporting()
        if compiled:
            from gatework.layers import listed  # noqa: PLC0415, torch.compile takes long to import

            listed.as_inputs(value)
        if all(isinstance(number, int) and not isinstance(number, bool) for number in value):
            value = list(value)
            return (
                listed.lengths(value, T, device) if compiled else torch.tensor(value, dtype=torch.int64, device=device)
            )
        if compiled:  # NumPy's integers are tensors there
            value = torch.stack([torch.as_tensor(number) for number in value])
    return torch.as_tensor(value, device=device)


def resets(value: Tensor | None, x: Tensor) -> Tensor | None:
    """Bool, one value for each step of x, in the order of x."""
    if value is None:
        return None
    if not isinstance(value, Tensor) or value.shape != x.shape[:-1] or value.dtype != torch.bool:
        what = f"{list(value.shape)} {value.dtype}" if isinstance(value, Tensor) else type(value).__name__
        raise InputError(f"resets is {what}; expected a bool tensor {list(x.shape[:-1])}, one value for each step of x")
    if value.device != x.device:
        raise InputError(f"resets is on {value.device}, x on {x.device}; move one with .to(...)")
    return value


def state(
    given: Sequence[Tensor] | Tensor, shapes: Mapping[str, tuple[int, int]], B: int, batched: bool
) -> tuple[Tensor, ...]:
    """One tensor [L*D,B,size] per state of the cell, output first; without a batch [L*D,size].

    shapes: L*D and size of each state, by name.
    """
    values = (given,) if isinstance(given, Tensor) else tuple(given) if isinstance(given, Sequence) else ()
    if len(values) != len(shapes) or not all(isinstance(value, Tensor) for value in values):
        what = ", ".join(type(value).__name__ for value in values) if values else type(given).__name__
        raise InputError(f"state is {what}; expected a tensor for each state of the cell: ({', '.join(shapes)})")
    for (name, (slots, units)), value in zip(shapes.items(), values, strict=True):
        expected = [slots, B, units] if batched else [slots, units]
        if list(value.shape) != expected:
            raise InputError(f"state {name} has shape {list(value.shape)}; expected {expected} for x of this batch")
    return values if batched else tuple(value[:, None] for value in values)
