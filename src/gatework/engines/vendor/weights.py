"""A cell's parameters as torch's fused functions take them: the rows of all gates in one matrix, and back."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from gatework.engines.eager import is_eager
from gatework.engines.vendor.recognise import Fused

Weights = list[Tensor]  # weight_ih, weight_hh, bias_ih, bias_hh if there are biases, weight_hr if there is a projection
_MODES = {"rnn_relu": 0, "rnn_tanh": 1, "lstm": 2, "gru": 3}  # cuDNN's


def packed(fused: Fused, params: Sequence[Mapping[str, Tensor]], bidirectional: bool = False) -> Weights:
    """The weights of layers, and of both directions of each, one after another.

    On CUDA in cuDNN's own layout, which is kept while the parameters stay as they are.
    """
    used = [each[name] for each in params for name in names(fused)]
    if used[0].is_cuda and _takes(used[0]) and is_eager(*used):
        return list(_Kept.apply(fused, bidirectional, *used))  # type: ignore[no-untyped-call]
    return [weight for each in params for weight in stacked(fused, each)]


def _takes(tensor: Tensor) -> bool:
    """Whether cuDNN runs such tensors."""
    return bool(torch.backends.cudnn.is_acceptable(tensor))  # type: ignore[no-untyped-call]


def names(fused: Fused) -> tuple[str, ...]:
    """The parameters that a function reads, each once."""
    found = [name for gate in fused.gates for name in (gate.matrix, gate.recurrent, *gate.outer, *gate.inner)]
    return tuple(dict.fromkeys([*found, *([fused.projection] if fused.projection else [])]))


def stacked(fused: Fused, params: Mapping[str, Tensor]) -> Weights:
    """The weights, of which gradients flow to the parameters; a vector that the cell lacks is zeros."""
    gates = fused.gates
    made = [torch.cat([params[gate.matrix] for gate in gates]), torch.cat([params[gate.recurrent] for gate in gates])]
    if fused.has_biases:
        zeros = [params[gate.matrix].new_zeros(len(params[gate.matrix])) for gate in gates]
        for side in ("outer", "inner"):
            sums = [
                sum((params[name] for name in getattr(gate, side)[1:]), params[getattr(gate, side)[0]])
                if getattr(gate, side)
                else zero
                for gate, zero in zip(gates, zeros, strict=True)
            ]
            made.append(torch.cat(sums))
    return [*made, params[fused.projection]] if fused.projection else made


def unstacked(fused: Fused, gradients: Sequence[Tensor | None]) -> dict[str, Tensor]:
    """Gradients by the weights as gradients by the parameters; what several gates share is summed."""
    found: dict[str, Tensor] = {}

    def add(name: str, gradient: Tensor) -> None:
        found[name] = found[name] + gradient if name in found else gradient

    sides = ("matrix", "recurrent", *(("outer", "inner") if fused.has_biases else ()))
    for side, gradient in zip(sides, gradients, strict=False):
        if gradient is None:
            continue
        for gate, rows in zip(fused.gates, gradient.chunk(len(fused.gates)), strict=True):
            readers = getattr(gate, side)
            for name in (readers,) if isinstance(readers, str) else readers:
                add(name, rows)
    if fused.projection and gradients[-1] is not None:
        add(fused.projection, gradients[-1])
    return found


class _Kept(torch.autograd.Function):
    """The weights of `packed`, in memory that is kept from call to call."""

    @staticmethod
    def forward(ctx: Any, fused: Fused, bidirectional: bool, *used: Tensor) -> tuple[Tensor, ...]:
        ctx.fused = fused
        ctx.set_materialize_grads(False)
        return tuple(weight.detach() for weight in kept(fused, used, bidirectional))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        fused, each = ctx.fused, ctx.fused.weights
        found = [unstacked(fused, gradients[at : at + each]) for at in range(0, len(gradients), each)]
        return (None, None, *(part.get(name) for part in found for name in names(fused)))


_KEPT = WeakTensorKeyDictionary()  # the first parameter -> what the parameters were, and the weights made of them


def kept(fused: Fused, used: Sequence[Tensor], bidirectional: bool = False) -> Weights:
    """The weights without gradients, those of the last call where no parameter was replaced or written on since.

    used: the parameters that `names` says, of each layer and direction in turn. A write by `parameter.data` is not
    counted by torch, and goes unseen, as by torch's own caches of casts.
    """
    if any(tensor.is_inference() for tensor in used):  # whose writes torch does not count
        return _made(fused, used, bidirectional)
    facts = (fused, bidirectional, *((id(tensor), tensor.data_ptr(), tensor._version) for tensor in used))
    known = _KEPT.get(used[0])  # type: ignore[no-untyped-call]
    if known is None or known[0] != facts:
        with torch.inference_mode(False):
            known = facts, _made(fused, used, bidirectional)
        _KEPT[used[0]] = known
    weights: Weights = known[1]
    return weights


@torch.no_grad()
def _made(fused: Fused, used: Sequence[Tensor], bidirectional: bool) -> Weights:
    own = names(fused)
    params = [dict(zip(own, used[at : at + len(own)], strict=True)) for at in range(0, len(used), len(own))]
    weights = [weight.detach().clone() for each in params for weight in stacked(fused, each)]
    if weights[0].is_cuda:
        H, I, layers = weights[1].shape[0] // len(fused.gates), weights[0].shape[1], len(params) // (1 + bidirectional)
        R = weights[fused.weights - 1].shape[0] if fused.projection else 0
        mode = _MODES[fused.kind]
        torch._cudnn_rnn_flatten_weight(weights, fused.weights, I, mode, H, R, layers, False, bidirectional)
    return weights
